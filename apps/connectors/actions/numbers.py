"""A client's organisation number is a key to books: a change shuts what it opened, until people have looked."""

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_noop as _

from apps.audit.actions import note
from apps.clients.models import Client
from apps.connectors.enums import ConnectionState
from apps.connectors.models import Connection, PageDigest
from apps.connectors.queries import connections_using_number, way_of
from apps.connectors.sdk.failures import Failure, Who
from apps.notifications.actions import Trouble, raise_problem, resolve_problems

NUMBER_CHANGED = "connector.number_changed"
BOOKS_HIDDEN = "client.books_hidden"
NONE = "–"


def change_organisation_number(
    *, client: Client, number: str, actor: Any, reason: str = "", read: bool = False
) -> bool:
    """Bureau managers only. Every connection that was activated is blocked and forgets the company that it opened.

    What was read through them (`read`: or in other ways) is hidden until `release_books`. False: it was the same
    number. Raises ValidationError for a number that does not fit or that another client of the bureau has.
    """
    if actor is not None and not actor.may("clients.client.number", client.organisation_id):
        raise PermissionDenied
    with transaction.atomic():
        row = Client.objects.select_for_update(of=("self",), no_key=True).get(pk=client.pk)
        before, row.organisation_number = row.organisation_number, number
        row.full_clean()
        after = row.organisation_number
        if after == before:
            return False
        used = connections_using_number(row)
        details = {"before": before, "after": after, "reason": reason.strip(), "connections": [one.pk for one in used]}
        if used or read or row.hidden_at:
            _hide(row, details, actor)
        row.save(update_fields=["organisation_number", "hidden_at", "hidden"])
        for connection in used:
            _block(connection, row, before)
        note(
            organisation_id=row.organisation_id,
            actor=actor,
            action="client.organisation_number_changed",
            subject=row,
            details={name: value for name, value in details.items() if value},
        )
    client.refresh_from_db()
    return True


def release_books(*, client: Client, actor: Any, reason: str) -> None:
    """A manager says that what was read is this client's. Raises ValidationError without a reason, and where it is not.

    What can be asked is asked first: each connection that has read must have shown which company it opens now. With
    the number back as it was there is nothing to ask. A connection that is gone, or whose system this Kontor no longer
    has, can show nothing: there the reason must do, and the audit line names it.
    """
    if actor is not None and not actor.may("clients.client.open_books", client.organisation_id):
        raise PermissionDenied
    if not reason.strip():
        raise ValidationError(translate("Give a reason: it stays in the audit log."))
    with transaction.atomic():
        row = Client.objects.select_for_update(of=("self",), no_key=True).get(pk=client.pk)
        if row.hidden_at is None:
            return
        if other := _other_company(row):
            raise ValidationError(
                translate(
                    "%(company)s is another company than the one that was read before. Its books cannot follow these:"
                    " change the number back, and add the other company as a client of its own."
                )
                % {"company": other.company or other.pinned_company_id}
            )
        waiting, silent = _not_shown(row)
        if waiting and row.organisation_number != row.hidden.get("before"):
            raise ValidationError(
                translate(
                    "Activate first, so that it is seen which company the new number opens: %(connections)s. If one can"
                    " no longer be activated, change the number back; then the books can be released."
                )
                % {"connections": ", ".join(str(one) for one in waiting)}
            )
        details: dict[str, Any] = {name: row.hidden.get(name, "") for name in ("before", "after")}
        details["reason"] = reason.strip()
        if silent:
            details["not_asked"] = silent
        row.hidden_at, row.hidden = None, {}
        row.save(update_fields=["hidden_at", "hidden"])
        resolve_problems(subject=row)
        note(
            organisation_id=row.organisation_id, actor=actor, action="client.books_released", subject=row,
            details=details,
        )  # fmt: skip
    client.refresh_from_db()


def books_hidden(client: Client) -> Trouble:
    return Trouble(
        code=BOOKS_HIDDEN,
        failure=Failure.SETUP.value,
        who=Who.BUREAU.value,
        title=_(
            "The organisation number of {client} was changed from {before} to {after}: what was read is hidden, and"
            " nothing is read, until a manager releases it."
        ),
        steps=(
            _("Activate the client's connections with the new number: each shows which company it opens."),
            _("Look whether it is the company that was read before."),
            _("A manager releases the books with a reason, on the page of the organisation number."),
        ),
        facts=_facts(client, client.hidden.get("before", ""), client.hidden.get("after", "")),
    )


def _hide(client: Client, details: dict[str, Any], actor: Any) -> None:
    """Of several changes the first says what was read: its companies are those to come back to."""
    pinned = Connection.objects.filter(client=client).exclude(pinned_company_id="")  # also of one not activated again
    companies = {str(pk): company for pk, company in pinned.values_list("pk", "pinned_company_id")}
    held = client.hidden if client.hidden_at else {}
    client.hidden = {
        "before": held.get("before", details["before"]),
        "after": details["after"],
        "by": str(actor or "Kontor"),
        "reason": details["reason"],
        "companies": {**companies, **held.get("companies", {})},
    }
    client.hidden_at = client.hidden_at or timezone.now()
    raise_problem(client=client, subject=client, trouble=books_hidden(client))


def _block(found: Connection, client: Client, before: str) -> None:
    """The pinned company stays: Activate finds out whether the new number opens another one."""
    connection = Connection.objects.select_for_update(of=("self",)).get(pk=found.pk)
    connection.state = ConnectionState.BLOCKED
    connection.company_key = connection.organisation_number = ""
    connection.identity, connection.unconfirmed, connection.confirmed = {}, {}, {}
    connection.verified_at = None  # what was loaded before may no longer stop or block it
    connection.save()
    PageDigest.objects.filter(connection=connection).delete()
    trouble = Trouble(
        code=NUMBER_CHANGED,
        failure=Failure.SETUP.value,
        who=Who.BUREAU.value,
        title=_("The organisation number of {client} was changed from {before} to {after}."),
        steps=(_("Nothing is read until the connection is activated again. Press Activate."),),
        facts=_facts(client, before, client.organisation_number),
    )
    raise_problem(client=client, subject=connection, trouble=trouble)


def _other_company(client: Client) -> Connection | None:
    companies: dict[str, str] = client.hidden.get("companies", {})
    for row in Connection.objects.filter(client=client).select_related("connector"):
        if companies.get(str(row.pk), row.pinned_company_id) != row.pinned_company_id:
            return row
    return None


def _not_shown(client: Client) -> tuple[list[Connection], list[str]]:
    """Of the connections that have read: those still to be activated, and those that nobody can ask any more."""
    rows = {str(row.pk): row for row in Connection.objects.filter(client=client).select_related("connector", "client")}
    waiting, silent = [], []
    for key in client.hidden.get("companies", {}):
        row = rows.get(key)
        if row is None or way_of(row.connector) is None:
            silent.append(str(row or key))
        elif row.verified_at is None or row.state == ConnectionState.BLOCKED:
            waiting.append(row)
    return waiting, silent


def _facts(client: Client, before: str, after: str) -> dict[str, str]:
    return {"client": client.name, "before": before or NONE, "after": after or NONE}
