"""Who works a run: claimed by compare-and-set, held by a lease that a heartbeat renews, freed by the reaper.

Nothing here waits for anything: a claim that fails means that somebody else has the run, that it is done, or that as
many runs of its credential are worked as the provider allows. Which run is claimed next: see `turns`.
"""

import logging
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, IntegrityError, close_old_connections, connection, models, transaction
from django.utils import timezone
from django_q.tasks import async_task

from apps.core.scope import system_scope
from apps.sync.broker import lanes_with_tasks
from apps.sync.enums import RunState
from apps.sync.models import Run

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 5  # slices begun without any progress
LONGEST_WAIT = 3600.0  # seconds; what must wait longer (a day's quota, a vendor's word) asks again in between
MOST_WOKEN = 100  # tasks for waiting runs in one look of the reaper


class LeaseLostError(Exception):
    """The run is somebody else's by now: stop at once, write nothing more."""


def enqueue(run: Run) -> None:
    """Put the run's next slice in its lane. With the ORM broker this is an insert: it commits with the caller."""
    async_task("apps.sync.tasks.work", run.pk, cluster=run.lane)


def rows() -> models.QuerySet[Run]:
    """The runs, for compare-and-set: conditions on the row itself only, whatever the scope.

    With the scope's join Django updates `WHERE id IN (SELECT ...)`. PostgreSQL, after waiting for a row that another
    transaction changed, looks again at conditions of the UPDATE, not inside the SELECT: both would win.
    """
    with system_scope("compare-and-set on a run"):
        return Run.objects.all()


def is_due(now: datetime) -> models.Q:
    """Runs whose time has come; also where it lies further ahead than is ever waited for: a clock was wrong."""
    wrong = now + timedelta(seconds=2 * LONGEST_WAIT)
    return models.Q(not_before=None) | models.Q(not_before__lte=now) | models.Q(not_before__gt=wrong)


def claim(run_id: int) -> Run | None:
    """Take the run if it waits and its time has come; the attempt is counted before the work. None: not ours."""
    found = rows().filter(pk=run_id).values_list("credential", "places").first()
    if found is None:
        return None
    credential, places = found
    now = timezone.now()
    token = str(uuid.uuid4())
    waiting = rows().filter(is_due(now), pk=run_id, state=RunState.QUEUED)
    for place in _free_places(credential, places):
        try:
            with transaction.atomic():
                taken = waiting.update(
                    state=RunState.RUNNING,
                    token=token,
                    place=place,
                    worker=f"{settings.KONTOR_HOST_NAME}:{os.getpid()}",
                    lease_until=_lease(),
                    attempts=models.F("attempts") + 1,
                    slices=models.F("slices") + 1,
                    not_before=None,
                )
        except IntegrityError:
            continue  # another run has just taken this place
        if not taken:
            return None
        rows().filter(pk=run_id, started_at=None).update(started_at=now)
        return Run.objects.select_related("client__organisation", "feed__connection__connector").get(pk=run_id)
    return None


def _free_places(credential: str, places: int) -> list[int | None]:
    """Of the credential's places those that no worked run holds; one that is none, where any number may be worked."""
    if not places:
        return [None]
    held = set(rows().filter(state=RunState.RUNNING, credential=credential).values_list("place", flat=True))
    return [place for place in range(places) if place not in held]


@contextmanager
def step(run: Run, *, progress: bool = True) -> Iterator[dict[str, Any]]:
    """One transaction of a run: what the caller writes, and the run's own row, or neither.

    Yields the fields to set on the run. Raises LeaseLostError, and rolls everything back, when the run is no longer
    ours. Progress sets the attempts back: they count slices that came to nothing.
    """
    changes: dict[str, Any] = {}
    with transaction.atomic():
        yield changes
        if progress:
            changes["attempts"] = 0
        if not _held(run).update(lease_until=_lease(), **changes):
            raise LeaseLostError
    for name, value in changes.items():
        setattr(run, name, value)


@contextmanager
def heartbeat(run: Run, look: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Renew the lease from a thread of its own while the block runs, so that a long call keeps the run.

    `look` is called with each beat, to see what else is going on.
    """
    stop = threading.Event()

    def beat() -> None:
        try:
            while not stop.wait(settings.KONTOR_HEARTBEAT_SECONDS):
                try:
                    if not _held(run).update(lease_until=_lease()):
                        return
                    look()
                except DatabaseError:
                    log.warning("heartbeat of run %s failed", run.pk, exc_info=True)
                    close_old_connections()
        finally:
            connection.close()

    thread = threading.Thread(target=beat, name=f"heartbeat-{run.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=settings.KONTOR_LEASE_SECONDS)


def hand_on(run: Run, *, wait: float = 0.0, **changes: Any) -> None:
    """End the slice and queue the next one in the same transaction.

    With `wait` seconds, LONGEST_WAIT at most, the ticker queues it later.
    """
    with transaction.atomic():
        values = {"state": RunState.QUEUED, "token": "", "lease_until": None, **changes}
        if wait:
            values["not_before"] = timezone.now() + timedelta(seconds=min(wait, LONGEST_WAIT))
        else:
            # the ticker queues it again, should the task get lost
            values["lease_until"] = timezone.now() + timedelta(seconds=settings.KONTOR_LEASE_SECONDS * 4)
        if not _held(run).update(**values):
            raise LeaseLostError
        if not wait:
            enqueue(run)


def end(run: Run, state: RunState, **changes: Any) -> None:
    """Finish the run; the caller's other writes belong in the same transaction. Raises LeaseLostError."""
    values = {"state": state, "token": "", "lease_until": None, "finished_at": timezone.now(), **changes}
    if not _held(run).update(**values):
        raise LeaseLostError
    for name, value in values.items():
        setattr(run, name, value)


def reap() -> int:
    """Queue again what was left behind: runs whose lease ended, whose time has come, or whose task got lost."""
    now = timezone.now()
    # While a lane has tasks that nobody pulled yet, its workers will come by what waits there.
    busy = lanes_with_tasks()
    orphans = rows().filter(state=RunState.RUNNING, lease_until__lt=now)
    waiting = rows().filter(
        is_due(now), models.Q(not_before__isnull=False) | models.Q(lease_until__lt=now), state=RunState.QUEUED
    )
    count = 0
    for run in [*orphans, *waiting.exclude(lane__in=busy).order_by("id")[:MOST_WOKEN]]:
        with transaction.atomic():
            same = rows().filter(pk=run.pk, state=run.state, token=run.token, lease_until=run.lease_until)
            patience = timezone.now() + timedelta(seconds=settings.KONTOR_LEASE_SECONDS * 4)
            if same.update(state=RunState.QUEUED, token="", lease_until=patience, not_before=None):
                enqueue(run)
                count += 1
    return count


def _held(run: Run) -> models.QuerySet[Run]:
    """The run's row while it is still this worker's."""
    return rows().filter(pk=run.pk, token=run.token, state=RunState.RUNNING)


def _lease() -> Any:
    return timezone.now() + timedelta(seconds=settings.KONTOR_LEASE_SECONDS)
