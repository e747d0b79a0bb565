"""The queue of a lane: django-q2's ORM broker, with letters to one cluster, and whose every pulled task is.

A task waits under its lane's name. Who pulls it puts it under a key of its own, so that what a dead cluster had pulled
is given back at once; django-q2 would wait for `retry`, which is minutes. Heartbeats are letters: only the cluster they
are for pulls them, and before anything else.
"""

import time

from django.db import transaction
from django.db.models import Case, Value, When
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ

from apps.sync.processes import own_mark

Pulled = list[tuple[int, str]]


def letters(lane: str, mark: str) -> str:
    """Key of what is sent to this one cluster."""
    return f"{lane}!{mark}"


def pulled(lane: str, mark: str) -> str:
    """Key of the lane's tasks that this cluster has pulled and not yet acknowledged."""
    return f"{lane}@{mark}"


def lanes_with_tasks() -> set[str]:
    """The keys under which tasks wait that nobody has pulled yet."""
    return set(OrmQ.objects.filter(lock__lte=timezone.now()).values_list("key", flat=True))


@transaction.atomic
def give_back(lane: str, mark: str) -> int:
    """What a dead cluster had pulled waits in its lane again; letters to it are thrown away. Returns how many."""
    OrmQ.objects.filter(key=letters(lane, mark)).delete()
    back: int = OrmQ.objects.filter(key=pulled(lane, mark)).update(key=lane, lock=timezone.now())
    return back


class LaneBroker(ORM):
    """Named in Q_CLUSTER; a cluster that `work` did not start has no mark, gets no letters and pulls as django-q2 does."""

    def dequeue(self) -> Pulled:
        """The oldest task that is due (Q_CLUSTER's `bulk` is 1), or nothing after a rest."""
        lane, mark = self.list_key, own_mark()
        mine, kept = (letters(lane, mark), pulled(lane, mark)) if mark else (lane, lane)
        now = timezone.now()
        due = self.get_connection().filter(key__in={lane, mine, kept}, lock__lt=now)
        first = Case(When(key=mine, then=Value(0)), default=Value(1))
        task = due.order_by(first, "id").first()
        if task is None:
            time.sleep(Conf.POLL)
            return []
        key = kept if task.key == lane else task.key
        same = self.get_connection().filter(id=task.id, key=task.key, lock=task.lock)
        return [(task.pk, task.payload)] if same.update(key=key, lock=self.timeout(task)) else []
