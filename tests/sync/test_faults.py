"""What goes wrong on the way: nothing deleted, nothing half-written, said, and made good by the next run."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from apps.connectors.enums import ConnectionState
from apps.connectors.sdk.sandbox import Row
from apps.ledger.enums import Grade, KeptOut
from apps.ledger.models import Account, FiscalYear, OpeningBalance, Posting, Proof, TouchedCell, Voucher, VoucherVersion
from apps.records.ledger import FiscalYear as Year
from apps.sync.engine import work
from apps.sync.enums import RunState, Stage
from apps.sync.models import SeenVoucher
from tests.sync.world import OTHER_NUMBER, PLAIN, YEARS, Bookkeeping, Vendor, company, rent, sale

Connected = Callable[..., Bookkeeping]
pytestmark = pytest.mark.django_db

WIRE = [
    ("cut", {"times": 0}),
    ("server_error", {}),
    ("too_many", {"retry_after": 0}),
    ("html_error", {}),
    ("html_200", {}),
    ("malformed", {}),
]
MARCH = [sale(f"m{n}", f"2026-03-{n:02}", f"{n}.25") for n in range(1, 10)]


def sums() -> dict[tuple[int, str], Decimal]:
    """What the balances must be, from the postings themselves."""
    found: dict[tuple[int, str], Decimal] = {}
    for period, account, amount in Posting.objects.filter(weight="posted").values_list(
        "period", "account__number", "amount"
    ):
        found[period, account] = found.get((period, account), Decimal(0)) + amount
    return found


def is_whole(books: Bookkeeping) -> bool:
    """Every voucher has all its lines, and every balance is the sum of its postings."""
    for row in Voucher.objects.filter(client=books.client, deleted_at=None):
        lines = list(Posting.objects.filter(voucher=row).values_list("amount", flat=True))
        assert len(lines) == 2
        assert sum(lines) == 0
    held: dict[tuple[int, str], Decimal] = {}
    for period, account, debit, credit, *_ in books.balances():
        held[period, account] = held.get((period, account), Decimal(0)) + debit - credit
    return held == sums() and not TouchedCell.objects.exists()


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize(("switch", "settings_"), WIRE)
def test_a_first_load_that_breaks_at_the_third_page_is_finished_by_the_next_run(
    connected: Connected, vendor: Vendor, today: Any, switch: str, settings_: dict[str, Any]
) -> None:
    books = connected(company([*PLAIN, *MARCH]))
    vendor.fault(switch, {"page": 3 + 13, **settings_})  # in the middle of the months

    run = books.night()

    assert (run.state, run.remedy, run.failure) == (RunState.PARTIAL, "run.not_finished", "transient")
    assert run.attempts == 5
    assert books.problems() == ["run.not_finished"]
    assert books.problem().facts == {"vendor": "Tripletex", "stage": "Vouchers"}
    assert books.proof.grade == Grade.NOT_COMPLETE
    assert [(part["kind"], part["stage"]) for part in books.proof.missing] == [("not_read", "Vouchers")]
    assert 0 < Voucher.objects.count() < 17
    assert is_whole(books)
    assert not SeenVoucher.objects.exists()

    vendor.mend(switch)
    today.shift(60)  # the vendor told how long its limit lasts
    run = books.night()

    assert run.state == RunState.SUCCEEDED
    assert (Voucher.objects.count(), VoucherVersion.objects.count()) == (17, 0)
    assert books.problems() == []
    assert books.proof.grade == Grade.CONTROL_TOTALS
    assert is_whole(books)


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize(("switch", "settings_"), WIRE)
def test_a_night_that_breaks_deletes_nothing_and_takes_in_nothing_by_halves(
    connected: Connected, vendor: Vendor, today: Any, switch: str, settings_: dict[str, Any]
) -> None:
    books = connected(company([*PLAIN, *MARCH]))
    books.night()
    before = books.kept()
    vendor.edit("delete", "rent-mar")
    vendor.edit("redate", "m9", day=date(2026, 1, 3))
    vendor.fault(switch, {"page": 3, **settings_})  # each month has a page or more

    assert books.night().state == RunState.PARTIAL

    assert books.kept() == before
    assert books.problems() == ["run.not_finished"]
    assert books.proof.grade == Grade.NOT_COMPLETE

    vendor.mend(switch)
    today.shift(60)
    run = books.night()

    assert (run.state, run.counts["deleted"], run.counts["moved"]) == (RunState.SUCCEEDED, 1, 1)
    assert books.problems() == []
    assert books.proof.grade == Grade.CONTROL_TOTALS


@pytest.mark.parametrize("switch", ["cut", "session_expired", "server_error", "html_error", "html_200", "malformed"])
def test_a_fault_that_passes_is_not_seen_by_anyone(connected: Connected, vendor: Vendor, switch: str) -> None:
    books = connected()
    vendor.fault(switch, {"page": 3, "times": 1})

    run = books.night()

    assert (run.state, run.slices, books.problems()) == (RunState.SUCCEEDED, 1, [])
    assert books.proof.grade == Grade.CONTROL_TOTALS


def test_a_long_retry_after_puts_the_run_off_as_long(connected: Connected, vendor: Vendor, today: Any) -> None:
    books = connected()
    vendor.fault("too_many", {"page": 3, "times": 1, "retry_after": 77})
    run = books.start()

    work(run.pk)

    run.refresh_from_db()
    assert (run.state, run.stage, run.attempts) == (RunState.QUEUED, Stage.VOUCHERS, 0)
    assert 70 < (run.not_before - timezone.now()).total_seconds() <= 77
    assert work(run.pk) is None  # not yet
    today.shift(78)
    assert books.finish(run).state == RunState.SUCCEEDED


def test_a_vendor_that_stays_away_is_asked_at_growing_intervals_and_given_up(
    connected: Connected, vendor: Vendor, settings: Any
) -> None:
    books = connected()
    vendor.fault("server_error", {"path": "/company"})
    settings.KONTOR_RETRY_SECONDS = 5.0
    run = books.start()
    waits = []

    while run.state in ("queued", "running"):
        type(run).objects.filter(pk=run.pk).update(not_before=None)
        started = timezone.now()
        work(run.pk)
        ended = timezone.now()
        run.refresh_from_db()
        if run.not_before:
            waits.append((run.not_before - ended, run.not_before - started))

    for (least, most), seconds in zip(waits, [5, 10, 20, 40], strict=True):
        assert least <= timedelta(seconds=seconds) <= most
    assert (run.state, run.remedy, run.attempts) == (RunState.FAILED, "run.not_finished", 5)
    assert books.problems() == ["run.not_finished"]
    assert Voucher.objects.count() == 0


def test_a_dropped_line_keeps_the_voucher_out_and_names_it(connected: Connected, vendor: Vendor) -> None:
    books = connected()
    vendor.fault("drop_line", {"external_id": "rent-mar"})

    run = books.night()

    assert run.state == RunState.PARTIAL
    row = books.voucher("rent-mar")
    assert (row.kept_out, row.difference) == (KeptOut.UNBALANCED, Decimal("-100.00"))
    assert books.movement("6300", 202603) == Decimal(0)
    assert books.problems() == ["ledger.differs", "ledger.kept_out"]
    kept_out = [part for part in books.proof.missing if part["kind"] == "kept_out"]
    assert [(part["voucher"], part["date"], part["difference"]) for part in kept_out] == [
        (row.number, "2026-03-20", "-100.00")
    ]
    assert books.proof.grade == Grade.NOT_COMPLETE

    vendor.mend("drop_line")
    assert books.night().state == RunState.SUCCEEDED
    assert books.voucher("rent-mar").kept_out == KeptOut.NO
    assert (books.problems(), books.movement("6300", 202603)) == ([], Decimal("100.00"))


def test_one_cent_is_named_with_account_month_and_amount_and_is_never_green(
    connected: Connected, vendor: Vendor
) -> None:
    transfer = sale("dividend", "2026-02-15")
    lines = (replace(transfer.postings[0], account="8960"), replace(transfer.postings[1], account="2050"))
    books = connected(company([*PLAIN, replace(transfer, postings=lines)]))
    books.night()
    before = books.kept()
    vendor.fault("one_cent", {"account": "6300", "from": "2026-03"})

    run = books.night()

    assert (run.state, run.remedy) == (RunState.PARTIAL, "ledger.differs")
    named = [(one["account"], one["period"], one["difference"]) for one in books.proof.differences]
    assert named == [("6300", "2026-03", "0.01")]  # the result's transfer of February differs nowhere
    assert books.proof.control_difference == Decimal("0.01")
    assert books.problem().facts["difference"] == "0.01"
    assert books.kept()["vouchers"] == before["vouchers"]

    vendor.mend("one_cent")
    assert (books.night().state, books.problems()) == (RunState.SUCCEEDED, [])


def test_what_is_booked_between_reading_and_comparing_is_read_before_anyone_is_called(
    connected: Connected, vendor: Vendor
) -> None:
    books = connected()
    books.night()
    booked: list[str] = []

    def book(request: Any, count: int) -> None:
        if not booked:
            booked.append(request.path)
            vendor.post(rent("meanwhile", "2026-03-25", "5.00"))

    vendor.mouth.speak("/balanceSheet", book)

    run = books.night()

    assert (run.state, run.counts["new"], books.problems()) == (RunState.SUCCEEDED, 1, [])
    assert books.proof.grade == Grade.CONTROL_TOTALS
    assert run.window_from == date(2026, 3, 1)  # from the first month that disagreed


@pytest.mark.usefixtures("small_pages")
def test_vouchers_that_come_change_and_go_between_two_pages_are_right_in_the_end(
    connected: Connected, vendor: Vendor
) -> None:
    books = connected(company([*PLAIN, *MARCH]))
    done: list[int] = []

    def disturb(request: Any, count: int) -> None:
        query = dict(request.query)
        if query.get("dateFrom") == "2026-03-01" and query.get("from") == "4" and not done:
            done.append(count)
            vendor.edit("delete", "m1")  # of the first page: all later ones shift by one
            vendor.edit("change", "m2", voucher=sale("m2", "2026-03-02", "999.00"))
            vendor.post(sale("new", "2026-03-01", "7.00"))

    vendor.mouth.speak("/ledger/voucher", disturb)

    run = books.night()

    assert (done, run.state, books.problems()) != ([], None, None)
    assert run.state == RunState.SUCCEEDED
    assert books.proof.grade == Grade.CONTROL_TOTALS
    assert is_whole(books)
    assert Voucher.objects.filter(deleted_at=None).count() == 17
    assert books.movement("3000", 202603) == Decimal(-1000) - sum(
        (Decimal(f"{n}.25") for n in range(3, 10)), Decimal("1006.00")
    )


def test_a_key_of_another_company_at_activation_stores_nothing(connected: Connected, vendor: Vendor) -> None:
    books = connected(number=OTHER_NUMBER)

    run = books.night()

    connection = books.feed.connection
    connection.refresh_from_db()
    assert (run.state, connection.state) == (RunState.BLOCKED, ConnectionState.BLOCKED)
    assert books.problems() == ["connector.wrong_company"]
    title = books.problem().title
    assert "987463104" in title
    assert OTHER_NUMBER in title
    for model in (Voucher, Posting, Account, FiscalYear, OpeningBalance):
        assert model.objects.count() == 0, model
    assert books.proof.grade == Grade.NOT_COMPLETE


@pytest.mark.parametrize("number", [OTHER_NUMBER, "987463104"])
def test_a_key_that_opens_another_company_at_a_later_night_stores_nothing(
    connected: Connected, vendor: Vendor, number: str
) -> None:
    books = connected()
    books.night()
    before, accounts, proofs = books.kept(), Account.objects.count(), Proof.objects.count()
    other = company([sale("theirs", "2026-03-03")], key="other", number=number, name="Bakkeli AS")
    vendor.seed(other)
    key = vendor.mouth.store.get("", "key", "key-of-main")
    assert key is not None
    vendor.mouth.store.put("", "key", [Row(id="key-of-main", data={**key, "owner": "other"})])

    run = books.night()

    connection = books.feed.connection
    connection.refresh_from_db()
    assert (run.state, connection.state) == (RunState.BLOCKED, ConnectionState.BLOCKED)
    code = "connector.other_company_id" if number == "987463104" else "connector.wrong_company"
    assert (books.problems(), books.problem().times) == ([code], 1)
    assert "Bakkeli AS" in books.problem().title
    assert "Fjordglimt AS" in books.problem().title
    assert (books.kept(), Account.objects.count(), Proof.objects.count()) == (before, accounts, proofs + 1)

    vendor.mouth.store.put("", "key", [Row(id="key-of-main", data=key)])
    run = books.night()

    connection.refresh_from_db()
    assert (run.state, connection.state) == (RunState.SUCCEEDED, ConnectionState.ACTIVE)
    assert (books.problems(), books.kept()) == ([], before)


def test_years_of_any_length_agree_with_the_source(connected: Connected, vendor: Vendor) -> None:
    long = Year(start=date(2023, 11, 1), end=date(2025, 12, 31))  # 26 months
    broken = Year(start=date(2026, 1, 1), end=date(2026, 6, 30))
    after = Year(start=date(2026, 7, 1), end=date(2027, 6, 30))
    more = [
        sale("first", "2023-11-01"),
        rent("end", "2025-12-31"),
        sale("half", "2026-06-30"),
        rent("next", "2026-07-01"),
    ]
    books = connected(company([*PLAIN, *more], years=(long, broken, after)))

    run = books.night()

    assert (run.state, books.proof.grade) == (RunState.SUCCEEDED, Grade.CONTROL_TOTALS)
    assert [(str(year.start), str(year.end)) for year in FiscalYear.objects.order_by("start")] == [
        ("2023-11-01", "2025-12-31"),
        ("2026-01-01", "2026-06-30"),
        ("2026-07-01", "2027-06-30"),
    ]
    openings = OpeningBalance.objects.filter(account__number="1920").order_by("fiscal_year__start")
    assert list(openings.values_list("amount", flat=True)) == [
        Decimal("10000.50"),
        Decimal("15800.50"),  # + 1000 + 5000 - 100 - 100
        Decimal("19751.00"),  # + 1000 + 1000 + 1250.50 + 1000 - 100 - 100 - 100
    ]


def test_a_line_dated_in_a_year_that_is_made_later_counts_there_from_then_on(
    connected: Connected, vendor: Vendor
) -> None:
    told = rent("across", "2026-04-01")
    there = tuple(replace(line, date=date(2027, 1, 2)) for line in told.postings)
    books = connected(company([*PLAIN, replace(told, postings=there)]))
    books.night()
    assert Posting.objects.filter(fiscal_year=None).count() == 2
    doc = vendor.mouth.store.get("", "company", "main")
    assert doc is not None
    doc["years"].append({"start": "2027-01-01", "end": "2027-12-31"})
    vendor.mouth.store.put("", "company", [Row(id="main", data=doc)])
    vendor.fault("slow", {"seconds": 0})  # raises the company's stamp

    run = books.night()

    assert (run.state, books.proof.grade) == (RunState.SUCCEEDED, Grade.CONTROL_TOTALS)
    assert books.movement("6300", 202701) == Decimal("100.00")


def test_a_voucher_beyond_the_last_year_is_named_until_its_year_is_made(connected: Connected, vendor: Vendor) -> None:
    books = connected()
    books.night()
    vendor.edit("redate", "rent-mar", day=date(2027, 1, 5))

    assert books.night().state == RunState.PARTIAL

    assert books.voucher("rent-mar").kept_out == KeptOut.NO_FISCAL_YEAR
    assert books.version("rent-mar").move == "moved"
    assert books.problems() == ["ledger.kept_out"]

    doc = vendor.mouth.store.get("", "company", "main")
    assert doc is not None
    doc["years"].append({"start": "2027-01-01", "end": "2027-12-31"})
    vendor.mouth.store.put("", "company", [Row(id="main", data=doc)])
    vendor.fault("slow", {"seconds": 0})

    run = books.night()

    assert (run.state, books.problems()) == (RunState.SUCCEEDED, [])
    assert books.movement("6300", 202701) == Decimal("100.00")


def test_a_voucher_redated_to_before_our_books_is_in_their_opening(connected: Connected, vendor: Vendor) -> None:
    old = Year(start=date(2024, 1, 1), end=date(2024, 12, 31))
    books = connected(company(years=(old, *YEARS)))
    books.night()
    assert FiscalYear.objects.count() == 2
    vendor.edit("redate", "sale-mar", day=date(2024, 12, 30))

    run = books.night()

    assert (run.state, run.counts["moved"], books.problems()) == (RunState.SUCCEEDED, 1, [])
    assert books.proof.grade == Grade.CONTROL_TOTALS
    opening = OpeningBalance.objects.get(account__number="1920", fiscal_year__start=date(2025, 1, 1))
    assert opening.amount == Decimal("11000.50")
    assert timedelta(0) <= timezone.now() - books.proof.at
