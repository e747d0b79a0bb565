"""The day book that the generator writes in: whole cents, one voucher at a time, each sums to zero."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from apps.records.enums import Counts, TaxRole, VoucherKind
from apps.records.ledger import FiscalYear, Posting, Voucher
from apps.sandbox.books.plan import Plan, percents


@dataclass(slots=True, kw_only=True)
class Line:
    """One line to be posted; `cents` in hundredths, debit positive; `vat_rate` in hundredths of a percent."""

    account: str
    cents: int
    text: str = ""
    vat_code: str | None = None
    vat_rate: int = 0
    tax_role: TaxRole = TaxRole.NONE
    base: int | None = None
    party: str | None = None
    due: date | None = None
    currency: str | None = None
    foreign: int | None = None
    rate: Decimal | None = None
    dimensions: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Entry:
    """A voucher before it has a number. `booked`: the day it was entered, which decides its number."""

    day: date
    booked: date
    text: str
    lines: list[Line]
    kind: VoucherKind = VoucherKind.ORDINARY
    counts: Counts = Counts.POSTED
    reverses: "Entry | None" = None
    reversed_by: "Entry | None" = None
    key: str = ""


class Journal:
    """Takes entries that are booked by `today` and lie in a fiscal year; others have not happened."""

    def __init__(self, years: tuple[FiscalYear, FiscalYear], today: date) -> None:
        self.years = years
        self.today = today
        self.entries: list[Entry] = []

    def book(self, entry: Entry) -> Entry | None:
        """The entry when it was taken, else None. Raises ValueError when it does not sum to zero."""
        if total := sum(line.cents for line in entry.lines):
            raise ValueError(f"{entry.day} {entry.text}: the lines sum to {total} cents")
        if entry.booked > self.today or not self.years[0].start <= entry.day <= self.years[1].end:
            return None
        self.entries.append(entry)
        return entry

    def sums(self, start: date, end: date) -> dict[str, int]:
        """Posted cents per account between two days, both inclusive."""
        totals: dict[str, int] = defaultdict(int)
        for entry in self.entries:
            if start <= entry.day <= end and entry.counts is Counts.POSTED:
                for line in entry.lines:
                    totals[line.account] += line.cents
        return totals

    def vouchers(self) -> tuple[Voucher, ...]:
        """All entries as vouchers, numbered from 1 in each fiscal year in the order they were booked."""
        ordered = sorted(self.entries, key=lambda entry: (self._year(entry.day), entry.booked, entry.day))
        for n, entry in enumerate(ordered, 1):
            entry.key = f"v{n}"
        last: dict[date, int] = defaultdict(int)
        made = []
        for entry in ordered:
            year = self._year(entry.day)
            number = ""
            if entry.counts is Counts.POSTED:
                last[year] += 1
                number = str(last[year])
            made.append(_voucher(entry, number, year))
        return tuple(made)

    def _year(self, day: date) -> date:
        return self.years[day > self.years[0].end].start


def with_vat(line: Line, code: str | None, plan: Plan, day: date) -> list[Line]:
    """The line as the base of a VAT code on a day, and the VAT lines that the system makes after it."""
    if code is None:
        return [line]
    rate = plan.vat[code].rate(day)
    made = [replace(line, vat_code=code, vat_rate=rate, tax_role=TaxRole.BASE)]
    for account, sign in plan.vat[code].accounts:
        tax = percent(line.cents, rate, of=10_000) * sign
        made.append(
            Line(
                account=account,
                cents=tax,
                text=line.text,
                vat_code=code,
                vat_rate=rate,
                tax_role=TaxRole.TAX,
                base=line.cents,
            )
        )
    return made


def percent(cents: int, rate: int, *, of: int = 100) -> int:
    """`rate` hundredths (or parts of `of`) of an amount, half away from zero."""
    part = (2 * abs(cents) * rate + of) // (2 * of)
    return part if cents >= 0 else -part


def total(lines: Iterable[Line]) -> int:
    """The sum of the lines in cents."""
    return sum(line.cents for line in lines)


def money(cents: int) -> Decimal:
    """Cents as an amount with two places."""
    return Decimal(cents).scaleb(-2)


def _voucher(entry: Entry, number: str, year: date) -> Voucher:
    return Voucher(
        external_id=entry.key,
        date=entry.day,
        postings=tuple(_posting(row, line, entry) for row, line in enumerate(entry.lines, 1)),
        number=number,
        fiscal_year_start=year,
        kind=entry.kind,
        counts=entry.counts,
        text=entry.text,
        reverses=entry.reverses.key if entry.reverses else None,
        reversed_by=entry.reversed_by.key if entry.reversed_by else None,
    )


def _posting(row: int, line: Line, entry: Entry) -> Posting:
    return Posting(
        row=row,
        date=entry.day,
        account=line.account,
        amount=money(line.cents),
        currency=line.currency,
        foreign_amount=None if line.foreign is None else money(line.foreign),
        exchange_rate=line.rate,
        vat_code=line.vat_code,
        vat_rate=percents(line.vat_rate) if line.vat_code else None,
        tax_role=line.tax_role,
        tax_base_amount=None if line.base is None else money(line.base),
        dimensions=dict(line.dimensions),
        text=line.text or entry.text,
        party=line.party,
        due_date=line.due,
        system_made=line.tax_role is TaxRole.TAX,
    )
