"""Nights of a system that tells changes since and deletions, forgets them after a week, and has no look-up by id."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import time_machine

from apps.connectors import registry
from apps.connectors.actions import activate
from apps.connectors.sdk.sandbox import Answer, Request
from apps.flows.actions import ensure_feed
from apps.flows.models import Feed
from apps.ledger.enums import FindingKind, Grade
from apps.ledger.models import AccountYear, DimensionItem, Finding, LedgerState, Lock, Proof, Voucher
from apps.ledger.queries import Books
from apps.notifications.models import Problem
from apps.records.enums import AccountType
from apps.sandbox.server import running
from apps.sync.actions import start_run
from apps.sync.engine import work
from apps.sync.enums import LIVE, RunKind, RunState
from apps.sync.models import Run
from tests.factories import ClientFactory

NUMBER = "923609016"
OLD, NEW = "2025-03-01", "2026-04-10"


class _Counts:
    def count(self, name: str, by: int = 1) -> None: ...


@dataclass
class Vendor:
    """`hidden` ids stand in the totals and in no list; `clock` is the vendor's; `closed` paths may not be read.

    `apart`: deletions are told at an address of their own, and no page says where to go on; `broken` paths answer 500.
    """

    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    clock: str = "2026-04-19T01:00:00+00:00"
    since: list[str] = field(default_factory=list)
    locks: list[str] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    apart: bool = False
    broken: set[str] = field(default_factory=set)
    store: Any = field(default_factory=_Counts)

    def put(self, key: str, day: str, amount: str = "100.00", changed: str = "2026-01-01T00:00:00+00:00") -> None:
        self.rows[key] = {"id": key, "date": day, "amount": amount, "changed": changed}

    def drop(self, key: str, *, told: bool) -> None:
        del self.rows[key]
        self.gone += [key] if told else []

    def handle(self, request: Request) -> Answer:
        if request.path in self.closed:
            return Answer(status=403, body=b"{}")
        if request.path in self.broken:
            return Answer(status=500, body=b"{}")
        shown = [row for key, row in self.rows.items() if key not in self.hidden]
        if request.path == "/vouchers":
            self.since += [value for name, value in request.query if name == "since"]
            told: Any = {"rows": shown, "gone": self.gone, "clock": self.clock, "apart": self.apart}
        else:
            others: dict[str, Any] = {
                "/company": {"number": NUMBER},
                "/locks": self.locks,
                "/projects": ["P1"],
                "/deletions": self.gone,
            }
            told = others.get(request.path, [row for row in self.rows.values() if row["date"] >= "2025"])
        return Answer(status=200, headers={"Content-Type": "application/json"}, body=json.dumps(told).encode())


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    made = Vendor()
    with running({"other": made}) as url:  # type: ignore[dict-item]
        monkeypatch.setenv("KONTOR_PROVIDER_PACKAGES", "tests.sync.fake_ledger")
        monkeypatch.setenv("CONNECTOR_FAKE_LEDGER_BASE_URL", url)
        monkeypatch.setenv("CONNECTOR_ALLOW_PRIVATE_HOSTS", url.removeprefix("http://"))
        registry.all_providers.cache_clear()
        yield made
    monkeypatch.undo()
    registry.all_providers.cache_clear()


@pytest.fixture
def feed(vendor: Vendor, today: time_machine.Traveller, quick: None, scope: None) -> Feed:
    vendor.put("old", OLD)
    for number in range(6):
        vendor.put(f"new{number}", NEW)
    client = ClientFactory(organisation_number=NUMBER)
    outcome = activate(client=client, provider="fake_ledger", auth="", values={}, secrets={}, actor=None)
    assert outcome.connection is not None
    made = ensure_feed(connection=outcome.connection, actor=None)
    assert night(made).whole
    return made


def night(feed: Feed) -> Run:
    run = start_run(feed=feed, kind=RunKind.NIGHTLY)
    for _slice in range(50):
        work(run.pk)
        run.refresh_from_db()
        if run.state not in LIVE:
            feed.refresh_from_db()
            return run
    raise AssertionError(run.detail)


def held() -> set[str]:
    return set(Voucher.objects.filter(deleted_at=None).values_list("external_id", flat=True))


def proof(feed: Feed) -> Proof:
    found = LedgerState.objects.get(client=feed.client).proof
    assert found is not None
    return found


def test_changes_before_the_window_are_asked_from_the_watermark_less_the_overlap(feed: Feed, vendor: Vendor) -> None:
    assert feed.watermark == vendor.clock
    vendor.put("old", OLD, "250.00", changed="2026-04-19T00:55:00+00:00")
    vendor.clock = "2026-04-20T01:00:00+00:00"

    run = night(feed)

    assert vendor.since == ["2026-04-19T00:50:00+00:00"]
    assert (run.whole, run.counts["changed"]) == (False, 1)
    assert proof(feed).grade == Grade.CONTROL_TOTALS
    assert feed.watermark == vendor.clock


def test_what_is_told_to_be_deleted_goes_without_being_looked_for(feed: Feed, vendor: Vendor) -> None:
    vendor.drop("old", told=True)

    run = night(feed)

    assert run.counts["deleted"] == 1
    assert "old" not in held()
    assert proof(feed).grade == Grade.CONTROL_TOTALS


def test_many_told_at_once_delete_nothing_and_are_told_again(feed: Feed, vendor: Vendor) -> None:
    for number in range(5):
        vendor.drop(f"new{number}", told=True)
    vendor.clock = "2026-04-20T01:00:00+00:00"
    before = feed.watermark

    night(feed)

    assert len(held()) == 7
    assert Problem.objects.get(resolved_at=None).code == "ledger.mass_disappearance"
    assert feed.watermark == before


def test_a_night_after_the_vendors_memory_reads_everything(
    feed: Feed, vendor: Vendor, today: time_machine.Traveller
) -> None:
    Feed.objects.update(whole_pass_at="2026-04-28T01:00:00+00:00")
    feed.refresh_from_db()
    today.move_to("2026-04-28T01:00:00+00:00")
    vendor.drop("old", told=False)

    run = night(feed)

    assert (run.whole, str(run.window_from)) == (True, "2025-01-01")
    assert vendor.since == []
    assert "old" not in held()
    assert feed.watermark_at is not None
    assert feed.watermark_at.day == 28


def test_absence_in_the_window_counts_only_where_the_totals_agree_without_it(feed: Feed, vendor: Vendor) -> None:
    vendor.drop("new0", told=False)
    run = night(feed)
    assert (run.whole, run.counts["deleted"]) == (False, 1)
    assert proof(feed).grade == Grade.CONTROL_TOTALS

    vendor.hidden.add("new1")
    run = night(feed)
    assert (run.whole, run.counts["deleted"]) == (False, 0)  # the totals have it: the list was not whole
    assert "new1" in held()
    assert proof(feed).grade == Grade.CONTROL_TOTALS

    Feed.objects.update(whole_pass_at=None)
    feed.refresh_from_db()
    night(feed)
    assert "new1" not in held()  # its whole year was read, and did not have it
    assert proof(feed).grade == Grade.NOT_COMPLETE


def test_a_closing_that_stays_off_is_named_in_its_month_and_counted_once(feed: Feed, vendor: Vendor) -> None:
    vendor.put("ghost", "2026-02-11", "0.01")
    vendor.hidden.add("ghost")

    night(feed)

    found = proof(feed)
    assert [(one["account"], one["period"], one["part"], one["difference"]) for one in found.differences] == [
        ("1920", "2026-02", "closing", "0.01"),
        ("3000", "2026-02", "closing", "-0.01"),
    ]
    assert str(found.control_difference) in {"0.02", "0.0200"}


def test_an_account_may_have_been_another_in_an_earlier_year(feed: Feed) -> None:
    row = AccountYear.objects.get()
    assert (row.account.number, row.name, row.type) == ("2990", "Old name", AccountType.LIABILITY)
    books = Books(feed.client)
    first, second = books.years
    assert [books.type_of(year, "2990") for year in (first, second)] == [AccountType.LIABILITY, AccountType.INCOME]
    assert [books.name_of(year, "2990") for year in (first, second)] == ["Old name", "New name"]


def test_changes_of_days_before_our_history_are_kept_out_quietly(feed: Feed, vendor: Vendor) -> None:
    count, problems = len(held()), Problem.objects.count()
    vendor.put("older", "2019-05-01", changed="2026-04-19T00:55:00+00:00")
    vendor.put("new", "2025-05-01", changed="2026-04-19T00:55:00+00:00")

    run = night(feed)

    assert vendor.since
    assert held() & {"older", "new"} == {"new"}
    assert (len(held()), run.counts["kept_out"], run.counts["new"]) == (count + 1, 0, 1)
    assert not Voucher.objects.filter(external_id="older").exists()
    assert not Finding.objects.filter(resolved_at=None).exists()
    assert Problem.objects.count() == problems


def test_a_held_voucher_that_was_moved_before_our_history_is_no_longer_counted_where_it_was(
    feed: Feed, vendor: Vendor
) -> None:
    vendor.put("old", "2019-05-01", changed="2026-04-19T00:55:00+00:00")

    run = night(feed)

    assert run.counts["moved"] == 1
    assert Voucher.objects.get(external_id="old").fiscal_year is None


@pytest.mark.parametrize("paths", [{"/locks"}, {"/projects"}, {"/locks", "/projects"}], ids=sorted)
def test_locks_and_dimensions_that_may_not_be_read_do_not_stop_the_night(
    feed: Feed, vendor: Vendor, paths: set[str]
) -> None:
    vendor.locks = ["2025-12-31"]
    night(feed)
    vendor.closed = paths
    vendor.put("fresh", NEW)

    run = night(feed)

    assert (run.state, run.counts["new"]) == (RunState.SUCCEEDED, 1)
    assert [str(lock.until) for lock in Lock.objects.all()] == ["2025-12-31"]  # a hidden right is no lifted lock
    assert DimensionItem.objects.count() == 1
    assert proof(feed).grade == Grade.CONTROL_TOTALS
    told = Finding.objects.filter(kind=FindingKind.NOT_READ, resolved_at=None)
    assert all("connector.not_allowed" in one.facts["what"] for one in told)
    assert {one.key.split(":")[0] for one in told} == {
        {"/locks": "locks", "/projects": "dimensions"}[path] for path in paths
    }
    night(feed)
    assert Finding.objects.filter(kind=FindingKind.NOT_READ).count() == len(paths)  # told once

    vendor.closed, vendor.locks = set(), []
    night(feed)
    assert not Finding.objects.filter(kind=FindingKind.NOT_READ, resolved_at=None).exists()
    assert not Lock.objects.exists()


def test_vouchers_that_may_not_be_read_stop_the_night(feed: Feed, vendor: Vendor) -> None:
    vendor.closed = {"/vouchers"}

    assert night(feed).state == RunState.FAILED
    assert proof(feed).grade == Grade.NOT_COMPLETE


def test_a_list_of_changes_that_always_breaks_behind_its_first_page_ends_after_its_attempts(
    vendor: Vendor, feed: Feed
) -> None:
    """Each slice commits the first page again, which is no progress."""
    vendor.apart, vendor.broken = True, {"/deletions"}

    run = night(feed)

    assert (run.state, run.remedy, run.attempts) == (RunState.PARTIAL, "run.not_finished", 5)
    assert [problem.code for problem in Problem.objects.filter(resolved_at=None)] == ["run.not_finished"]
    vendor.broken.clear()
    assert night(feed).state == RunState.SUCCEEDED
    assert not Problem.objects.filter(resolved_at=None).exists()


def test_a_list_that_says_no_place_to_go_on_from_is_read_to_its_end_however_short_the_slice(
    vendor: Vendor, feed: Feed, settings: Any
) -> None:
    vendor.apart = True
    vendor.drop("new1", told=True)
    settings.KONTOR_SLICE_SECONDS = 0
    vendor.since.clear()

    run = night(feed)

    assert (run.state, held()) == (RunState.SUCCEEDED, {"old", "new0", "new2", "new3", "new4", "new5"})
    assert len(vendor.since) == 1, "its first page was read again"
