"""Periods are integers: `YYYYMM`, or `YYYY13` after the last month of the fiscal year that ends in YYYY."""

from collections.abc import Iterator
from datetime import date

from apps.ledger.models import FiscalYear


def month_of(day: date) -> int:
    return day.year * 100 + day.month


def period_of(year: FiscalYear | None, number: int | None, day: date) -> int:
    """The vendor's booking period `number` within its fiscal year, or the date's month where the vendor has none."""
    if year is None or number is None:
        return month_of(day)
    months = list(months_of(year))
    return months[number - 1] if 1 <= number <= len(months) else year.last_period


def months_of(year: FiscalYear) -> Iterator[int]:
    """The calendar months a fiscal year touches, in order."""
    month = month_of(year.start)
    while month <= month_of(year.end):
        yield month
        month = next_month(month)


def next_month(period: int) -> int:
    return period + 1 if period % 100 < 12 else (period // 100 + 1) * 100 + 1


def first_day(period: int) -> date:
    return date(period // 100, min(period % 100, 12), 1)


def text_of(period: int) -> str:
    """`2026-03`, `2026-13`."""
    return f"{period // 100}-{period % 100:02}"
