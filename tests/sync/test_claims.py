"""Who works a run: one of many claimers, held by its lease, fenced when the lease is lost, found again by the reaper."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from django_q.models import OrmQ

from apps.connectors.models import PageDigest
from apps.core.scope import organisation_scope, system_scope
from apps.ledger.models import Posting, Voucher
from apps.sync import tasks
from apps.sync.actions import start_recalculation, start_run
from apps.sync.claims import LeaseLostError, claim, end, enqueue, hand_on, heartbeat, reap, step
from apps.sync.enums import Lane, RunKind, RunState, Stage
from apps.sync.models import Run, SeenVoucher
from apps.sync.turns import claimable
from tests.conftest import Manage
from tests.factories import ClientFactory, FeedFactory
from tests.sync.bureau import Bureau, answer, bureaus, start, told

CLAIM = """
from apps.sync.claims import claim
organisation = int(sys.argv[1])
with organisation_scope({organisation}, "a worker"):
    for line in sys.stdin:
        run = claim(int(line))
        print("got" if run else "none", flush=True)
"""
WORK = """
from apps.sync import tasks
print(tasks.work(int(sys.argv[1])), flush=True)
"""

Wait = Callable[..., None]


@pytest.fixture
def bureau(
    manage: Manage, scope: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Bureau]]:
    with bureaus(manage, tmp_path, monkeypatch) as make:
        yield make


def queued(**fields: Any) -> Run:
    feed = FeedFactory()
    values = {"client": feed.client, "feed": feed, "kind": RunKind.MANUAL, "lane": Lane.NIGHTLY, **fields}
    with system_scope("tests"):
        return Run.objects.create(**values)


def in_transaction(change: Callable[[], object], *, held: float) -> threading.Thread:
    """Do `change` in another connection's transaction and commit it `held` seconds later; returns once it is done."""
    done = threading.Event()

    def work() -> None:
        try:
            with system_scope("tests"), transaction.atomic():
                change()
                done.set()
                time.sleep(held)
        finally:
            done.set()
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert done.wait(10)
    return thread


@pytest.mark.soak
def test_exactly_one_of_four_processes_gets_a_run_that_all_claim_at_once(
    manage: Manage, scope: None, endurance: Callable[..., Any]
) -> None:
    job = endurance(short=20, full=300)
    feed = FeedFactory()
    organisation = feed.client.organisation_id
    claimers = [start(manage, CLAIM, organisation) for _ in range(4)]
    for claimer in claimers:  # all are up, and have their connections
        told(claimer, 0)
    assert [answer(claimer) for claimer in claimers] == ["none"] * 4

    for _ in range(job.planned):
        run = Run.objects.create(client=feed.client, feed=feed, kind=RunKind.MANUAL, lane=Lane.NIGHTLY)
        # They all wait for this row (on SQLite: for the file), and go on in the same moment.
        row = Run.objects.filter(pk=run.pk)
        holder = in_transaction(lambda row=row: row.update(actor="held"), held=0.05)  # type: ignore[misc]
        for claimer in claimers:
            told(claimer, run.pk)
        got = [answer(claimer) for claimer in claimers]
        holder.join()

        assert sorted(got) == ["got", "none", "none", "none"]
        run.refresh_from_db()
        assert (run.state, run.attempts, run.slices) == (RunState.RUNNING, 1, 1)
        assert int(run.worker.rsplit(":", 1)[1]) == claimers[got.index("got")].pid
        Run.objects.filter(pk=run.pk).update(state=RunState.SUCCEEDED)
        job.done += 1


@pytest.mark.django_db(transaction=True)
def test_a_claimed_run_cannot_be_claimed_again_and_a_late_or_doubled_task_changes_nothing() -> None:
    run = queued()
    with system_scope("tests"):
        taken = claim(run.pk)
        assert taken is not None
        before = Run.objects.filter(pk=run.pk).values().get()

    assert [tasks.work(run.pk), tasks.work(run.pk)] == ["nothing to do", "nothing to do"]
    with system_scope("tests"):
        assert Run.objects.filter(pk=run.pk).values().get() == before
        end(taken, RunState.SUCCEEDED)
        after = Run.objects.filter(pk=run.pk).values().get()
    assert tasks.work(run.pk) == "nothing to do"
    assert tasks.work(run.pk + 1000) == "gone"
    with system_scope("tests"):
        assert Run.objects.filter(pk=run.pk).values().get() == after


