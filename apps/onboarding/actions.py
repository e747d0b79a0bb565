"""Taking in clients: a batch is begun from a key or a file, looked at, started, and may be tried again."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.audit.actions import note
from apps.clients.enums import Verdict
from apps.clients.imports import Judged, Register, Wanted, judge, judge_all, wanted_of
from apps.clients.remedies import Fault
from apps.connectors.models import Connector
from apps.notifications.actions import Trouble
from apps.onboarding import remedies
from apps.onboarding.claims import enqueue, patience, rows
from apps.onboarding.enums import BatchState, LineState, Origin
from apps.onboarding.models import Batch, Line
from apps.organisations.models import Organisation
from apps.records.ledger import Identity

# What a line keeps of what was asked, also of what is refused for its length: how much of it.
ASKED = {
    "number": 200, "name": 400, "country": 200, "organisation_number": 200, "time_zone": 200, "responsible": 254
}  # fmt: skip


@transaction.atomic
def list_companies(*, connector: Connector, actor: Any) -> Batch:
    """Ask in the background which companies the bureau's key reaches; joins a question that is under way."""
    asking = Batch.objects.filter(connector=connector, state=BatchState.LISTING).first()
    if asking is not None:
        return asking
    batch = _begun(connector.organisation, connector, actor, origin=Origin.DISCOVER, state=BatchState.LISTING)
    enqueue(batch)
    return batch


def check_file(*, organisation: Organisation, connector: Connector | None, name: str, data: bytes, actor: Any) -> Batch:
    """Check a whole file and keep what each line means; no client is touched. Raises clients.imports.RefusedError."""
    judged = judge_all(organisation, wanted_of(data), nameless=connector is not None)
    with transaction.atomic():
        batch = _begun(organisation, connector, actor, origin=Origin.FILE, state=BatchState.OPEN, file_name=name[:200])
        keep_lines(batch, [line_of(batch, one, one.wanted.line) for one in judged])
    return batch


def _begun(organisation: Organisation, connector: Connector | None, actor: Any, **values: Any) -> Batch:
    if connector is not None and (connector.organisation_id != organisation.pk or connector.client_id is not None):
        raise ValueError(f"connector {connector.pk} is not organisation {organisation.pk}'s own")
    batch = Batch(
        organisation=organisation, connector=connector, actor_id=getattr(actor, "pk", None), actor=str(actor or ""),
        lease_until=patience(), **values,
    )  # fmt: skip
    batch.save()
    note(
        organisation_id=organisation.pk, actor=actor, action=f"onboarding.{batch.origin}", subject=batch,
        details={"connector": connector.pk if connector else None},
    )  # fmt: skip
    return batch


def companies_judged(batch: Batch, found: Iterable[Identity]) -> list[Line]:
    """A line per company that the key reaches, in the order of their names."""
    register = Register(batch.organisation)
    rows = sorted(found, key=lambda one: (one.name.casefold(), one.company_id))
    often = Counter(one.organisation_number for one in rows)
    lines = []
    for position, one in enumerate(rows, start=1):
        asked = Wanted(
            line=position, name=one.name, country=one.country or "", organisation_number=one.organisation_number or ""
        )
        judged = judge(register, asked, nameless=False)
        fault = _unclear(one, often[one.organisation_number])
        if fault is not None:
            judged = Judged(wanted=asked, verdict=Verdict.REFUSED, fault=fault)
        elif judged.verdict is Verdict.CHANGES:  # what the vendor calls it changes nothing at the client
            judged = Judged(wanted=judged.wanted, verdict=Verdict.SAME, client=judged.client)
        lines.append(line_of(batch, judged, position, company_id=one.company_id))
    return lines


def _unclear(one: Identity, often: int) -> Fault | None:
    if not one.organisation_number:
        return remedies.no_number()
    return remedies.twins(one.organisation_number) if often > 1 else None


def line_of(batch: Batch, judged: Judged, position: int, **values: Any) -> Line:
    asked = asdict(judged.wanted)
    refused = judged.verdict is Verdict.REFUSED
    return Line(
        batch=batch,
        position=position,
        verdict=judged.verdict,
        changes=judged.changes,
        client=judged.client,
        trouble=kept_fault(judged.fault) if judged.fault else {},
        state=LineState.REFUSED if refused else LineState.LISTED,
        **{name: asked[name][:most] for name, most in ASKED.items()},
        **values,
    )


def keep_lines(batch: Batch, lines: list[Line]) -> None:
    """In place of those there are: a question that was cut is asked again whole."""
    Line.objects.filter(batch=batch).delete()
    Line.objects.bulk_create(lines, batch_size=500)


@transaction.atomic
def start(*, batch: Batch, chosen: Collection[int], first_number: int, actor: Any) -> bool:
    """Work the chosen lines in the background. False where the batch was started, or is still being listed."""
    if not rows().filter(pk=batch.pk, state=BatchState.OPEN).update(
        state=BatchState.WORKING, first_number=first_number, attempts=0, token="", lease_until=patience(),
        actor_id=getattr(actor, "pk", None), actor=str(actor or ""),
    ):  # fmt: skip
        return False
    listed = Line.objects.filter(batch=batch, state=LineState.LISTED)
    count = listed.filter(pk__in=chosen).update(state=LineState.WAITING, chosen=True)
    batch.refresh_from_db()
    _go(batch, actor, "onboarding.started", lines=count)
    return True


@transaction.atomic
def try_again(*, batch: Batch, actor: Any) -> bool:
    """Go on with what waits, and try again what was refused after it was started. False where it is under way."""
    ended = (BatchState.ENDED, BatchState.STOPPED)
    if not rows().filter(pk=batch.pk, state__in=ended).update(
        state=BatchState.WORKING, trouble={}, ended_at=None, attempts=0, token="", lease_until=patience(),
        actor_id=getattr(actor, "pk", None), actor=str(actor or ""),
    ):  # fmt: skip
        return False
    refused = Line.objects.filter(batch=batch, state=LineState.REFUSED, chosen=True)
    count = refused.update(state=LineState.WAITING, trouble={}, attempts=0, done_at=None)
    batch.refresh_from_db()
    _go(batch, actor, "onboarding.again", lines=count)
    return True


def _go(batch: Batch, actor: Any, action: str, **details: Any) -> None:
    note(organisation_id=batch.organisation_id, actor=actor, action=action, subject=batch, details=details)
    enqueue(batch)


def end(state: BatchState, trouble: Trouble | None = None) -> dict[str, Any]:
    """The values of a batch that nobody works any more."""
    return {
        "state": state,
        "token": "",
        "lease_until": None,
        "ended_at": timezone.now(),
        "trouble": kept_trouble(trouble) if trouble else {},
    }


def kept_trouble(trouble: Trouble) -> dict[str, Any]:
    return {
        "code": trouble.code,
        "who": trouble.who,
        "title": trouble.title,
        "steps": list(trouble.steps),
        "link": trouble.link,
        "facts": trouble.facts,
        "field": trouble.field,
        "detail": trouble.detail[:4000],
    }


def kept_fault(fault: Fault) -> dict[str, Any]:
    return {
        "code": fault.code,
        "who": "bureau",
        "title": fault.title,
        "steps": [fault.step],
        "facts": dict(fault.facts),
        "field": fault.column,
    }
