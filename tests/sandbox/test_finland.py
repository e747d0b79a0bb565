"""Finnish books and the story of the bureau in Finland hold on any day of the year."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from functools import cache

import pytest
from stdnum.fi import ytunnus

from apps.connectors.sdk.sandbox import Books
from apps.records.enums import AccountType, Counts, TaxRole, VoucherKind
from apps.sandbox.books import BooksSpec, make_books
from apps.sandbox.books.industries_fi import INDUSTRIES_FI
from apps.sandbox.books.plan_fi import FINLAND
from apps.sandbox.books.plan_no import NORWAY
from apps.sandbox.story import COMPLETE, STORIES, Story, load_story

DAYS = [
    date(2025, 12, 31), date(2026, 1, 1), date(2026, 2, 28), date(2026, 4, 30), date(2026, 5, 1), date(2026, 6, 15),
    date(2026, 7, 1), date(2026, 8, 31), date(2026, 10, 25), date(2026, 11, 20), date(2026, 12, 31), date(2028, 2, 29),
    date(2028, 3, 1), date(2029, 1, 1),
]  # fmt: skip
AUTUMN = date(2026, 11, 20)


@cache
def books(industry: str, today: date = AUTUMN) -> Books:
    spec = BooksSpec(
        company="1",
        name="Koe Oy",
        organisation_number="2953159-3",
        industry=industry,
        seed=7,
        vouchers=200,
        country="FI",
    )
    return make_books(spec, today)


@cache
def story(today: date) -> Story:
    return load_story(STORIES / "saaristo.toml", today, vouchers=40)


@pytest.mark.parametrize("industry", sorted(INDUSTRIES_FI))
@pytest.mark.parametrize("today", DAYS[::4], ids=str)
def test_vouchers_balance_to_the_cent_on_accounts_of_the_chart(industry: str, today: date) -> None:
    made = books(industry, today)
    numbers = {account.number for account in made.accounts}

    assert (made.country, made.currency) == ("FI", "EUR")
    assert {year.currency for year in made.fiscal_years} == {"EUR"}
    assert sum(made.openings.values()) == 0
    assert set(made.openings) <= numbers
    for voucher in made.vouchers:
        assert sum(posting.amount for posting in voucher.postings) == 0
        assert {posting.account for posting in voucher.postings} <= numbers
        assert all(posting.amount.as_tuple().exponent == -2 for posting in voucher.postings)


def test_rates_of_vat_are_those_in_force_on_the_day() -> None:
    rates: dict[tuple[str, int], set[Decimal]] = defaultdict(set)
    for voucher in books("bookshop").vouchers:
        for posting in voucher.postings:
            if posting.tax_role is TaxRole.TAX:
                assert posting.vat_code
                rates[(posting.vat_code[1:], voucher.date.year)].add(posting.vat_rate or Decimal(0))
                base, rate = posting.tax_base_amount or Decimal(0), posting.vat_rate or Decimal(0)
                assert abs(abs(posting.amount) - abs(base) * rate / 100) <= Decimal("0.005")

    assert rates == {
        ("255", 2025): {Decimal("25.5")},
        ("255", 2026): {Decimal("25.5")},
        ("135", 2025): {Decimal(14)},
        ("135", 2026): {Decimal("13.5")},
        ("10", 2025): {Decimal(10)},
        ("10", 2026): {Decimal(10)},
    }


def test_vat_is_returned_every_month_and_paid_on_the_12th() -> None:
    settled = [v for v in books("boatyard").vouchers if v.kind is VoucherKind.VAT_SETTLEMENT]
    paid = [v for v in books("boatyard").vouchers if v.text.startswith("Verohallinto, arvonlisävero 9/2026")]

    assert len({(v.date.year, v.date.month) for v in settled}) == len(settled) >= 20
    assert max(v.date for v in settled) == date(2026, 9, 30)
    assert not paid or [v.date for v in paid] == [date(2026, 11, 12)]


@pytest.mark.parametrize("industry", sorted(INDUSTRIES_FI))
def test_a_closed_year_has_transferred_its_result_and_the_company_lives(industry: str) -> None:
    made = books(industry)
    sums: dict[str, Decimal] = defaultdict(Decimal, made.openings)
    for voucher in made.vouchers:
        if voucher.counts is Counts.POSTED and voucher.date <= made.fiscal_years[0].end:
            for posting in voucher.postings:
                sums[posting.account] += posting.amount

    assert sum(amount for account, amount in sums.items() if account >= "3000") == 0
    assert sums["1910"] > 0
    assert made.openings["2251"] < 0


def test_account_types_follow_the_number() -> None:
    types = {account.number: account.type for account in books("cafe").accounts}
    assert (types["1910"], types["2251"], types["2871"]) == (
        AccountType.ASSET,
        AccountType.EQUITY,
        AccountType.LIABILITY,
    )
    assert (types["3000"], types["9000"], types["9900"]) == (
        AccountType.INCOME,
        AccountType.INCOME,
        AccountType.EXPENSE,
    )


def test_both_countries_say_the_same_things() -> None:
    assert set(FINLAND.words) == set(NORWAY.words)
    for plan in (FINLAND, NORWAY):
        numbers = {account.number for account in plan.accounts}
        roles = {getattr(plan.at, name) for name in plan.at.__slots__}
        assert roles | set(plan.vat_accounts) <= numbers
        for industry in plan.industries.values():
            flows = (*industry.sales, *industry.goods, *industry.overheads)
            assert {flow.account for flow in flows} | set(industry.asset[:2]) <= numbers
            assert {flow.code for flow in flows} <= {None, *plan.vat}


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_edits_fit_the_books_and_move_something_of_each_kind(today: date) -> None:
    told = story(today)

    assert told.moved == {"changed": 1, "deleted": 1, "moved": 2, "backdated": 2}
    for key, edit in told.edits:
        made = next(company.books for company in told.companies if company.books.company == key)
        old = next((v for v in made.vouchers if v.external_id == edit.external_id), None)
        first, locked = made.fiscal_years[0].start, made.locked_until or date.min
        assert (old is None) == (edit.action == "post")
        for day in (edit.day, *(voucher.date for voucher in (edit.voucher, old) if voucher)):
            assert day is None or max(first, locked + timedelta(days=1)) <= day <= today
        assert edit.voucher is None or sum(posting.amount for posting in edit.voucher.postings) == 0


def test_the_bureau_has_six_complete_clients_with_keys_of_their_own() -> None:
    told = story(AUTUMN)
    organisation, numbers = told.organisation, [client.organisation_number for client in told.clients]

    assert (organisation.country, organisation.time_zone, organisation.language) == ("FI", "Europe/Helsinki", "fi")
    assert len(set(numbers)) == 6
    assert all(ytunnus.is_valid(number) for number in numbers)
    assert {client.expect for client in told.clients} == {COMPLETE}
    assert {company.provider for company in told.companies} == {"netvisor"}
    operator = told.operator["netvisor"]
    for client, company in zip(told.clients, told.companies, strict=True):
        assert company.books.organisation_number == client.organisation_number
        assert client.connector.values["organisation_id"] == client.organisation_number
        keys = {name: client.connector.values[name] for name in ("customer_id", "customer_key")}
        assert company.access == {**keys, "partner_id": operator["partner_id"], "partner_key": operator["partner_key"]}
    assert len({client.connector.values["customer_id"] for client in told.clients}) == 6
