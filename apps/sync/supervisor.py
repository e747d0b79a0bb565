"""`manage.py work`: keeps this host's lanes working, ticks the timetable and the reaper, drains on SIGTERM.

Several may run side by side, on one host too: a new one is started before the old one is stopped.
"""

import logging
import signal
import time
from collections.abc import Callable

from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone

from apps.core.scope import system_scope
from apps.notifications.delivery import reap as reap_webhooks
from apps.notifications.outbox import reap as reap_mails
from apps.onboarding.claims import reap as reap_onboarding
from apps.sync.claims import reap
from apps.sync.deadman import watch_now_and_then
from apps.sync.lanes import LaneCluster, sweep
from apps.sync.morning import greet
from apps.sync.timetable import start_chores, start_due

log = logging.getLogger(__name__)


class Supervisor:
    """The lanes of one `work`: their names, with how many workers each has."""

    def __init__(self, lanes: dict[str, int]) -> None:
        self.lanes = [LaneCluster(lane, workers) for lane, workers in lanes.items()]
        self.stopping = False

    def run(self) -> int:
        """Work until SIGTERM or SIGINT, then let running slices end. Returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self.stopping:
            _done(lambda: sweep([lane.mark for lane in self.lanes]))
            for lane in self.lanes:
                if not _done(lane.look):
                    lane.forgive()
            for work in (_start_due, _start_chores, reap, reap_onboarding, _watch, reap_mails, reap_webhooks):
                _done(work)
            self._wait(settings.KONTOR_TICK_SECONDS)
        return self._drain()

    def _stop(self, _number: int, _frame: object) -> None:
        self.stopping = True

    def _wait(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while not self.stopping and time.monotonic() < ends:
            time.sleep(0.1)

    def _drain(self) -> int:
        for lane in self.lanes:
            lane.stop()
        patience = time.monotonic() + settings.KONTOR_TASK_SECONDS * 3
        code = 0
        left = list(self.lanes)
        while left:
            for lane in list(left):
                hung = lane.is_hung() or time.monotonic() > patience
                if not lane.has_ended() and not hung:
                    continue
                left.remove(lane)
                if not lane.has_ended():
                    log.error("lane %s did not drain; its runs go on when their leases end", lane.lane)
                    code = 1
                elif lane.process is not None and lane.process.returncode not in (0, -signal.SIGTERM):
                    # by our signal itself it ends when it was still starting, and had taken nothing
                    code = 1
                _done(lane.end)
            time.sleep(0.1)
        return code


def _start_due() -> None:
    start_due(timezone.now())


def _start_chores() -> None:
    start_chores(timezone.now())


def _watch() -> None:
    if watch_now_and_then():
        greet(timezone.now())


def _done(work: Callable[[], object]) -> bool:
    """Do it, each apart; what goes wrong is told and tried again at the next look. A fault must not leave lanes unwatched."""
    try:
        with system_scope("keeps the lanes, timetable and runs of every organisation"):
            close_old_connections()
            work()
    except Exception:
        log.exception("the supervisor could not do its work; trying again")
        return False
    return True
