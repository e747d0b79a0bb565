"""Figures of the balances page: amounts as people read them (UI.md 5), read from the ledger's reports."""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from apps.clients.models import Client
from apps.core.admin import NONE, amount_text
from apps.core.requests import number_in
from apps.ledger.models import Account, Balance, FiscalYear
from apps.ledger.periods import months_of, text_of
from apps.ledger.reports import Line, ProfitAndLoss, balance_sheet, profit_and_loss, trial_balance
from apps.records.enums import AccountType

ZERO = Decimal("0.00")


@dataclass(slots=True, kw_only=True)
class AccountRow:
    number: str
    name: str
    opening: Decimal = ZERO
    debit: Decimal = ZERO
    credit: Decimal = ZERO

    @property
    def closing(self) -> Decimal:
        return self.opening + self.debit - self.credit

    @property
    def moved(self) -> bool:
        return bool(self.debit or self.credit)

    @property
    def shown(self) -> dict[str, str]:
        """A dash where nothing is posted; 0,00 where postings cancel out."""
        parts = {name: amount_text(value) if value else NONE for name, value in self._parts()}
        return {**parts, "closing": amount_text(self.closing)}

    def _parts(self) -> list[tuple[str, Decimal]]:
        return [("opening", self.opening), ("debit", self.debit), ("credit", self.credit)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """What the period picker chose. `first` and `last` are periods, inclusive."""

    year: FiscalYear
    first: int
    last: int
    choices: list[tuple[int, str]] = field(default_factory=list)


def pick(client: Client, years: list[FiscalYear], query: Any) -> Picked | None:
    """The chosen fiscal year and periods; the latest year with anything in it where none is chosen."""
    if not years:
        return None
    asked = query.get("year", "")
    held = set(Balance.objects.filter(client=client).values_list("fiscal_year", "period").distinct())
    used = [year for year in years if any(pk == year.pk for pk, _period in held)]
    year = next((one for one in years if str(one.pk) == asked), (used or years)[-1])
    periods = list(months_of(year))
    if (year.pk, year.last_period) in held:
        periods.append(year.last_period)
    first, last = (number_in(query.get(name, "")) for name in ("first", "last"))
    first = first if first in periods else periods[0]
    last = last if last in periods and periods.index(last) >= periods.index(first) else periods[-1]
    return Picked(
        year=year, first=first, last=last, choices=[(period, _period_text(year, period)) for period in periods]
    )


def _period_text(year: FiscalYear, period: int) -> str:
    return _("after year end") if period == year.last_period else text_of(period)


def account_rows(client: Client, picked: Picked) -> tuple[list[AccountRow], AccountRow]:
    """A row per account over all chosen periods, and their sum."""
    names = dict(Account.objects.filter(client=client).values_list("number", "name"))
    rows: dict[str, AccountRow] = {}
    begun: dict[str, bool] = defaultdict(bool)
    for part in trial_balance(client, picked.first, picked.last):
        row = rows.setdefault(part.account, AccountRow(number=part.account, name=names.get(part.account, "")))
        if not begun[part.account]:
            row.opening, begun[part.account] = part.opening, True
        row.debit += part.debit
        row.credit += part.credit
    total = AccountRow(number="", name=_("Total"))
    for row in rows.values():
        total.opening += row.opening
        total.debit += row.debit
        total.credit += row.credit
    return list(rows.values()), total


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A group of lines with its sum. A line is (account or None where it is computed, name, amount)."""

    title: str
    lines: list[tuple[str | None, str, str]]
    total: str


def sheet_parts(client: Client, picked: Picked) -> tuple[list[Part], str | None, str]:
    """Assets as they are, equity and liabilities with their sign turned; the rest, where the books do not balance."""
    sheet = balance_sheet(client, picked.last)
    computed = [
        (None, _("Result of the year"), -sheet.result_of_year),
        (None, _("Result of earlier years, not transferred"), -sheet.earlier_result),
    ]
    equity = [*_lines(sheet.of(AccountType.EQUITY), turned=True), *computed]
    debts = _lines(sheet.of(AccountType.LIABILITY), turned=True)
    parts = [
        _part(_("Assets"), _lines(sheet.of(AccountType.ASSET))),
        _part(_("Equity"), equity),
        _part(_("Liabilities"), debts),
    ]
    owed = sum((amount for _account, _name, amount in [*equity, *debts]), ZERO)
    return parts, amount_text(sheet.rest) if sheet.rest else None, amount_text(owed)


def profit_parts(client: Client, year: FiscalYear) -> tuple[list[Part], str]:
    """Income shown positive, cost positive, and what is left."""
    report: ProfitAndLoss = profit_and_loss(client, year)
    income = [line for line in report.lines if line.type == AccountType.INCOME]
    expense = [line for line in report.lines if line.type == AccountType.EXPENSE]
    parts = [_part(_("Income"), _lines(income, turned=True)), _part(_("Expenses"), _lines(expense))]
    return parts, amount_text(-report.result)


Amounts = list[tuple[str | None, str, Decimal]]


def _lines(lines: Any, *, turned: bool = False) -> Amounts:
    found: list[Line] = list(lines)
    return [(line.account, line.name, -line.amount if turned else line.amount) for line in found]


def _part(title: str, lines: Amounts) -> Part:
    total = sum((amount for _account, _name, amount in lines), ZERO)
    shown = [(account, name, amount_text(amount)) for account, name, amount in lines]
    return Part(title=title, lines=shown, total=amount_text(total))
