"""Who is named for which client, and which clients are restricted. Audited, like everything that opens books."""

from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as translate

from apps.audit.actions import note
from apps.clients.models import Assignment, AssignmentKind, Client
from apps.organisations.enums import Role
from apps.organisations.models import Membership, User


def assign(
    *,
    client: Client,
    membership: Membership,
    kind: str,
    actor: Any,
    years: tuple[int, int] | None = None,
    ends_on: date | None = None,
) -> Assignment:
    """Name a person of the bureau for the client; named once more, the years and the end are changed.

    Raises ValidationError where person and client do not fit, and for an auditor without years and an end.
    """
    if membership.organisation_id != client.organisation_id:
        raise ValidationError(translate("This person does not belong to the client's bureau."))
    auditor = membership.role == Role.AUDITOR
    if auditor != (kind == AssignmentKind.AUDIT):
        raise ValidationError(translate("An auditor is named as auditor, with years and a last day; others are not."))
    if auditor and (years is None or ends_on is None or years[0] > years[1]):
        raise ValidationError(translate("An auditor needs the first and the last year, and the last day of access."))
    first, last = years if auditor and years else (None, None)
    values = {"first_year": first, "last_year": last, "ends_on": ends_on if auditor else None}
    with transaction.atomic():
        row: Assignment
        row, _made = Assignment.objects.update_or_create(
            client=client, membership=membership, kind=kind, defaults=values
        )
        details = {"person": str(membership.user), "kind": kind} | {
            name: str(value) for name, value in values.items() if value is not None
        }
        _note(client, actor, "client.assigned", **details)
    return row


def unassign(*, assignment: Assignment, actor: Any) -> None:
    with transaction.atomic():
        person = str(assignment.membership.user)
        _note(assignment.client, actor, "client.unassigned", person=person, kind=assignment.kind)
        assignment.delete()


def set_responsible(*, client: Client, user: User | None, actor: Any) -> None:
    """Raises ValidationError for a person of another bureau."""
    if user is not None and not Membership.objects.filter(organisation=client.organisation_id, user=user).exists():
        raise ValidationError(translate("This person does not belong to the client's bureau."))
    with transaction.atomic():
        before = client.responsible
        client.responsible = user
        client.save(update_fields=["responsible"])
        _note(client, actor, "client.responsible_changed", before=str(before or ""), after=str(user or ""))


def set_restricted(*, client: Client, restricted: bool, actor: User) -> bool:
    """Who restricts a client stays among the people named for it, so that somebody can name others.

    False: it was so already. What machines see of it is `notifications.machines.restrict`.
    """
    with transaction.atomic():
        rows = Client.objects.select_for_update(of=("self",), no_key=True)
        if rows.get(pk=client.pk).restricted == restricted:
            return False
        client.restricted = restricted
        client.save(update_fields=["restricted"])
        _note(client, actor, "client.restricted" if restricted else "client.unrestricted")
        own = Membership.objects.filter(organisation=client.organisation_id, user=actor).first()
        if restricted and own is not None:
            assign(client=client, membership=own, kind=AssignmentKind.NAMED, actor=actor)
    return True


def _note(client: Client, actor: Any, action: str, **details: Any) -> None:
    note(organisation_id=client.organisation_id, actor=actor, action=action, subject=client, details=details)
