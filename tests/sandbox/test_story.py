"""The stories hold on any day of the year."""

import dataclasses
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from stdnum.no import orgnr

from apps.connectors.sdk.sandbox import Edit
from apps.records.enums import Counts
from apps.sandbox.story import COMPLETE, STORIES, Story, load_story

DAYS = [
    date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 28),
    date(2026, 3, 1), date(2026, 3, 31), date(2026, 4, 9), date(2026, 4, 10), date(2026, 4, 11), date(2026, 4, 20),
    date(2026, 4, 30), date(2026, 5, 1), date(2026, 5, 2), date(2026, 6, 15), date(2026, 6, 30), date(2026, 7, 1),
    date(2026, 7, 2), date(2026, 8, 31), date(2026, 10, 8), date(2026, 10, 9), date(2026, 10, 25), date(2026, 10, 29),
    date(2026, 11, 20), date(2026, 12, 1), date(2026, 12, 31), date(2027, 3, 28), date(2028, 2, 28), date(2028, 2, 29),
    date(2028, 3, 1), date(2028, 12, 31), date(2029, 1, 1), date(2029, 2, 28),
]  # fmt: skip
NORDVIK = STORIES / "nordvik.toml"


@cache
def story(today: date) -> Story:
    return load_story(NORDVIK, today, vouchers=40)


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_edits_fit_the_books_and_move_something_of_each_kind(today: date) -> None:
    told = story(today)

    assert all(told.moved[kind] > 0 for kind in ("changed", "deleted", "moved", "backdated")), told.moved
    drafts = [(key, edit.voucher.date) for key, edit in told.edits if edit.voucher and _of_draft(told, key, edit)]
    late = [day for _, day in drafts if day < today.replace(day=1)]  # enters the books of last month in this one
    assert len(drafts) == 1
    assert told.moved == {"changed": 2, "deleted": 2, "moved": 2, "backdated": 2 + len(late)}


def _of_draft(told: Story, key: str, edit: Edit) -> bool:
    books = next(company.books for company in told.companies if company.books.company == key)
    return any(
        voucher.external_id == edit.external_id and voucher.counts is Counts.PROVISIONAL for voucher in books.vouchers
    )


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_edits_name_vouchers_that_exist_and_days_that_are_open(today: date) -> None:
    told = story(today)
    books = {company.books.company: company.books for company in told.companies}
    touched = [(key, edit.new_id or edit.external_id) for key, edit in told.edits]
    assert len(set(touched)) == len(touched)

    for key, edit in told.edits:
        held = {voucher.external_id: voucher for voucher in books[key].vouchers}
        old = held.get(edit.external_id)
        first, locked = books[key].fiscal_years[0].start, books[key].locked_until or date.min
        assert (old is None) == (edit.action == "post")
        assert edit.new_id not in held
        vouchers = [voucher for voucher in (edit.voucher, old) if voucher]
        for day in (edit.day, *(voucher.date for voucher in vouchers)):
            assert day is None or max(first, locked + timedelta(days=1)) <= day <= today


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_edited_vouchers_balance_and_new_numbers_are_free(today: date) -> None:
    told = story(today)
    books = {company.books.company: company.books for company in told.companies}

    for key, edit in told.edits:
        if edit.voucher is None:
            continue
        held = {voucher.external_id: voucher for voucher in books[key].vouchers}
        others = [voucher for name, voucher in held.items() if name != edit.external_id]
        assert sum(posting.amount for posting in edit.voucher.postings) == 0
        assert edit.voucher != held.get(edit.external_id)
        assert (edit.voucher.fiscal_year_start, edit.voucher.number) not in {
            (voucher.fiscal_year_start, voucher.number) for voucher in others
        }


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_one_voucher_leaves_the_window_one_stays_and_one_comes_from_before_it(today: date) -> None:
    told = story(today)
    window = today - timedelta(days=100)
    redated = sorted(edit.day for _, edit in told.edits if edit.action == "redate" and edit.day)
    new = sorted(edit.voucher.date for _, edit in told.edits if edit.action == "post" and edit.voucher)

    assert redated[0] < window <= redated[1]
    assert new[0] < window <= new[1] < today.replace(day=1)
    assert new[2] == today


@pytest.mark.parametrize("today", DAYS[::8], ids=str)
def test_nothing_in_a_story_is_a_float(today: date) -> None:
    assert not list(_floats(story(today)))


def test_the_bureau_has_twelve_clients_of_which_two_are_not_complete() -> None:
    told = story(date(2026, 11, 20))
    numbers = [client.organisation_number for client in told.clients]

    assert len(told.clients) == len(set(numbers)) == 12
    assert all(orgnr.is_valid(number) for number in numbers)
    assert Counter(client.expect for client in told.clients)[COMPLETE] == 10
    shared = [client for client in told.clients if client.connector.key]
    assert len(shared) == 10
    assert {client.connector.values["org_nr"] for client in shared} == {"%ORGNR%"}


def test_one_company_at_the_vendor_is_not_its_client() -> None:
    told = story(date(2026, 11, 20))
    pairs = zip(told.clients, told.companies, strict=True)
    other = [
        (client, company.books)
        for client, company in pairs
        if client.organisation_number != company.books.organisation_number
    ]

    assert [client.expect for client, _ in other] == ["connector.wrong_company"]
    assert orgnr.is_valid(other[0][1].organisation_number)
    assert other[0][1].organisation_number not in {client.organisation_number for client in told.clients}


def test_edits_touch_complete_clients_only() -> None:
    told = story(date(2026, 11, 20))
    complete = {client.company for client in told.clients if client.expect == COMPLETE}

    assert {key for key, _ in told.edits} <= complete


def test_the_same_day_tells_the_same_story() -> None:
    today = date(2026, 11, 20)

    assert load_story(NORDVIK, today) == load_story(NORDVIK, today)


def test_a_full_story_has_some_hundred_vouchers_per_client() -> None:
    told = load_story(NORDVIK, date(2026, 11, 20))
    counts = [len(company.books.vouchers) for company in told.companies]

    assert min(counts) >= 280
    assert max(counts) <= 800
    assert all(sum(v.counts is Counts.PROVISIONAL for v in company.books.vouchers) == 1 for company in told.companies)


def _floats(value: Any) -> Any:
    if isinstance(value, float):
        yield value
    elif dataclasses.is_dataclass(value):
        for spec in dataclasses.fields(value):
            yield from _floats(getattr(value, spec.name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _floats(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _floats(item)
    else:
        assert value is None or isinstance(value, str | int | bool | date | Decimal)
