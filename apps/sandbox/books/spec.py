"""What a company's books are made from, and the calendar they are made in."""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta

from apps.records.ledger import FiscalYear

WINDOW = 100  # days that a night reads back
YEAR_END_AFTER = 120  # days into the new year before the old one is closed and locked


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksSpec:
    """`size`: percent of the industry's usual turnover. `vouchers`: about so many in two full years."""

    company: str
    name: str
    organisation_number: str
    industry: str
    seed: int
    size: int = 100
    vouchers: int = 500
    year_start: tuple[int, int] = (1, 1)  # month, day
    year_end_late: bool = False  # the previous year is never closed
    lock: bool = True  # the books are locked when the year is closed
    country: str = "NO"


def fiscal_years(today: date, year_start: tuple[int, int], currency: str) -> tuple[FiscalYear, FiscalYear]:
    """The previous and the current fiscal year; `closed` is left unsaid."""
    start = date(today.year, *year_start)
    if start > today:
        start = date(today.year - 1, *year_start)
    before = date(start.year - 1, *year_start)
    after = date(start.year + 1, *year_start)
    return _year(before, start, currency), _year(start, after, currency)


def _year(start: date, after: date, currency: str) -> FiscalYear:
    return FiscalYear(external_id=f"{start:%Y%m%d}", start=start, end=after - timedelta(days=1), currency=currency)


def year_end_done(spec: BooksSpec, years: tuple[FiscalYear, FiscalYear], today: date) -> bool:
    """Whether the previous year is closed: tax and result booked."""
    return not spec.year_end_late and (today - years[1].start).days >= YEAR_END_AFTER


def add_months(day: date, months: int) -> date:
    """The same day so many months on, or the month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def month_end(day: date) -> date:
    """The last day of the month that `day` is in."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def months(start: date, end: date) -> list[date]:
    """The first days of all months from `start` to `end`."""
    count = (end.year - start.year) * 12 + end.month - start.month + 1
    return [add_months(start.replace(day=1), n) for n in range(count)]
