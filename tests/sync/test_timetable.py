"""Nightly runs: once per feed and night at the organisation's hour, also late, also when clocks change."""

import subprocess
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection
from django_q.models import OrmQ

from apps.connectors.models import ConnectorSecret
from apps.core.scope import system_scope
from apps.flows.models import Feed
from apps.sync.actions import start_run
from apps.sync.enums import Lane, RunKind, RunState
from apps.sync.models import Run
from apps.sync.timetable import due_night, next_night, start_due
from tests.conftest import ROOT, Manage
from tests.factories import FeedFactory, lose_the_key
from tests.sync.bureau import python

OSLO, SAO_PAULO, AUCKLAND = (ZoneInfo(name) for name in ("Europe/Oslo", "America/Sao_Paulo", "Pacific/Auckland"))


@pytest.mark.parametrize(
    ("zone", "now", "night", "at"),
    [
        # an ordinary night, a second before and at its hour
        (OSLO, "2026-01-15T00:59:59", "2026-01-14", "2026-01-14T01:00:00"),
        (OSLO, "2026-01-15T01:00:00", "2026-01-15", "2026-01-15T01:00:00"),
        # 29 March 02:00 does not exist: the gap ends at 03:00, which is 01:00 UTC
        (OSLO, "2026-03-29T00:59:59", "2026-03-28", "2026-03-28T01:00:00"),
        (OSLO, "2026-03-29T01:00:00", "2026-03-29", "2026-03-29T01:00:00"),
        (OSLO, "2026-03-30T00:00:00", "2026-03-30", "2026-03-30T00:00:00"),
        # 25 October 02:00 comes twice, at 00:00 and at 01:00 UTC
        (OSLO, "2026-10-24T23:59:59", "2026-10-24", "2026-10-24T00:00:00"),
        (OSLO, "2026-10-25T00:00:00", "2026-10-25", "2026-10-25T00:00:00"),
        (OSLO, "2026-10-25T01:30:00", "2026-10-25", "2026-10-25T00:00:00"),
        (OSLO, "2026-10-26T00:59:59", "2026-10-25", "2026-10-25T00:00:00"),
        # no daylight saving
        (SAO_PAULO, "2026-10-18T04:59:59", "2026-10-17", "2026-10-17T05:00:00"),
        (SAO_PAULO, "2026-10-18T05:00:00", "2026-10-18", "2026-10-18T05:00:00"),
        # the other half of the year, and a day ahead: 27 September skips 02:00, 5 April has it twice
        (AUCKLAND, "2026-09-26T13:59:59", "2026-09-26", "2026-09-25T14:00:00"),
        (AUCKLAND, "2026-09-26T14:00:00", "2026-09-27", "2026-09-26T14:00:00"),
        (AUCKLAND, "2026-04-04T12:59:59", "2026-04-04", "2026-04-03T13:00:00"),
        (AUCKLAND, "2026-04-04T13:00:00", "2026-04-05", "2026-04-04T13:00:00"),
        (AUCKLAND, "2026-04-04T14:30:00", "2026-04-05", "2026-04-04T13:00:00"),
    ],
)
def test_the_latest_night_whose_hour_has_come(zone: ZoneInfo, now: str, night: str, at: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)

    assert due_night(zone, 2, moment) == (date.fromisoformat(night), datetime.fromisoformat(at).replace(tzinfo=UTC))
    assert next_night(zone, 2, moment) > moment


def feed_made(moment: datetime, zone: str = "Europe/Oslo", hour: int = 2, **fields: Any) -> Feed:
    with time_machine.travel(moment, tick=False):
        organisation = {"connection__client__organisation__time_zone": zone}
        made: Feed = FeedFactory(**organisation, connection__client__organisation__night_hour=hour, **fields)
    return made


