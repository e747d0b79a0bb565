"""The heartbeat that travels through a lane's queue, and which of the lane's workers have something to do.

A beat goes the way of every task: queue, pusher, worker, monitor. It has come back when a worker has written it down
and the monitor has acknowledged it, so it stands for all of them (docs/adr/0005).
"""

import logging
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_q.models import OrmQ
from django_q.signals import post_execute_in_worker, pre_execute
from django_q.tasks import async_task

from apps.sync.broker import letters
from apps.sync.models import LaneProcess
from apps.sync.processes import is_marked, own_mark

log = logging.getLogger(__name__)

BEAT: Final = "apps.sync.tasks.beat"
# django-q2 cuts a task after its time and a few seconds; what is older was left by something that went wrong.
GRACE = 10


@transaction.atomic
def send(lane: str, mark: str) -> None:
    """Put the next beat into the lane's queue."""
    row = LaneProcess.objects.select_for_update().get(mark=mark)
    row.sent += 1
    row.seen_at = timezone.now()
    row.save(update_fields=["sent", "seen_at"])
    async_task(BEAT, mark, row.sent, cluster=letters(lane, mark), save=False)


def arrived(mark: str, number: int) -> None:
    """Write down, in a worker, that the beat came as far as this."""
    LaneProcess.objects.filter(mark=mark).update(beaten=number, beat_at=timezone.now())


def is_under_way(lane: str, mark: str) -> bool:
    """Whether a beat was sent that is not acknowledged yet."""
    found: bool = OrmQ.objects.filter(key=letters(lane, mark)).exists()
    return found


# -- Busy workers: a file per worker that has begun a task, in a folder of the lane ----------------------------------


def folder_of(mark: str) -> Path:
    return Path(tempfile.gettempdir()) / f"kontor-lane-{mark}"


def open_folder(mark: str) -> None:
    folder_of(mark).mkdir(mode=0o700)


def remove_folder(mark: str) -> None:
    shutil.rmtree(folder_of(mark), ignore_errors=True)


def busy(mark: str) -> int:
    """How many workers of the lane live and are at a task that may still be cut by its time."""
    try:
        files = [(file, file.stat().st_mtime) for file in folder_of(mark).iterdir()]
    except OSError:  # a worker has just ended its task: the next look is soon
        return 0
    oldest = time.time() - settings.KONTOR_TASK_SECONDS - GRACE
    return sum(begun > oldest and is_marked(int(file.name), mark) for file, begun in files)


def watch_own_tasks() -> None:
    """In the processes of a lane: keep the file of a worker that is at a task. Called once they are set up."""
    if own_mark():
        pre_execute.connect(_begun)
        post_execute_in_worker.connect(_ended)


# Files, not rows: django-q2 holds a lock that its guard needs while it tells of the end, and must not wait there.
def _begun(task: dict[str, Any], **_more: Any) -> None:
    if task["func"] != BEAT:
        try:
            (folder_of(own_mark()) / str(os.getpid())).touch()
        except OSError:  # a fault here would end the worker
            log.warning("cannot note that a task has begun", exc_info=True)


def _ended(**_more: Any) -> None:
    try:
        (folder_of(own_mark()) / str(os.getpid())).unlink(missing_ok=True)
    except OSError:
        log.warning("cannot note that a task has ended", exc_info=True)
