"""When the nightly runs are due: once per feed and night, at the organisation's local hour, also late. Daily chores."""

import logging
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django_q.tasks import async_task

from apps.connectors.enums import ConnectionState
from apps.flows.models import Feed
from apps.organisations.models import Organisation
from apps.sync.actions import start_run
from apps.sync.broker import chores
from apps.sync.enums import LIVE, Lane, RunKind
from apps.sync.models import Chore, Run

log = logging.getLogger(__name__)

A_DAY = timedelta(days=1)  # by which what was begun may lie ahead: nights are moved; more was a clock that was wrong
EXAMINED_AFTER = 3  # hours after the night began: what it read tells most of what is to be looked at


def due_night(zone: ZoneInfo, hour: int, now: datetime) -> tuple[date, datetime]:
    """The latest night whose hour has come, and that instant.

    An hour that a clock change skips comes at the end of the gap; one that comes twice is the first of the two.
    """
    day = now.astimezone(zone).date()
    at = _instant(day, hour, zone)
    if now < at:
        day -= timedelta(days=1)
        at = _instant(day, hour, zone)
    return day, at


def next_night(zone: ZoneInfo, hour: int, now: datetime) -> datetime:
    """The next instant at which nightly runs of the zone start."""
    day, _at = due_night(zone, hour, now)
    return _instant(day + timedelta(days=1), hour, zone)


def _instant(day: date, hour: int, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(hour), zone).astimezone(UTC)


def due_feeds(organisation: Organisation, night: date, at: datetime) -> QuerySet[Feed]:
    """The feeds that are to be read in the night that begins at the instant."""
    return Feed.objects.filter(
        Q(valid_from=None) | Q(valid_from__lte=night),
        Q(valid_to=None) | Q(valid_to__gte=night - timedelta(days=settings.KONTOR_WINDOW_DAYS)),
        client__organisation=organisation,
        enabled=True,
        created_at__lt=at,
    ).exclude(connection__state=ConnectionState.BLOCKED)


def start_due(now: datetime) -> list[Run]:
    """Start the nightly run of every feed that has not had the latest night's. Late starts catch up."""
    started = []
    for organisation in Organisation.objects.all():
        night, at = due_night(organisation.zone, organisation.night_hour, now)
        # a live run ends first; the night is still due at the next look
        had = Run.objects.filter(Q(night=night) | Q(state__in=LIVE), feed=OuterRef("pk"))
        for feed in due_feeds(organisation, night, at).filter(~Exists(had)).order_by("pk"):
            try:
                run = start_run(feed=feed, kind=RunKind.NIGHTLY, night=night)
            except Exception:  # what is wrong with one keeps no other from its night; the dead-man's switch tells of it
                log.exception("the nightly run of feed %s could not be started", feed.pk)
                continue
            if run.night == night:
                started.append(run)
    return started


def start_chores(now: datetime) -> list[str]:
    """Queue what is to be done once a day and was not begun yet; returns the names."""
    due: dict[str, tuple[date, str, tuple[object, ...]]] = {"purge": (now.date(), "apps.sync.tasks.purge", ())}
    for organisation in Organisation.objects.all():
        night, at = due_night(organisation.zone, organisation.night_hour, now - timedelta(hours=EXAMINED_AFTER))
        task = ("apps.sync.tasks.examine_all", (organisation.pk, at.isoformat()))
        due[f"examine organisation {organisation.pk}"] = (night, *task)
    had = dict(Chore.objects.values_list("name", "day"))
    started = []
    for name, (day, function, arguments) in due.items():
        begun = day, day + A_DAY
        if begun[0] <= had.get(name, date.min) <= begun[1]:
            continue
        with transaction.atomic():  # the task is seen only if the day is ours
            if name not in had:
                Chore.objects.bulk_create([Chore(name=name, day=date.min)], ignore_conflicts=True)
            if Chore.objects.filter(name=name).exclude(day__range=begun).update(day=day):
                async_task(function, *arguments, cluster=chores(Lane.NIGHTLY))
                started.append(name)
    return started
