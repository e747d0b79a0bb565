"""What the pages of taking in clients show."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Case, Count, F, Value, When
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.clients.actions import free_number
from apps.clients.enums import Verdict
from apps.clients.imports import COLUMNS
from apps.connectors.actions import lists_companies
from apps.connectors.enums import ConnectionState
from apps.connectors.models import Connection, Connector
from apps.connectors.queries import with_clients
from apps.connectors.registry import label_of
from apps.core.admin import number_text
from apps.onboarding.enums import BUSY, FINISHED, BatchState, LineState
from apps.onboarding.models import Batch, Line
from apps.organisations.models import Organisation

BATCHES_SHOWN = 10
LINES_A_PAGE = 200
COLUMN_NAMES: dict[str, Any] = {
    "number": gettext_lazy("client number"),
    "name": gettext_lazy("name"),
    "country": gettext_lazy("country"),
    "organisation_number": gettext_lazy("organisation number"),
    "time_zone": gettext_lazy("time zone"),
    "responsible": gettext_lazy("responsible accountant"),
}
COLUMN_HELP: dict[str, Any] = {
    "number": gettext_lazy("The bureau's own number. Empty: the next free one."),
    "name": gettext_lazy("Empty: the name that the company has in the other system, where a connector is chosen."),
    "country": gettext_lazy("Two letters, such as NO. Empty: the bureau's country."),
    "organisation_number": gettext_lazy("Checked by form and check digit. That of a client you have is never changed."),
    "time_zone": gettext_lazy("Such as Europe/Oslo. Empty: the bureau's."),
    "responsible": gettext_lazy("The e-mail address of somebody of the bureau."),
}
# Colour and shape; blue is for what runs (UI.md 2), so that what would be made is grey.
_STATES = {
    LineState.LISTED: ("grey", "check_box_outline_blank"),
    LineState.WAITING: ("grey", "schedule"),
    LineState.MADE: ("green", "check_circle"),
    LineState.CHANGED: ("green", "edit"),
    LineState.THERE: ("green", "done_all"),
    LineState.REFUSED: ("red", "error"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A connector of the bureau; `lists`: it can be asked for the companies that it reaches."""

    connector: Connector
    system: str
    lists: bool
    clients: int


def bureau(organisation: Organisation) -> dict[str, Any]:
    """The first page of one bureau."""
    rows = Connector.objects.filter(organisation=organisation, client=None).select_related("organisation")
    keys = [
        Key(connector=row, system=label_of(row.provider), lists=lists_companies(row), clients=row.clients)
        for row in with_clients(rows)
    ]
    batches = Batch.objects.filter(organisation=organisation).select_related("connector__organisation")[:BATCHES_SHOWN]
    return {
        "organisation": organisation,
        "keys": keys,
        "batches": [(batch, counts_text(counts_of(batch))) for batch in batches],
    }


def columns() -> list[tuple[str, Any, Any, str]]:
    """(name, title, help, some of the names it may have in a file)."""
    return [
        (name, COLUMN_NAMES[name], COLUMN_HELP[name], ", ".join(words[:1] + words[-2:]))
        for name, words in COLUMNS.items()
    ]


def counts_of(batch: Batch) -> dict[str, int]:
    rows = Line.objects.filter(batch=batch).order_by().values("state").annotate(n=Count("pk")).values_list("state", "n")
    return dict(rows)