@pytest.mark.django_db(transaction=True)
def test_a_run_whose_time_has_not_come_is_not_claimed(scope: None) -> None:
    run = queued(not_before=timezone.now() + timedelta(minutes=5))

    assert claim(run.pk) is None
    run.refresh_from_db()
    assert (run.state, run.attempts) == (RunState.QUEUED, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("wait", [1.7e9, float("inf")])
def test_no_run_is_put_off_for_longer_than_an_hour(scope: None, wait: float) -> None:
    run = claim(queued().pk)
    assert run is not None

    hand_on(run, wait=wait)

    run.refresh_from_db()
    assert run.state == RunState.QUEUED
    assert 3590 < (run.not_before - timezone.now()).total_seconds() <= 3600
    assert (claim(run.pk), reap()) == (None, 0)


@pytest.mark.django_db(transaction=True)
def test_a_run_put_off_for_years_is_worked_now(scope: None) -> None:
    """As an earlier Kontor did, or a clock that was wrong."""
    ahead = timezone.now() + timedelta(days=365)
    first, second = queued(not_before=ahead), queued(not_before=ahead)
    OrmQ.objects.all().delete()

    assert claimable(first.lane).count() == 2
    assert reap() == 2
    assert OrmQ.objects.count() == 2
    Run.objects.filter(pk=second.pk).update(not_before=ahead)
    assert claim(second.pk) is not None


@pytest.mark.django_db(transaction=True)
def test_the_attempt_is_counted_in_the_claim_and_set_back_by_progress_only(scope: None) -> None:
    run = claim(queued(attempts=3).pk)
    assert run is not None
    assert (run.attempts, Run.objects.get(pk=run.pk).attempts) == (4, 4)

    with step(run, progress=False):
        pass
    assert Run.objects.get(pk=run.pk).attempts == 4
    with step(run) as changes:
        changes["done"] = 7
    assert (run.attempts, run.done) == (0, 7)
    assert Run.objects.filter(pk=run.pk, attempts=0, done=7).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["step", "hand_on", "end"])
def test_a_lease_lost_to_a_reaper_that_is_just_committing_rolls_everything_back(what: str) -> None:
    run = queued()
    OrmQ.objects.all().delete()
    with organisation_scope({run.client.organisation_id}, "a worker"):
        taken = claim(run.pk)
        assert taken is not None
        row = Run.objects.filter(pk=run.pk)
        reaper = in_transaction(lambda: _taken_away(run.pk), held=0.7)

        with pytest.raises(LeaseLostError):
            _written_too_late(taken, what)
        reaper.join()

        assert row.values_list("state", "token", "done").get() == (RunState.QUEUED, "", 0)
        assert not SeenVoucher.objects.exists()
        assert not OrmQ.objects.exists()


def _written_too_late(run: Run, what: str) -> None:
    with transaction.atomic():
        SeenVoucher.objects.create(run=run, external_id="too late")
        if what == "step":
            with step(run) as changes:
                changes["done"] = 99
        elif what == "hand_on":
            hand_on(run, done=99)
        else:
            end(run, RunState.SUCCEEDED, done=99)


def _taken_away(pk: int) -> None:
    Run.objects.filter(pk=pk).update(state=RunState.QUEUED, token="", lease_until=None)


