"""`manage.py work`: starts this host's lanes, ticks the timetable and the reaper, drains on SIGTERM.

Each lane is a django-q2 cluster in a session of its own: a signal to us must not reach its workers (STACK.md 3.4).
"""

import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from apps.core.scope import system_scope
from apps.notifications.outbox import reap as reap_mails
from apps.onboarding.claims import reap as reap_onboarding
from apps.sync.claims import reap
from apps.sync.deadman import watch_now_and_then
from apps.sync.morning import greet
from apps.sync.timetable import start_due

log = logging.getLogger(__name__)

MANAGE = Path(settings.BASE_DIR) / "manage.py"


class Supervisor:
    """The lanes of one host."""

    def __init__(self, lanes: list[str]) -> None:
        self.lanes = lanes
        self.clusters: dict[str, subprocess.Popen[bytes]] = {}
        self.stopping = False

    def run(self) -> int:
        """Work until SIGTERM or SIGINT, then let running slices end. Returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for lane in self.lanes:
            self.clusters[lane] = self._start(lane)
        while not self.stopping:
            self._tick()
            self._wait(settings.KONTOR_TICK_SECONDS)
        return self._drain()

    def _stop(self, _number: int, _frame: object) -> None:
        self.stopping = True

    def _wait(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while not self.stopping and time.monotonic() < ends:
            time.sleep(0.1)

    def _start(self, lane: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "Q_CLUSTER_NAME": lane}
        command = [sys.executable, str(MANAGE), "qcluster"]
        return subprocess.Popen(command, env=environment, start_new_session=True)  # noqa: S603 - our own program

    def _tick(self) -> None:
        for lane, cluster in self.clusters.items():
            if cluster.poll() is not None and not self.stopping:
                log.error("lane %s ended with %s; starting it again", lane, cluster.returncode)
                _kill(cluster)  # its children live on without it, and work without timeouts
                self.clusters[lane] = self._start(lane)
        with system_scope("timetable and reaper of every organisation"):
            try:
                close_old_connections()
                start_due(timezone.now())
                reap()
                reap_onboarding()
                if watch_now_and_then():
                    greet(timezone.now())
                reap_mails()
            except DatabaseError:
                log.exception("the timetable could not be looked at; trying again")

    def _drain(self) -> int:
        for cluster in self.clusters.values():
            cluster.send_signal(signal.SIGTERM)  # to the main process only: its workers finish what they have
        code = 0
        for lane, cluster in self.clusters.items():
            try:
                ended = cluster.wait(timeout=settings.KONTOR_TASK_SECONDS * 3)
            except subprocess.TimeoutExpired:
                log.exception("lane %s did not drain; its runs go on when their leases end", lane)
                code = 1
            else:
                # Ended by our signal itself: it was still starting and had taken nothing.
                code = code if ended in (0, -signal.SIGTERM) else 1
            _kill(cluster)
        return code


def _kill(cluster: subprocess.Popen[bytes]) -> None:
    """What is left of a lane's session."""
    with suppress(ProcessLookupError):
        os.killpg(cluster.pid, signal.SIGKILL)
