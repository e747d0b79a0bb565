"""Roles are given and taken here: audited, never above one's own, and never the last owner's."""

from collections.abc import Collection
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as translate

from apps.audit.actions import note
from apps.organisations.enums import Role
from apps.organisations.models import Membership, Organisation, User
from apps.organisations.rights import rank


def give_role(*, organisation: Organisation, user: User, role: str, actor: Any) -> Membership:
    """The person's role in the bureau from now on. Raises ValidationError, and PermissionDenied."""
    with transaction.atomic():
        _locked(organisation)
        held = Membership.objects.filter(organisation=organisation, user=user).first()
        before = held.role if held else None
        if before == role and held is not None:
            return held
        _refuse_above(organisation, actor, role, before)
        if before == Role.OWNER:
            _refuse_last_owner(held)
        member = held or Membership(organisation=organisation, user=user, met=False)
        member.role = role
        member.full_clean()
        member.save(update_fields=["role"] if held else None)
        if not user.is_staff:
            user.is_staff = True
            user.save(update_fields=["is_staff"])
        _note(member, actor, "membership.changed" if before else "membership.made", before=before, after=role)
    return member


def take_role(*, membership: Membership, actor: Any) -> None:
    """The person no longer belongs to the bureau: from the next request on, and for every client named to."""
    with transaction.atomic():
        _locked(membership.organisation)
        held = Membership.objects.select_related("user").filter(pk=membership.pk).first()
        if held is None:
            return
        _refuse_above(held.organisation, actor, held.role, held.role)
        if held.role == Role.OWNER:
            _refuse_last_owner(held)
        _note(held, actor, "membership.deleted", before=held.role, after=None)
        held.delete()


def met(user: User) -> None:
    """The person signed in: the bureaus that named the address see the account's name from now on."""
    Membership._base_manager.filter(user=user, met=False).update(met=True)


def nameless_to(organisations: Collection[int]) -> frozenset[int]:
    """People whom these bureaus know by their address only; who is known to one of them is known."""
    rows = Membership._base_manager.filter(organisation__in=organisations)
    found = rows.filter(met=False).exclude(user__in=rows.filter(met=True).values("user"))
    return frozenset(found.values_list("user", flat=True))


def person_of(email: str, name: str = "") -> User:
    """The account of this address, made without a password where there is none.

    A bureau is not told whether the person has worked for another one, nor a name that it did not write: until the
    person signs in it sees the address (`Membership.met`).
    """
    address = User.objects.normalize_email(email).lower()
    found = User.objects.filter(email__iexact=address).first()
    return found or User.objects.create_user(address, None, name=name, is_staff=True)


def _locked(organisation: Organisation) -> None:
    """One change of roles at a time in a bureau: two owners who remove each other would leave none."""
    Organisation.objects.select_for_update().get(pk=organisation.pk)


def _refuse_above(organisation: Organisation, actor: Any, role: str, before: str | None) -> None:
    """The actor's role is read again, under the lock: it may have been taken meanwhile."""
    if actor is None or actor.is_superuser:
        return
    own = Membership.objects.filter(organisation=organisation, user=actor).values_list("role", flat=True).first()
    if rank(own) < rank(Role.MANAGER):
        raise PermissionDenied
    if max(rank(role), rank(before)) > rank(own):
        raise ValidationError(translate("Only an owner gives, changes or takes the role of an owner."))


def _refuse_last_owner(membership: Membership | None) -> None:
    assert membership is not None  # noqa: S101 - who is an owner has a membership
    others = Membership.objects.filter(organisation=membership.organisation_id, role=Role.OWNER, user__is_active=True)
    if not others.exclude(pk=membership.pk).exists():
        raise ValidationError(translate("A bureau keeps at least one owner: give the role to somebody else first."))


def _note(membership: Membership, actor: Any, action: str, **details: Any) -> None:
    organisation = membership.organisation_id
    note(organisation_id=organisation, actor=actor, action=action, subject=membership, details=details)
