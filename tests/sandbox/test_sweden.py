"""The Swedish bureau: its books obey bookkeeping, its story holds on any day of the year."""

from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import Decimal
from functools import cache

import pytest
from stdnum.se import orgnr

from apps.connectors.sdk.sandbox import Books
from apps.records.enums import AccountType, Counts, TaxRole, VoucherKind
from apps.sandbox.books import BooksSpec, make_books
from apps.sandbox.books.industries_se import INDUSTRIES
from apps.sandbox.story import COMPLETE, STORIES, Story, load_story

AUTUMN = date(2026, 11, 20)
DAYS = [
    date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 1), date(2026, 4, 10),
    date(2026, 4, 30), date(2026, 5, 1), date(2026, 6, 30), date(2026, 7, 1), date(2026, 8, 31), date(2026, 10, 9),
    AUTUMN, date(2026, 12, 1), date(2026, 12, 31), date(2028, 2, 29), date(2029, 1, 1),
]  # fmt: skip


@cache
def books(industry: str, today: date = AUTUMN, year_start: tuple[int, int] = (1, 1)) -> Books:
    spec = BooksSpec(
        company="1", name="Prov AB", organisation_number="5598014420", industry=industry, seed=7, vouchers=200,
        country="SE", year_start=year_start,
    )  # fmt: skip
    return make_books(spec, today)


@cache
def story(today: date) -> Story:
    return load_story(STORIES / "malardalen.toml", today, vouchers=40)


@pytest.mark.parametrize("today", DAYS, ids=str)
@pytest.mark.parametrize("year_start", [(1, 1), (7, 1)], ids=["calendar", "broken"])
def test_swedish_vouchers_balance_in_swedish_kronor(year_start: tuple[int, int], today: date) -> None:
    for industry in ("cafe", "consultancy"):
        made = books(industry, today, year_start)
        numbers = {account.number for account in made.accounts}
        assert (made.country, made.currency, sum(made.openings.values())) == ("SE", "SEK", 0)
        for voucher in made.vouchers:
            assert sum(posting.amount for posting in voucher.postings) == 0
            assert {posting.account for posting in voucher.postings} <= numbers
            assert all(posting.amount.as_tuple().exponent == -2 for posting in voucher.postings)


@pytest.mark.parametrize("industry", sorted(INDUSTRIES))
def test_a_closed_swedish_year_has_transferred_its_result(industry: str) -> None:
    made = books(industry)
    end = made.fiscal_years[0].end
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for voucher in made.vouchers:
        if voucher.date <= end and voucher.counts is Counts.POSTED:
            for posting in voucher.postings:
                totals[posting.account] += posting.amount
    transfers = [voucher for voucher in made.vouchers if voucher.kind is VoucherKind.RESULT_TRANSFER]

    assert made.locked_until == end
    assert {posting.account for posting in transfers[0].postings} == {"8999", "2099"}
    assert sum(amount for account, amount in totals.items() if account >= "3000") == 0


def test_vat_is_25_12_and_6_percent_on_its_own_accounts() -> None:
    seen: dict[str, set[tuple[str, Decimal | None]]] = defaultdict(set)
    for industry in ("cafe", "gym", "consultancy"):
        for voucher in books(industry).vouchers:
            for posting in voucher.postings:
                if posting.tax_role is TaxRole.TAX:
                    seen[posting.account].add((posting.vat_code or "", posting.vat_rate))

    assert seen["2611"] == {("MP1", Decimal(25))}
    assert seen["2621"] == {("MP2", Decimal(12))}
    assert seen["2631"] == {("MP3", Decimal(6))}
    assert seen["2641"] == {("I25", Decimal(25)), ("I12", Decimal(12))}
    assert seen["2614"] == seen["2645"] == {("OMVU", Decimal(25))}


def test_accounts_have_the_types_of_bas() -> None:
    types = {account.number: account.type for account in books("cafe").accounts}

    assert list(types) == sorted(types)
    assert {types[number] for number in ("1510", "1930")} == {AccountType.ASSET}
    assert (types["2099"], types["2440"]) == (AccountType.EQUITY, AccountType.LIABILITY)
    assert (types["3001"], types["8310"], types["8910"]) == (
        AccountType.INCOME, AccountType.INCOME, AccountType.EXPENSE,
    )  # fmt: skip


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_what_happens_between_the_nights_can_happen_at_the_vendor(today: date) -> None:
    told = story(today)
    made = {company.books.company: company.books for company in told.companies}
    complete = {client.company for client in told.clients if client.expect == COMPLETE}

    assert {edit.action for _, edit in told.edits} == {"post", "change", "delete", "reverse"}
    assert {key for key, _ in told.edits} <= complete
    assert (told.moved["changed"], told.moved["deleted"], told.moved["moved"]) == (2, 1, 0)
    assert told.moved["backdated"] >= 2
    for key, edit in told.edits:
        old = next((voucher for voucher in made[key].vouchers if voucher.external_id == edit.external_id), None)
        first, locked = made[key].fiscal_years[0].start, made[key].locked_until or date.min
        for day in (edit.day, edit.voucher and edit.voucher.date):
            assert day is None or max(first, locked + timedelta(days=1)) <= day <= today
        if edit.action == "change" and old:
            assert edit.voucher is not None
            assert edit.voucher.date == old.date


def test_seven_clients_of_which_two_are_not_complete() -> None:
    told = story(AUTUMN)
    numbers = [client.organisation_number for client in told.clients]

    assert (told.organisation.country, told.organisation.time_zone) == ("SE", "Europe/Stockholm")
    assert len(set(numbers)) == 7
    assert all(orgnr.is_valid(number) for number in numbers)
    assert Counter(client.expect == COMPLETE for client in told.clients) == {True: 5, False: 2}
    assert len({company.access["tenant"] for company in told.companies}) == 7
    for client, company in zip(told.clients, told.companies, strict=True):
        assert client.connector.values["tenant_id"] == str(company.access["tenant"])
        told_texts = " ".join([*(v.text for v in company.books.vouchers), client.name])
        told_texts.encode("cp437")  # the SIE file keeps every sign
