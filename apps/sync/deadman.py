"""The dead-man's switch: a night that was not read by its hour is a problem by itself.

It is looked at by `work`, and by the web process whenever somebody asks how things are: dead workers cannot tell.
"""

import logging
import time as clock
from datetime import UTC, date, datetime, time, timedelta

from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from apps.core.scope import system_scope
from apps.notifications.actions import keep_affected, raise_problem, resolve_problems
from apps.notifications.models import Problem
from apps.organisations.models import Organisation
from apps.sync.enums import LIVE
from apps.sync.models import Run
from apps.sync.remedies import NIGHT_LATE, night_late
from apps.sync.timetable import due_feeds, due_night

log = logging.getLogger(__name__)

LONGEST, BY_DAY = 12, 4  # hours
LOOKED: dict[str, float] = {}  # of this process


def watch(now: datetime) -> int:
    """Judge the latest night of every bureau whose hour has passed; how many bureaus have a late one."""
    return sum(_judge(organisation, now) for organisation in Organisation.objects.all())


def watch_now_and_then() -> bool:
    """At most once in KONTOR_WATCH_SECONDS for each process, and never the fault of a web request that asks.

    Whether it looked now.
    """
    now = clock.monotonic()
    if now - LOOKED.get("at", -settings.KONTOR_WATCH_SECONDS) < settings.KONTOR_WATCH_SECONDS:
        return False
    LOOKED["at"] = now
    try:
        with system_scope("the dead-man's switch looks at every bureau"):
            watch(timezone.now())
    except DatabaseError:
        log.exception("the night could not be judged")
    return True


def ready_at(organisation: Organisation, night: date) -> datetime:
    """When the night must have been read: the first KONTOR_READY_HOUR after it began, local time.

    A bureau whose "night" is by day would be told half a day late, or, with the next night begun, never: it is told
    BY_DAY hours after.
    """
    after = (settings.KONTOR_READY_HOUR - organisation.night_hour) % 24
    if not 0 < after <= LONGEST:
        after = BY_DAY
    local = datetime.combine(night, time(organisation.night_hour)) + timedelta(hours=after)
    return local.replace(tzinfo=organisation.zone).astimezone(UTC)


def _judge(organisation: Organisation, now: datetime) -> bool:
    night, at = due_night(organisation.zone, organisation.night_hour, now)
    ready = ready_at(organisation, night)
    if now < ready:
        return False  # what is told of the night before stays until this one is judged, or caught up
    feeds = list(due_feeds(organisation, night, at).select_related("client"))
    # Runs dated by a clock that was wrong are none of this night: they ended before it, or were made after now.
    # A day before, as the bureau may have moved its night since.
    nightly = Run.objects.filter(feed__in=feeds, night=night).exclude(finished_at__lt=at - timedelta(days=1))
    begun = dict(nightly.values_list("feed_id", "state"))
    # read by hand since the night began is read, too
    ended = Run.objects.filter(feed__in=feeds, created_at__range=(at, now)).exclude(state__in=LIVE)
    read = set(ended.exclude(finished_at__lt=at).values_list("feed_id", flat=True))
    never_worked = set(
        Run.objects.filter(feed__in=feeds, night=night, state__in=LIVE, started_at=None).values_list(
            "feed_id", flat=True
        )
    )
    late = [feed for feed in feeds if feed.pk not in read and begun.get(feed.pk, LIVE[0]) in LIVE]
    if not late:
        _over(organisation)
        return False
    never = sum(1 for feed in late if feed.pk not in begun or feed.pk in never_worked)
    facts = {"night": night.isoformat(), "hour": f"{ready.astimezone(organisation.zone):%H:%M}"}
    clients = [feed.client for feed in late]
    trouble = night_late(len(late), len(feeds), never, facts)
    problem = raise_problem(client=None, subject=organisation, trouble=trouble, clients=clients)
    keep_affected(problem, clients)
    return True


def _over(organisation: Organisation) -> None:
    if Problem.objects.filter(organisation=organisation, code=NIGHT_LATE, resolved_at=None).exists():
        resolve_problems(subject=organisation)
