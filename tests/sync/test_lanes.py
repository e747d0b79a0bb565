"""The lanes of `manage.py work`: what dies or hangs is noticed and started again, and never anybody else's."""

import os
import random
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from django_q.models import OrmQ, Success

from apps.sync.actions import start_run
from apps.sync.enums import LIVE, Lane, RunKind, RunState, Stage
from apps.sync.models import LaneProcess, Run
from apps.sync.processes import marked
from tests.conftest import Endurance, Manage
from tests.sync.bureau import Bureau, bureaus
from tests.sync.kill_points import KillPoints
from tests.sync.test_work import assert_exact, runs

Wait = Callable[..., None]

# A worker's own words say what it is; nothing else of django-q2 does.
ROLES = {
    "idle worker": r"ready for work at (\d+)",
    "monitor": r"monitoring at (\d+)",
    "pusher": r"pushing tasks at (\d+)",
}
ALL_ROLES = (*ROLES, "main", "sentinel")
LANES = (Lane.INTERACTIVE, Lane.NIGHTLY)
QUICK = {
    "KONTOR_TICK_SECONDS": "0.3",
    "KONTOR_PULSE_SECONDS": "1",
    "KONTOR_STUCK_SECONDS": "4",
    "KONTOR_WORKERS": "1",
    "KONTOR_WORKERS_INTERACTIVE": "1",
}


@pytest.fixture
def bureau(
    manage: Manage, scope: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Bureau]]:
    with bureaus(manage, tmp_path, monkeypatch) as make:
        yield make


def row_of(lane: str, **more: Any) -> LaneProcess | None:
    return LaneProcess.objects.filter(lane=lane, **more).first()


def are_well(number: int = 2, **more: Any) -> bool:
    """So many lanes run, and the heartbeat of each has come back."""
    rows = list(LaneProcess.objects.filter(**more))
    under_way = OrmQ.objects.filter(key__contains="!").exists()
    return len(rows) == number and all(0 < row.sent == row.beaten for row in rows) and not under_way


def family(mark: str) -> set[psutil.Process]:
    return set(marked(mark))


def member(mark: str, role: str, log: Path) -> psutil.Process:
    """The process of a lane that has the role; a lane has one worker here, so this one waits with the queue's lock."""
    members = {process.pid: process for process in marked(mark)}
    main = next(process for process in members.values() if process.ppid() not in members)
    if role == "main":
        return main
    if role == "sentinel":
        return next(process for process in members.values() if process.ppid() == main.pid)
    said = {int(pid) for pid in re.findall(ROLES[role], log.read_text(encoding="utf-8"))}
    [found] = [process for pid, process in members.items() if pid in said]
    return found


def worker_of(mark: str, log: Path) -> int | None:
    try:
        return member(mark, "idle worker", log).pid
    except ValueError:  # none just now
        return None


def live() -> bool:
    return Run.objects.filter(state__in=LIVE).exists()


def one_run_in_each_lane(made: Bureau, number: int) -> list[Run]:
    by_hand, nightly = made.feeds.values()
    night = nightly.created_at.date().replace(year=2000 + number)
    return [
        start_run(feed=by_hand, kind=RunKind.MANUAL),
        start_run(feed=nightly, kind=RunKind.NIGHTLY, night=night),
    ]


@pytest.mark.soak
@pytest.mark.parametrize("role", ALL_ROLES)
def test_a_killed_part_of_a_lane_holds_work_up_for_90_seconds_at_most(
    role: str,
    bureau: Callable[..., Bureau],
    manage: Manage,
    wait_until: Wait,
    endurance: Callable[..., Endurance],
    tmp_path: Path,
) -> None:
    job = endurance(short=2, full=20)
    chance = random.Random(job.seed)  # noqa: S311 - the same moments each time
    made = bureau(clients=2, vouchers=10)
    log, points = tmp_path / "work.log", KillPoints(tmp_path / "points")
    manage.start("work", log=log, **QUICK, **points.environment)
    slowest = 0.0
    while job.done < job.planned:
        wait_until(lambda: not live() and are_well(), seconds=60)
        time.sleep(chance.random())
        marks = {lane: LaneProcess.objects.get(lane=lane).mark for lane in LANES}
        for mark in marks.values():
            member(mark, role, log).kill()
        began = time.monotonic()
        started = one_run_in_each_lane(made, job.done)
        assert [run.lane for run in started] == list(LANES)
        wait_until(lambda: not live(), seconds=90)
        # Done, and off the queue: a monitor that acknowledges nothing would have it worked again and again.
        wait_until(lambda: not OrmQ.objects.exclude(key__contains="!").exists(), seconds=90)
        slowest = max(slowest, time.monotonic() - began)
        job.done += len(marks)
        assert set(Run.objects.values_list("state", flat=True)) == {RunState.SUCCEEDED}
        if role != "pusher":  # django-q2 itself starts another
            # Orphans may have done it all before they were ended.
            old = LaneProcess.objects.filter(mark__in=marks.values())
            wait_until(lambda: not old.exists() and are_well(), seconds=60)  # noqa: B023 - asked at once
            assert not any(family(mark) for mark in marks.values())
    assert slowest <= 90
    job.name = f"{job.name}, slowest {slowest:.1f} s"
    assert_exact(made)


