"""Works one slice of a claimed batch, line by line. Killed anywhere, the next task goes on from there.

Every row of a line is looked for before it is made, and noted on the line in the transaction that makes it: nothing is
doubled, and the report says "made" also for what was made before the cut.
"""

import logging
import time
import traceback
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from apps.clients import actions as client_actions
from apps.clients.enums import Verdict
from apps.clients.imports import Judged, Register, Wanted, judge
from apps.clients.models import Client
from apps.clients.reach import scope_of
from apps.connectors.actions import (
    activate_connection,
    connect,
    discover_companies,
    is_credential_at_fault,
    trouble_of,
)
from apps.connectors.enums import ConnectionState
from apps.connectors.models import Connection
from apps.connectors.registry import all_providers
from apps.connectors.sdk.failures import ConnectorError, Failure, NotYetError
from apps.flows.actions import ensure_feed
from apps.flows.models import Feed
from apps.notifications.actions import Trouble
from apps.onboarding import remedies
from apps.onboarding.actions import ASKED, companies_judged, end, keep_lines, kept_fault, kept_trouble
from apps.onboarding.claims import LostError, claim, hand_on, heartbeat, held
from apps.onboarding.enums import BatchState, LineState
from apps.onboarding.models import Batch, Line
from apps.organisations.models import User
from apps.records.enums import Resource

log = logging.getLogger(__name__)

SHORTEST_WAIT = 0.1
MOST_ATTEMPTS = 3  # of a line, and of a task that ends no line


class StopError(Exception):
    """No other line would fare better: the batch waits for people."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.code)
        self.trouble = trouble


def work(batch_id: int) -> str | None:
    """Claim the batch and work it for one slice; its state afterwards, or None where it was not ours."""
    batch = claim(batch_id)
    if batch is None:
        return None
    try:
        with heartbeat(batch):
            _slice(batch)
    except LostError:
        log.warning("onboarding %s was taken over by another worker", batch.pk)
    batch.refresh_from_db()
    return batch.state


def _slice(batch: Batch) -> None:
    ends = time.monotonic() + settings.KONTOR_SLICE_SECONDS
    tried: set[int] = set()
    try:
        actor = _actor(batch)
        if batch.state == BatchState.LISTING:
            _list(batch)
            return
        while time.monotonic() < ends:
            line = _next(batch)
            if line is None:
                with held(batch, **end(BatchState.ENDED)):
                    pass
                return
            if line.pk in tried:  # only lines that failed a moment ago are left
                hand_on(batch, wait=settings.KONTOR_RETRY_SECONDS * 2**line.attempts)
                return
            tried.add(line.pk)
            _line(batch, line, actor)
        hand_on(batch)
    except NotYetError as error:  # not even tried; the other lines, with the same key, would not be either
        wait = max(SHORTEST_WAIT, error.retry_after or 0.0)
        hand_on(batch, wait=wait, attempts=max(0, batch.attempts - 1))
    except StopError as stop:
        with held(batch, **end(BatchState.STOPPED, stop.trouble)):
            pass


def _actor(batch: Batch) -> User:
    """Whoever started it, who must still be allowed to."""
    actor = User.objects.filter(pk=batch.actor_id).first() if batch.actor_id else None
    if actor is None or not actor.may("onboarding.batch.change", batch.organisation_id):
        raise StopError(remedies.not_allowed(batch.actor))
    return actor


def _list(batch: Batch) -> None:
    if batch.connector is None:
        raise StopError(remedies.connector_gone())
    if batch.attempts > MOST_ATTEMPTS:
        raise StopError(remedies.crashed(""))
    try:
        found = discover_companies(batch.connector)
    except NotYetError:
        raise
    except ConnectorError as error:
        raise StopError(trouble_of(error)) from error
    lines = companies_judged(batch, found)
    with held(batch, state=BatchState.OPEN, token="", lease_until=None):
        keep_lines(batch, lines)


def _next(batch: Batch) -> Line | None:
    """Those that failed before come last."""
    found: Line | None = (
        Line.objects.filter(batch=batch, state=LineState.WAITING)
        .select_related("client__organisation", "connection__connector")
        .order_by("attempts", "position")
        .first()
    )
    return found


def _line(batch: Batch, line: Line, actor: User) -> None:
    """One company: its client, its connection verified, its feed. The attempt is counted before the work."""
    with held(batch, attempts=0):
        line.attempts += 1
        line.save(update_fields=["attempts"])
    if line.attempts > MOST_ATTEMPTS:  # it ended its worker each time
        _finish(batch, line, LineState.REFUSED, remedies.crashed(""))
        return
    try:
        client = line.client if line.made or (line.client and not line.changes) else None
        with scope_of(actor, "what whoever started it sees"):
            if client is not None and not Client.objects.filter(pk=client.pk).exists():
                client = None  # restricted meanwhile: judged again, and refused
        client = client or _client(batch, line, actor)
        if client is None:
            return
        trouble = _connected(batch, line, client, actor) if batch.connector_id else None
    except NotYetError:
        with held(batch):
            line.attempts -= 1
            line.save(update_fields=["attempts"])
        raise
    except ConnectorError as error:
        _failed(batch, line, error)
    except (LostError, StopError):
        raise
    except Exception:  # noqa: BLE001 - any fault of ours: the line must end, and the others go on
        detail = traceback.format_exc(limit=-8)
        log.error("onboarding %s, line %s: %s", batch.pk, line.position, detail)  # noqa: TRY400 - limited above
        if line.attempts >= MOST_ATTEMPTS:
            line.refresh_from_db(fields=["made"])  # what was rolled back was not made
            _finish(batch, line, LineState.REFUSED, remedies.crashed(detail))
    else:
        _finish(batch, line, LineState.REFUSED if trouble else _outcome(line), trouble)


def _outcome(line: Line) -> LineState:
    if set(line.made) - {"changes"}:
        return LineState.MADE
    return LineState.CHANGED if line.made else LineState.THERE


def _client(batch: Batch, line: Line, actor: User) -> Client | None:
    """The line's client, judged again as things are now; None where the line was refused, and ended."""
    asked = Wanted(line=line.position, **{name: getattr(line, name) for name in ASKED})
    for _again in range(MOST_ATTEMPTS):
        with held(batch):
            with scope_of(actor, "what whoever started it sees"):
                register = Register(batch.organisation, only=asked)
            judged = judge(register, asked, nameless=batch.connector_id is not None)
            try:
                client = _settled(batch, line, judged, actor)
            except client_actions.NumberTakenError:
                continue
            except client_actions.ChangedMeanwhileError as error:
                judged = Judged(wanted=asked, verdict=Verdict.REFUSED, fault=remedies.changed_meanwhile(error.field))
                client = None
            if client is None:
                assert judged.fault is not None  # noqa: S101 - refused, so it says why
                _write(line, LineState.REFUSED, kept_fault(judged.fault))
                return None
            line.client = client
            line.save(update_fields=["client", "made"])
        return client
    raise ConnectorError(Failure.TRANSIENT, remedies.NUMBERS_BUSY)


