"""When the nightly runs are due: once per feed and night, at the organisation's local hour, also late."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.connectors.enums import ConnectionState
from apps.flows.models import Feed
from apps.organisations.models import Organisation
from apps.sync.actions import start_run
from apps.sync.enums import LIVE, RunKind
from apps.sync.models import Run


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
            run = start_run(feed=feed, kind=RunKind.NIGHTLY, night=night)
            if run.night == night:
                started.append(run)
    return started
