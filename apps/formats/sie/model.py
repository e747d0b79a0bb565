"""What one SIE file says. Amounts are debit positive, in the currency of the file."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from apps.formats.sie.faults import SieWarning
from apps.records.enums import Basis
from apps.records.ledger import Account, ControlBalance, Dimension, Figure, FiscalYear, OpeningBalance, Voucher


@dataclass(frozen=True, slots=True)
class Year:
    """#RAR: `number` 0 is the year of the file, -1 the one before. Both dates, or neither (4I)."""

    number: int
    start: date | None
    end: date | None

    def covers(self, day: date) -> bool:
        return self.start is not None and self.end is not None and self.start <= day <= self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class YearBalance:
    """#IB, #UB, #RES, or with objects #OIB and #OUB. `more` holds second objects of one dimension."""

    line: int
    year: int
    account: str
    amount: Decimal
    quantity: Decimal | None = None
    dimensions: dict[str, str] = field(default_factory=dict)
    more: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodBalance:
    """#PSALDO or #PBUDGET: the change in one month. `part`: it is contained in a row without objects."""

    line: int
    year: int
    period: str
    account: str
    amount: Decimal
    part: bool = False
    quantity: Decimal | None = None
    dimensions: dict[str, str] = field(default_factory=dict)
    more: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DimensionKind:
    """#DIM or #UNDERDIM; `parent` is the number of the dimension above."""

    number: str
    kind: str
    name: str
    parent: str | None = None


@dataclass(frozen=True, kw_only=True)
class SieFile:
    """`openings`, `closings`, `results` are of whole accounts; `opening_parts`, `closing_parts` (#OIB, #OUB) lie within.

    `period_balances` holds every #PSALDO; those with `part` are contained in another and are never added to it. Without
    a row of the whole account the rows with objects stay unmarked where all name the same dimensions (then they do not
    overlap), else every row of the most dimensions only; the rest is marked. `budgets` are figures that may be summed,
    by the same rule; `budget_parts` are the marked ones. `vouchers` has unbalanced ones too (`voucher_difference`).
    """

    sie_type: int
    is_import: bool
    encoding: str
    currency: str
    program: str = ""
    program_version: str = ""
    flag: int = 0
    generated: date | None = None
    generated_by: str = ""
    company: str = ""
    company_id: str = ""
    organisation_number: str = ""
    chart: str = ""
    covers_until: date | None = None
    fiscal_years: tuple[Year, ...] = ()
    accounts: tuple[Account, ...] = ()
    undeclared_accounts: tuple[Account, ...] = ()
    dimension_kinds: tuple[DimensionKind, ...] = ()
    dimensions: tuple[Dimension, ...] = ()
    undeclared_dimensions: tuple[Dimension, ...] = ()
    openings: tuple[YearBalance, ...] = ()
    opening_parts: tuple[YearBalance, ...] = ()
    closings: tuple[YearBalance, ...] = ()
    closing_parts: tuple[YearBalance, ...] = ()
    results: tuple[YearBalance, ...] = ()
    period_balances: tuple[PeriodBalance, ...] = ()
    budgets: tuple[Figure, ...] = ()
    budget_parts: tuple[Figure, ...] = ()
    vouchers: tuple[Voucher, ...] = ()
    checksum_verified: bool = False
    warnings: tuple[SieWarning, ...] = ()

    def year(self, number: int) -> Year | None:
        return next((year for year in self.fiscal_years if year.number == number), None)

    def fiscal_year_records(self) -> tuple[FiscalYear, ...]:
        return tuple(
            FiscalYear(start=year.start, end=year.end, currency=self.currency, external_id=str(year.end.year))
            for year in self.fiscal_years
            if year.start and year.end
        )

    def opening_records(self, *, parts: bool = False) -> tuple[OpeningBalance, ...]:
        """Openings of years with dates; `parts` gives the rows with objects instead."""
        starts = {year.number: year.start for year in self.fiscal_years}
        return tuple(
            OpeningBalance(account=row.account, fiscal_year_start=start, amount=row.amount, dimensions=row.dimensions)
            for row in (self.opening_parts if parts else self.openings)
            if (start := starts.get(row.year))
        )

    def control_records(self) -> tuple[ControlBalance, ...]:
        """#UB as closing on the last day of the year, #RES as movement of the year."""
        years = {year.number: year for year in self.fiscal_years}
        closings = (
            ControlBalance(account=row.account, basis=Basis.AS_OF, from_=None, to=end, closing=row.amount)
            for row in self.closings
            if row.year in years and (end := years[row.year].end)
        )
        results = (
            ControlBalance(
                account=row.account, basis=Basis.INTERVAL, from_=years[row.year].start, to=end, movement=row.amount
            )
            for row in self.results
            if row.year in years and (end := years[row.year].end)
        )
        return (*closings, *results)


def voucher_difference(voucher: Voucher) -> Decimal:
    """Debit less credit of the voucher: zero when it balances."""
    return sum((posting.amount for posting in voucher.postings), Decimal(0))


def mark_parts(rows: Iterable[PeriodBalance]) -> tuple[set[int], int | None]:
    """Lines contained in another row of the same year, month and account, and the first line where that is a guess."""
    groups: dict[tuple[int, str, str], list[PeriodBalance]] = {}
    for row in rows:
        groups.setdefault((row.year, row.period, row.account), []).append(row)
    parts: set[int] = set()
    guessed: list[int] = []
    for group in groups.values():
        signatures = {frozenset(row.dimensions) for row in group}
        if len(signatures) == 1:
            continue
        whole: frozenset[str] = frozenset()
        if whole not in signatures:
            whole = max(signatures, key=lambda kinds: (len(kinds), sorted(kinds)))
            guessed.append(group[0].line)
        parts.update(row.line for row in group if frozenset(row.dimensions) != whole)
    return parts, min(guessed, default=None)
