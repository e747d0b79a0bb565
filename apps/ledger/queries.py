"""The books of a client as held: openings and movements by fiscal year, and what they carry from year to year.

An account of unknown type carries its balance over like one of the balance sheet: until staff say otherwise nothing of
it may vanish at a year's end. Off-balance accounts carry over too, and never count in a sum that must be zero.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import Sum

from apps.clients.models import Client
from apps.ledger.models import Account, AccountYear, Balance, DimensionSet, FiscalYear, OpeningBalance
from apps.ledger.periods import month_of, months_of
from apps.records.enums import AccountType

ZERO = Decimal("0.00")
RESULT_TYPES = (AccountType.INCOME, AccountType.EXPENSE)

Key = tuple[str, ...]  # account number, then the code of each asked dimension ("" for none)
Sides = tuple[Decimal, Decimal]  # debit, credit


class Books:
    """One reading of a client's openings and balances; `by` names the dimensions that rows are kept apart by."""

    def __init__(self, client: Client, *, by: Sequence[str] = ()) -> None:
        self.by = tuple(by)
        self.years = list(FiscalYear.objects.filter(client=client).order_by("start"))
        self.names: dict[str, str] = {}
        self.types: dict[str, str] = {}
        for number, name, kind in Account.objects.filter(client=client).values_list("number", "name", "type"):
            self.names[number], self.types[number] = name, kind
        self.in_year: dict[tuple[int, str], tuple[str, str]] = {
            (year, number): (name, kind)
            for year, number, name, kind in AccountYear.objects.filter(client=client).values_list(
                "fiscal_year", "account__number", "name", "type"
            )
        }
        self.given: dict[int, dict[str, Decimal]] = defaultdict(dict)
        openings: Iterable[tuple[int, str, Any]] = OpeningBalance.objects.filter(client=client).values_list(
            "fiscal_year", "account__number", "amount"
        )
        for year, number, amount in openings:
            self.given[year][number] = amount
        self.moves: dict[int, dict[int, dict[Key, Sides]]] = defaultdict(lambda: defaultdict(dict))
        self._read_moves(client)
        self._closings: dict[int, dict[Key, Decimal]] = {}

    def _read_moves(self, client: Client) -> None:
        codes: dict[int, Key] = {}
        columns = ["fiscal_year", "period", "account__number"]
        if self.by:
            columns.append("dimension_set")
            for pk, items in DimensionSet.objects.filter(client=client).values_list("pk", "items"):
                codes[pk] = tuple(str(items.get(kind, "")) for kind in self.by)
        rows = Balance.objects.filter(client=client).values_list(*columns).annotate(Sum("debit"), Sum("credit"))
        for year, period, number, *rest in rows:
            *sets, debit, credit = rest
            if not (debit or credit):
                continue
            key = (number, *(codes[sets[0]] if sets else ()))
            cells = self.moves[year][period]
            held = cells.get(key, (ZERO, ZERO))
            cells[key] = (held[0] + debit, held[1] + credit)

    def type_of(self, year: FiscalYear, number: str) -> str:
        """The account's type in that year; it may have been another than now."""
        held = self.in_year.get((year.pk, number))
        return held[1] if held else self.types[number]

    def name_of(self, year: FiscalYear, number: str) -> str:
        held = self.in_year.get((year.pk, number))
        return held[0] if held else self.names[number]

    def before(self, year: FiscalYear) -> FiscalYear | None:
        return next((held for held in reversed(self.years) if held.end < year.start), None)

    def periods(self, year: FiscalYear) -> list[int]:
        """The months of the year, then its period 13 where something stands there."""
        months = list(months_of(year))
        return [*months, *sorted(set(self.moves[year.pk]) - set(months))]

    def opening(self, year: FiscalYear) -> dict[Key, Decimal]:
        """What the source gave for the year (without dimensions: it gives none); else the closing of the year before."""
        given = self.given.get(year.pk)
        if given:
            return {(number, *("" for _ in self.by)): amount for number, amount in given.items()}
        before = self.before(year)
        if before is None:
            return {}
        return {
            key: amount
            for key, amount in self.closing(before).items()
            if amount and self.type_of(before, key[0]) not in RESULT_TYPES
        }

    def closing(self, year: FiscalYear, until: int | None = None) -> dict[Key, Decimal]:
        """Opening and movements of the year; `until` is a month, which has period 13 with it when it is the last."""
        if until is None and year.pk in self._closings:
            return self._closings[year.pk]
        sums: dict[Key, Decimal] = defaultdict(lambda: ZERO)
        sums.update(self.opening(year))
        last = month_of(year.end)
        for period, cells in self.moves[year.pk].items():
            if until is None or until >= last or period <= min(until, last):
                for key, (debit, credit) in cells.items():
                    sums[key] += debit - credit
        if until is None:
            self._closings[year.pk] = sums
        return sums

    def result(self, year: FiscalYear, until: int | None = None) -> Decimal:
        """Income and expense together, a profit negative; what closing vouchers transferred is no longer in it."""
        return sum(
            (amount for key, amount in self.closing(year, until).items() if self.type_of(year, key[0]) in RESULT_TYPES),
            ZERO,
        )

    def untransferred(self, year: FiscalYear) -> Decimal:
        """The result of earlier years that no account holds when the year begins, a profit negative.

        As held: vouchers or imported balances of those years. Openings that the source gives and that sum to zero have
        it inside: nothing is left to transfer.
        """
        before = self.before(year)
        if before is None or (self.given.get(year.pk) and not self.opening_sum(year)):
            return ZERO
        return self.untransferred(before) + self.result(before)

    def opening_sum(self, year: FiscalYear) -> Decimal:
        """All openings of the year, off-balance accounts left out."""
        return sum(
            (
                amount
                for key, amount in self.opening(year).items()
                if self.type_of(year, key[0]) != AccountType.OFF_BALANCE
            ),
            ZERO,
        )

    def active(self, year: FiscalYear) -> set[str]:
        """Accounts with an opening or a movement in the year."""
        return {key[0] for key in self.opening(year)} | {
            key[0] for cells in self.moves[year.pk].values() for key in cells
        }
