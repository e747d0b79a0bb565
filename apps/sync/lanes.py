"""A lane as this host runs it: a django-q2 cluster in a session of its own, watched by its heartbeat.

django-q2 alone does not heal: a killed idle worker or monitor dies with a lock that everybody else waits for, and a
killed main process or sentinel leaves workers behind that go on without timeouts (STACK.md 3.1).
"""

import logging
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Collection
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.sync import pulse
from apps.sync.broker import give_back
from apps.sync.models import LaneProcess
from apps.sync.processes import MARK, PATIENCE, identity, kill_marked, lives

log = logging.getLogger(__name__)

MANAGE = Path(settings.BASE_DIR) / "manage.py"
MOST_DOUBLINGS = 3
# A row of another host is left to that host, whose processes nobody else can see, until surely nobody comes back.
FORGOTTEN_AFTER = timedelta(days=7)


class LaneCluster:
    """Call `look` every few seconds; `stop`, `has_ended` and `end` to leave. Database errors are the caller's."""

    def __init__(self, lane: str, workers: int) -> None:
        self.lane, self.workers = lane, workers
        self.mark = ""
        self.process: subprocess.Popen[bytes] | None = None
        self.sent_at = 0.0
        self.overdue_since: float | None = None
        self.has_beaten = False  # since it was started
        self.failed_starts = 0
        self.idle_since: float | None = None

    def look(self) -> None:
        """Start the lane, or start it again when it has ended or is stuck; send its next beat when it is time."""
        if self.process is None:
            self._start()
        elif self.process.poll() is not None:
            self._start_again(f"it ended with {self.process.returncode}")
        else:
            self._listen(time.monotonic())

    def forgive(self) -> None:
        """Nothing could be seen, so nothing is overdue."""
        self.overdue_since = None

    def _start(self) -> None:
        mark = uuid.uuid4().hex
        # Before the process: were we killed in between, whoever comes after us knows what to look for.
        LaneProcess.objects.create(
            mark=mark, host=settings.KONTOR_HOST_NAME, lane=self.lane, supervisor=identity(os.getpid())
        )
        self.mark, self.overdue_since, self.has_beaten = mark, None, False
        pulse.open_folder(mark)
        environment = {**os.environ, "Q_CLUSTER_NAME": self.lane, MARK: mark}
        command = [sys.executable, str(MANAGE), "qcluster"]
        self.process = subprocess.Popen(command, env=environment, start_new_session=True)  # noqa: S603 - our own program
        self._send()

    def _send(self) -> None:
        pulse.send(self.lane, self.mark)
        self.sent_at = time.monotonic()

    def _start_again(self, why: str) -> None:
        log.error("lane %s: %s; starting it again", self.lane, why)
        self.failed_starts = 0 if self.has_beaten else self.failed_starts + 1
        self.end()
        self._start()

    def _listen(self, now: float) -> None:
        row = LaneProcess.objects.filter(mark=self.mark).first()
        if row is None:
            self._start_again("nobody knows of it any more")
            return
        written, under_way = 0 < row.sent == row.beaten, pulse.is_under_way(self.lane, self.mark)
        if not under_way and now - self.sent_at >= settings.KONTOR_PULSE_SECONDS:
            self._send()
        if written and not under_way:
            self.has_beaten, self.overdue_since = True, None
        elif not written and pulse.busy(self.mark) >= self.workers:
            self.overdue_since = None  # every worker is at something: no beat can come through
        elif self.overdue_since is None:
            self.overdue_since = now
        elif now - self.overdue_since > self._patience():
            part = "its monitor acknowledges nothing" if written else "a worker is free and takes nothing"
            self._start_again(f"stuck, {part}")

    def _patience(self) -> float:
        if self.has_beaten:
            return float(settings.KONTOR_STUCK_SECONDS)
        # A machine too busy to start a lane in time must not end it again and again.
        return float(settings.KONTOR_START_SECONDS * 2 ** min(self.failed_starts, MOST_DOUBLINGS))

    def stop(self) -> None:
        """Take nothing more, and end when what was taken is done. To the main process only (STACK.md 3.4)."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def is_hung(self) -> bool:
        """While it is stopping: no worker has been at anything for longer than a healthy lane needs to end."""
        now = time.monotonic()
        if pulse.busy(self.mark):
            self.idle_since = None
        elif self.idle_since is None:
            self.idle_since = now
        return self.idle_since is not None and now - self.idle_since > settings.KONTOR_STUCK_SECONDS

    def end(self) -> None:
        """Kill what is left of it and give back what it had pulled."""
        if self.process is None:
            return  # one that was about to start is left to `sweep`
        _bury(self.lane, self.mark)
        with suppress(subprocess.TimeoutExpired):  # one that does not die is left to `sweep`
            self.process.wait(PATIENCE)
        self.process = None


def _bury(lane: str, mark: str) -> None:
    """Kill what is left of a lane on this host, give back what it had pulled, and forget it."""
    if not kill_marked(mark):
        log.error("lane %s: some of its processes do not die; looking again later", lane)
        return
    pulse.remove_folder(mark)
    with transaction.atomic():
        give_back(lane, mark)
        LaneProcess.objects.filter(mark=mark).delete()


def sweep(own: Collection[str]) -> None:
    """End the lanes on this host whose `work` is dead, and give back what lanes of silent hosts had pulled."""
    me = identity(os.getpid())
    for row in LaneProcess.objects.filter(host=settings.KONTOR_HOST_NAME).exclude(mark__in=own):
        if row.supervisor == me or not lives(row.supervisor):
            log.warning("lane %s was left behind by process %s; ending it", row.lane, row.supervisor)
            _bury(row.lane, row.mark)
    now = timezone.now()
    silent = now - timedelta(seconds=4 * (settings.KONTOR_STUCK_SECONDS + settings.KONTOR_PULSE_SECONDS))
    for row in LaneProcess.objects.filter(seen_at__lt=silent).exclude(host=settings.KONTOR_HOST_NAME):
        give_back(row.lane, row.mark)  # should it live after all: a task done twice finds nothing to claim
        if row.seen_at < now - FORGOTTEN_AFTER:
            row.delete()