def test_heartbeats_come_through_and_do_not_pile_up_in_a_stuck_lane(
    manage: Manage, scope: None, wait_until: Wait, tmp_path: Path
) -> None:
    log, points = tmp_path / "work.log", KillPoints(tmp_path / "points")
    manage.start(
        "work", log=log, **points.environment, **QUICK | {"KONTOR_PULSE_SECONDS": "0.3", "KONTOR_STUCK_SECONDS": "600"}
    )
    wait_until(lambda: are_well() and min(LaneProcess.objects.values_list("beaten", flat=True)) >= 3, seconds=60)
    stuck = LaneProcess.objects.get(lane=Lane.NIGHTLY)
    member(stuck.mark, "idle worker", log).kill()

    wait_until(lambda: OrmQ.objects.filter(key=f"nightly!{stuck.mark}").count() == 1, seconds=10)
    sent = LaneProcess.objects.get(mark=stuck.mark).sent
    other = LaneProcess.objects.get(lane=Lane.INTERACTIVE).beaten
    wait_until(lambda: LaneProcess.objects.get(lane=Lane.INTERACTIVE).beaten >= other + 5, seconds=30)
    row = LaneProcess.objects.get(mark=stuck.mark)
    assert (row.sent, row.beaten) == (sent, sent - 1)
    assert OrmQ.objects.filter(key__startswith="nightly").count() == 1
    assert not Success.objects.filter(func="apps.sync.tasks.beat").exists()  # and none of them is kept


def test_a_lane_whose_workers_are_at_long_slices_is_left_alone(
    bureau: Callable[..., Bureau], manage: Manage, wait_until: Wait
) -> None:
    made = bureau(clients=1)
    [(number, feed)] = made.feeds.items()
    made.slow(number, 14, times=1)
    times = QUICK | {"KONTOR_SLICE_SECONDS": "60", "KONTOR_TASK_SECONDS": "60"}
    manage.start("work", **times)
    wait_until(are_well, seconds=60)
    before = set(LaneProcess.objects.values_list("mark", flat=True))

    run = start_run(feed=feed, kind=RunKind.MANUAL)
    wait_until(lambda: Run.objects.get(pk=run.pk).stage == Stage.VOUCHERS, seconds=30)
    row = LaneProcess.objects.get(lane=Lane.INTERACTIVE)
    time.sleep(8)
    held = LaneProcess.objects.get(lane=Lane.INTERACTIVE)
    assert held.beaten < held.sent  # it waits behind the slice, for longer than a stuck lane would be left
    assert held.beaten <= row.beaten + 1
    wait_until(lambda: not live(), seconds=60)
    wait_until(are_well, seconds=30)
    run.refresh_from_db()
    assert (run.state, run.slices, run.attempts) == (RunState.SUCCEEDED, 1, 0)
    assert set(LaneProcess.objects.values_list("mark", flat=True)) == before


def test_a_killed_work_leaves_orphans_that_the_next_one_of_this_host_ends_and_no_other(
    manage: Manage, scope: None, wait_until: Wait
) -> None:
    first = manage.start("work", **QUICK, KONTOR_HOST_NAME="north")
    wait_until(are_well, seconds=60)
    orphans = {process for row in LaneProcess.objects.all() for process in family(row.mark)}
    assert len(orphans) >= 10
    first.send_signal(signal.SIGKILL)
    first.wait(10)

    other = manage.start("work", **QUICK, KONTOR_HOST_NAME="south")
    wait_until(lambda: are_well(host="south"), seconds=60)
    time.sleep(2)
    assert all(runs(process) for process in orphans)  # another host's cannot even be seen
    assert LaneProcess.objects.filter(host="north").count() == 2

    manage.start("work", **QUICK, KONTOR_HOST_NAME="north")
    wait_until(lambda: not any(runs(process) for process in orphans), seconds=30)
    wait_until(lambda: are_well(host="north") and are_well(host="south"), seconds=60)
    assert other.poll() is None
    assert LaneProcess.objects.count() == 4


