"""`manage.py work` as a process: workers killed while they work, a drain, and a run that kills every worker."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from apps.connectors import registry
from apps.connectors.sdk.sandbox import Edit
from apps.ledger.balances import recalculate_all
from apps.ledger.enums import Grade
from apps.ledger.models import Balance, LedgerState, Posting, TouchedCell, Voucher, VoucherVersion
from apps.notifications.models import Problem
from apps.sync.actions import start_run
from apps.sync.enums import LIVE, RunKind, RunState, Stage
from apps.sync.models import Run, SeenVoucher
from tests.conftest import Endurance, Manage
from tests.factories import ClientFactory, ConnectionFactory, FeedFactory
from tests.sync.bureau import Bureau, bureaus

Wait = Callable[..., None]
POISON = "poison_provider"


@pytest.fixture
def bureau(
    manage: Manage, scope: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Bureau]]:
    with bureaus(manage, tmp_path, monkeypatch) as make:
        yield make


def kill_busy_worker(hits: dict[Stage, int], chance: random.Random) -> None:
    """SIGKILL a worker that is surely in one of the stages hit least: it is stopped first, and the run looked at again.

    So it is never between two tasks, where it would die with the lock of django-q2's queue. Counts the hit; does
    nothing when the runs end before one comes by.
    """
    while Run.objects.filter(state__in=LIVE).exists():
        least = [stage for stage, hit in hits.items() if hit == min(hits.values())]
        run = Run.objects.filter(state=RunState.RUNNING, stage__in=least).order_by("?").first()
        if run is None:
            time.sleep(0.02)
            continue
        time.sleep(chance.random() * 0.2)
        with suppress(psutil.NoSuchProcess):
            worker = psutil.Process(int(run.worker.rsplit(":", 1)[1]))
            worker.suspend()
            while worker.status() != psutil.STATUS_STOPPED:
                time.sleep(0.001)
            held = Run.objects.get(pk=run.pk)
            if (held.state, held.stage, held.token) == (RunState.RUNNING, run.stage, run.token):
                worker.kill()
                hits[Stage(run.stage)] += 1
                return
            worker.resume()


def kept(client: Any) -> list[Any]:
    """Everything the books hold."""
    return [
        list(Voucher.objects.filter(client=client).order_by("pk").values_list("pk", "hash", "version", "deleted_at")),
        list(Posting.objects.filter(client=client).order_by("pk").values_list("pk", "amount", "period")),
        balances(client),
    ]


def balances(client: Any) -> list[Any]:
    names = ("fiscal_year", "period", "account", "dimension_set", "debit", "credit", "provisional", "postings")
    return sorted(Balance.objects.filter(client=client).values_list(*names))


def assert_exact(made: Bureau) -> None:
    """Every client's books are the vendor's: by count, by its own balances, and by a full recalculation."""
    assert not TouchedCell.objects.exists()
    assert not SeenVoucher.objects.exists()
    assert not Problem.objects.filter(resolved_at=None).exists()
    for number, feed in made.feeds.items():
        proof = LedgerState.objects.get(client=feed.client).proof
        assert (proof.grade, str(proof.control_difference), proof.differences) == (Grade.CONTROL_TOTALS, "0.00", [])
        assert Voucher.objects.filter(client=feed.client, deleted_at=None).count() == made.held_by_vendor(number)
        before = balances(feed.client)
        assert before
        recalculate_all(feed.client)
        assert balances(feed.client) == before


@pytest.mark.soak
def test_busy_workers_killed_in_every_stage_lose_and_double_nothing(
    bureau: Callable[..., Bureau], manage: Manage, wait_until: Wait, endurance: Callable[..., Endurance]
) -> None:
    job = endurance(short=5, full=20)
    chance = random.Random(job.seed)  # noqa: S311 - the same points each time
    made = bureau(clients=3, vouchers=60)
    for number in made.feeds:
        made.slow(number, 0.3, path="")
    every: list[Run] = []
    first = dict.fromkeys((Stage.COMPANY, Stage.REGISTERS, Stage.OPENINGS, Stage.VOUCHERS, Stage.PROVE), 0)
    later = dict.fromkeys((Stage.COMPANY, Stage.REGISTERS, Stage.VOUCHERS, Stage.MISSING, Stage.PROVE), 0)

    def night() -> None:
        every.extend(start_run(feed=feed, kind=RunKind.MANUAL) for feed in made.feeds.values())

    night()
    manage.start("work", KONTOR_TICK_SECONDS="0.5", KONTOR_WORKERS_INTERACTIVE="2")
    for _ in range(job.planned * 3):
        if job.done == job.planned:
            break
        if not Run.objects.filter(state__in=LIVE).exists():
            for number in made.feeds:  # something to look up
                gone = next(row for row in reversed(made.sandbox.store.rows(number, "voucher")) if row["number"])
                made.sandbox.edit(number, Edit(action="delete", external_id=gone["story"]))
            night()
        kill_busy_worker(first if len(every) == len(made.feeds) else later, chance)
        job.done = sum(first.values()) + sum(later.values())
    for number in made.feeds:
        made.fast(number)
    wait_until(lambda: not Run.objects.filter(state__in=LIVE).exists(), seconds=90)

    ends = {run.pk: (run.state, run.remedy, run.detail) for run in Run.objects.all()}
    assert ends == {run.pk: (RunState.SUCCEEDED, "", "") for run in every}
    hit = {stage for hits in (first, later) for stage, count in hits.items() if count}
    assert len(hit) >= 4, (first, later)
    assert_exact(made)

    before = {number: kept(feed.client) for number, feed in made.feeds.items()}
    versions = VoucherVersion.objects.count()
    again = [start_run(feed=feed, kind=RunKind.MANUAL) for feed in made.feeds.values()]
    wait_until(lambda: not Run.objects.filter(state__in=LIVE).exists(), seconds=60)
    for run in again:
        run.refresh_from_db()
        moved = {name: count for name, count in run.counts.items() if count and name not in ("unchanged", "kept")}
        assert (run.state, run.attempts, moved) == (RunState.SUCCEEDED, 0, {})
    assert {number: kept(feed.client) for number, feed in made.feeds.items()} == before
    assert VoucherVersion.objects.count() == versions
    assert_exact(made)


def processes_of(pid: int) -> list[psutil.Process]:
    return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]


def test_sigterm_lets_slices_end_hands_on_and_leaves_nothing_running(
    bureau: Callable[..., Bureau], manage: Manage, wait_until: Wait
) -> None:
    made = bureau(clients=3, vouchers=60)
    for number in made.feeds:
        made.slow(number, 0.5, path="")
    for feed in made.feeds.values():
        start_run(feed=feed, kind=RunKind.NIGHTLY, night=feed.created_at.date())
    first = manage.start("work", KONTOR_SLICE_SECONDS="2", KONTOR_TICK_SECONDS="0.5")
    wait_until(lambda: Run.objects.filter(state=RunState.RUNNING, stage=Stage.VOUCHERS).exists(), seconds=60)
    family = processes_of(first.pid)
    assert len(family) > 3

    first.terminate()
    assert first.wait(60) == 0

    assert [process for process in family if process.is_running()] == []
    states = set(Run.objects.values_list("state", flat=True))
    assert RunState.RUNNING not in states
    assert RunState.QUEUED in states  # the drain did not work the night to its end
    assert not Run.objects.exclude(token="").exists()
    assert set(Run.objects.values_list("attempts", "detail")) == {(0, "")}

    for number in made.feeds:
        made.fast(number)
    second = manage.start("work", KONTOR_TICK_SECONDS="0.5")
    wait_until(lambda: not Run.objects.filter(state__in=LIVE).exists(), seconds=60)
    second.terminate()
    assert second.wait(30) == 0
    assert set(Run.objects.values_list("state", flat=True)) == {RunState.SUCCEEDED}
    assert_exact(made)


def test_sigterm_while_the_lanes_are_still_starting_ends_well(manage: Manage, wait_until: Wait) -> None:
    work = manage.start("work")
    wait_until(lambda: len(psutil.Process(work.pid).children()) == 2, seconds=30)

    work.terminate()
    assert work.wait(60) == 0


def test_a_lane_whose_main_process_was_killed_is_started_again_without_the_old_workers(
    manage: Manage, scope: None, wait_until: Wait
) -> None:
    work = manage.start("work", KONTOR_TICK_SECONDS="0.3")
    me = psutil.Process(work.pid)
    wait_until(lambda: len(me.children()) == 2 and len(me.children(recursive=True)) > 8, seconds=30)
    lane = me.children()[0]
    orphans = lane.children(recursive=True)
    lane.kill()

    wait_until(lambda: not any(process.is_running() for process in orphans), seconds=15)
    wait_until(lambda: len(me.children()) == 2, seconds=15)


def test_a_run_that_kills_every_worker_stops_after_its_attempts_and_is_a_problem(
    manage: Manage, scope: None, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = {registry.PACKAGES_VARIABLE: f"tests.sync.{POISON}"}
    monkeypatch.setenv(*next(iter(packages.items())))
    registry.all_providers.cache_clear()
    client = ClientFactory(organisation_number="923609016")
    connection = ConnectionFactory(client=client, connector__provider=POISON, pinned_company_id="7")
    run = start_run(feed=FeedFactory(connection=connection), kind=RunKind.NIGHTLY)
    times = {"KONTOR_LEASE_SECONDS": "1.5", "KONTOR_HEARTBEAT_SECONDS": "0.3", "KONTOR_TICK_SECONDS": "0.3"}
    manage.start("work", **times, **packages)

    wait_until(lambda: Run.objects.get(pk=run.pk).state not in LIVE, seconds=90)
    manage.stop()
    registry.all_providers.cache_clear()
    run.refresh_from_db()
    assert (run.state, run.remedy, run.stage) == (RunState.FAILED, "run.crashed", Stage.VOUCHERS)
    # One slice came as far as the vouchers and died; five attempts in all there, and the one that gave up.
    assert (run.attempts, run.slices) == (6, 7)
    assert list(Problem.objects.filter(resolved_at=None).values_list("code", "client")) == [
        ("run.crashed", run.client_id)
    ]
    assert LedgerState.objects.get(client=run.client).proof.grade == Grade.NOT_COMPLETE
    assert not Voucher.objects.exists()