def counts_text(counts: dict[str, int]) -> str:
    """`280 made, 12 already there, 3 refused`."""
    words = {
        LineState.MADE: _("%(count)s made"),
        LineState.CHANGED: _("%(count)s changed"),
        LineState.THERE: _("%(count)s already there"),
        LineState.REFUSED: _("%(count)s refused"),
        LineState.WAITING: _("%(count)s waiting"),
        LineState.LISTED: _("%(count)s not chosen"),
    }
    return ", ".join(word % {"count": number_text(counts[state])} for state, word in words.items() if counts.get(state))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A line as it is looked at before it is started. `open`: it may be ticked."""

    line: Line
    open: bool
    colour: str
    icon: str
    word: str


def to_choose(batch: Batch) -> list[Shown]:
    """Every line with what it would do; three questions to the database, however many lines."""
    lines = Line.objects.filter(batch=batch).select_related("client")
    connected = (
        set(
            Connection.objects.filter(connector=batch.connector_id, state=ConnectionState.ACTIVE).values_list(
                "client_id", flat=True
            )
        )
        if batch.connector_id
        else set()
    )
    return [_to_choose(line, connects=batch.connector_id is not None, connected=connected) for line in lines]


def _to_choose(line: Line, *, connects: bool, connected: set[int]) -> Shown:
    if line.verdict == Verdict.REFUSED:
        return Shown(line=line, open=False, colour="red", icon="error", word=_("refused"))
    if line.verdict == Verdict.NEW:
        return Shown(line=line, open=True, colour="grey", icon="add_circle", word=_("new client"))
    if line.verdict == Verdict.CHANGES:
        return Shown(line=line, open=True, colour="grey", icon="edit", word=_("client is changed"))
    if connects and line.client_id not in connected:
        return Shown(line=line, open=True, colour="grey", icon="add_link", word=_("client, not connected yet"))
    word = _("connected already") if connects else _("client already, nothing to change")
    return Shown(line=line, open=False, colour="green", icon="done_all", word=word)


def choosing(batch: Batch, rows: list[Shown]) -> dict[str, Any]:
    return {
        "rows": rows,
        "open": sum(1 for row in rows if row.open),
        "refused": sum(1 for row in rows if row.colour == "red"),
        "needs_number": any(row.line.verdict == Verdict.NEW and not row.line.number for row in rows),
        "first_number": free_number(batch.organisation, 0, {row.line.number for row in rows}),
    }


def report(batch: Batch, number: str | None) -> Page[Line]:
    """A page of the lines that were chosen or refused, the refused ones first."""
    lines = Line.objects.filter(batch=batch).exclude(state=LineState.LISTED).select_related("client")
    refused_first = Case(When(state=LineState.REFUSED, then=Value(0)), default=Value(1))
    return Paginator(lines.order_by(refused_first, "position"), LINES_A_PAGE).get_page(number)


def look_of(line: Line) -> tuple[str, str]:
    """Its colour and shape."""
    return _STATES[LineState(line.state)]


def made_text(line: Line) -> str:
    """What was made for a line, in words."""
    words = {
        "client": _("client made"),
        "changes": _("client changed"),
        "connection": _("connected"),
        "activated": _("activated"),
        "feed": _("read from the next night on"),
    }
    return ", ".join(words[name] for name in line.made if name in words)


def done_text(line: Line) -> str:
    """What came of a line, in a sentence."""
    told = line.told
    return ". ".join(part for part in (made_text(line), told.title if told else "") if part)


def progress(batch: Batch, since: int) -> dict[str, Any]:
    """What the page asks for every two seconds: counts, and the lines that ended; `since` is how many it has seen."""
    counts = counts_of(batch)
    busy = batch.state in BUSY
    done = sum(counts.get(state, 0) for state in FINISHED)
    total = done + counts.get(LineState.WAITING, 0)
    # What the check refused has no time and was there before: first, as only some databases have it by themselves.
    ended = Line.objects.filter(batch=batch, state__in=FINISHED).order_by(F("done_at").asc(nulls_first=True), "pk")
    return {
        "live": busy,
        "state": batch.state,
        "text": progress_text(batch, done, total),
        "percent": round(done * 100 / total) if total else 0,
        "counts": counts_text(counts),
        "seen": done,
        "lines": [
            {
                "id": line.pk,
                "colour": look_of(line)[0],
                "icon": look_of(line)[1],
                "word": str(LineState(line.state).label),
                "text": done_text(line),
                "number": line.client.number if line.client else "",
            }
            for line in ended.select_related("client")[max(0, since) :]
        ],
    }


def progress_text(batch: Batch, done: int, total: int) -> str:
    if batch.state == BatchState.LISTING:
        return (
            _("Asking the other system which companies the key reaches …")
            if batch.token
            else _("Waiting for a worker …")
        )
    if batch.state == BatchState.WORKING:
        return _("%(done)s of %(total)s companies") % {"done": number_text(done), "total": number_text(total)}
    return ""


def answer_of(batch: Batch, counts: dict[str, int], rows: list[Shown]) -> str:
    """The first line of the page: the state in words. `rows`: those of a batch that is to be looked at."""
    if batch.state == BatchState.LISTING:
        return _("The other system is being asked which companies the key reaches.")
    if batch.state == BatchState.OPEN:
        return _open_text(batch, rows)
    if batch.state == BatchState.WORKING:
        return _("Clients are being made and verified.")
    text = counts_text({state: count for state, count in counts.items() if state != LineState.LISTED})
    if batch.state == BatchState.STOPPED:
        return _("Stopped: %(counts)s.") % {"counts": text} if text else _("Stopped before anything was made.")
    return _("Done: %(counts)s.") % {"counts": text} if text else _("Done: nothing was chosen.")


def _open_text(batch: Batch, rows: list[Shown]) -> str:
    todo, refused = sum(1 for row in rows if row.open), sum(1 for row in rows if row.colour == "red")
    if batch.origin == "file":
        first = ngettext("The file has %(count)d client.", "The file has %(count)d clients.", len(rows))
    else:
        first = ngettext("The key reaches %(count)d company.", "The key reaches %(count)d companies.", len(rows))
    parts = [first % {"count": len(rows)}, _("%(count)d to do") % {"count": todo}]
    if refused:
        parts.append(_("%(count)d refused") % {"count": refused})
    return f"{parts[0]} {', '.join(parts[1:])}."


def report_rows(lines: Iterable[Line]) -> Iterable[tuple[str, ...]]:
    """The report as a file."""
    yield (
        _("line"), _("client number"), _("name"), _("organisation number"), _("state"), _("what was made"),
        _("column"), _("what is wrong"), _("what to do"),
    )  # fmt: skip
    for line in lines:
        told = line.told
        yield (
            str(line.position),
            line.client.number if line.client else line.number,
            line.name,
            line.organisation_number,
            str(LineState(line.state).label),
            made_text(line),
            str(COLUMN_NAMES.get(told.field, told.field)) if told else "",
            told.title if told else "",
            " ".join(told.steps) if told else "",
        )
