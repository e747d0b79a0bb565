"""Vouchers: a window is read month by month, as the ledger is not paged; changes since; look-ups by key.

`resume` is "day@watermark": the first day not yet read, and the vendor's clock of the first page. A window that ends
and begins inside of months is asked for exactly.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta

from apps.connectors.providers.netvisor import forms, refusals, shapes
from apps.connectors.providers.netvisor.calls import ask, bad_page, chunks, clock, items, shaped
from apps.connectors.providers.netvisor.periods import DAY, window_of
from apps.connectors.sdk import xml
from apps.connectors.sdk.failures import ConnectorError
from apps.connectors.sdk.queries import Digests, Gone, Page, Query, Since, UnsupportedQueryError, Window
from apps.connectors.sdk.session import Session
from apps.connectors.sdk.text import _
from apps.connectors.sdk.xml import Element
from apps.records.enums import Resource
from apps.records.ledger import Record, Voucher

LEDGER, DELETED = "accountingledger.nv", "deletedvouchers.nv"
OVERLAP = timedelta(
    days=1
)  # asked for twice, on top of whole days: the vendor warns to widen backwards [Changed since]
MEMORY = timedelta(days=7)
AT_ONCE = 500  # netvisorkeylist
EVER = Window(date(1950, 1, 1), date(2099, 12, 31))


def read_vouchers(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    """Pages of whole vouchers, with the vendor's clock. Raises TRANSIENT for a page that is not whole."""
    if isinstance(query, Since):
        yield from _since(session, query.cursor)
        return
    window = window_of(session, query)
    if window is None:  # no fiscal years are told: one question for everything
        found, _gone, at = _asked(session, {"startdate": EVER.start, "enddate": EVER.end}, EVER)
        yield Page(records=tuple(found), vendor_count=len(found), last=True, watermark=at.isoformat())
        return
    day, _at, watermark = (resume or "").partition("@")
    start = date.fromisoformat(day) if day else window.start
    while start <= window.end:
        end = min(_month_end(start), window.end)
        found, gone, at = _asked(session, {"startdate": start, "enddate": end}, Window(start, end))
        watermark = watermark or at.isoformat()
        start, last = end + DAY, end == window.end
        yield Page(
            records=tuple(found),
            gone=tuple(gone),
            vendor_count=len(found),
            resume=None if last else f"{start}@{watermark}",
            watermark=watermark,
            last=last,
            share=((end - window.start).days + 1) / ((window.end - window.start).days + 1),
        )
    if window.end < window.start:
        yield Page(last=True)


def get_vouchers(session: Session, ids: Iterable[str]) -> Iterator[Record | Gone]:
    wanted = list(ids)
    found: dict[str, Voucher] = {}
    for keys in chunks([key for key in wanted if key.isdigit()], AT_ONCE):
        found |= _by_keys(session, keys)
    for external_id in wanted:
        yield found.get(external_id) or _gone(external_id)


def _by_keys(session: Session, keys: Iterable[str]) -> dict[str, Voucher]:
    """The vouchers there are of these keys. Should one that is not there be refused, each is asked for by itself."""
    several = list(keys)
    params = {"netvisorkey": several[0]} if len(several) == 1 else {"netvisorkeylist": ",".join(several)}
    try:
        found = _asked(session, params, None)[0]
    except ConnectorError as error:
        if error.remedy is not refusals.NOT_FOUND:
            raise
        return {} if len(several) == 1 else {k: v for key in several for k, v in _by_keys(session, [key]).items()}
    return {voucher.external_id: voucher for voucher in found}


def _since(session: Session, cursor: str) -> Iterator[Page]:
    """What was changed since, whole days by the vendor's calendar; then what was deleted, which it knows seven days.

    A cursor older than that ends without `last`: what was deleted before is not known, and everything must be read.
    """
    since = _moment(cursor)
    found, gone, at = _asked(session, {"lastmodifiedstart": since.astimezone(forms.HELSINKI).date()}, None)
    yield Page(records=tuple(found), gone=tuple(gone), vendor_count=len(found), watermark=at.isoformat())
    today = at.astimezone(forms.HELSINKI).date()
    first = max(since.astimezone(forms.HELSINKI).date(), today - MEMORY)
    missed = since.astimezone(forms.HELSINKI).date() < first
    keys = _deleted(_deletions(session, first, oldest=today - MEMORY))
    warning = _("Netvisor remembers deletions for seven days only: read everything again.")
    yield Page(
        gone=tuple(_gone(key) for key in keys),
        watermark=at.isoformat(),
        warnings=(warning,) if missed else (),
        last=not missed,
    )


def _deletions(session: Session, first: date, *, oldest: date) -> Element:
    """Should the seven days be counted in hours, the oldest day is refused: the overlap leaves a day to give up."""
    try:
        return ask(session, DELETED, {"deletedsince": first})
    except ConnectorError as error:
        if first != oldest or error.remedy is not refusals.INVALID:
            raise
    return ask(session, DELETED, {"deletedsince": first + DAY})


def _asked(
    session: Session, params: Mapping[str, object], within: Window | None
) -> tuple[list[Voucher], list[Gone], datetime]:
    """The vouchers that stand in the books, those that are no more, and the vendor's clock.

    The vendor's answer may hold more than was asked for; a key that comes twice counts once. Of a deleted one no more
    than its key is needed.
    """
    root = ask(session, LEDGER, params)
    rows: dict[str, Element] = {}
    for row in items(root, "Voucher"):
        deleted = shapes.status(row) == shapes.DELETED
        if within is None or deleted or within.start <= shaped(shapes.voucher_day, [row])[0] <= within.end:
            rows[shaped(lambda element: shapes.needed(element, "NetvisorKey"), [row])[0]] = row
    there = [row for row in rows.values() if shapes.status(row) != shapes.DELETED]
    gone = [_gone(key) for key, row in rows.items() if shapes.status(row) == shapes.DELETED]
    return shaped(shapes.voucher, there), gone, clock(root)


def _deleted(root: Element) -> list[str]:
    """The keys of a list of deletions, of which no answer is recorded: every key there that is no line's.

    Raises TRANSIENT for a list that holds something and no key: a deletion that is not understood must not be lost.
    """
    keys: dict[str, None] = {}
    for element in root.iterdescendants():
        name = xml.name_of(element)
        inside = any(xml.name_of(above) in ("voucherline", "responsestatus") for above in element.iterancestors())
        own = xml.text(element) if name in ("netvisorkey", "vouchernetvisorkey") and not inside else None
        if name in ("voucher", "deletedvoucher"):
            own = xml.attribute(element, "netvisorkey") or (xml.text(element) if not len(element) else None)
        if own:
            keys[own] = None
    if any(not key.isdigit() for key in keys):
        raise bad_page("a deleted voucher's key is no number")
    told = [row for row in xml.children(root) if xml.name_of(row) != "responsestatus"]
    if not keys and any(len(row) or xml.text(row) for row in told):
        raise bad_page("a list of deleted vouchers without a key")
    return list(keys)


def _gone(external_id: str) -> Gone:
    return Gone(external_id=external_id, resource=Resource.VOUCHERS)


def _moment(cursor: str) -> datetime:
    try:
        found = datetime.fromisoformat(cursor)
    except ValueError as error:
        raise UnsupportedQueryError(f"{cursor!r} is no time like 2026-01-31T02:00:00+02:00") from error
    return found if found.tzinfo else found.replace(tzinfo=forms.HELSINKI)


def _month_end(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1) - DAY
