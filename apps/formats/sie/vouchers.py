"""#VER with its #TRANS into a voucher record."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from apps.formats.sie.model import Year
from apps.records.ledger import Posting, Voucher


@dataclass(slots=True)
class Row:
    """One #TRANS. `date` None: the voucher's."""

    line: int
    account: str
    amount: Decimal
    date: date | None
    dimensions: dict[str, str]
    custom: dict[str, Any]
    text: str = ""
    quantity: Decimal | None = None


@dataclass(slots=True)
class Draft:
    """A #VER that is being read."""

    line: int
    series: str
    number: str
    date: date
    text: str = ""
    custom: dict[str, Any] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    @classmethod
    def nowhere(cls, line: int) -> "Draft":
        return cls(line, "", "", date.min)


class Identities:
    """LEDGER 6: fiscal year, series, number, date, n-th of equals; numbers are empty, "0" or repeated in real files.

    The fiscal year is the calendar year in which the file's fiscal year ends, or of the date where no year covers it.
    """

    def __init__(self, years: Iterable[Year]) -> None:
        self.years = tuple(years)
        self.seen: Counter[str] = Counter()

    def year_of(self, day: date) -> Year | None:
        return next((year for year in self.years if year.covers(day)), None)

    def of(self, draft: Draft) -> str:
        year = self.year_of(draft.date)
        label = year.end.year if year and year.end else draft.date.year
        key = f"{label}|{_escape(draft.series)}|{_escape(draft.number)}|{draft.date.isoformat()}"
        self.seen[key] += 1
        return f"{key}|{self.seen[key]}"


def build_voucher(draft: Draft, identities: Identities) -> Voucher:
    identity, year = identities.of(draft), identities.year_of(draft.date)
    postings = tuple(
        Posting(
            external_id=f"{identity}|{number}",
            row=number,
            date=row.date or draft.date,
            account=row.account,
            amount=row.amount,
            dimensions=row.dimensions,
            text=row.text,
            quantity=row.quantity,
            custom=row.custom,
        )
        for number, row in enumerate(draft.rows, start=1)
    )
    return Voucher(
        external_id=identity,
        date=draft.date,
        postings=postings,
        number=draft.number,
        series=draft.series,
        fiscal_year_start=year.start if year else None,
        text=draft.text,
        custom={"line": draft.line, **draft.custom},
    )


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("|", "%7C")
