"""Who works a batch: claimed by compare-and-set, held by a lease that a heartbeat renews, freed by the reaper."""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection, models, transaction
from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

from apps.core.scope import system_scope
from apps.onboarding.enums import BUSY
from apps.onboarding.models import Batch

LONGEST_WAIT = 900.0  # seconds; a person waits: what must wait longer asks again in between
LANE = "interactive-"  # a person waits; among the chores: sync.broker


class LostError(Exception):
    """The batch is somebody else's by now: write nothing more."""


def enqueue(batch: Batch) -> None:
    """Put the batch in its lane. With the ORM broker this is an insert: it commits with the caller."""
    async_task("apps.onboarding.tasks.work", batch.pk, cluster=LANE)


def rows() -> models.QuerySet[Batch]:
    """The batches, for compare-and-set: conditions on the row itself only, whatever the scope (sync.claims says why)."""
    with system_scope("compare-and-set on a batch"):
        return Batch.objects.all()


def claim(batch_id: int) -> Batch | None:
    """Take the batch if it waits; the attempt is counted before the work. None: not ours, or nothing to do."""
    now = timezone.now()
    free = models.Q(token="") | models.Q(lease_until__lt=now)
    due = models.Q(not_before=None) | models.Q(not_before__lte=now)
    taken = (
        rows()
        .filter(free, due, pk=batch_id, state__in=BUSY)
        .update(token=str(uuid.uuid4()), lease_until=lease(), attempts=models.F("attempts") + 1, not_before=None)
    )
    if not taken:
        return None
    return Batch.objects.select_related("organisation", "connector__organisation").get(pk=batch_id)


@contextmanager
def held(batch: Batch, **changes: Any) -> Iterator[None]:
    """One transaction of the batch's worker: what the caller writes, or nothing. Raises LostError.

    The batch's row is written first: on PostgreSQL it is locked until the end, so that nobody takes it meanwhile.
    """
    with transaction.atomic():
        if not mine(batch).update(**{"lease_until": lease(), **changes}):
            raise LostError
        yield


@contextmanager
def heartbeat(batch: Batch) -> Iterator[None]:
    """Renew the lease from a thread of its own while the block runs, so that a long call keeps the batch."""
    stop = threading.Event()

    def beat() -> None:
        try:
            while not stop.wait(settings.KONTOR_HEARTBEAT_SECONDS):
                try:
                    if not mine(batch).update(lease_until=lease()):
                        return
                except DatabaseError:
                    close_old_connections()
        finally:
            connection.close()

    thread = threading.Thread(target=beat, name=f"onboarding-{batch.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=settings.KONTOR_LEASE_SECONDS)


def hand_on(batch: Batch, *, wait: float = 0.0, **changes: Any) -> None:
    """End this task and queue the next one in the same transaction.

    With `wait` seconds, LONGEST_WAIT at most, the ticker queues it later.
    """
    with transaction.atomic():
        values: dict[str, Any] = {"token": "", "lease_until": patience(), "not_before": None, **changes}
        if wait:
            values["not_before"] = timezone.now() + timedelta(seconds=min(wait, LONGEST_WAIT))
            values["lease_until"] = None  # else the ticker takes it for left behind before its time
        if not mine(batch).update(**values):
            raise LostError
        if not wait:
            enqueue(batch)


def reap() -> int:
    """Queue again what was left behind: a lease that ended, a time that has come, a task that got lost."""
    now = timezone.now()
    busy = OrmQ.objects.filter(key=LANE, lock__lte=now).exists()  # who waits in a full lane is not lost
    count = 0
    for batch in rows().filter(state__in=BUSY, lease_until__lt=now) | rows().filter(
        state__in=BUSY, not_before__lte=now
    ):
        if busy and not batch.token and batch.not_before is None:
            continue
        with transaction.atomic():
            same = rows().filter(pk=batch.pk, state=batch.state, token=batch.token, lease_until=batch.lease_until)
            if same.update(token="", lease_until=patience(), not_before=None):
                enqueue(batch)
                count += 1
    return count


def mine(batch: Batch) -> models.QuerySet[Batch]:
    return rows().filter(pk=batch.pk, token=batch.token, state__in=BUSY)


def lease() -> datetime:
    return timezone.now() + timedelta(seconds=settings.KONTOR_LEASE_SECONDS)


def patience() -> datetime:
    """Until when a queued task is waited for before it is taken to be lost."""
    return timezone.now() + timedelta(seconds=settings.KONTOR_LEASE_SECONDS * 4)
