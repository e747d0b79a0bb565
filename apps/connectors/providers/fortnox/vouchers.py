"""Vouchers: a financial year's from its SIE file in one request, a handful from the list, one request for each.

`resume` is the Id of the financial year to go on with, and the last voucher that was read of it: `5`, `5-A-12`. Vouchers
come by series and number, so that what follows that one is the rest, however the year is read.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from apps.connectors.providers.fortnox import shapes
from apps.connectors.providers.fortnox.calls import (
    bad_page,
    everything,
    fiscal_years,
    modified,
    one,
    shaped,
    sie_file,
    watermark,
)
from apps.connectors.providers.fortnox.read import touched
from apps.connectors.sdk.failures import ConnectorError
from apps.connectors.sdk.queries import Digests, Gone, Page, Query, Since, Window
from apps.connectors.sdk.session import Session
from apps.records.enums import Resource
from apps.records.ledger import FiscalYear, Record, Voucher

HANDFUL = 10  # so many are read one by one (two seconds of the limit), more from the file
SHORT = timedelta(days=7)  # a window up to this is asked of the list first: it may hold no more than a handful
ON_A_PAGE = 500
AT_ONCE = 25
ID = re.compile(r"([0-9]+)-(.+)-([0-9]+)")
Key = tuple[str, str]  # series, number
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """Some vouchers of one year, up to `reached`; `ended` with the last of them."""

    vouchers: tuple[Voucher, ...] = ()
    gone: tuple[Gone, ...] = ()
    ended: bool = True
    reached: Key | None = None
    warnings: tuple[str, ...] = ()


def read_vouchers(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    """Pages of whole vouchers, year by year. Raises TRANSIENT for a file or a voucher that is not whole."""
    changes = modified(query)  # a bad cursor is refused before anything is asked
    years = touched(session, query)
    ids = [year.external_id for year in years]
    mark = watermark(session)
    if not years:
        yield Page(last=True, watermark=mark)
    cut = ID.fullmatch(resume or "")
    begun = cut[1] if cut else resume
    begin = ids.index(begun) if begun in ids else 0
    for at, year in enumerate(years[begin:], begin + 1):
        following = ids[at] if at < len(ids) else None
        after = (cut[2], cut[3]) if cut and cut[1] == year.external_id else None
        for part in _year(session, year, query, changes, after):
            done = part.ended and following is None
            here = shapes.voucher_id(year, *part.reached) if part.reached else year.external_id
            yield Page(
                records=part.vouchers,
                gone=part.gone,
                resume=None if done else following if part.ended else here,
                vendor_count=len(part.vouchers),
                last=done,
                watermark=mark,
                share=at / len(years) if part.ended else (at - 0.5) / len(years),
                warnings=part.warnings,
            )


def get_vouchers(session: Session, ids: Iterable[str]) -> Iterator[Record | Gone]:
    """One by one. What is no id of ours is gone too."""
    for external_id in ids:
        key = ID.fullmatch(external_id)
        found = _whole(session, key[1], (key[2], key[3])) if key else None
        yield found or Gone(external_id=external_id, resource=Resource.VOUCHERS)


def _year(
    session: Session, year: FiscalYear, query: Query, changes: dict[str, str], after: Key | None
) -> Iterator[Part]:
    """What comes after `after`, by whichever way costs fewer requests (NOTES.md)."""
    few = isinstance(query, Since) or (isinstance(query, Window) and query.end - query.start <= SHORT)
    keys = _listed(session, year, query, changes) if few else None
    if keys is None or len(keys) > HANDFUL:
        file = sie_file(session, year, 4)
        if file is not None:
            encoding = file.encoding
            found = shaped(lambda told: shapes.sie_voucher(told, year, encoding), file.vouchers)  # type: ignore[arg-type]
            only = None if keys is None else set(keys)
            wanted = [item for item in found if _asked(item, query, only)]
            _check_once(wanted)
            there = {(item.series, item.number) for item in found}
            left = [key for key in keys or () if key not in there]
            yield from _each(session, year, left, ended=False, after=after)  # before the rest: `reached` is of the file
            yield from _parts(_rest(wanted, _place, after), tuple(str(warning) for warning in file.warnings[:20]))
            return
    listed = _listed(session, year, query, changes) if keys is None else keys
    yield from _each(session, year, _rest(listed, _order, after))


def _order(key: Key) -> tuple[str, int, str]:
    return key[0], shapes.whole(key[1]) or 0, key[1]


def _place(found: Voucher) -> tuple[str, int, str]:
    return _order((found.series, found.number))


def _rest(found: Iterable[T], order: Callable[[T], Any], after: Key | None) -> list[T]:
    """By series and number, without what lies up to `after`."""
    return [item for item in sorted(found, key=order) if after is None or order(item) > _order(after)]


def _listed(session: Session, year: FiscalYear, query: Query, changes: dict[str, str]) -> list[Key]:
    """The keys of a year's vouchers in a window, or changed since; short forms, so the days are looked at again."""
    params: dict[str, Any] = {"financialyear": year.external_id, **changes}
    if isinstance(query, Window):
        params |= {"fromdate": max(query.start, year.start), "todate": min(query.end, year.end)}
    params |= {"sortby": "vouchernumber", "sortorder": "ascending"}
    found = everything(session, "/vouchers", "Vouchers", lambda row: repr((_key(row), row.get("Year"))), params)
    return [_key(row) for row in found if _asked_for(row, year, query)]