def ended(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(state=RunState.SUCCEEDED)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("zone", "first", "last"),
    [
        ("Europe/Oslo", "2026-03-27T12:00", "2026-03-31T12:00"),
        ("Europe/Oslo", "2026-10-23T12:00", "2026-10-27T12:00"),
        ("America/Sao_Paulo", "2026-10-16T12:00", "2026-10-20T12:00"),
        ("Pacific/Auckland", "2026-09-24T12:00", "2026-09-28T12:00"),
        ("Pacific/Auckland", "2026-04-02T12:00", "2026-04-06T12:00"),
    ],
)
def test_four_days_over_a_clock_change_have_one_run_each_night(scope: None, zone: str, first: str, last: str) -> None:
    now, end = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (first, last))
    feed = feed_made(now, zone)
    started = []
    while now <= end:
        with time_machine.travel(now, tick=False):
            for run in start_due(now):
                started.append((run.night, now))
                ended(run)
        now += timedelta(minutes=15)

    nights = [night for night, _at in started]
    assert nights == [nights[0] + timedelta(days=number) for number in range(4)]
    hours = [at.astimezone(ZoneInfo(zone)).hour for _night, at in started]
    # The skipped hour two comes as three.
    assert sorted(set(hours)) in ([2], [2, 3])
    assert hours.count(3) == (1 if (zone, first[5:7]) in (("Europe/Oslo", "03"), ("Pacific/Auckland", "09")) else 0)
    assert Run.objects.filter(feed=feed).count() == 4


# The hour of each zone that its clocks skip in spring and have twice in autumn.
CHANGES = {"Europe/Oslo": 2, "Europe/Stockholm": 2, "Europe/Helsinki": 3}


@pytest.mark.django_db
@pytest.mark.parametrize("came_up", ["the noon before", "in the hour itself", "the morning after"])
@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)], ids=["spring", "autumn"])
@pytest.mark.parametrize("zone", CHANGES)
def test_on_the_night_of_a_clock_change_every_client_has_exactly_one_run(
    scope: None, zone: str, day: date, came_up: str
) -> None:
    """`work` looks twice every five minutes of the night, from when it came up to the next noon; runs end at once."""
    noon_before = datetime(day.year, day.month, day.day - 1, 12, tzinfo=UTC)
    changed = CHANGES[zone]
    feeds: dict[int, list[Feed]] = {}
    for hour in (0, changed, changed + 1):
        first = feed_made(noon_before - timedelta(hours=1), zone, hour)
        same = {"connection__client__organisation": first.client.organisation}
        with time_machine.travel(noon_before - timedelta(hours=1), tick=False):
            feeds[hour] = [first, FeedFactory(**same)]
    now = {
        "the noon before": noon_before,  # so that the looks are at whole hours
        "in the hour itself": datetime(day.year, day.month, day.day, 1, 30, tzinfo=UTC),
        "the morning after": datetime(day.year, day.month, day.day, 8, tzinfo=UTC),
    }[came_up]
    started: dict[int, list[datetime]] = {}
    while now <= noon_before + timedelta(days=1):
        with time_machine.travel(now, tick=False):
            for run in (*start_due(now), *start_due(now)):
                started.setdefault(run.feed_id or 0, []).append(now.astimezone(ZoneInfo(zone)))
                ended(run)
        now += timedelta(minutes=5 if now.hour in {20, 21, 22, 23, 0, 1, 2, 3, 4} else 60)

    assert {pk: len(times) for pk, times in started.items()} == {feed.pk: 1 for both in feeds.values() for feed in both}
    assert set(Run.objects.values_list("night", "kind")) == {(day, RunKind.NIGHTLY)}
    if came_up == "the noon before":  # then also at its hour: the first of the two; what is skipped comes an hour later
        spring = day.month == 3
        for hour, both in feeds.items():
            for feed in both:
                [at] = started[feed.pk]
                late = 1 if spring and hour == changed else 0
                assert (at.hour, at.minute, at.fold) == (hour + late, 0, 0)


@pytest.mark.django_db
def test_what_is_wrong_with_one_feed_keeps_no_other_from_its_night(scope: None) -> None:
    """The first cannot even be told by its key, as after a key of FERNET_KEYS was lost; the second has no system."""
    made = datetime(2026, 5, 1, 12, tzinfo=UTC)
    feeds = [feed_made(made) for _ in range(3)]
    for feed in feeds[:2]:
        ConnectorSecret.objects.create(connector=feed.connection.connector)
    lose_the_key(feeds[0].connection.connector)
    broken = feeds[1]
    with connection.cursor() as cursor:
        cursor.execute('UPDATE connectors_connection SET "values" = %s WHERE id = %s', ["[]", broken.connection_id])

    started = {run.feed_id for run in start_due(datetime(2026, 5, 9, 17, 45, tzinfo=UTC))}

    assert started == {feeds[0].pk, feeds[2].pk}  # the first one's run will tell what is missing


