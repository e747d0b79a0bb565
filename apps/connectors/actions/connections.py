"""What happens to a connection after it was made: stopped, blocked, confirmed."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as translate

from apps.audit.actions import note
from apps.clients.models import Client
from apps.connectors.actions.discovery import is_credential_at_fault
from apps.connectors.enums import ConnectionState
from apps.connectors.guard import CONFIRMABLE
from apps.connectors.models import Connection, Connector, PageDigest
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.troubles import trouble_of
from apps.notifications.actions import Trouble, raise_problem, resolve_problems
from apps.notifications.models import Problem
from apps.records.json import to_json
from apps.records.ledger import Identity


def connect(*, client: Client, connector: Connector, actor: Any) -> Connection:
    """The client's connection through this connector, made where there is none; it is activated by itself."""
    if connector.organisation_id != client.organisation_id or connector.client_id not in (None, client.pk):
        raise ValueError(f"connector {connector.pk} is not for client {client.pk}")
    with transaction.atomic():
        connection: Connection
        connection, made = Connection.objects.get_or_create(client=client, connector=connector)
        if made:
            _note(connection, actor, "connection.made")
    return connection


def stop_connection(connection: Connection, error: ConnectorError) -> Problem | None:
    """After a failure that waits for people. Refused credentials pause it until Activate; other failures leave it.

    None, and nothing changed, where somebody has activated the connection since it was loaded.
    """
    with transaction.atomic():
        row = Connection.objects.select_for_update(of=("self",)).get(pk=connection.pk)
        if row.verified_at != connection.verified_at:
            return None
        if error.failure is Failure.RECONNECT and row.state == ConnectionState.ACTIVE:
            _set_state(row, connection, ConnectionState.PAUSED)
            _note(row, None, "connection.paused", code=error.remedy.code)
        if is_credential_at_fault(row.connector, error):  # one cause, however many clients use it
            return raise_problem(client=None, subject=row.connector, trouble=trouble_of(error), clients=[row.client])
        return raise_problem(client=row.client, subject=row, trouble=trouble_of(error))


def block_connection(
    *, connection: Connection, trouble: Trouble, identity: Identity | None = None, actor: Any = None
) -> Problem | None:
    """The company is not, or not surely, the client's: nothing is read until people act. Nothing else is cleared.

    None, and nothing changed, where somebody has activated the connection since it was loaded.
    """
    with transaction.atomic():
        row = Connection.objects.select_for_update(of=("self",)).get(pk=connection.pk)
        if row.verified_at != connection.verified_at:
            return None
        confirmable = identity is not None and trouble.code in CONFIRMABLE
        row.unconfirmed = to_json(identity) if confirmable else {}
        connection.unconfirmed = row.unconfirmed
        row.save(update_fields=["unconfirmed"])
        _set_state(row, connection, ConnectionState.BLOCKED)
        _note(row, actor, "connection.blocked", code=trouble.code, facts=trouble.facts)
        return raise_problem(client=row.client, subject=row, trouble=trouble)


def confirm_company(*, connection: Connection, actor: Any, reason: str) -> None:
    """Staff say that the company seen is the client's. Raises ValidationError without a reason or such a company."""
    if not reason.strip():
        raise ValidationError(translate("Give a reason: it is shown beside the connection from now on."))
    with transaction.atomic():
        row = Connection.objects.select_for_update(of=("self",)).get(pk=connection.pk)
        seen = row.unconfirmed
        if row.state != ConnectionState.BLOCKED or not seen:
            raise ValidationError(translate("There is no company to be confirmed. Press Activate first."))
        accept_company(row, seen)
        row.confirmed = confirmation_of(seen, actor, reason)
        row.save()
        row.connector.verified_at = row.verified_at
        row.connector.save(update_fields=["verified_at"])
        resolve_own_problems(row)
        _note(row, actor, "connection.confirmed", **row.confirmed)
    connection.refresh_from_db()


def accept_company(connection: Connection, identity: dict[str, Any]) -> None:
    """Set what an accepted company means for the row, which the caller saves; another company is read from scratch."""
    company_id = str(identity["company_id"])
    if connection.pinned_company_id not in ("", company_id):
        PageDigest.objects.filter(connection=connection).delete()
        connection.company_key = ""
    connection.state = ConnectionState.ACTIVE
    connection.pinned_company_id = company_id
    connection.identity = identity
    connection.unconfirmed = {}
    connection.organisation_number = connection.client.organisation_number
    connection.verified_at = timezone.now()


def confirmation_of(identity: dict[str, Any], actor: Any, reason: str) -> dict[str, str]:
    return {
        "company_id": str(identity["company_id"]),
        "name": str(identity.get("name", "")),
        "reason": reason.strip(),
        "by": str(actor),
        "at": timezone.now().isoformat(),
    }


def resolve_own_problems(connection: Connection) -> None:
    """Those that Activate proves to be over; what was found in the books stays open."""
    ours = ("connector.", f"{connection.connector.provider}.")
    raised = Problem.objects.filter(
        subject_kind=Connection._meta.label_lower,
        subject_id=str(connection.pk),
        resolved_at=None,
    )
    others = [code for code in raised.values_list("code", flat=True) if not code.startswith(ours)]
    resolve_problems(subject=connection, keep=others)
    credential_works(connection.connector)


def credential_works(connector: Connector, *, before: datetime | None = None) -> None:
    """The vendor has accepted it: what was told of a shared credential is over."""
    if connector.client_id is None:
        resolve_problems(subject=connector, before=before)


def _set_state(row: Connection, loaded: Connection, state: ConnectionState) -> None:
    row.state = loaded.state = state
    row.save(update_fields=["state"])


def _note(connection: Connection, actor: Any, action: str, **details: Any) -> None:
    organisation_id = connection.connector.organisation_id
    note(organisation_id=organisation_id, actor=actor, action=action, subject=connection, details=details)
