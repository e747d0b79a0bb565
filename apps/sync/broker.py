"""The queue of a lane: django-q2's ORM broker, with letters to one cluster, and whose every pulled task is.

A run's task waits under its lane's name, and nothing else does: who asks whether somebody will come by for the lane's
runs looks there. Mails have a name of their own and go before the runs, else the morning's would wait for the last of the
night. Calls of other people's systems have another: they go first too, but are as slow as those systems, so a cluster
has one at a time, and whatever else it pulls meanwhile is runs. Chores take their turn by age. Who pulls a task
puts it under a key of its own, so that what a dead cluster had pulled is given back at once; django-q2 would wait for
`retry`, which is minutes. Heartbeats are letters: only the cluster they are for pulls them, and before anything else.
"""

import time

from django.db import transaction
from django.db.models import Case, Exists, Q, Value, When
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


def telling(lane: str) -> str:
    """Key of mails (apps.notifications): they go before the lane's runs."""
    return f"{lane}+"


def calling(lane: str) -> str:
    """Key of what calls other people's systems (webhooks): before the runs, and one at a time in each cluster."""
    return f"{lane}>"


def chores(lane: str) -> str:
    """Key of what is neither a run nor tells of one: purge, examinations, clients that are taken in."""
    return f"{lane}-"


def queues(lane: str) -> tuple[str, ...]:
    """Every key under which tasks of the lane wait for any of its clusters."""
    return telling(lane), calling(lane), lane, chores(lane)


def lanes_with_tasks() -> set[str]:
    """The keys under which tasks wait that nobody has pulled yet; a lane's own name: of runs."""
    return set(OrmQ.objects.filter(lock__lte=timezone.now()).values_list("key", flat=True))


@transaction.atomic
def give_back(lane: str, mark: str) -> int:
    """What a dead cluster had pulled waits in its lane again; letters to it are thrown away. Returns how many."""
    OrmQ.objects.filter(key=letters(lane, mark)).delete()
    now = timezone.now()
    return sum(OrmQ.objects.filter(key=pulled(key, mark)).update(key=key, lock=now) for key in queues(lane))


class LaneBroker(ORM):
    """Named in Q_CLUSTER; a cluster that `work` did not start has no mark, gets no letters and pulls as django-q2 does."""

    def dequeue(self) -> Pulled:
        """The oldest task that is due (Q_CLUSTER's `bulk` is 1), or nothing after a rest."""
        lane, mark = self.list_key, own_mark()
        mine = letters(lane, mark)
        kept = {key: pulled(key, mark) if mark else key for key in queues(lane)}
        now = timezone.now()
        tells, calls = ({key, kept[key]} for key in (telling(lane), calling(lane)))
        is_calling = Exists(self.get_connection().filter(key=kept[calling(lane)], lock__gte=now))
        due = (
            self.get_connection()
            .filter(key__in={mine, *kept, *kept.values()}, lock__lt=now)
            .exclude(Q(key__in=calls) & is_calling)
        )
        first = Case(When(key=mine, then=Value(0)), When(key__in=tells | calls, then=Value(1)), default=Value(2))
        task = due.order_by(first, "id").first()
        if task is None:
            time.sleep(Conf.POLL)
            return []
        key = kept.get(task.key, task.key)
        same = self.get_connection().filter(id=task.id, key=task.key, lock=task.lock)
        return [(task.pk, task.payload)] if same.update(key=key, lock=self.timeout(task)) else []