def _settled(batch: Batch, line: Line, judged: Judged, actor: User) -> Client | None:
    if judged.verdict is Verdict.REFUSED:
        return None
    if judged.client is None:
        client = client_actions.make_client(
            organisation=batch.organisation,
            judged=judged,
            name=judged.wanted.name or judged.wanted.organisation_number,
            first_number=batch.first_number,
            kept=set() if judged.wanted.number else _asked_numbers(batch),
            actor=actor,
        )
        line.made = [*line.made, "client"]
        return client
    if line.changes:
        client_actions.change_client(
            client=judged.client, changes=line.changes, responsible_id=judged.responsible_id, actor=actor
        )
        line.made = [*line.made, "changes"]
    return judged.client


def _asked_numbers(batch: Batch) -> set[str]:
    """Client numbers that lines of the file ask for themselves, wherever they stand: given to no other line."""
    return set(Line.objects.filter(batch=batch).exclude(number="").values_list("number", flat=True))


def _connected(batch: Batch, line: Line, client: Client, actor: User) -> Trouble | None:
    """Connect, verify and feed the client; what stands in the way."""
    assert batch.connector is not None  # noqa: S101 - the caller asked
    connection = line.connection
    if connection is None:
        with held(batch):
            connection, made = _connection(batch, client, actor)
            line.connection = connection
            line.made = [*line.made, *(["connection"] if made else [])]
            line.save(update_fields=["connection", "made"])
    if connection.state != ConnectionState.ACTIVE:
        outcome = activate_connection(connection=connection, actor=actor)
        if outcome.error is not None:
            raise outcome.error
        if outcome.trouble is not None:
            return outcome.trouble
        line.made = [*line.made, *(["activated"] if "connection" not in line.made else [])]
    with held(batch):
        _named(line, client, connection, actor)
        trouble = _fed(line, connection, actor)
        line.save(update_fields=["made"])
    return trouble


def _connection(batch: Batch, client: Client, actor: User) -> tuple[Connection, bool]:
    assert batch.connector is not None  # noqa: S101 - the callers asked
    before = Connection.objects.filter(client=client, connector=batch.connector).exists()
    connection = connect(client=client, connector=batch.connector, actor=actor)
    return Connection.objects.select_related("connector", "client__organisation").get(pk=connection.pk), not before


def _named(line: Line, client: Client, connection: Connection, actor: User) -> None:
    """A file of numbers alone: the name is the one that the company has in its own system."""
    company = str(connection.identity.get("name", "")).strip()
    if "client" in line.made and not line.name and company and client.name == line.organisation_number:
        client_actions.name_client(client=client, name=company, actor=actor)
        line.name = company[:160]
        line.save(update_fields=["name"])


def _fed(line: Line, connection: Connection, actor: User) -> Trouble | None:
    provider = all_providers()[connection.connector.provider]
    if Resource.VOUCHERS not in provider.resources or Feed.objects.filter(connection=connection).exists():
        return None
    try:
        with transaction.atomic():
            ensure_feed(connection=connection, actor=actor)
    except ValidationError:
        other = Feed.objects.filter(client=connection.client_id, valid_to=None).select_related("connection").first()
        return remedies.fed_already(str(other.connection) if other else "")
    line.made = [*line.made, "feed"]
    return None


def _failed(batch: Batch, line: Line, error: ConnectorError) -> None:
    """What a vendor's refusal means for the line; a passing one is tried again after the others."""
    if error.failure is Failure.TRANSIENT and line.attempts < MOST_ATTEMPTS:
        return
    trouble = trouble_of(error)
    line.refresh_from_db(fields=["made"])  # what was rolled back was not made
    _finish(batch, line, LineState.REFUSED, trouble)
    if batch.connector is not None and is_credential_at_fault(batch.connector, error):
        raise StopError(trouble)


def _finish(batch: Batch, line: Line, state: LineState, trouble: Trouble | None = None) -> None:
    with held(batch):
        _write(line, state, kept_trouble(trouble) if trouble else {})


def _write(line: Line, state: LineState, trouble: dict[str, Any]) -> None:
    line.state, line.trouble, line.done_at = state, trouble, timezone.now()
    line.save(update_fields=["state", "trouble", "done_at", "made"])
