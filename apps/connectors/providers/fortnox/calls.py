"""What every call to Fortnox goes through: wrapped objects, pages that shift, the vendor's clock, the SIE export."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

from apps.connectors.providers.fortnox import refusals, shapes
from apps.connectors.sdk import remedies
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.queries import Query, Since, UnsupportedQueryError
from apps.connectors.sdk.session import Answer, Session
from apps.formats.sie import SieError, SieFile, read_sie
from apps.records.ledger import FiscalYear

T = TypeVar("T")
LIMIT = 500  # the most that a page holds, by several SDKs [L]
UNASKED = 100  # rows on a page where no limit is sent
TIMES = 3  # a list that grew or shrank while it was paged through is read so often at most
# README says lower case, openapi.json spells it so: where the first is passed over, the file is of another year
YEAR_NAMES = ("financialyear", "financialYear")
STOCKHOLM = ZoneInfo("Europe/Stockholm")
# asked for twice: an hour for the end of summer time, two for stamps that turn out to be UTC ("zone unconfirmed")
OVERLAP = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Part:
    """One page of a list. `total`: how many rows the vendor says the whole list has."""

    number: int
    rows: list[dict[str, Any]]
    total: int | None
    last: bool


def bad_page(detail: str) -> ConnectorError:
    return ConnectorError(Failure.TRANSIENT, remedies.BAD_PAGE, detail=detail[:400])


def value(answer: Answer, key: str) -> dict[str, Any]:
    """The object in an answer (`{"Customer": {...}}`). Raises TRANSIENT where there is none."""
    found = answer.data.get(key) if isinstance(answer.data, dict) else None
    if not isinstance(found, dict):
        raise bad_page(f"no {key} in the answer")
    return found


def pages(
    session: Session,
    path: str,
    key: str,
    params: Mapping[str, Any] | None = None,
    *,
    start: int = 1,
    limit: int = LIMIT,
) -> Iterator[Part]:
    """Pages to the last one by the vendor's count; where it gives none, to a page that is not full."""
    number = start
    asked = {**(params or {}), "limit": limit}
    while True:
        try:
            answer = session.read(path, {**asked, "page": number})
        except ConnectorError as error:
            if error.remedy is not refusals.REQUEST_REFUSED or number != start or not _eased(asked):
                raise
            continue
        _note_clock(session, answer)
        found = answer.data.get(key) if isinstance(answer.data, dict) else None
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            raise bad_page(f"no list of {key} in the answer")
        meta = answer.data.get("MetaInformation")
        meta = meta if isinstance(meta, dict) else {}
        count = shapes.whole(meta.get("@TotalPages"))
        if not found and count is not None and number < count:
            raise bad_page(f"page {number} of {count} of {key} is empty")
        ended = not found or (len(found) < asked.get("limit", UNASKED) if count is None else number >= count)
        yield Part(number, found, shapes.whole(meta.get("@TotalResources")), ended)
        if ended:
            return
        number += 1


def _eased(asked: dict[str, Any]) -> bool:
    """Take off what no document confirms for every list; False when nothing is left of that."""
    if "sortby" in asked:
        del asked["sortby"]
        asked.pop("sortorder", None)
        return True
    return asked.pop("limit", None) is not None


def everything(
    session: Session,
    path: str,
    key: str,
    ident: Callable[[dict[str, Any]], str],
    params: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """The rows of a list, each once. Its pages shift: one whose count changed, or was not reached, is read again."""
    found: dict[str, dict[str, Any]] = {}
    for _time in range(TIMES):
        parts = list(pages(session, path, key, params))
        found |= {ident(row): row for part in parts for row in part.rows}
        totals = {part.total for part in parts}
        if len(parts) == 1 or (len(totals) == 1 and len(found) >= (parts[-1].total or 0)):
            break
    return list(found.values())


def one(session: Session, path: str, key: str, *names: str, **params: Any) -> dict[str, Any] | None:
    """A single object by its key; None where the vendor has it not (any more)."""
    address = "/".join((path, *(quote(name, safe="") for name in names)))
    try:
        return value(session.read(address, params), key)
    except ConnectorError as error:
        if error.remedy is not refusals.NOT_FOUND:
            raise
        return None


def shaped(shape: Callable[[dict[str, Any]], T], found: Iterable[dict[str, Any]]) -> list[T]:
    """The rows as records. Raises TRANSIENT for a row that lacks what makes it one, or holds something else there."""
    try:
        return [shape(row) for row in found]
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise bad_page(repr(error)) from error


def fiscal_years(session: Session) -> list[FiscalYear]:
    """Every financial year there is, oldest first; asked for once per session."""
    if "fiscal_years" not in session.memory:
        found = everything(session, "/financialyears", "FinancialYears", lambda row: shapes.code(row.get("Id") or ""))
        session.memory["fiscal_years"] = sorted(shaped(shapes.fiscal_year, found), key=lambda year: year.start)
    years: list[FiscalYear] = session.memory["fiscal_years"]
    return years


def watermark(session: Session) -> str:
    """The vendor's time at the first list of this session (header Date), so before what is read now; else ours."""
    at: datetime = session.memory.get("clock") or datetime.now(UTC)
    return at.astimezone(UTC).isoformat()


def _note_clock(session: Session, answer: Answer) -> None:
    try:
        at = parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError):
        at = datetime.now(UTC)
    session.memory.setdefault("clock", at if at.tzinfo else at.replace(tzinfo=UTC))


def modified(query: Query) -> dict[str, str]:
    """The filter for a question about changes: Swedish time, to the minute before. The overlap is off the cursor already."""
    if not isinstance(query, Since):
        return {}
    try:
        at = datetime.fromisoformat(query.cursor.strip())
    except ValueError as error:
        raise UnsupportedQueryError(f"{query.cursor!r} is not a time like 2026-11-20T06:00:00+00:00") from error
    at = at if at.tzinfo else at.replace(tzinfo=STOCKHOLM)
    return {"lastmodified": f"{at.astimezone(STOCKHOLM):%Y-%m-%d %H:%M}"}


def sie_file(session: Session, year: FiscalYear, kind: int) -> SieFile | None:
    """The SIE export of a financial year (2: balances by month, 4: vouchers too); None where the vendor gives none.

    Raises TRANSIENT for a file that is not whole, or not of that year.
    """
    for name in YEAR_NAMES:
        try:
            answer = session.read(f"/sie/{kind}", {name: year.external_id}, headers={"Accept": "*/*"}, raw=True)
        except ConnectorError as error:
            if error.facts.get("status") != "404" or error.remedy is refusals.NOT_FOUND:
                raise  # with a Code it is the year that is not found
            return None
        if answer.status == 204:
            return None
        try:
            found = read_sie(answer.body)
        except SieError as error:
            raise bad_page(f"SIE {kind} of {year.start}: {error}") from error
        told = found.year(0)
        if told is not None and (told.start, told.end) == (year.start, year.end):
            return found
    raise bad_page(f"the SIE file is not of {year.start} to {year.end}")
