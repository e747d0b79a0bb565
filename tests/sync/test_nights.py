"""Nights: what agrees stays as it is, and what moved in the source is found and named."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from apps.connectors.sdk.sandbox import Row
from apps.ledger.enums import Grade, Move
from apps.ledger.models import Balance, OpeningBalance, Posting, Voucher, VoucherVersion
from apps.records.enums import Counts
from apps.sync.enums import RunState
from tests.sync.world import PLAIN, Bookkeeping, Vendor, company, rent, sale

Connected = Callable[..., Bookkeeping]
pytestmark = pytest.mark.django_db

NOTHING = {"new": 0, "changed": 0, "deleted": 0, "moved": 0, "backdated": 0, "meta": 0, "postings": 0, "kept_out": 0}


def test_the_first_night_agrees_and_moves_nothing(connected: Connected) -> None:
    books = connected()

    run = books.night()

    assert run.state == RunState.SUCCEEDED
    assert books.proof.grade == Grade.CONTROL_TOTALS
    assert books.proof.control_difference == Decimal(0)
    assert books.proof.last_entry == date(2026, 4, 10)
    assert run.counts == {**NOTHING, "unchanged": 0, "new": 8, "postings": 16, "cells": run.counts["cells"]}
    assert VoucherVersion.objects.count() == 0
    assert books.movement("3000") == Decimal("-8250.50")
    assert books.movement("1920", 202604) == Decimal("1250.50")


def test_a_second_night_without_changes_writes_nothing(connected: Connected, vendor: Vendor) -> None:
    books = connected()
    books.night()
    before = books.kept()
    vendor.mouth.heard.clear()

    run = books.night()

    assert run.state == RunState.SUCCEEDED
    assert books.kept() == before
    assert run.counts == {**NOTHING, "unchanged": 6, "cells": 0}
    pages = [request for request in vendor.mouth.heard if request.path.startswith("/v2/ledger/voucher")]
    assert len(pages) == 13  # January to December, and the unposted ones
    assert (run.requests, len(vendor.mouth.heard)) == (23, 23)
    assert vendor.mouth.store.counters()["answers.304"] == 11


def test_a_voucher_of_last_year_that_changes_a_balance_is_found_the_same_night(
    connected: Connected, vendor: Vendor, today: Any
) -> None:
    books = connected()
    books.night()
    today.move_to(datetime(2026, 4, 21, 1, 0, tzinfo=UTC))
    vendor.post(rent("late", "2025-12-31", "77.00"))

    run = books.night()

    assert run.state == RunState.SUCCEEDED
    assert (run.counts["backdated"], run.counts["new"]) == (1, 1)
    assert books.proof.grade == Grade.CONTROL_TOTALS
    version = books.version("late")
    assert (version.move, version.effect, version.period) == (Move.BACKDATED, Decimal("-77.00"), 202512)
    assert version.before == {}
    assert books.movement("6300", 202512) == Decimal("177.00")
    opening = OpeningBalance.objects.get(fiscal_year__start=date(2026, 1, 1), account__number="1920")
    assert opening.amount == Decimal("10000.50") + 5000 - 100 - 77


def test_a_voucher_of_last_year_that_no_balance_shows_is_found_by_the_weekly_pass(
    connected: Connected, vendor: Vendor, today: Any
) -> None:
    books = connected()
    books.night()  # 19 April
    lines = (("1920", "10.00"), ("1920", "-10.00"))
    silent = rent("silent", "2025-12-31")
    silent = type(silent)(
        external_id="silent",
        date=silent.date,
        text="silent",
        postings=tuple(
            type(silent.postings[0])(row=n, date=silent.date, account=account, amount=Decimal(amount))
            for n, (account, amount) in enumerate(lines, 1)
        ),
    )
    found, whole = [], []

    for day in range(20, 27):
        today.move_to(datetime(2026, 4, day, 1, 0, tzinfo=UTC))
        if day == 20:
            vendor.post(silent)
        vendor.mouth.heard.clear()
        run = books.night()
        found.append(Voucher.objects.filter(external_id=vendor.id_of("silent")).exists())
        whole.append(run.whole)

    assert found == [False] * 6 + [True]
    assert whole == [False] * 6 + [True]
    assert books.version("silent").move == Move.BACKDATED
    pages = [request for request in vendor.mouth.heard if request.path == "/v2/ledger/voucher"]
    assert len(pages) == 24  # every month of both years
    assert {request.headers["if-none-match"] for request in pages} == {"any"}


def test_a_voucher_redated_to_before_the_window_is_moved_not_deleted(connected: Connected, vendor: Vendor) -> None:
    books = connected()
    books.night()
    vendor.edit("redate", "rent-feb", day=date(2026, 1, 5))

    run = books.night()

    assert run.state == RunState.SUCCEEDED
    assert (run.counts["moved"], run.counts["deleted"], run.counts["new"]) == (1, 0, 0)
    version = books.version("rent-feb")
    assert (version.move, version.effect, version.version) == (Move.MOVED, Decimal(0), 1)
    assert (version.before["date"], version.after["date"]) == ("2026-02-20", "2026-01-05")
    assert books.voucher("rent-feb").version == 2
    assert (books.movement("6300", 202601), books.movement("6300", 202602)) == (Decimal("200.00"), Decimal(0))
    assert books.proof.grade == Grade.CONTROL_TOTALS


def test_a_voucher_redated_to_the_year_before_is_moved_and_both_years_agree(
    connected: Connected, vendor: Vendor
) -> None:
    books = connected()
    books.night()
    vendor.edit("redate", "sale-feb", day=date(2025, 12, 30))

    run = books.night()

    assert (run.state, run.counts["moved"], run.counts["deleted"]) == (RunState.SUCCEEDED, 1, 0)
    assert (books.movement("3000", 202512), books.movement("3000", 202602)) == (Decimal("-1000.00"), Decimal(0))
    assert books.proof.grade == Grade.CONTROL_TOTALS


@pytest.mark.parametrize("day", [date(2026, 3, 15), date(2026, 2, 27)])
def test_a_voucher_redated_within_the_window_is_moved(connected: Connected, vendor: Vendor, day: date) -> None:
    books = connected()
    books.night()
    vendor.edit("redate", "rent-feb", day=day)

    run = books.night()

    assert (run.state, run.counts["moved"], run.counts["deleted"]) == (RunState.SUCCEEDED, 1, 0)
    version = books.version("rent-feb")
    assert (version.before["date"], version.after["date"]) == ("2026-02-20", day.isoformat())
    assert books.proof.control_difference == Decimal(0)


def test_a_deleted_voucher_keeps_its_lines_as_a_version_and_its_effect(connected: Connected, vendor: Vendor) -> None:
    books = connected()
    books.night()
    gone = books.voucher("sale-mar")
    vendor.edit("delete", "sale-mar")

    run = books.night()

    assert (run.state, run.counts["deleted"]) == (RunState.SUCCEEDED, 1)
    version = books.version("sale-mar")
    assert (version.move, version.effect, version.after) == (Move.DELETED, Decimal("-1000.00"), {})
    assert [(line["account"], line["amount"]) for line in version.before["postings"]] == [
        ("1920", "1000.00"),
        ("3000", "-1000.00"),
    ]
    assert books.voucher("sale-mar").deleted_at is not None
    assert not Posting.objects.filter(voucher=gone).exists()
    assert not Balance.objects.filter(client=books.client, period=202603, account__number="3000").exists()
    assert books.night().counts["deleted"] == 0


def test_a_deleted_voucher_that_comes_back_is_in_the_books_again(connected: Connected, vendor: Vendor) -> None:
    books = connected()
    books.night()
    mouth = vendor.mouth
    kept = next(row for row in mouth.store.rows("main", "voucher") if row["story"] == "sale-mar")
    vendor.edit("delete", "sale-mar")
    books.ids["sale-mar"] = str(kept["id"])
    books.night()
    mouth.store.put("main", "voucher", [Row(id=str(kept["id"]), data=kept, day=kept["date"])])

    run = books.night()

    assert run.state == RunState.SUCCEEDED
    assert books.voucher("sale-mar").deleted_at is None
    assert books.movement("3000", 202603) == Decimal("-1000.00")


def test_a_changed_voucher_shows_before_after_and_effect(connected: Connected, vendor: Vendor) -> None:
    books = connected()
    books.night()
    vendor.edit("change", "rent-mar", voucher=rent("rent-mar", "2026-03-20", "140.00"))

    run = books.night()

    assert (run.state, run.counts["changed"], run.counts["unchanged"]) == (RunState.SUCCEEDED, 1, 5)
    version = books.version("rent-mar")
    assert (version.move, version.effect) == (Move.CHANGED, Decimal("-40.00"))
    assert [line["amount"] for line in version.before["postings"]] == ["100.00", "-100.00"]
    assert [line["amount"] for line in version.after["postings"]] == ["140.00", "-140.00"]


def test_a_draft_counts_nothing_until_it_is_booked(connected: Connected, vendor: Vendor) -> None:
    books = connected(company([*PLAIN, rent("draft", "2026-04-12", "60.00", draft=True)]))

    books.night()

    assert books.proof.grade == Grade.CONTROL_TOTALS
    assert books.voucher("draft").counts == Counts.PROVISIONAL
    assert books.movement("6300", 202604) == Decimal(0)
    row = Balance.objects.get(client=books.client, period=202604, account__number="6300")
    assert (row.provisional, row.postings) == (Decimal("60.00"), 0)

    vendor.edit("change", "draft", voucher=rent("draft", "2026-04-12", "60.00"))
    run = books.night()

    assert (run.state, run.counts["new"], run.counts["changed"]) == (RunState.SUCCEEDED, 1, 0)
    assert books.movement("6300", 202604) == Decimal("60.00")
    assert VoucherVersion.objects.count() == 0


def test_a_draft_is_still_shown_when_the_window_is_read_again(connected: Connected, vendor: Vendor) -> None:
    books = connected(company([*PLAIN, rent("draft", "2026-04-12", "60.00", draft=True)]))
    books.night()
    vendor.post(rent("late", "2025-12-31", "77.00"))  # the first pass does not see it, so there is a second one

    run = books.night()

    assert run.state == RunState.SUCCEEDED
    assert books.voucher("draft").deleted_at is None
    assert books.findings() == []
    assert run.counts["deleted"] == 0


def test_a_reversal_pair_is_posted_twice_and_names_each_other(connected: Connected, vendor: Vendor) -> None:
    books = connected()
    books.night()
    vendor.edit("reverse", "rent-mar", day=date(2026, 4, 2), new_id="undone")

    run = books.night()

    assert run.state == RunState.SUCCEEDED
    old, new = books.voucher("rent-mar"), books.voucher("undone")
    assert (old.reversed_by, new.reverses, new.kind) == (new.external_id, old.external_id, "reversal")
    assert (old.counts, new.counts) == (Counts.POSTED, Counts.POSTED)
    assert (books.movement("6300", 202603), books.movement("6300", 202604)) == (Decimal(100), Decimal(-100))
    assert (run.counts["new"], run.counts["changed"], run.counts["meta"]) == (1, 0, 1)


def test_news_of_a_closed_period_are_marked_as_such(connected: Connected, vendor: Vendor) -> None:
    books = connected(company(locked_until=date(2026, 2, 28)))
    books.night()
    books.ids["rent-jan"] = vendor.id_of("rent-jan")
    vendor.edit("delete", "rent-jan")
    vendor.edit("redate", "sale-feb", day=date(2026, 3, 2))
    vendor.edit("redate", "sale-mar", day=date(2026, 3, 11))
    vendor.edit("change", "rent-feb", voucher=rent("rent-feb", "2026-02-20", "1.00"))
    vendor.post(rent("posted", "2026-02-01"))

    run = books.night()

    assert run.state == RunState.SUCCEEDED
    assert books.proof.closed_to == date(2026, 2, 28)
    moves = {row.voucher_id: (row.move, row.in_closed, row.period) for row in VoucherVersion.objects.all()}
    names = ("rent-jan", "sale-feb", "sale-mar", "rent-feb", "posted")
    assert [moves[books.voucher(name).pk] for name in names] == [
        ("deleted", True, 202601),
        ("moved", True, 202602),
        ("moved", False, 202603),
        ("changed", True, 202602),
        ("backdated", True, 202602),
    ]


def test_an_opening_changed_in_the_years_before_ours_is_picked_up(connected: Connected, vendor: Vendor) -> None:
    books = connected()
    books.night()
    doc = vendor.mouth.store.rows("main", "voucher")
    opening = next(row for row in doc if row.get("opening"))
    for line in opening["postings"]:
        line["amount"] += 12345 if line["amount"] > 0 else -12345
    vendor.mouth.store.put("main", "voucher", [Row(id=str(opening["id"]), data=opening, day=opening["date"])])

    run = books.night()

    assert run.state == RunState.SUCCEEDED
    held = OpeningBalance.objects.get(fiscal_year__start=date(2025, 1, 1), account__number="1920")
    assert held.amount == Decimal("10123.95")
    assert books.proof.grade == Grade.CONTROL_TOTALS
    assert books.problems() == []


def test_an_opening_that_is_taken_away_is_picked_up(connected: Connected, vendor: Vendor) -> None:
    books = connected()
    books.night()
    opening = next(row for row in vendor.mouth.store.rows("main", "voucher") if row.get("opening"))
    vendor.mouth.store.drop("main", "voucher", [str(opening["id"])])

    run = books.night()

    assert run.state == RunState.SUCCEEDED
    assert not OpeningBalance.objects.filter(fiscal_year__start=date(2025, 1, 1)).exists()


def test_a_year_made_longer_takes_its_transfer_of_the_result_along(connected: Connected, vendor: Vendor) -> None:
    lines = sale("transfer", "2026-04-01").postings
    told = replace(sale("transfer", "2026-04-01"), postings=(replace(lines[0], account="8960"), lines[1]))
    told = replace(told, postings=(told.postings[0], replace(lines[1], account="2050")))
    books = connected(company([*PLAIN, told]))
    books.night()
    assert books.movement("8960", 202613) == Decimal("1000.00")
    doc = vendor.mouth.store.get("", "company", "main")
    assert doc is not None
    doc["years"][-1]["end"] = "2027-06-30"
    vendor.mouth.store.put("", "company", [Row(id="main", data=doc)])
    vendor.fault("slow", {"seconds": 0})  # raises the company's stamp

    run = books.night()

    assert (run.state, books.proof.grade) == (RunState.SUCCEEDED, Grade.CONTROL_TOTALS)
    assert (books.movement("8960", 202613), books.movement("8960", 202713)) == (Decimal(0), Decimal("1000.00"))
    assert (run.counts["changed"], run.counts["meta"]) == (0, 0)  # the year has changed, no voucher has


def test_two_bureaus_see_nothing_of_each_other(connected: Connected, vendor: Vendor) -> None:
    from django.apps import apps as installed

    from apps.core.scope import TenantModel, organisation_scope

    mine = connected()
    theirs = connected(company(PLAIN[:3], key="other", number="974760673"))
    vendor.post(rent("more", "2025-12-31"))

    for books in (mine, theirs, mine, theirs):
        assert books.night().state == RunState.SUCCEEDED

    seen = 0
    models = [model for model in installed.get_models() if issubclass(model, TenantModel)]
    with organisation_scope({mine.client.organisation_id}, "tests"):
        own = {model: set(model.objects.values_list("pk", flat=True)) for model in models}
    with organisation_scope({theirs.client.organisation_id}, "tests"):
        for model in models:
            other = set(model.objects.values_list("pk", flat=True))
            assert not other & own[model], model
            seen += bool(other)
    assert seen >= 14
    assert Voucher.objects.filter(client=theirs.client).count() == 3
    assert Voucher.objects.filter(client=mine.client).count() == 9
    assert theirs.movement("3000") == Decimal("-5000.00")


def test_a_company_without_anything_is_not_shown_as_agreeing(connected: Connected) -> None:
    books = connected(company([], openings={}))

    run = books.night()

    assert run.state == RunState.SUCCEEDED
    assert books.proof.grade == Grade.NOT_PROVABLE


@pytest.mark.usefixtures("small_pages")
def test_many_slices_give_the_same_figures_as_one(connected: Connected, vendor: Vendor, settings: Any) -> None:
    vouchers = [*PLAIN, *(sale(f"s{n}", f"2026-03-{n:02}", f"{n}.10") for n in range(1, 12))]
    one = connected(company(vouchers))
    many = connected(company(vouchers, key="other", number="974760673"))
    whole = one.night()
    settings.KONTOR_SLICE_SECONDS = 0.0

    run = many.night()

    assert (whole.slices, run.state, run.attempts) == (1, RunState.SUCCEEDED, 0)
    assert run.slices == 38
    assert run.counts == whole.counts
    assert many.balances() == one.balances()
    assert many.proof.grade == Grade.CONTROL_TOTALS
