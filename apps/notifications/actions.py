"""Problems are raised and resolved here; the same cause seen again is the same row."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit.actions import note
from apps.clients.models import Client
from apps.core.scope import organisation_of
from apps.notifications.enums import EventKind
from apps.notifications.models import Affected, Looked, Problem
from apps.notifications.webhooks import tell

LONGEST_MUTE = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What went wrong and who must do what; texts are marked for translation where they are written.

    `news`: the facts whose change is news; None: all of them, and the title.
    """

    code: str
    failure: str
    who: str
    title: str
    steps: tuple[str, ...] = ()
    link: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    news: tuple[str, ...] | None = None
    field: str = ""
    detail: str = ""


def raise_problem(
    *, client: Client | None, subject: models.Model, trouble: Trouble, url: str = "", clients: Collection[Client] = ()
) -> Problem:
    """Open the problem, or count it once more where it is open already. One that changed is muted no longer.

    `client` None: the cause is the bureau's own (a shared key, the night); `clients` are those that it hits now.
    """
    hit = [client] if client is not None else list(clients)
    organisation = hit[0].organisation_id if hit else organisation_of(subject)
    if organisation is None:
        raise ValueError("a problem belongs to a bureau")
    kind, key = subject._meta.label_lower, str(subject.pk)
    values = {
        "client": client,
        "failure": trouble.failure,
        "who": trouble.who,
        "title_text": trouble.title[:300],
        "step_texts": list(trouble.steps),
        "link": trouble.link,
        "facts": trouble.facts,
        "field": trouble.field,
        "detail": trouble.detail[:4000],
        "subject_label": str(subject)[:200],
        "subject_url": url,
    }
    with transaction.atomic():
        same = {"organisation_id": organisation, "code": trouble.code, "subject_kind": kind, "subject_id": key}
        problem, made = _open_problem(same, values)
        changed = False
        if not made:
            changed = _is_news(problem, trouble)
            for name, value in values.items():
                setattr(problem, name, value)
            problem.times = models.F("times") + 1
            problem.save(update_fields=[*values, "times", "last_at"])
        changed |= _hit(problem, hit)
        if changed and problem.muted_until is not None:
            _speak_again(problem)
        problem.refresh_from_db()
        if made or changed:
            tell([problem], EventKind.OPENED if made else EventKind.CHANGED)
    return problem


def _open_problem(same: dict[str, Any], values: dict[str, Any]) -> tuple[Problem, bool]:
    """The open row, locked, or a new one where there is none, or it was resolved while we waited for it."""
    for last in (False, False, True):
        row = Problem.objects.select_for_update(of=("self",)).filter(**same, resolved_at=None).first()
        if row is not None:
            return row, False
        try:
            with transaction.atomic():
                return Problem.objects.create(**same, **values), True
        except IntegrityError:  # another worker has opened it meanwhile
            if last:
                raise
    raise AssertionError


def _is_news(problem: Problem, trouble: Trouble) -> bool:
    if problem.failure != trouble.failure:
        return True
    if trouble.news is None:
        return problem.title_text != trouble.title[:300] or problem.facts != trouble.facts
    return any(problem.facts.get(name) != trouble.facts.get(name) for name in trouble.news)


def _hit(problem: Problem, clients: Collection[Client]) -> bool:
    """Note that the problem hits these clients; whether one is new."""
    ids = {client.pk for client in clients}
    rows = Affected.objects.filter(problem=problem)
    again = rows.filter(client__in=ids).exclude(cleared_at=None).update(cleared_at=None, since=timezone.now())
    known = set(rows.filter(client__in=ids).values_list("client_id", flat=True))
    new = [Affected(problem=problem, client_id=pk) for pk in sorted(ids - known)]
    Affected.objects.bulk_create(new, ignore_conflicts=True)  # another worker may tell of the same client
    return bool(new or again)


def _speak_again(problem: Problem) -> None:
    rows = Problem.objects.filter(pk=problem.pk).exclude(muted_until=None)
    if rows.update(muted_until=None, muted_reason="", muted_by="", told_at=timezone.now()):
        note(organisation_id=problem.organisation_id, actor=None, action="problem.changed_while_muted", subject=problem)


def resolve_problems(
    *, subject: models.Model, code: str = "", keep: Collection[str] = (), before: datetime | None = None
) -> int:
    """The subject is well again, in all or in this one code, but for those in `keep`; returns how many this ended.

    `before`: only those last seen before this instant; what another worker saw later is not over.
    """
    found = Problem.objects.filter(
        subject_kind=subject._meta.label_lower, subject_id=str(subject.pk), resolved_at=None
    ).exclude(code__in=keep)
    if code:
        found = found.filter(code=code)
    if before is not None:
        found = found.filter(last_at__lt=before)
    if not found.exists():  # no lock for nothing: most runs end well
        return 0
    now = timezone.now()
    with transaction.atomic():
        # looked at again under the lock: who sees the cause meanwhile waits, and opens it anew
        over = list(found.select_for_update(of=("self",)).order_by("pk"))
        ids = [problem.pk for problem in over]
        Affected.objects.filter(problem__in=ids, cleared_at=None).update(cleared_at=now)
        count = Problem.objects.filter(pk__in=ids, resolved_at=None).update(resolved_at=now)
        if count:
            tell(over, EventKind.RESOLVED)
        return count


def keep_affected(problem: Problem, clients: Collection[Client]) -> None:
    """The problem hits these clients and no others any more."""
    rows = Affected.objects.filter(problem=problem, cleared_at=None).exclude(client__in=[one.pk for one in clients])
    rows.update(cleared_at=timezone.now())


def mute_problem(*, problem: Problem, until: date, reason: str, actor: Any) -> None:
    """Not shown until the end of that day, or until it changes. Raises ValidationError."""
    zone = problem.organisation.zone
    today = timezone.now().astimezone(zone).date()
    if not reason.strip():
        raise ValidationError(_("Give a reason: it is shown beside the problem."))
    if until < today or until > today + LONGEST_MUTE:
        raise ValidationError(_("Choose a day from today on, within a year."))
    ends = datetime.combine(until + timedelta(days=1), time(0), zone)
    with transaction.atomic():
        row = Problem.objects.select_for_update(of=("self",)).get(pk=problem.pk)
        if row.resolved_at is not None:
            raise ValidationError(_("The problem is resolved already."))
        row.muted_until, row.muted_reason, row.muted_by = ends, reason.strip()[:300], str(actor)[:254]
        row.told_at = ends  # it is news again on the morning after
        row.save(update_fields=["muted_until", "muted_reason", "muted_by", "told_at"])
        note(
            organisation_id=row.organisation_id, actor=actor, action="problem.muted", subject=row,
            details={"until": until.isoformat(), "reason": row.muted_reason},
        )  # fmt: skip
        tell([row], EventKind.CHANGED)


def unmute_problem(*, problem: Problem, actor: Any) -> None:
    with transaction.atomic():
        rows = Problem.objects.filter(pk=problem.pk).exclude(muted_until=None)
        if rows.update(muted_until=None, muted_reason="", muted_by="", told_at=timezone.now()):
            note(organisation_id=problem.organisation_id, actor=actor, action="problem.unmuted", subject=problem)
            tell([problem], EventKind.CHANGED)


def looked(*, organisation_id: int, user: Any) -> None:
    """The person has seen what the bell shows."""
    Looked.objects.update_or_create(organisation_id=organisation_id, user=user, defaults={"at": timezone.now()})
