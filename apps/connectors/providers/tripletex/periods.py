"""Fiscal years, their periods and locks; and what window a question means."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from apps.connectors.providers.tripletex import shapes
from apps.connectors.providers.tripletex.calls import everything, shaped
from apps.connectors.sdk.queries import Digests, Full, Page, Query, UnsupportedQueryError, Window
from apps.connectors.sdk.session import Session
from apps.records.ledger import FiscalYear

PERIODS_AT_ONCE = 1400  # the vendor's own default for this list


def fiscal_years(session: Session) -> list[FiscalYear]:
    """Every fiscal year there is, oldest first."""
    if "fiscal_years" not in session.memory:
        found = everything(session, "/ledger/annualAccount", {"fields": "id,version,url,year,start,end"})
        periods = _periods(session)
        years = shaped(lambda row: shapes.fiscal_year(row, periods), found)
        session.memory["fiscal_years"] = sorted(years, key=lambda year: year.start)
    years_known: list[FiscalYear] = session.memory["fiscal_years"]
    return years_known


def read_fiscal_years(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    yield Page(records=tuple(fiscal_years(session)), last=True)


def read_locks(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    found = shapes.lock(_periods(session))
    yield Page(records=(found,) if found else (), last=True)


def window_of(session: Session, query: Query) -> Window:
    """A window as it is; everything is from the first fiscal year to the last. Raises UnsupportedQueryError for changes since."""
    if isinstance(query, Window):
        return query
    if not isinstance(query, Full):  # changedSince exists on other lists only [Conventions]
        raise UnsupportedQueryError("Tripletex has no list of changes here: ask for a window")
    years = fiscal_years(session)
    if not years:
        return Window(date.max, date.min)
    return Window(years[0].start, max(year.end for year in years))


def _periods(session: Session) -> list[shapes.Json]:
    if "periods" not in session.memory:
        fields = {"fields": "id,start,end,isClosed"}
        session.memory["periods"] = everything(session, "/ledger/accountingPeriod", fields, PERIODS_AT_ONCE)
    periods: list[dict[str, Any]] = session.memory["periods"]
    return list(periods)
