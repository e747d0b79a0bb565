"""What is read from the books: trial balance, balance sheet, profit and loss. Amounts are debit positive throughout."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from django.db.models import Sum

from apps.clients.models import Client
from apps.ledger.enums import Weight
from apps.ledger.models import FiscalYear, Posting
from apps.ledger.periods import month_of, text_of
from apps.ledger.queries import RESULT_TYPES, ZERO, Books, Key
from apps.records.enums import AccountType, VoucherKind

BALANCE_TYPES = (AccountType.ASSET, AccountType.LIABILITY, AccountType.EQUITY)
YEAR_END = (VoucherKind.CLOSING, VoucherKind.RESULT_TRANSFER)


class UnknownAccountsError(ValueError):
    """The report cannot be made while these accounts, which stand in it, have no type."""

    def __init__(self, accounts: Sequence[str]) -> None:
        self.accounts = tuple(accounts)
        super().__init__(", ".join(accounts))


class NoFiscalYearError(ValueError):
    """No fiscal year of the client holds the asked day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An account in one period. `dimensions`: the asked ones, None where a posting has none."""

    account: str
    period: int
    opening: Decimal
    debit: Decimal
    credit: Decimal
    dimensions: dict[str, str | None] = field(default_factory=dict)

    @property
    def movement(self) -> Decimal:
        return self.debit - self.credit

    @property
    def closing(self) -> Decimal:
        return self.opening + self.movement

    def as_json(self) -> dict[str, str | None]:
        amounts = {name: format(getattr(self, name), "f") for name in AMOUNTS}
        return {"account": self.account, "period": text_of(self.period), **amounts, **self.dimensions}


AMOUNTS = ("opening", "debit", "credit", "movement", "closing")


def trial_balance(client: Client, first_period: int, last_period: int, by: Sequence[str] = ()) -> Iterator[Row]:
    """A row per account and calendar month that has an opening or a movement, ordered so; periods are inclusive.

    `YYYY13` stands after the last month of the fiscal year that ends in YYYY, comes with that month, and exists where
    something is booked in it. `by` names dimensions; openings that the source gives stand without any.
    """
    books = Books(client, by=by)
    first, last = _place(first_period, books.years), _place(last_period, books.years, after=1)
    rows: list[tuple[Key, int, Row]] = []
    for place, (year, period, running) in enumerate(_running(books)):
        if not first <= _place(period, [year]) <= last:
            continue
        cells = books.moves[year.pk].get(period, {})
        for key in {*cells, *(key for key, amount in running.items() if amount)}:
            debit, credit = cells.get(key, (ZERO, ZERO))
            row = Row(
                account=key[0], period=period, opening=running.get(key, ZERO), debit=debit, credit=credit,
                dimensions={kind: code or None for kind, code in zip(books.by, key[1:], strict=True)},
            )  # fmt: skip
            rows.append((key, place, row))
    rows.sort(key=lambda item: (item[0][0], item[1], item[0]))
    return (row for _, _, row in rows)


def _running(books: Books) -> Iterator[tuple[FiscalYear, int, dict[Key, Decimal]]]:
    """Every period with the balances it begins with."""
    for year in books.years:
        running = dict(books.opening(year))
        for period in books.periods(year):
            yield year, period, dict(running)
            for key, (debit, credit) in books.moves[year.pk].get(period, {}).items():
                running[key] = running.get(key, ZERO) + debit - credit


def _place(period: int, years: Sequence[FiscalYear], *, after: int = 0) -> tuple[int, int]:
    """Where a period stands in time: its month, and whether after it. A `YYYY13` of no held year is December's."""
    if period % 100 <= 12:
        return period, after
    ends = [month_of(year.end) for year in years if year.last_period == period]
    return (ends[-1] if ends else period - 1), 1


@dataclass(frozen=True, slots=True)
class Line:
    account: str
    name: str
    type: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceSheet:
    """Amounts debit positive, so equity and liabilities are negative and all of it together is `rest`.

    `result_of_year` and `earlier_result` ("Result of earlier years, not transferred") are the computed lines of equity.
    """

    fiscal_year: FiscalYear
    period: int
    lines: tuple[Line, ...]
    result_of_year: Decimal
    earlier_result: Decimal
    rest: Decimal

    def of(self, kind: AccountType) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.type == kind)


def balance_sheet(client: Client, on: int | date) -> BalanceSheet:
    """The balance at the end of the month of `on` (a day or a period), period 13 with the last month of a year.

    Raises NoFiscalYearError, and UnknownAccountsError while an account that stands in it has no type.
    """
    return balance_sheet_of(Books(client), on)


def balance_sheet_of(books: Books, on: int | date) -> BalanceSheet:
    year, until = _year_of(books, on)
    _refuse_unknown(books, year)
    closing = books.closing(year, until)
    lines = tuple(
        Line(key[0], books.name_of(year, key[0]), books.type_of(year, key[0]), amount)
        for key, amount in sorted(closing.items())
        if amount and books.type_of(year, key[0]) in BALANCE_TYPES
    )
    result, earlier = books.result(year, until), books.untransferred(year)
    return BalanceSheet(
        fiscal_year=year,
        period=until,
        lines=lines,
        result_of_year=result,
        earlier_result=earlier,
        rest=sum((line.amount for line in lines), ZERO) + result + earlier,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfitAndLoss:
    """Debit positive: income negative, and a profit is a negative `result`."""

    fiscal_year: FiscalYear
    lines: tuple[Line, ...]
    result: Decimal


def profit_and_loss(client: Client, fiscal_year: FiscalYear) -> ProfitAndLoss:
    """Income and expense of the year without its closing and result-transfer vouchers.

    Raises UnknownAccountsError while an account that stands in it has no type.
    """
    books = Books(client)
    _refuse_unknown(books, fiscal_year)
    amounts = {key[0]: amount for key, amount in books.closing(fiscal_year).items()}
    transferred = (
        Posting.objects.filter(client=client, fiscal_year=fiscal_year, weight=Weight.POSTED, voucher__kind__in=YEAR_END)
        .values_list("account__number")
        .annotate(Sum("amount"))
    )
    for number, amount in transferred:
        amounts[number] = amounts.get(number, ZERO) - amount
    lines = tuple(
        Line(number, books.name_of(fiscal_year, number), books.type_of(fiscal_year, number), amount)
        for number, amount in sorted(amounts.items())
        if amount and books.type_of(fiscal_year, number) in RESULT_TYPES
    )
    return ProfitAndLoss(fiscal_year=fiscal_year, lines=lines, result=sum((line.amount for line in lines), ZERO))


def _year_of(books: Books, on: int | date) -> tuple[FiscalYear, int]:
    if isinstance(on, date):
        found = [year for year in books.years if year.start <= on <= year.end]
    elif on % 100 > 12:
        found = [year for year in books.years if year.last_period == on]
    else:
        found = [year for year in books.years if month_of(year.start) <= on <= month_of(year.end)]
    if not found:
        raise NoFiscalYearError(str(on))
    year = found[-1]
    month = month_of(on) if isinstance(on, date) else on
    return year, min(month, month_of(year.end)) if month % 100 <= 12 else month_of(year.end)


def _refuse_unknown(books: Books, year: FiscalYear) -> None:
    unknown = sorted(number for number in books.active(year) if books.type_of(year, number) == AccountType.UNKNOWN)
    if unknown:
        raise UnknownAccountsError(unknown)