@pytest.mark.django_db(transaction=True)
def test_a_claim_by_a_newer_worker_fences_the_older_one_out(scope: None) -> None:
    older = claim(queued().pk)
    assert older is not None
    Run.objects.filter(pk=older.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert reap() == 1
    newer = claim(older.pk)
    assert newer is not None

    for what in ("step", "hand_on", "end"):
        with pytest.raises(LeaseLostError):
            _written_too_late(older, what)
    with step(newer) as changes:
        changes["done"] = 2
    newer.refresh_from_db()
    assert (newer.state, newer.done, newer.slices) == (RunState.RUNNING, 2, 2)
    assert not SeenVoucher.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_heartbeat_renews_the_lease_and_stops_with_the_block(scope: None, settings: Any, wait_until: Wait) -> None:
    settings.KONTOR_LEASE_SECONDS, settings.KONTOR_HEARTBEAT_SECONDS = 3.0, 0.1
    run = claim(queued().pk)
    assert run is not None
    first = run.lease_until
    with heartbeat(run):
        wait_until(lambda: Run.objects.get(pk=run.pk).lease_until > first + timedelta(seconds=0.3), seconds=10)
        names = [thread.name for thread in threading.enumerate()]
        assert f"heartbeat-{run.pk}" in names
    assert f"heartbeat-{run.pk}" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.django_db(transaction=True)
def test_the_reaper_queues_what_was_left_behind_once_and_leaves_the_rest_alone(scope: None) -> None:
    now = timezone.now()
    past, ahead = now - timedelta(seconds=1), now + timedelta(minutes=1)
    orphan = queued(state=RunState.RUNNING, token="dead", lease_until=past)
    due = queued(not_before=past)
    lost = queued(lease_until=past)
    others = [
        queued(state=RunState.RUNNING, token="alive", lease_until=ahead),
        queued(not_before=ahead),
        queued(lease_until=ahead),
        queued(state=RunState.SUCCEEDED, lease_until=past),
        queued(state=RunState.FAILED, not_before=past),
    ]
    before = list(Run.objects.filter(pk__in=[run.pk for run in others]).order_by("pk").values())
    OrmQ.objects.all().delete()

    assert reap() == 3
    assert sorted(item.task["args"][0] for item in OrmQ.objects.all()) == sorted([orphan.pk, due.pk, lost.pk])
    for run in (orphan, due, lost):
        run.refresh_from_db()
        assert (run.state, run.token, run.not_before) == (RunState.QUEUED, "", None)
        assert run.lease_until > timezone.now()
    assert reap() == 0
    assert OrmQ.objects.count() == 3
    assert list(Run.objects.filter(pk__in=[run.pk for run in others]).order_by("pk").values()) == before


REAP = """
from apps.sync.claims import reap
with system_scope("a reaper"):
    for line in sys.stdin:
        print(reap(), flush=True)
"""


def test_of_two_reapers_at_once_one_queues_an_orphan(manage: Manage, scope: None) -> None:
    reapers = [start(manage, REAP) for _ in range(2)]
    for reaper in reapers:
        told(reaper, "go")
    assert [answer(reaper) for reaper in reapers] == ["0", "0"]
    run = queued(state=RunState.RUNNING, token="dead", lease_until=timezone.now() - timedelta(seconds=1))
    row = Run.objects.filter(pk=run.pk)

    for _ in range(10):
        row.update(state=RunState.RUNNING, token="dead", lease_until=timezone.now() - timedelta(seconds=1))
        OrmQ.objects.all().delete()
        holder = in_transaction(lambda: row.update(actor="held"), held=0.05)
        for reaper in reapers:
            told(reaper, "go")
        assert sorted(answer(reaper) for reaper in reapers) == ["0", "1"]
        holder.join()
        assert OrmQ.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_second_start_joins_the_live_run_of_the_feed(scope: None) -> None:
    feed, other = FeedFactory(), FeedFactory()
    first = start_run(feed=feed, kind=RunKind.MANUAL)

    assert start_run(feed=feed, kind=RunKind.NIGHTLY, night=timezone.localdate()).pk == first.pk
    assert start_run(feed=other, kind=RunKind.MANUAL).pk != first.pk
    assert OrmQ.objects.count() == 2
    taken = claim(first.pk)
    assert taken is not None
    end(taken, RunState.SUCCEEDED)
    assert start_run(feed=feed, kind=RunKind.MANUAL).pk != first.pk


@pytest.mark.django_db(transaction=True)
def test_one_recalculation_of_a_client_is_live_beside_its_feeds_run(scope: None) -> None:
    feed, other = FeedFactory(), ClientFactory()
    start_run(feed=feed, kind=RunKind.MANUAL)
    first = start_recalculation(client=feed.client, actor=None)

    assert start_recalculation(client=feed.client, actor=None).pk == first.pk
    assert start_recalculation(client=other, actor=None).pk != first.pk
    assert Run.objects.filter(client=feed.client).count() == 2


START = """
from apps.clients.models import Client
from apps.flows.models import Feed
from apps.sync.actions import start_recalculation, start_run
for line in sys.stdin:
    what, pk = line.split()
    with system_scope("tests"):
        if what == "feed":
            print(start_run(feed=Feed.objects.get(pk=pk), kind="manual").pk, flush=True)
        else:
            print(start_recalculation(client=Client.objects.get(pk=pk), actor=None).pk, flush=True)
"""


@pytest.mark.parametrize("what", ["feed", "client"])
def test_processes_that_start_the_same_at_once_share_one_run_and_one_task(
    manage: Manage, scope: None, what: str
) -> None:
    starters = [start(manage, START) for _ in range(3)]
    for starter in starters:
        told(starter, f"{what} {FeedFactory().pk if what == 'feed' else ClientFactory().pk}")
        answer(starter)
    for _ in range(5):
        OrmQ.objects.all().delete()
        feed = FeedFactory()
        pk = feed.pk if what == "feed" else feed.client.pk
        for starter in starters:
            told(starter, f"{what} {pk}")
        found = {answer(starter) for starter in starters}
        assert len(found) == 1
        assert found == {str(Run.objects.get(client=feed.client).pk)}
        assert OrmQ.objects.count() == 1


def test_a_call_longer_than_the_lease_keeps_the_run(
    bureau: Callable[..., Bureau], manage: Manage, wait_until: Wait
) -> None:
    made = bureau(clients=1)
    [(number, feed)] = made.feeds.items()
    run = start_run(feed=feed, kind=RunKind.MANUAL)
    made.slow(number, 6, times=1)  # twice the lease
    worker = start(manage, WORK, run.pk)
    wait_until(lambda: Run.objects.get(pk=run.pk).stage == Stage.VOUCHERS, seconds=40)

    ends = time.monotonic() + 7
    while time.monotonic() < ends and worker.poll() is None:
        assert reap() == 0
        time.sleep(0.2)
    wait_until(lambda: worker.poll() is not None, seconds=60)
    run.refresh_from_db()
    # The slice is 5 seconds: it was handed on, or had come to its end.
    assert run.state in (RunState.QUEUED, RunState.SUCCEEDED), run.detail
    assert (run.slices, run.done > 0) == (1, True)


def test_a_worker_paused_past_its_lease_writes_nothing_of_its_later_page(
    bureau: Callable[..., Bureau], manage: Manage, wait_until: Wait
) -> None:
    made = bureau(clients=1, vouchers=60)
    [(number, feed)] = made.feeds.items()
    run = start_run(feed=feed, kind=RunKind.MANUAL)
    made.slow(number, 2, nth=2)
    paused = start(manage, WORK, run.pk)
    # The first page is in; it waits for the second.
    wait_until(lambda: Run.objects.get(pk=run.pk).resume.get("page"), seconds=40)
    os.kill(paused.pid, signal.SIGSTOP)
    held = Run.objects.get(pk=run.pk)
    assert (held.state, held.stage) == (RunState.RUNNING, Stage.VOUCHERS)
    wait_until(lambda: reap() == 1, seconds=10)
    newer = claim(run.pk)
    assert newer is not None

    def books() -> list[Any]:
        vouchers = list(Voucher.objects.order_by("pk").values_list("pk", "hash"))
        seen = sorted(SeenVoucher.objects.values_list("external_id", flat=True))
        digests = sorted(PageDigest.objects.values_list("key", "digest"))
        return [vouchers, Posting.objects.count(), seen, digests, Run.objects.filter(pk=run.pk).values().get()]

    before = books()
    os.kill(paused.pid, signal.SIGCONT)
    assert answer(paused) == f"{run.pk} {RunState.RUNNING}"  # the newer worker's
    assert paused.wait(10) == 0
    assert books() == before
    assert len(before[0]) < made.held_by_vendor(number)

    made.fast(number)
    hand_on(newer)
    while Run.objects.get(pk=run.pk).state == RunState.QUEUED:
        tasks.work(run.pk)
    run.refresh_from_db()
    assert (run.state, run.attempts) == (RunState.SUCCEEDED, 0)
    assert Voucher.objects.count() == made.held_by_vendor(number)
    enqueue(run)  # its late task
    assert tasks.work(run.pk) == "nothing to do"
