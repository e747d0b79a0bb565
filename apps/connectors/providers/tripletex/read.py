"""The chart of accounts, dimensions and balances. Vouchers have a file of their own."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from apps.connectors.providers.tripletex import refusals, shapes
from apps.connectors.providers.tripletex.calls import PAGE, bad_page, by_id, everything, pages, shaped
from apps.connectors.providers.tripletex.periods import fiscal_years, window_of
from apps.connectors.providers.tripletex.vouchers import dimension_names
from apps.connectors.sdk.failures import ConnectorError
from apps.connectors.sdk.queries import Digests, Full, Page, Query
from apps.connectors.sdk.session import Session
from apps.connectors.sdk.text import _
from apps.records.ledger import Record

ACCOUNT_FIELDS = (
    "id,version,url,number,name,type,ledgerType,vatType(id,number),vatLocked,isInactive,saftCode,groupingCode,"
    "requiresDepartment,requiresProject"
)
BALANCE_FIELDS = "account(id,number),balanceIn,balanceChange,balanceOut,startDate,endDate"
DIMENSIONS = (
    (
        "/department",
        "id,version,url,name,departmentNumber,isInactive",
        shapes.department,
        _("Departments could not be read: the key may not."),
    ),
    (
        "/project",
        "id,version,url,name,number,isClosed,mainProject(id,number)",
        shapes.project,
        _("Projects could not be read: the key may not."),
    ),
)


def read_accounts(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    yield from _listed(session, "/ledger/account", ACCOUNT_FIELDS, shapes.account, resume)


def read_dimensions(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    """Departments, projects and the free dimensions, which not every package has."""
    warnings: list[str] = []
    for path, fields, shape, text in DIMENSIONS:
        try:
            for found in pages(session, path, {"fields": fields}):
                yield Page(records=tuple(shaped(shape, found)), vendor_count=len(found))
        except ConnectorError as error:
            if error.remedy is not refusals.ENTITLEMENT_MISSING:
                raise
            warnings.append(text)
    fields = "id,version,url,displayName,number,active"
    for index, name in sorted(dimension_names(session).items()):
        found = everything(
            session, "/ledger/accountingDimensionValue/search", {"dimensionIndex": index, "fields": fields}
        )
        items = shaped(partial(shapes.free_item, kind=name), found)
        yield Page(records=tuple(items), vendor_count=len(found))
    yield Page(last=True, warnings=tuple(warnings))


def read_control_balances(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    """The vendor's saldobalanse for the window; for everything, one per fiscal year."""
    window = window_of(session, query)
    spans = [(window.start, window.end)] if window.start <= window.end else []
    if isinstance(query, Full):
        spans = [(year.start, year.end) for year in fiscal_years(session)]
    for start, end in spans:
        read_at = datetime.now(UTC)
        for found in _balances(session, start, end):
            told = shaped(partial(shapes.control_balance, start=start, end=end, read_at=read_at), found)
            yield Page(records=tuple(told), vendor_count=len(found))
    yield Page(last=True)


def read_opening_balances(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    """What every account starts with, for each fiscal year that begins in the window."""
    window = window_of(session, query)
    for year in fiscal_years(session):
        if not window.start <= year.start <= window.end:
            continue
        for found in _balances(session, year.start, year.start):
            openings = shaped(partial(shapes.opening_balance, start=year.start), found)
            yield Page(records=tuple(item for item in openings if item is not None), vendor_count=len(found))
    yield Page(last=True)


def _balances(session: Session, start: date, end: date) -> Iterator[list[dict[str, Any]]]:
    params = {"dateFrom": start, "dateTo": end + shapes.DAY, "fields": BALANCE_FIELDS}
    for found in pages(session, "/balanceSheet", params):
        for row in found:
            account = row.get("account")
            if isinstance(account, dict) and account.get("number") is None:
                known = by_id(session, "/ledger/account", "id,number,type")
                row["account"] = {**account, **known.get(shapes.code(account.get("id")), {})}
            if not isinstance(row.get("account"), dict) or row["account"].get("number") is None:
                raise bad_page("a balance without its account")
        yield found


def _listed(
    session: Session, path: str, fields: str, shape: Callable[[shapes.Json], Record], resume: str | None
) -> Iterator[Page]:
    """A plain list; short enough to be read again from its start after a cut, so it has no resume."""
    del resume
    for found in pages(session, path, {"fields": fields}):
        yield Page(records=tuple(shaped(shape, found)), vendor_count=len(found), last=len(found) < PAGE)
