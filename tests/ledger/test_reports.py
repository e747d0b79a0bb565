"""Reports and findings on books made by hand: every figure here can be checked with a pencil."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from apps.core.scope import system_scope
from apps.ledger.balances import recalculate_all
from apps.ledger.findings import note_findings
from apps.ledger.models import Finding, FiscalYear
from apps.ledger.reports import (
    NoFiscalYearError,
    UnknownAccountsError,
    balance_sheet,
    profit_and_loss,
    trial_balance,
)
from apps.records.enums import AccountType, VoucherKind
from tests import factories
from tests.factories import voucher

pytestmark = pytest.mark.django_db


class Small:
    """A company with bank, equity, sales and rent; years are added by the test."""

    def __init__(self) -> None:
        self.client = factories.ClientFactory()
        self.bank = self.account("1920", AccountType.ASSET)
        self.equity = self.account("2050", AccountType.EQUITY)
        self.sales = self.account("3000", AccountType.INCOME)
        self.rent = self.account("6300", AccountType.EXPENSE)

    def account(self, number: str, kind: AccountType) -> Any:
        return factories.AccountFactory(client=self.client, number=number, name=number, type=kind)

    def year(self, start: str, end: str) -> FiscalYear:
        year: FiscalYear = factories.FiscalYearFactory(
            client=self.client, start=date.fromisoformat(start), end=date.fromisoformat(end)
        )
        return year

    def open(self, year: FiscalYear, account: Any, amount: str) -> None:
        factories.OpeningBalanceFactory(fiscal_year=year, account=account, amount=Decimal(amount))

    def rows(self, first: int, last: int, by: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
        recalculate_all(self.client)
        return [
            (
                row.account,
                row.period,
                *map(str, (row.opening, row.debit, row.credit, row.closing)),
                *row.dimensions.values(),
            )
            for row in trial_balance(self.client, first, last, by)
        ]

    def findings(self) -> dict[tuple[str, str], Decimal | None]:
        recalculate_all(self.client)
        note_findings(self.client)
        return {(row.kind, row.key): row.amount for row in Finding.objects.filter(client=self.client, resolved_at=None)}


@pytest.fixture(autouse=True)
def scope() -> Iterator[None]:
    with system_scope("tests"):
        yield


@pytest.fixture
def books() -> Small:
    return Small()


@pytest.fixture
def two_years(books: Small) -> tuple[Small, FiscalYear, FiscalYear]:
    """2025: 1000 in, sales 400, rent 150. 2026: sales 100 in January, nothing transferred, no openings given."""
    first, second = books.year("2025-01-01", "2025-12-31"), books.year("2026-01-01", "2026-12-31")
    voucher(first, date(2025, 1, 2), {books.bank: "1000.00", books.equity: "-1000.00"})
    voucher(first, date(2025, 3, 10), {books.bank: "400.00", books.sales: "-400.00"})
    voucher(first, date(2025, 12, 31), {books.rent: "150.00", books.bank: "-150.00"})
    voucher(second, date(2026, 1, 15), {books.bank: "100.00", books.sales: "-100.00"})
    return books, first, second


def test_trial_balance_has_a_row_for_each_account_and_month_with_an_opening_or_a_movement(two_years: Any) -> None:
    books, *_ = two_years
    assert books.rows(202511, 202602) == [
        ("1920", 202511, "1400.00", "0.00", "0.00", "1400.00"),
        ("1920", 202512, "1400.00", "0.00", "150.00", "1250.00"),
        ("1920", 202601, "1250.00", "100.00", "0.00", "1350.00"),
        ("1920", 202602, "1350.00", "0.00", "0.00", "1350.00"),
        ("2050", 202511, "-1000.00", "0.00", "0.00", "-1000.00"),
        ("2050", 202512, "-1000.00", "0.00", "0.00", "-1000.00"),
        ("2050", 202601, "-1000.00", "0.00", "0.00", "-1000.00"),
        ("2050", 202602, "-1000.00", "0.00", "0.00", "-1000.00"),
        ("3000", 202511, "-400.00", "0.00", "0.00", "-400.00"),
        ("3000", 202512, "-400.00", "0.00", "0.00", "-400.00"),
        ("3000", 202601, "0.00", "0.00", "100.00", "-100.00"),
        ("3000", 202602, "-100.00", "0.00", "0.00", "-100.00"),
        ("6300", 202512, "0.00", "150.00", "0.00", "150.00"),
    ]


def test_openings_that_the_source_gives_replace_the_closing_of_the_year_before(two_years: Any) -> None:
    books, _, second = two_years
    books.open(second, books.bank, "1250.00")
    books.open(second, books.equity, "-1200.00")
    books.open(second, books.sales, "-50.00")
    rows = {row[0]: row[2] for row in books.rows(202601, 202601)}
    assert rows == {"1920": "1250.00", "2050": "-1200.00", "3000": "-50.00"}


def test_account_of_unknown_type_carries_over(two_years: Any) -> None:
    books, first, _ = two_years
    odd = books.account("9999", AccountType.UNKNOWN)
    voucher(first, date(2025, 5, 1), {odd: "7.00", books.bank: "-7.00"})
    assert ("9999", 202601, "7.00", "0.00", "0.00", "7.00") in books.rows(202601, 202601)


def test_period_13_of_a_broken_year_stands_after_its_last_month(books: Small) -> None:
    first, second = books.year("2024-07-01", "2025-06-30"), books.year("2025-07-01", "2026-06-30")
    voucher(first, date(2025, 6, 30), {books.bank: "10.00", books.sales: "-10.00"})
    transfer = {books.sales: "10.00", books.equity: "-10.00"}
    voucher(first, date(2025, 6, 30), transfer, period=202513, kind=VoucherKind.RESULT_TRANSFER)
    voucher(second, date(2025, 7, 1), {books.bank: "1.00", books.equity: "-1.00"})
    expected = [
        ("1920", 202506, "0.00", "10.00", "0.00", "10.00"),
        ("1920", 202513, "10.00", "0.00", "0.00", "10.00"),
        ("2050", 202513, "0.00", "0.00", "10.00", "-10.00"),
        ("3000", 202506, "0.00", "0.00", "10.00", "-10.00"),
        ("3000", 202513, "-10.00", "10.00", "0.00", "0.00"),
    ]
    assert books.rows(202506, 202506) == expected
    assert books.rows(202506, 202513) == expected
    assert books.rows(202513, 202513) == [row for row in expected if row[1] == 202513]
    assert books.rows(202507, 202507) == [
        ("1920", 202507, "10.00", "1.00", "0.00", "11.00"),
        ("2050", 202507, "-10.00", "0.00", "1.00", "-11.00"),
    ]


def test_rows_by_dimension_add_up_to_the_account(books: Small) -> None:
    year = books.year("2026-01-01", "2026-12-31")
    books.open(year, books.bank, "5.00")
    voucher(year, date(2026, 1, 3), {books.bank: "10.00", books.sales: "-10.00"}, dimensions={"department": "20"})
    voucher(
        year,
        date(2026, 1, 4),
        {books.bank: "1.00", books.sales: "-1.00"},
        dimensions={"department": "20", "project": "7"},
    )
    voucher(year, date(2026, 1, 5), {books.bank: "3.00", books.sales: "-3.00"})
    assert books.rows(202601, 202601, by=("department",)) == [
        ("1920", 202601, "5.00", "3.00", "0.00", "8.00", None),
        ("1920", 202601, "0.00", "11.00", "0.00", "11.00", "20"),
        ("3000", 202601, "0.00", "0.00", "3.00", "-3.00", None),
        ("3000", 202601, "0.00", "0.00", "11.00", "-11.00", "20"),
    ]


def test_drafts_and_kept_out_lines_are_in_no_row(books: Small) -> None:
    year = books.year("2026-01-01", "2026-12-31")
    for weight in ("provisional", "out", "opening"):
        voucher(year, date(2026, 1, 3), {books.bank: "10.00", books.sales: "-10.00"}, weight=weight)
    assert books.rows(202601, 202612) == []


def test_balance_sheet_balances_with_its_two_computed_lines(two_years: Any) -> None:
    books, *_ = two_years
    recalculate_all(books.client)
    sheet = balance_sheet(books.client, date(2026, 1, 31))
    assert [(line.account, str(line.amount)) for line in sheet.lines] == [("1920", "1350.00"), ("2050", "-1000.00")]
    assert (str(sheet.result_of_year), str(sheet.earlier_result), str(sheet.rest)) == ("-100.00", "-250.00", "0.00")


def test_balance_sheet_of_a_month_leaves_out_later_months(two_years: Any) -> None:
    books, *_ = two_years
    recalculate_all(books.client)
    sheet = balance_sheet(books.client, 202502)
    assert (str(sheet.of(AccountType.ASSET)[0].amount), str(sheet.result_of_year)) == ("1000.00", "0.00")
    assert balance_sheet(books.client, 202512).rest == balance_sheet(books.client, 202513).rest == Decimal(0)


def test_transferred_result_is_on_its_account_and_in_no_computed_line(two_years: Any) -> None:
    books, first, _ = two_years
    lines = {books.sales: "400.00", books.rent: "-150.00", books.equity: "-250.00"}
    voucher(first, date(2025, 12, 31), lines, period=202513, kind=VoucherKind.RESULT_TRANSFER)
    recalculate_all(books.client)
    closed, after = balance_sheet(books.client, date(2025, 12, 31)), balance_sheet(books.client, 202601)
    assert (str(closed.result_of_year), str(closed.earlier_result), str(closed.rest)) == ("0.00", "0.00", "0.00")
    assert (str(after.result_of_year), str(after.earlier_result), str(after.rest)) == ("-100.00", "0.00", "0.00")
    assert str(after.of(AccountType.EQUITY)[0].amount) == "-1250.00"


def test_openings_that_sum_to_zero_have_the_earlier_result_inside(two_years: Any) -> None:
    books, _, second = two_years
    books.open(second, books.bank, "1250.00")
    books.open(second, books.equity, "-1250.00")
    recalculate_all(books.client)
    sheet = balance_sheet(books.client, 202601)
    assert (str(sheet.earlier_result), str(sheet.rest)) == ("0.00", "0.00")
    assert books.findings() == {("opening_differs", "2026-01-01 2050"): Decimal("-250.00")}


def test_openings_that_leave_the_result_untransferred_are_no_finding(two_years: Any) -> None:
    books, _, second = two_years
    books.open(second, books.bank, "1250.00")
    books.open(second, books.equity, "-1000.00")
    assert books.findings() == {}
    assert str(balance_sheet(books.client, 202601).earlier_result) == "-250.00"


def test_rest_is_shown_and_is_a_finding(two_years: Any) -> None:
    books, _, second = two_years
    books.open(second, books.bank, "1300.00")
    books.open(second, books.equity, "-1000.00")
    assert books.findings() == {
        ("opening_sum", "2026-01-01"): Decimal("50.00"),
        ("opening_differs", "2026-01-01 1920"): Decimal("50.00"),
        ("not_balanced", "2026-01-01"): Decimal("50.00"),
    }
    assert str(balance_sheet(books.client, 202601).rest) == "50.00"


def test_opening_of_an_income_account_counts_and_is_a_finding(books: Small) -> None:
    year = books.year("2026-01-01", "2026-12-31")
    books.open(year, books.bank, "20.00")
    books.open(year, books.sales, "-20.00")
    assert books.findings() == {("opening_result", "2026-01-01 3000"): Decimal("-20.00")}
    sheet = balance_sheet(books.client, 202601)
    assert (str(sheet.result_of_year), str(sheet.rest)) == ("-20.00", "0.00")


def test_account_without_a_type_stops_the_reports_that_need_it(two_years: Any) -> None:
    books, first, second = two_years
    odd = books.account("9999", AccountType.UNKNOWN)
    books.account("9998", AccountType.UNKNOWN)
    voucher(second, date(2026, 5, 1), {odd: "7.00", books.bank: "-7.00"})
    assert books.findings() == {("unknown_account", "9999"): None}
    with pytest.raises(UnknownAccountsError) as refused:
        balance_sheet(books.client, 202601)
    assert refused.value.accounts == ("9999",)
    with pytest.raises(UnknownAccountsError):
        profit_and_loss(books.client, second)
    assert str(balance_sheet(books.client, 202512).rest) == "0.00"
    assert str(profit_and_loss(books.client, first).result) == "-250.00"


def test_off_balance_accounts_are_in_no_sum(books: Small) -> None:
    year = books.year("2026-01-01", "2026-12-31")
    memo = books.account("0399", AccountType.OFF_BALANCE)
    books.open(year, memo, "104320.00")
    books.open(year, books.bank, "20.00")
    books.open(year, books.equity, "-20.00")
    assert books.findings() == {}
    assert str(balance_sheet(books.client, 202601).rest) == "0.00"


def test_profit_and_loss_leaves_out_the_year_end_and_keeps_other_entries_of_period_13(books: Small) -> None:
    year = books.year("2025-01-01", "2025-12-31")
    voucher(year, date(2025, 3, 1), {books.bank: "400.00", books.sales: "-400.00"})
    voucher(year, date(2025, 12, 31), {books.rent: "30.00", books.bank: "-30.00"}, period=202513)
    transfer = {books.sales: "400.00", books.rent: "-30.00", books.equity: "-370.00"}
    voucher(year, date(2025, 12, 31), transfer, period=202513, kind=VoucherKind.CLOSING)
    recalculate_all(books.client)
    report = profit_and_loss(books.client, year)
    assert [(line.account, str(line.amount)) for line in report.lines] == [("3000", "-400.00"), ("6300", "30.00")]
    assert str(report.result) == "-370.00"


def test_day_outside_every_fiscal_year_is_refused(two_years: Any) -> None:
    books, *_ = two_years
    with pytest.raises(NoFiscalYearError):
        balance_sheet(books.client, date(2019, 1, 1))


def test_findings_are_updated_and_resolved_once(two_years: Any) -> None:
    books, _, second = two_years
    books.open(second, books.bank, "1300.00")
    books.open(second, books.equity, "-1000.00")
    books.findings()
    before = set(Finding.objects.values_list("pk", flat=True))
    books.findings()
    assert set(Finding.objects.values_list("pk", flat=True)) == before
    second.openingbalance_set.filter(account=books.bank).update(amount=Decimal("1250.00"))
    assert books.findings() == {}
    assert Finding.objects.exclude(resolved_at=None).count() == 3


def test_voucher_kept_out_is_a_finding_with_its_difference(books: Small) -> None:
    year = books.year("2026-01-01", "2026-12-31")
    factories.VoucherFactory(
        client=books.client, fiscal_year=year, external_id="v1", kept_out="unbalanced", difference=Decimal("2.00")
    )
    factories.VoucherFactory(client=books.client, fiscal_year=year, external_id="v2", kept_out="amount")
    assert books.findings() == {("unbalanced", "1 v1"): Decimal("2.00"), ("kept_out", "1 v2"): None}