@pytest.mark.django_db
def test_a_late_start_makes_the_latest_night_only_and_only_once(scope: None) -> None:
    feed = feed_made(datetime(2026, 5, 1, 12, tzinfo=UTC))
    late = datetime(2026, 5, 9, 17, 45, tzinfo=UTC)

    [run] = start_due(late)
    assert (run.feed_id, run.night, run.kind, run.lane) == (feed.pk, date(2026, 5, 9), RunKind.NIGHTLY, Lane.NIGHTLY)
    assert start_due(late) == []
    ended(run)
    assert start_due(late + timedelta(hours=6)) == []
    assert [run.night for run in start_due(late + timedelta(hours=7))] == [date(2026, 5, 10)]
    assert OrmQ.objects.count() == 2


@pytest.mark.django_db
def test_a_feed_made_after_the_hour_waits_for_its_first_night(scope: None) -> None:
    feed_made(datetime(2026, 5, 9, 0, 0, tzinfo=UTC))  # 02:00 in Oslo, to the second

    assert start_due(datetime(2026, 5, 9, 12, tzinfo=UTC)) == []
    assert [run.night for run in start_due(datetime(2026, 5, 10, 0, 0, tzinfo=UTC))] == [date(2026, 5, 10)]


@pytest.mark.django_db
def test_each_organisation_has_its_own_hour_and_every_client_gets_its_run(scope: None) -> None:
    made = datetime(2026, 5, 1, 12, tzinfo=UTC)
    early, late = feed_made(made, hour=0), feed_made(made, hour=5)
    second = feed_made(made, hour=0, connection__client__organisation=early.client.organisation)

    now = datetime(2026, 5, 9, 0, 30, tzinfo=UTC)  # 02:30
    found = {run.feed_id: run.night for run in start_due(now)}
    assert found == {early.pk: date(2026, 5, 9), second.pk: date(2026, 5, 9), late.pk: date(2026, 5, 8)}


@pytest.mark.django_db
def test_blocked_connections_and_switched_off_feeds_are_left_out(scope: None) -> None:
    made = datetime(2026, 5, 1, 12, tzinfo=UTC)
    feed_made(made, connection__state="blocked")
    feed_made(made, enabled=False)
    paused = feed_made(made, connection__state="paused")  # tried each night: the vendor may have let it in again

    assert [run.feed_id for run in start_due(datetime(2026, 5, 9, 12, tzinfo=UTC))] == [paused.pk]


@pytest.mark.django_db
def test_a_night_that_is_due_during_a_run_by_hand_is_started_after_it(scope: None) -> None:
    feed = feed_made(datetime(2026, 5, 1, 12, tzinfo=UTC))
    now = datetime(2026, 5, 9, 12, tzinfo=UTC)
    by_hand = start_run(feed=feed, kind=RunKind.MANUAL)

    assert start_due(now) == []
    ended(by_hand)
    assert [run.night for run in start_due(now)] == [date(2026, 5, 9)]


TICK = """
from django.utils import timezone
from apps.sync.timetable import start_due
for line in sys.stdin:
    with system_scope("a supervisor"):
        print(len(start_due(timezone.now())), flush=True)
"""


def test_two_supervisors_that_tick_at_once_make_one_run_of_each_feed(manage: Manage, scope: None) -> None:
    ticking = []
    for _ in range(2):
        process = subprocess.Popen(
            python(TICK),
            cwd=ROOT,
            env=manage.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        manage.started.append(process)
        ticking.append(process)

    def tick() -> list[int]:
        for process in ticking:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        return [int(process.stdout.readline()) for process in ticking if process.stdout is not None]

    assert tick() == [0, 0]
    before = datetime.now(UTC) - timedelta(days=3)
    for number in range(1, 6):
        for _ in range(3):
            feed_made(before)
        with system_scope("tests"):
            tick()
            assert tick() == [0, 0]
            assert (Run.objects.count(), OrmQ.objects.count()) == (number * 3, number * 3)
            assert Run.objects.values("feed").distinct().count() == number * 3


@pytest.mark.django_db
def test_a_night_that_another_process_has_made_and_ended_meanwhile_is_joined(
    scope: None,
) -> None:
    feed = feed_made(datetime(2026, 5, 1, 12, tzinfo=UTC))
    night = date(2026, 5, 9)
    made = start_run(feed=feed, kind=RunKind.NIGHTLY, night=night)
    ended(made)

    assert start_run(feed=feed, kind=RunKind.NIGHTLY, night=night).pk == made.pk
    assert Run.objects.count() == 1
