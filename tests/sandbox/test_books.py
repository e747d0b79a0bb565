"""Made-up books obey bookkeeping on any day."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from functools import cache

import pytest

from apps.connectors.sdk.sandbox import Books
from apps.records.enums import AccountType, Counts, TaxRole, VoucherKind
from apps.records.ledger import Voucher
from apps.sandbox.books import BooksSpec, make_books
from apps.sandbox.books.industries import INDUSTRIES

JANUARY, JULY = (1, 1), (7, 1)
DAYS = [date(2026, 1, 1), date(2026, 3, 1), date(2026, 4, 30), date(2026, 6, 30), date(2026, 7, 1), date(2026, 11, 20)]
DAYS += [date(2026, 12, 31), date(2028, 2, 29)]
AUTUMN = date(2026, 11, 20)


@cache
def books(industry: str, today: date, year_start: tuple[int, int] = JANUARY, vouchers: int = 200) -> Books:
    spec = BooksSpec(
        company="1",
        name="Prøve AS",
        organisation_number="987463104",
        industry=industry,
        seed=7,
        vouchers=vouchers,
        year_start=year_start,
    )
    return make_books(spec, today)


def balances(vouchers: Iterable[Voucher]) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for voucher in vouchers:
        if voucher.counts is Counts.POSTED:
            for posting in voucher.postings:
                totals[posting.account] += posting.amount
    return totals


def first_year(made: Books) -> list[Voucher]:
    return [voucher for voucher in made.vouchers if voucher.date <= made.fiscal_years[0].end]


@pytest.mark.parametrize("today", DAYS, ids=str)
@pytest.mark.parametrize("year_start", [JANUARY, JULY], ids=["calendar", "broken"])
@pytest.mark.parametrize("industry", ["cafe", "plumber", "housing", "consultancy"])
def test_vouchers_balance_to_the_cent_and_lie_in_their_fiscal_year(
    industry: str, year_start: tuple[int, int], today: date
) -> None:
    made = books(industry, today, year_start)
    numbers = {account.number for account in made.accounts}
    previous, current = made.fiscal_years

    assert previous.end + timedelta(days=1) == current.start <= today <= current.end
    assert sum(made.openings.values()) == 0
    assert set(made.openings) <= numbers
    for voucher in made.vouchers:
        assert sum(posting.amount for posting in voucher.postings) == 0
        assert {posting.account for posting in voucher.postings} <= numbers
        assert {posting.date for posting in voucher.postings} == {voucher.date}
        year = current if voucher.date >= current.start else previous
        assert year.start <= voucher.date <= year.end
        assert voucher.fiscal_year_start == year.start
        assert all(posting.amount.as_tuple().exponent == -2 for posting in voucher.postings)


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_numbers_run_from_one_without_a_gap_in_each_year(today: date) -> None:
    made = books("plumber", today)

    for year in made.fiscal_years:
        posted = [v for v in made.vouchers if v.fiscal_year_start == year.start and v.counts is Counts.POSTED]
        assert [int(v.number) for v in posted] == list(range(1, len(posted) + 1))
    assert len({v.external_id for v in made.vouchers}) == len(made.vouchers)


@pytest.mark.parametrize("industry", sorted(INDUSTRIES))
def test_a_closed_year_has_transferred_exactly_its_result(industry: str) -> None:
    made = books(industry, AUTUMN)
    year = first_year(made)
    transfers = [voucher for voucher in year if voucher.kind is VoucherKind.RESULT_TRANSFER]

    assert [fiscal.closed for fiscal in made.fiscal_years] == [True, False]
    assert made.locked_until == made.fiscal_years[0].end
    assert [voucher.date for voucher in transfers] == [made.fiscal_years[0].end]
    assert {posting.account for posting in transfers[0].postings} == {"8960", "2050"}
    assert sum(amount for account, amount in balances(year).items() if account >= "3000") == 0


def test_the_year_is_closed_after_the_annual_accounts_only() -> None:
    assert books("plumber", date(2026, 4, 30)).fiscal_years[0].closed is False
    assert books("plumber", date(2026, 5, 1)).fiscal_years[0].closed is True
    assert books("plumber", date(2026, 4, 30)).locked_until is None


@pytest.mark.parametrize("industry", sorted(INDUSTRIES))
def test_vat_stands_on_its_own_posting_after_its_base(industry: str) -> None:
    for voucher in books(industry, AUTUMN).vouchers:
        base = None
        for posting in voucher.postings:
            if posting.tax_role is TaxRole.BASE:
                base = posting
            if posting.tax_role is TaxRole.TAX:
                assert base is not None
                assert posting.system_made
                assert posting.tax_base_amount == base.amount
                assert posting.vat_code == base.vat_code
                rate = base.vat_rate or Decimal(0)
                assert abs(abs(posting.amount) - abs(base.amount) * rate / 100) <= Decimal("0.005")


def test_a_vat_settlement_empties_the_vat_accounts_of_its_term() -> None:
    made = books("plumber", AUTUMN)
    settlements = [voucher for voucher in made.vouchers if voucher.kind is VoucherKind.VAT_SETTLEMENT]

    # Five terms of 2026 have ended; the fifth is not returned before December.
    assert max(voucher.date for voucher in settlements) == date(2026, 8, 31)
    assert len(settlements) == 10
    to_august = balances(voucher for voucher in made.vouchers if voucher.date <= date(2026, 8, 31))
    assert to_august["2700"] == to_august["2710"] == 0


@pytest.mark.parametrize("industry", ["housing", "dentist"])
def test_who_is_not_registered_has_no_vat(industry: str) -> None:
    assert not any(
        posting.tax_role is TaxRole.TAX for voucher in books(industry, AUTUMN).vouchers for posting in voucher.postings
    )


@pytest.mark.parametrize("industry", sorted(INDUSTRIES))
def test_the_books_look_like_a_company_that_lives(industry: str) -> None:
    made = books(industry, AUTUMN, vouchers=500)
    closing = balances(made.vouchers)

    assert made.openings["2050"] < 0
    assert closing["1920"] + made.openings["1920"] > 0
    assert closing["2400"] + made.openings["2400"] < 0
    assert sum(amount for account, amount in closing.items() if account[0] == "3") < -1_000_000


def test_reversals_come_in_pairs() -> None:
    held = {voucher.external_id: voucher for voucher in books("cafe", AUTUMN).vouchers}
    reversals = [voucher for voucher in held.values() if voucher.reverses]

    assert len(reversals) == 2
    for back in reversals:
        wrong = held[str(back.reverses)]
        assert wrong.reversed_by == back.external_id
        assert balances([back]) == {account: -amount for account, amount in balances([wrong]).items()}


def test_one_draft_has_no_number_and_some_vouchers_are_dated_ahead() -> None:
    made = books("cafe", AUTUMN)
    drafts = [voucher for voucher in made.vouchers if voucher.counts is Counts.PROVISIONAL]

    assert [voucher.number for voucher in drafts] == [""]
    assert sum(voucher.date > AUTUMN for voucher in made.vouchers) == 2
    assert not any(voucher.date > date(2026, 12, 31) for voucher in books("cafe", date(2026, 12, 31)).vouchers)


def test_foreign_bills_keep_currency_amount_and_rate() -> None:
    foreign = [p for voucher in books("consultancy", AUTUMN).vouchers for p in voucher.postings if p.currency]

    assert {posting.currency for posting in foreign} == {"EUR"}
    for posting in foreign:
        assert posting.foreign_amount is not None
        assert posting.exchange_rate is not None
        assert abs(posting.foreign_amount * posting.exchange_rate - posting.amount) <= Decimal("0.005")


def test_accounts_have_a_type_and_dimensions_are_known() -> None:
    made = books("carpenter", AUTUMN)
    types = {account.number: account.type for account in made.accounts}
    known = {(dimension.kind, dimension.code) for dimension in made.dimensions}

    assert 70 <= len(types) <= 115
    assert (types["1920"], types["2050"], types["2400"]) == (
        AccountType.ASSET,
        AccountType.EQUITY,
        AccountType.LIABILITY,
    )
    assert (types["3000"], types["8050"], types["8300"]) == (
        AccountType.INCOME,
        AccountType.INCOME,
        AccountType.EXPENSE,
    )
    for voucher in made.vouchers:
        for posting in voucher.postings:
            assert set(posting.dimensions.items()) <= known
