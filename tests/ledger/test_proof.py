"""What the source's totals are compared with, and by how much the books differ from them."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from apps.core.scope import system_scope
from apps.ledger.balances import recalculate_all
from apps.ledger.models import FiscalYear
from apps.ledger.proof import Difference, compare_year, control_difference
from apps.ledger.queries import Books
from apps.records.enums import AccountType, Basis, VoucherKind
from apps.records.ledger import ControlBalance
from tests import factories
from tests.factories import voucher

pytestmark = pytest.mark.django_db


@pytest.fixture
def years() -> Iterator[list[FiscalYear]]:
    """A sale of 100 in each of two years of unlike length, the result of the first transferred in period 13."""
    with system_scope("tests"):
        client = factories.ClientFactory()
        types = (("1920", AccountType.ASSET), ("2050", AccountType.EQUITY), ("3000", AccountType.INCOME))
        bank, equity, sales = (
            factories.AccountFactory(client=client, number=number, type=kind) for number, kind in types
        )
        made = [
            factories.FiscalYearFactory(client=client, start=start, end=end)
            for start, end in ((date(2024, 1, 1), date(2025, 6, 30)), (date(2025, 7, 1), date(2026, 6, 30)))
        ]
        factories.OpeningBalanceFactory(fiscal_year=made[0], account=bank, amount=Decimal(40))
        factories.OpeningBalanceFactory(fiscal_year=made[0], account=equity, amount=Decimal(-40))
        for year in made:
            voucher(year, year.start, {bank: "100.00", sales: "-100.00"})
        voucher(made[0], made[0].end, {sales: "100.00", equity: "-100.00"}, kind=VoucherKind.CLOSING)
        recalculate_all(client)
        yield made


def told(account: str, **amounts: Any) -> ControlBalance:
    given = {name: None if amount is None else Decimal(amount) for name, amount in amounts.items()}
    return ControlBalance(account=account, basis=Basis.INTERVAL, from_=date(2025, 7, 1), to=date(2026, 6, 30), **given)


RIGHT = (
    told("1920", opening="140", movement="100", closing="240"),
    told("2050", opening="-140", movement="0", closing="-140"),
    told("3000", opening="0", movement="-100", closing="-100"),
)


def seen(year: FiscalYear, *controls: ControlBalance) -> list[tuple[str, str, str]]:
    return [(one.account, one.part, str(one.difference)) for one in compare_year(year, controls)]


def test_totals_that_agree_leave_nothing(years: list[FiscalYear]) -> None:
    assert seen(years[1], *RIGHT) == []


def test_what_is_compared_is_what_the_reports_show(years: list[FiscalYear]) -> None:
    books = Books(years[1].client)
    controls = [
        told(key[0], opening=books.opening(years[1]).get(key, 0), closing=amount)
        for key, amount in books.closing(years[1]).items()
    ]

    assert seen(years[1], *controls) == []


def test_an_account_that_one_side_lacks_counts_as_zero_there(years: list[FiscalYear]) -> None:
    assert seen(years[1], *RIGHT[1:], told("2400", opening="0", movement="-7")) == [
        ("1920", "opening", "-140.00"),
        ("1920", "movement", "-100.00"),
        ("2400", "movement", "-7.00"),
    ]


@pytest.mark.parametrize("amounts", [{"closing": "239"}, {"movement": None, "opening": None, "closing": "239"}])
def test_a_closing_alone_is_compared_with_opening_and_movement(years: list[FiscalYear], amounts: Any) -> None:
    assert seen(years[1], told("1920", **amounts), *RIGHT[1:]) == [("1920", "closing", "-1.00")]


def test_a_source_that_contradicts_itself_does_not_agree(years: list[FiscalYear]) -> None:
    odd = told("1920", opening="140", movement="100", closing="240.01")

    assert seen(years[1], odd, *RIGHT[1:]) == [("1920", "closing", "0.01")]


def difference(account: str, period: str, part: str, amount: str) -> Difference:
    return Difference(account=account, name="", period=period, part=part, ours=Decimal(0), theirs=Decimal(amount))


def test_an_opening_that_is_off_by_what_the_year_before_ended_off_counts_once() -> None:
    carried = [
        difference("1920", "2024", "opening", "3"),
        difference("1920", "2024", "movement", "-10"),
        difference("1920", "2025", "opening", "-7"),
        difference("1920", "2025", "movement", "1"),
        difference("1920", "2026", "opening", "-6"),
    ]

    assert control_difference(carried) == Decimal(14)  # 3 + 10 + 1
    assert control_difference([*carried, difference("2400", "2026", "opening", "-6")]) == Decimal(20)
    assert control_difference([]) == 0