@pytest.mark.parametrize("hosts", [("north", "north"), ("north", "south")], ids=["one host", "two hosts"])
def test_a_new_work_beside_an_old_one_takes_over_and_no_run_is_worked_twice(
    hosts: tuple[str, str], bureau: Callable[..., Bureau], manage: Manage, wait_until: Wait, tmp_path: Path
) -> None:
    made = bureau(clients=5, vouchers=30)
    for number in made.feeds:
        made.slow(number, 0.15, path="")
    points = KillPoints(tmp_path / "points")
    for feed in made.feeds.values():
        start_run(feed=feed, kind=RunKind.MANUAL)
    times = QUICK | {"KONTOR_WORKERS_INTERACTIVE": "2", "KONTOR_SLICE_SECONDS": "2", **points.environment}
    old = manage.start("work", **times, KONTOR_HOST_NAME=hosts[0])
    wait_until(lambda: len(points.slices()) >= 2, seconds=60)
    known = set(LaneProcess.objects.values_list("mark", flat=True))
    new = manage.start("work", **times, KONTOR_HOST_NAME=hosts[1])
    wait_until(lambda: LaneProcess.objects.count() == 4, seconds=60)
    young = set(LaneProcess.objects.values_list("mark", flat=True)) - known
    assert all(family(mark) for mark in known)  # the new one has left the old one's alone
    # both work
    wait_until(lambda: any(is_of(one.pid, young) for one in points.slices()), seconds=60)

    old.terminate()
    assert old.wait(60) == 0
    assert not any(family(mark) for mark in known)
    assert set(LaneProcess.objects.values_list("mark", flat=True)) == young
    for number in made.feeds:
        made.fast(number)
    wait_until(lambda: not live(), seconds=90)
    assert new.poll() is None
    assert set(Run.objects.values_list("state", "attempts")) == {(RunState.SUCCEEDED, 0)}
    assert Run.objects.count() == len(made.feeds)
    assert points.worked_at_once() == []
    assert_exact(made)


def is_of(pid: int, marks: set[str]) -> bool:
    try:
        return psutil.Process(pid).environ().get("KONTOR_LANE_MARK") in marks
    except psutil.Error:
        return False


def test_sigterm_to_the_whole_process_group_cuts_no_slice(
    bureau: Callable[..., Bureau], manage: Manage, wait_until: Wait
) -> None:
    made = bureau(clients=2)
    for number, feed in made.feeds.items():
        made.slow(number, 3, times=1)
        start_run(feed=feed, kind=RunKind.MANUAL)
    work = manage.start("work", **QUICK | {"KONTOR_WORKERS_INTERACTIVE": "2", "KONTOR_SLICE_SECONDS": "1"})
    wait_until(lambda: Run.objects.filter(state=RunState.RUNNING, stage=Stage.VOUCHERS).count() == 2, seconds=60)

    os.killpg(work.pid, signal.SIGTERM)
    assert work.wait(60) == 0
    # Handed on, or ended by a slice that had been pulled already; what is cut stays behind as running, with its token.
    assert set(Run.objects.values_list("attempts", "token")) == {(0, "")}
    assert set(Run.objects.values_list("state", flat=True)) <= {RunState.QUEUED, RunState.SUCCEEDED}
    assert not LaneProcess.objects.exists()


def test_a_stuck_lane_does_not_keep_work_from_ending(
    manage: Manage, scope: None, wait_until: Wait, tmp_path: Path
) -> None:
    log, points = tmp_path / "work.log", KillPoints(tmp_path / "points")
    work = manage.start("work", log=log, **QUICK, **points.environment)
    wait_until(are_well, seconds=60)
    marks = list(LaneProcess.objects.values_list("mark", flat=True))
    killed = member(marks[0], "idle worker", log)
    killed.kill()
    # django-q2 starts another, which waits for ever for the lock that the killed one held.
    wait_until(lambda: worker_of(marks[0], log) not in (None, killed.pid), seconds=10)

    work.terminate()
    assert work.wait(30) == 1
    assert not any(family(mark) for mark in marks)
    assert not LaneProcess.objects.exists()


def test_sigterm_to_every_process_at_once_still_ends_and_the_runs_go_on(
    bureau: Callable[..., Bureau], manage: Manage, wait_until: Wait
) -> None:
    """What a container platform or `KillMode=control-group` does: the slices are cut, nothing else is lost."""
    made = bureau(clients=2, vouchers=20)
    for number, feed in made.feeds.items():
        made.slow(number, 3, times=1)
        start_run(feed=feed, kind=RunKind.MANUAL)
    work = manage.start("work", **QUICK)
    wait_until(lambda: Run.objects.filter(state=RunState.RUNNING, stage=Stage.VOUCHERS).exists(), seconds=60)
    members = {process for row in LaneProcess.objects.all() for process in family(row.mark)}

    for process in members:
        process.terminate()
    work.terminate()
    assert work.wait(60) in (0, 1)
    assert not any(runs(process) for process in members)
    assert not LaneProcess.objects.exists()
    assert live()

    for number in made.feeds:
        made.fast(number)
    manage.start("work", **QUICK)
    wait_until(lambda: not live(), seconds=60)
    assert set(Run.objects.values_list("state", flat=True)) == {RunState.SUCCEEDED}
    assert_exact(made)
