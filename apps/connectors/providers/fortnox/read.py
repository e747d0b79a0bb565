"""The company, its years, chart, dimensions and balances. Vouchers and registers have files of their own."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from apps.connectors.providers.fortnox import refusals, shapes
from apps.connectors.providers.fortnox.calls import (
    bad_page,
    everything,
    fiscal_years,
    one,
    pages,
    shaped,
    sie_file,
    value,
)
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.queries import Digests, Page, Query, Window
from apps.connectors.sdk.session import Session
from apps.formats.sie import SieFile
from apps.records.ledger import ControlBalance, Dimension, FiscalYear, Identity

DIMENSIONS = (
    ("/costcenters", "CostCenters", shapes.cost_centre),
    ("/projects", "Projects", shapes.project),
)
CLOSING = "BalanceCarriedForward"


def verify(session: Session) -> Identity:
    """The company behind the connection, as Fortnox names it. Changes nothing."""
    row = value(session.read("/companyinformation"), "CompanyInformation")
    learnt = session.held_tokens.learnt if session.held_tokens else {}
    tenant = learnt.get("tenant_id") or session.values.get("tenant_id", "")
    rights = tuple(learnt.get("scope", "").split())
    return shaped(partial(shapes.identity, tenant=tenant, rights=rights), [row])[0]


def discover(session: Session) -> Iterator[Identity]:
    """The one company that consented: there is no key for all clients of a bureau [Bureau mode]."""
    yield verify(session)


def read_company(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    yield Page(records=(verify(session),), last=True)


def read_fiscal_years(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    yield Page(records=tuple(fiscal_years(session)), last=True)


def read_locks(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    """The last locked day, wrapped or not; an empty answer is no lock, and so is "not found"."""
    try:
        answer = session.read("/settings/lockedperiod")
    except ConnectorError as error:
        if error.remedy is not refusals.NOT_FOUND:
            raise
        yield Page(last=True)
        return
    found = answer.data.get("LockedPeriod", answer.data) if isinstance(answer.data, dict) else answer.data
    if isinstance(found, dict):
        lock = shaped(shapes.lock, [found])[0]
    elif found in (None, "", []):
        lock = None
    else:
        raise bad_page("no LockedPeriod in the answer")
    yield Page(records=(lock,) if lock else (), last=True)


def read_accounts(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    """The chart of every financial year that the window touches: it is kept per year."""
    for year in touched(session, query):
        for found in _chart(session, year):
            yield Page(records=tuple(shaped(partial(shapes.account, year=year), found)), vendor_count=len(found))
    yield Page(last=True)


def read_dimensions(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    """Cost centres and projects; one of the two may be closed to Kontor, for want of a licence."""
    refused: list[str] = []
    for path, key, shape in DIMENSIONS:
        ident = lambda row, shape=shape: shaped(shape, [row])[0].external_id  # noqa: E731
        try:
            records: list[Dimension] = shaped(shape, everything(session, path, key, ident))
        except ConnectorError as error:
            if error.failure is not Failure.PERMISSION:
                raise
            refused.append(f"{path.strip('/')}: {error.remedy.title} ({error.remedy.code})")
            if len(refused) == len(DIMENSIONS):
                raise
            continue
        yield Page(records=tuple(records), vendor_count=len(records))
    yield Page(last=True, warnings=tuple(refused))


def read_opening_balances(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    """What every account brings forward, for each financial year that begins in the window."""
    for year in fiscal_years(session):
        if isinstance(query, Window) and not query.start <= year.start <= query.end:
            continue
        for found in _chart(session, year):
            openings = shaped(partial(shapes.opening_balance, year=year), found)
            yield Page(records=tuple(item for item in openings if item is not None), vendor_count=len(found))
    yield Page(last=True)


def read_control_balances(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    """Brought and carried forward of every financial year that the window touches.

    A window of whole months within a year is answered for those months, from the SIE file's changes per month.
    """
    for year in touched(session, query):
        read_at = datetime.now(UTC)
        if isinstance(query, Window) and _whole_months(query, year):
            records = _of_months(session, year, query, read_at)
        else:
            records = _of_year(session, year, read_at)
        yield Page(records=tuple(records), vendor_count=len(records))
    yield Page(last=True)


def touched(session: Session, query: Query) -> list[FiscalYear]:
    """The financial years of a window, oldest first; all of them for any other question."""
    years = fiscal_years(session)
    if not isinstance(query, Window):
        return years
    return [year for year in years if year.start <= query.end and query.start <= year.end]


def _chart(session: Session, year: FiscalYear) -> Iterator[list[dict[str, Any]]]:
    """The accounts of a year, page by page, each once."""
    seen: set[str] = set()
    params = {"financialyear": year.external_id, "sortby": "number", "sortorder": "ascending"}
    for part in pages(session, "/accounts", "Accounts", params):
        rows = {shapes.text(row.get("Number")): row for row in part.rows}
        yield [row for number, row in rows.items() if number not in seen]
        seen |= rows.keys()


def _of_year(session: Session, year: FiscalYear, read_at: datetime) -> list[ControlBalance]:
    """By the list where its rows say what is carried forward, else by the SIE file, else account by account.

    README has the balance in the list, openapi.json in the single account only (NOTES.md).
    """
    rows: list[dict[str, Any]] = []
    told = True
    for found in _chart(session, year):
        if told and any(row.get(CLOSING) in (None, "") for row in found):
            file = sie_file(session, year, 2)
            if file is not None:
                return _of_file(file, (year.start, year.end), read_at)
            told = False
        rows += found
    if not told:
        rows = [single for row in rows if (single := _account(session, year, row)) is not None]
    return shaped(partial(shapes.control_balance, year=year, read_at=read_at), rows)


def _account(session: Session, year: FiscalYear, row: dict[str, Any]) -> dict[str, Any] | None:
    number = shaped(lambda told: shapes.code(told["Number"]), [row])[0]
    return one(session, "/accounts", "Account", number, financialyear=year.external_id)


def _of_months(session: Session, year: FiscalYear, window: Window, read_at: datetime) -> list[ControlBalance]:
    file = sie_file(session, year, 2)
    if file is None or not (file.period_balances or not file.closings + file.results):
        return _of_year(session, year, read_at)  # their days say what they are of
    return _of_file(file, (window.start, window.end), read_at)


def _of_file(file: SieFile, days: tuple[date, date], read_at: datetime) -> list[ControlBalance]:
    """#IB and #UB or #RES; within the year #IB and the #PSALDO up to each end. What has no row is zero."""
    opening: dict[str, Decimal] = defaultdict(Decimal)
    closing: dict[str, Decimal] = defaultdict(Decimal)
    for row in file.openings:
        if row.year == 0:
            opening[row.account] = row.amount
    year = file.year(0)
    if year is not None and days == (year.start, year.end):
        for row in (*file.closings, *file.results):
            if row.year == 0:
                closing[row.account] = row.amount
    else:
        first, last = f"{days[0]:%Y-%m}", f"{days[1]:%Y-%m}"
        closing.update(opening)
        for change in file.period_balances:
            if change.year == 0 and not change.part:
                opening[change.account] += change.amount if change.period < first else 0
                closing[change.account] += change.amount if change.period <= last else 0
    return [
        shapes.control(account, days, (opening[account], closing[account]), read_at)
        for account in sorted({*opening, *closing})
    ]


def _whole_months(window: Window, year: FiscalYear) -> bool:
    """Whether the window is some months of the year, first to last day, and not all of it."""
    inside = year.start <= window.start and window.end <= year.end
    begins = window.start.day == 1 or window.start == year.start
    ends = (window.end + timedelta(days=1)).day == 1 or window.end == year.end
    return inside and begins and ends and (window.start, window.end) != (year.start, year.end)
