"""Fiscal years and locks, who the company is, and what days a question means."""

from collections.abc import Iterator
from datetime import date, timedelta

from apps.connectors.providers.netvisor import chart
from apps.connectors.providers.netvisor.calls import ACCOUNTS, PERIODS, ask, bad_page
from apps.connectors.providers.netvisor.sign import check_values, organisation_id
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.queries import Digests, Full, Page, Query, UnsupportedQueryError, Window
from apps.connectors.sdk.session import Session
from apps.connectors.sdk.xml import Element
from apps.records.enums import Proof
from apps.records.ledger import FiscalYear, Identity

DAY = timedelta(days=1)


def verify(session: Session) -> Identity:
    """The company that we address: there is no company call. Any answer to it proves that the keys open it."""
    check_values(session.values)
    try:
        ask(session, PERIODS)
    except ConnectorError as error:
        if error.failure is not Failure.PERMISSION:
            raise
        ask(session, ACCOUNTS)  # the other resource that the vendor page names for this
    number = organisation_id(session.values)
    return Identity(
        external_id=number,
        company_id=number,
        name=number,
        organisation_number=number,
        country="FI",
        currency=chart.BOOKS_CURRENCY,
        proof=Proof.ADDRESSED,
    )


def read_company(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    yield Page(records=(verify(session),), last=True)


def read_fiscal_years(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    yield Page(records=tuple(fiscal_years(session)), last=True)


def read_locks(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    try:
        found = chart.locks(_periods(session))
    except (ValueError, ArithmeticError) as error:
        raise bad_page(repr(error)) from error
    yield Page(records=tuple(found), last=True)


def fiscal_years(session: Session) -> list[FiscalYear]:
    """Every fiscal year there is, oldest first."""
    try:
        return chart.fiscal_years(_periods(session))
    except (ValueError, ArithmeticError) as error:
        raise bad_page(repr(error)) from error


def window_of(session: Session, query: Query) -> Window | None:
    """A window as it is; everything is from the first fiscal year to the last, None where none is known.

    Raises UnsupportedQueryError for changes since.
    """
    if isinstance(query, Window):
        return query
    if not isinstance(query, Full):
        raise UnsupportedQueryError("Netvisor has no list of changes here: ask for a window")
    years = fiscal_years(session)
    return Window(years[0].start, max(year.end for year in years)) if years else None


def spans(session: Session, window: Window) -> list[tuple[date, date, bool]]:
    """The window cut where fiscal years begin: first and last day, and whether the first begins a fiscal year.

    Years that may not be read are taken for calendar years.
    """
    try:
        starts = {year.start for year in fiscal_years(session)}
    except ConnectorError as error:
        if error.failure is not Failure.PERMISSION and error.facts.get("status") != "404":
            raise
        starts = {date(year, 1, 1) for year in range(window.start.year, window.end.year + 1)}
    cuts = sorted({window.start, *(day for day in starts if window.start < day <= window.end)})
    ends = [*(day - DAY for day in cuts[1:]), window.end]
    return [(start, end, start in starts) for start, end in zip(cuts, ends, strict=True)]


def _periods(session: Session) -> Element:
    if "periods" not in session.memory:
        session.memory["periods"] = ask(session, PERIODS)
    found: Element = session.memory["periods"]
    return found
