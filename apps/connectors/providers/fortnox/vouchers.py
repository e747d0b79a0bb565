"""Vouchers: a financial year's from its SIE file in one request, a handful from the list, one request for each.

`resume` is the Id of the financial year to go on with. A year is always read whole from its start.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

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


@dataclass(frozen=True, slots=True)
class Part:
    """Some vouchers of one year; `ended` with the last of them."""

    vouchers: tuple[Voucher, ...] = ()
    gone: tuple[Gone, ...] = ()
    ended: bool = True
    warnings: tuple[str, ...] = ()


def read_vouchers(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    """Pages of whole vouchers, year by year. Raises TRANSIENT for a file or a voucher that is not whole."""
    changes = modified(query)  # a bad cursor is refused before anything is asked
    years = touched(session, query)
    ids = [year.external_id for year in years]
    mark = watermark(session)
    if not years:
        yield Page(last=True, watermark=mark)
    begin = ids.index(resume) if resume in ids else 0
    for at, year in enumerate(years[begin:], begin + 1):
        following = ids[at] if at < len(ids) else None
        for part in _year(session, year, query, changes):
            done = part.ended and following is None
            yield Page(
                records=part.vouchers,
                gone=part.gone,
                resume=None if done else following if part.ended else year.external_id,
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


def _year(session: Session, year: FiscalYear, query: Query, changes: dict[str, str]) -> Iterator[Part]:
    """By whichever way costs fewer requests (NOTES.md)."""
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
            there = {(item.series, item.number) for item in wanted}
            left = [key for key in keys or () if key not in there]
            warnings = tuple(str(warning) for warning in file.warnings[:20])
            yield from _parts(wanted, ended=not left, warnings=warnings)
            if left:
                yield from _each(session, year, left)
            return
    yield from _each(session, year, _listed(session, year, query, changes) if keys is None else keys)


def _listed(session: Session, year: FiscalYear, query: Query, changes: dict[str, str]) -> list[Key]:
    """The keys of a year's vouchers in a window, or changed since; short forms, so the days are looked at again."""
    params: dict[str, Any] = {"financialyear": year.external_id, **changes}
    if isinstance(query, Window):
        params |= {"fromdate": max(query.start, year.start), "todate": min(query.end, year.end)}
    params |= {"sortby": "vouchernumber", "sortorder": "ascending"}
    found = everything(session, "/vouchers", "Vouchers", lambda row: repr(_key(row)), params)
    return [_key(row) for row in found if _in_days(row, year, query)]


def _key(row: dict[str, Any]) -> Key:
    return shaped(shapes.short_key, [row])[0]


def _in_days(row: dict[str, Any], year: FiscalYear, query: Query) -> bool:
    if row.get("Year") is not None and shapes.code(row["Year"]) != year.external_id:
        raise bad_page(f"the list of year {year.external_id} has vouchers of year {row['Year']}")
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


def _parts(found: list[Voucher], *, ended: bool, warnings: tuple[str, ...]) -> Iterator[Part]:
    starts = range(0, max(len(found), 1), ON_A_PAGE)
    for start in starts:
        final = start == starts[-1]
        yield Part(
            tuple(found[start : start + ON_A_PAGE]), ended=ended and final, warnings=warnings if start == 0 else ()
        )


def _each(session: Session, year: FiscalYear, keys: list[Key]) -> Iterator[Part]:
    """One request per voucher; one that went since it was listed is told as gone."""
    starts = range(0, max(len(keys), 1), AT_ONCE)
    for start in starts:
        vouchers: list[Voucher] = []
        gone: list[Gone] = []
        for key in keys[start : start + AT_ONCE]:
            found = _whole(session, year.external_id, key)
            if found is None:
                lost = shapes.voucher_id(year, *key)
                gone.append(Gone(external_id=lost, resource=Resource.VOUCHERS))
            else:
                vouchers.append(found)
        yield Part(tuple(vouchers), tuple(gone), ended=start == starts[-1])


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
