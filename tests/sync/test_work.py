"""`manage.py work` as a process: workers killed while they work, a drain, and a run that kills every worker."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from apps.connectors import registry
from apps.connectors.sdk.sandbox import Edit
from apps.ledger.balances import recalculate_all
from apps.ledger.enums import Grade
from apps.ledger.models import Balance, FiscalYear, LedgerState, Posting, TouchedCell, Voucher, VoucherVersion
from apps.notifications.models import Problem
from apps.sync.actions import start_recalculation, start_run
from apps.sync.enums import LIVE, RunKind, RunState, Stage
from apps.sync.models import Run, SeenVoucher
from tests.conftest import Endurance, Manage
from tests.factories import ClientFactory, ConnectionFactory, FeedFactory
from tests.sync.bureau import Bureau, bureaus
from tests.sync.kill_points import DIE_AT, PHASES, STAGES, KillPoints
from tests.sync.poison_provider.provider import AFTER_A_PAGE

Wait = Callable[..., None]
POISON = "poison_provider"


@pytest.fixture
def bureau(
    manage: Manage, scope: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Bureau]]:
    with bureaus(manage, tmp_path, monkeypatch) as make:
        yield make


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
def test_workers_killed_in_every_phase_lose_and_double_nothing(
    bureau: Callable[..., Bureau], manage: Manage, wait_until: Wait, endurance: Callable[..., Endurance], tmp_path: Path
) -> None:
    job = endurance(short=len(PHASES), full=50)
    chance = random.Random(job.seed)  # noqa: S311 - the same points each time
    made = bureau(clients=3, vouchers=60)
    points = KillPoints(tmp_path / "points")
    phases = PHASES if job.planned == len(PHASES) else PHASES + STAGES
    hits = dict.fromkeys(phases, 0)
    every: list[Run] = []

    def night() -> None:
        for number in made.feeds if every else ():  # something to look up, and to calculate
            gone = next(row for row in reversed(made.sandbox.store.rows(number, "voucher")) if row["number"])
            made.sandbox.edit(number, Edit(action="delete", external_id=gone["story"]))
        every.extend(start_run(feed=feed, kind=RunKind.MANUAL) for feed in made.feeds.values())

    def reached() -> bool:
        if points.reached() is None and not Run.objects.filter(state__in=LIVE).exists():
            night()
        return points.reached() is not None

    manage.start("work", **points.environment, KONTOR_TICK_SECONDS="0.5", KONTOR_WORKERS_INTERACTIVE="2")
    order: list[str] = []
    while job.done < job.planned:
        order = order or chance.sample(phases, len(phases))
        phase = order.pop()
        points.order(phase, passed=chance.randrange(4))
        wait_until(reached, seconds=90)
        points.kill()
        hits[phase] += 1
        job.done += 1
    wait_until(lambda: not Run.objects.filter(state__in=LIVE).exists(), seconds=90)

    assert min(hits.values()) >= job.planned // len(phases), hits
    assert points.worked_at_once() == []
    ends = {run.pk: (run.state, run.remedy, run.detail) for run in Run.objects.all()}
    assert ends == {run.pk: (RunState.SUCCEEDED, "", "") for run in every}
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


def runs(process: psutil.Process) -> bool:
    """Not dead: what was killed is a zombie until the machine's first process has taken note of it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


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

    assert [process for process in family if runs(process)] == []
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

    wait_until(lambda: not any(runs(process) for process in orphans), seconds=15)
    wait_until(lambda: len(me.children()) == 2, seconds=15)


@pytest.mark.parametrize("after", [{}, {AFTER_A_PAGE: "1"}], ids=["at once", "after a page"])
def test_a_run_that_kills_every_worker_stops_after_its_attempts_and_is_a_problem(
    after: dict[str, str], manage: Manage, scope: None, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = {registry.PACKAGES_VARIABLE: f"tests.sync.{POISON}"}
    monkeypatch.setenv(*next(iter(packages.items())))
    registry.all_providers.cache_clear()
    client = ClientFactory(organisation_number="923609016")
    connection = ConnectionFactory(client=client, connector__provider=POISON, pinned_company_id="7")
    run = start_run(feed=FeedFactory(connection=connection), kind=RunKind.NIGHTLY)
    times = {"KONTOR_LEASE_SECONDS": "1.5", "KONTOR_HEARTBEAT_SECONDS": "0.3", "KONTOR_TICK_SECONDS": "0.3"}
    manage.start("work", **times, **packages, **after)

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


def test_a_recalculation_that_kills_every_worker_stops_after_its_attempts_and_is_a_problem(
    bureau: Callable[..., Bureau], manage: Manage, wait_until: Wait, tmp_path: Path
) -> None:
    made = bureau(clients=1, vouchers=30)
    [feed] = made.feeds.values()
    start_run(feed=feed, kind=RunKind.MANUAL)
    first = manage.start("work", KONTOR_TICK_SECONDS="0.3")
    wait_until(lambda: not Run.objects.filter(state__in=LIVE).exists(), seconds=60)
    first.terminate()
    assert first.wait(60) == 0
    before = kept(feed.client)
    assert FiscalYear.objects.filter(client=feed.client).count() > 1

    run = start_recalculation(client=feed.client, actor=None)
    points = KillPoints(tmp_path / "points")
    times = {"KONTOR_LEASE_SECONDS": "1.5", "KONTOR_HEARTBEAT_SECONDS": "0.3", "KONTOR_TICK_SECONDS": "0.3"}
    manage.start("work", **times, **points.environment, **{DIE_AT: "second_year"})
    wait_until(lambda: Run.objects.get(pk=run.pk).state not in LIVE, seconds=90)
    manage.stop()

    run.refresh_from_db()
    assert (run.state, run.remedy, run.attempts) == (RunState.FAILED, "run.crashed", 6)
    assert kept(feed.client) == before
    told = Problem.objects.filter(resolved_at=None)
    assert list(told.values_list("code", "client")) == [("run.crashed", feed.client.pk)]

    again = start_recalculation(client=feed.client, actor=None)
    manage.start("work", KONTOR_TICK_SECONDS="0.3")
    wait_until(lambda: Run.objects.get(pk=again.pk).state == RunState.SUCCEEDED, seconds=60)
    assert not told.exists()
