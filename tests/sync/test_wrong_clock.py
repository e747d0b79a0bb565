"""A host's clock was wrong for seconds: what was dated meanwhile is not believed afterwards."""

import time
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine

from apps.connectors.grants import GrantTokens
from apps.connectors.models import OAuthGrant
from apps.connectors.sdk.failures import ConnectorError
from apps.connectors.sdk.ports import Tokens
from apps.flows.models import Feed
from apps.notifications.models import Problem
from apps.sync.deadman import watch
from apps.sync.enums import RunKind, RunState
from apps.sync.models import Chore, Run
from apps.sync.timetable import start_chores, start_due
from tests.factories import ConnectionFactory, FeedFactory

EVENING = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
YEARS = timedelta(days=4 * 365)
pytestmark = pytest.mark.django_db


@pytest.fixture
def feed(scope: None) -> Feed:
    with time_machine.travel(EVENING - timedelta(days=30), tick=False):
        made: Feed = FeedFactory(connection__client__organisation__time_zone="Europe/Oslo")
    return made


def test_chores_of_a_day_in_years_to_come_are_begun_today(feed: Feed) -> None:
    examine = f"examine organisation {feed.client.organisation_id}"
    assert set(start_chores(EVENING + YEARS)) == {"purge", examine}

    assert set(start_chores(EVENING)) == {"purge", examine}

    assert set(Chore.objects.values_list("day", flat=True)) == {date(2026, 11, 20)}
    assert start_chores(EVENING + timedelta(minutes=5)) == []


def test_a_chore_of_tomorrow_is_had(feed: Feed) -> None:
    """Of a bureau that has moved its night, or a host whose clock is a little ahead."""
    assert "purge" in start_chores(EVENING + timedelta(hours=2))

    assert start_chores(EVENING) == []


def test_a_run_of_years_to_come_is_not_the_nights(feed: Feed) -> None:
    with time_machine.travel(EVENING + YEARS, tick=False):
        [run] = start_due(EVENING + YEARS)
    ended(run, EVENING)
    morning = datetime(2026, 11, 22, 6, tzinfo=UTC)

    assert watch(morning) == 1  # nothing was started since


def test_a_night_that_was_read_before_it_came_is_late_and_one_of_an_earlier_hour_is_not(feed: Feed) -> None:
    """The bureau that moves its night from two to twenty o'clock has had this one."""
    ahead = datetime(2026, 11, 25, 1, tzinfo=UTC)
    with time_machine.travel(ahead, tick=False):
        [run] = start_due(ahead + timedelta(hours=1))
    assert run.night == date(2026, 11, 25)
    morning = datetime(2026, 11, 25, 6, tzinfo=UTC)

    ended(run, EVENING)
    assert watch(morning) == 1
    ended(run, ahead - timedelta(hours=20))
    assert watch(morning) == 0
    assert not Problem.objects.filter(resolved_at=None).exists()


def test_a_run_by_hand_of_this_night_is_a_reading(feed: Feed) -> None:
    begun = datetime(2026, 11, 25, 3, tzinfo=UTC)
    with time_machine.travel(begun, tick=False):
        run = Run.objects.create(client=feed.client, feed=feed, kind=RunKind.MANUAL, lane="interactive")
    ended(run, begun + timedelta(minutes=9))

    assert watch(datetime(2026, 11, 25, 6, tzinfo=UTC)) == 0


def ended(run: Run, at: datetime) -> None:
    Run.objects.filter(pk=run.pk).update(state=RunState.SUCCEEDED, started_at=at, finished_at=at)


def asked(ahead: float) -> str:
    """The access token, where a lease that ends so many seconds from now stands in the row."""
    grant = OAuthGrant.objects.create(
        connection=ConnectionFactory(), tokens='{"refresh_token": "old"}', lease="x", lease_until=time.time() + ahead
    )
    return GrantTokens(grant.pk).renewed(None, lambda _held, _in_flight: Tokens(access_token="new")).access_token


def test_a_lease_of_years_to_come_keeps_no_token_from_being_renewed(
    scope: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.connectors.grants.LONGEST_WAIT", 0.1)

    assert asked(YEARS.total_seconds()) == "new"
    with pytest.raises(ConnectorError, match="another process"):
        asked(60.0)
