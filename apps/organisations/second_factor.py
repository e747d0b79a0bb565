"""Two-factor sign-in of people: set up, used, taken away. Each change is an audit line in every bureau of the person."""

import secrets
from base64 import b32encode
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.audit.actions import note
from apps.core.scope import system_scope
from apps.organisations.enums import Role
from apps.organisations.models import Membership, RecoveryCode, SecondFactor, User

KEY_BYTES = 20
CODES, CODE_BYTES = 10, 10
BEGUN_FOR = timedelta(hours=1)  # a key that was shown and not confirmed is good this long


class Entered(Enum):
    """What came of a code that was entered."""

    RIGHT = "right"
    RECOVERY = "recovery"
    WRONG = "wrong"
    TOO_SOON = "too soon"


def factor_of(user: Any) -> SecondFactor | None:
    found: SecondFactor | None = SecondFactor.objects.filter(user_id=user.pk, confirmed=True).first()
    return found


def begin(*, user: User, begun: int | None) -> SecondFactor:
    """The key to be shown until its first code is entered; a session keeps its own, `begun`, for a while.

    Another session never sees it: who knows only the password would have the key of the app that is set up later.
    """
    with transaction.atomic():
        rows = SecondFactor.objects.filter(user=user, confirmed=False)
        rows.filter(made_at__lt=timezone.now() - BEGUN_FOR).delete()
        held: SecondFactor | None = rows.filter(pk=begun).first()
        if held is None:
            held = SecondFactor.objects.create(user=user, confirmed=False, name="app", key=secrets.token_hex(KEY_BYTES))
    return held


def confirm(*, user: User, begun: int, code: str) -> tuple[Entered, list[str]]:
    """The first code of the app that was just set up. With RIGHT come the recovery codes, readable only now.

    One session at a time: the first that confirms takes the keys of all others away.
    """
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        rows = SecondFactor.objects.filter(user=user, confirmed=False)
        factor = rows.select_for_update().filter(pk=begun).first()
        if factor is None or factor_of(user) is not None:
            return Entered.WRONG, []
        entered = _judged(factor, code)
        if entered is not Entered.RIGHT:
            return entered, []
        factor.confirmed = True
        factor.save()
        rows.delete()
        codes = _new_codes(factor)
        _note(user, user, "second_factor.made")
    return Entered.RIGHT, codes


def enter(*, user: User, code: str) -> Entered:
    """A code of the app, or a recovery code, which is used up. One at a time: no step and no code is good twice."""
    with transaction.atomic():
        factor = SecondFactor.objects.select_for_update().filter(user=user, confirmed=True).first()
        if factor is None:
            return Entered.WRONG
        entered = _judged(factor, code)
        if entered is Entered.RECOVERY:
            _note(user, user, "second_factor.recovery_code_used", {"left": factor.recovery_codes.count()})
        return entered


def new_codes(*, user: User) -> list[str]:
    """Other recovery codes; the old ones are gone."""
    with transaction.atomic():
        factor = SecondFactor.objects.select_for_update().get(user=user, confirmed=True)
        codes = _new_codes(factor)
        _note(user, user, "second_factor.recovery_codes_made")
    return codes


def remove(*, user: User, actor: Any) -> bool:
    """Take the second factor away, for a new telephone or for a lost one. Whether there was any.

    All sessions of the person end, so that another factor is set up only after signing in with the password.
    """
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(sessions_ended=F("sessions_ended") + 1)
        _rows, kinds = SecondFactor.objects.filter(user=user).delete()
        held = bool(kinds.get(SecondFactor._meta.label))
        if held:
            _note(user, actor, "second_factor.removed" if actor == user else "second_factor.reset")
    return held


def may_reset(actor: Any, person: User) -> bool:
    """A superuser anybody's; an owner that of people who work for the owner's own bureaus only. Nobody their own."""
    if not isinstance(actor, User) or not actor.is_active or actor.pk == person.pk:
        return False
    if actor.is_superuser:
        return True
    owned = {key for key, role in actor.roles().items() if role == Role.OWNER}
    theirs = set(person.roles())
    return bool(theirs) and theirs <= owned and not person.is_superuser


def locked_until(factor: SecondFactor) -> datetime | None:
    """As it stands now, after the code that was just entered."""
    now: SecondFactor | None = SecondFactor.objects.filter(pk=factor.pk).first()
    return None if now is None else now.locked_until()


def _judged(factor: SecondFactor, code: str) -> Entered:
    if factor.locked_until() is not None:
        return Entered.TOO_SOON
    step = factor.step_of(code.replace(" ", ""))
    if step is not None:
        factor.last_step = step
        factor.throttle_reset(commit=False)
        factor.save()
        return Entered.RIGHT
    if RecoveryCode.objects.filter(factor=factor, digest=RecoveryCode.digest_of(code)).delete()[0]:
        factor.throttle_reset()
        return Entered.RECOVERY
    factor.throttle_increment()
    return Entered.WRONG


def _new_codes(factor: SecondFactor) -> list[str]:
    factor.recovery_codes.all().delete()
    made = [b32encode(secrets.token_bytes(CODE_BYTES)).decode() for _ in range(CODES)]
    RecoveryCode.objects.bulk_create(RecoveryCode(factor=factor, digest=RecoveryCode.digest_of(code)) for code in made)
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in made]


def _note(person: User, actor: Any, action: str, details: dict[str, Any] | None = None) -> None:
    with system_scope("a person's sign-in concerns every bureau of theirs"):
        for organisation in Membership.objects.filter(user=person).values_list("organisation_id", flat=True):
            note(organisation_id=organisation, actor=actor, action=action, subject=person, details=details)