def _key(row: dict[str, Any]) -> Key:
    return shaped(shapes.short_key, [row])[0]


def _asked_for(row: dict[str, Any], year: FiscalYear, query: Query) -> bool:
    """Filters may be passed over where several are combined: rows of other years and days are left out here."""
    told = shapes.text(row.get("Year"))
    if told and shaped(lambda row: shapes.code(row["Year"]), [row])[0] != year.external_id:
        return False
    when = shaped(lambda told: shapes.day(told["TransactionDate"]), [row])[0]
    return not isinstance(query, Window) or query.start <= when <= query.end


def _asked(found: Voucher, query: Query, keys: set[Key] | None) -> bool:
    if keys is not None:
        return (found.series, found.number) in keys
    return not isinstance(query, Window) or query.start <= found.date <= query.end


def _check_once(found: list[Voucher]) -> None:
    ids = [item.external_id for item in found]
    if len(ids) != len(set(ids)):
        twice = next(item for item in ids if ids.count(item) > 1)
        raise bad_page(f"the SIE file has voucher {twice} twice")


def _parts(found: list[Voucher], warnings: tuple[str, ...]) -> Iterator[Part]:
    starts = range(0, max(len(found), 1), ON_A_PAGE)
    for start in starts:
        some = tuple(found[start : start + ON_A_PAGE])
        reached = (some[-1].series, some[-1].number) if some else None
        yield Part(some, ended=start == starts[-1], reached=reached, warnings=warnings if start == 0 else ())


def _each(
    session: Session, year: FiscalYear, keys: list[Key], *, ended: bool = True, after: Key | None = None
) -> Iterator[Part]:
    """One request per voucher; one that went since it was listed is told as gone. `ended`: nothing of the year follows.

    Else the reading goes on behind `after`, as before: further back would be no progress, again and again.
    """
    starts = range(0, max(len(keys), 1) if ended else len(keys), AT_ONCE)
    for start in starts:
        some = keys[start : start + AT_ONCE]
        vouchers: list[Voucher] = []
        gone: list[Gone] = []
        for key in some:
            found = _whole(session, year.external_id, key)
            if found is None:
                lost = shapes.voucher_id(year, *key)
                gone.append(Gone(external_id=lost, resource=Resource.VOUCHERS))
            else:
                vouchers.append(found)
        final = ended and start == starts[-1]
        yield Part(tuple(vouchers), tuple(gone), ended=final, reached=some[-1] if ended and some else after)


def _whole(session: Session, year_id: str, key: Key) -> Voucher | None:
    row = one(session, "/vouchers", "Voucher", *key, financialyear=year_id)
    if row is None:
        return None
    start = next((year.start for year in _years(session) if year.external_id == year_id), None)
    found = shaped(lambda told: shapes.voucher(told, year_id, start), [row])[0]
    told = shapes.text(row.get("Year"))
    if (found.series, found.number) != key or (told and told != year_id):
        raise bad_page(f"asked for voucher {key} of year {year_id}, got {found.external_id} of year {told}")
    return found


def _years(session: Session) -> list[FiscalYear]:
    """For the first day of a year; without them a voucher is still a voucher."""
    try:
        return fiscal_years(session)
    except ConnectorError as error:
        if error.facts.get("status") != "404":
            raise
        return []
