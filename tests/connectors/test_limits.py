"""Limits of vendors: one row per key, shared by all processes, lowered only; in memory, the database and Redis alike."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from math import inf

import environ
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from apps.connectors import registry
from apps.connectors.buckets import MARK
from apps.connectors.limits import (
    OUTAGE,
    Buckets,
    DatabaseBuckets,
    Left,
    MemoryBuckets,
    RedisBuckets,
    SharedLimiter,
    limiter,
)
from apps.connectors.sdk.declaration import LimitScope, RateLimit
from apps.connectors.sdk.failures import ConnectorError, Failure, NotYetError
from apps.connectors.sdk.session import Session
from apps.connectors.standalone import session_for
from config import environment
from tests.conftest import ROOT, Manage
from tests.connectors.fake import APP_TOKEN, KEY, NUMBER, SLUG, Vendor, vendor
from tests.servers import RedisServer

__all__ = ["vendor"]

LEARNT = (RateLimit(scope=LimitScope.CREDENTIAL, remaining_header="x-left", reset_header="x-reset"),)
PUBLISHED = (RateLimit(scope=LimitScope.CREDENTIAL, count=3, seconds=10),)
KEY_ROW = "key:0"


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "database", "redis"])
def buckets(request: pytest.FixtureRequest) -> Buckets:
    if request.param == "memory":
        return MemoryBuckets()
    if request.param == "redis":
        return known(request.getfixturevalue("redis_server"))
    request.getfixturevalue("db")
    return DatabaseBuckets()


def known(server: RedisServer) -> RedisBuckets:
    """Rows in this Redis, which has been asked for long: nothing unknown was taken before."""
    rows = RedisBuckets(server.url)
    rows.client.set(MARK, f"{rows.client.info('server')['run_id']} 0")
    return rows


@pytest.fixture(params=["database", "redis"])
def elsewhere(request: pytest.FixtureRequest, manage: Manage) -> dict[str, str]:
    """The environment of other processes, whose rows are in the database or in Redis, as this one's are."""
    if request.param == "database":
        return manage.environment
    server = request.getfixturevalue("redis_server")
    known(server)
    return manage.environment | {"REDIS_URL": server.url}


@pytest.fixture
def shared(buckets: Buckets, clock: Clock) -> SharedLimiter:
    return SharedLimiter({LimitScope.CREDENTIAL: "key"}, buckets, clock)


def test_a_published_limit_allows_its_count_and_then_tells_the_wait(shared: SharedLimiter, clock: Clock) -> None:
    assert [shared.wait_for(PUBLISHED) for _ in range(3)] == [0, 0, 0]
    clock.now += 4
    assert shared.wait_for(PUBLISHED) == 6
    clock.now += 6
    assert shared.wait_for(PUBLISHED) == 0


def test_plenty_left_writes_nothing(shared: SharedLimiter, buckets: Buckets) -> None:
    shared.learn(LEARNT, {"x-left": "26", "x-reset": "10"}, 200)

    assert buckets.read(KEY_ROW) is None
    assert shared.wait_for(LEARNT) == 0


def test_little_left_is_counted_down_until_the_reset(shared: SharedLimiter, clock: Clock) -> None:
    shared.learn(LEARNT, {"x-left": "2", "x-reset": "10"}, 200)

    assert [shared.wait_for(LEARNT), shared.wait_for(LEARNT)] == [0, 0]
    assert shared.wait_for(LEARNT) == 11  # seconds left are told in whole ones
    clock.now += 11
    assert shared.wait_for(LEARNT) == 0


def test_an_answer_does_not_give_back_what_calls_under_way_have_taken(shared: SharedLimiter, buckets: Buckets) -> None:
    shared.learn(LEARNT, {"x-left": "10", "x-reset": "10"}, 200)
    for _call in range(3):
        shared.wait_for(LEARNT)

    shared.learn(LEARNT, {"x-left": "9", "x-reset": "10"}, 200)

    assert buckets.read(KEY_ROW) == Left(7, 1011.0)


def test_a_late_answer_of_the_window_before_changes_nothing(shared: SharedLimiter, buckets: Buckets) -> None:
    shared.learn(LEARNT, {"x-left": "20", "x-reset": "60"}, 200)

    shared.learn(LEARNT, {"x-left": "0", "x-reset": "1"}, 200)

    assert buckets.read(KEY_ROW) == Left(20, 1061.0)


def test_after_429_nobody_calls_until_the_reset(shared: SharedLimiter, clock: Clock) -> None:
    shared.learn(LEARNT, {"x-reset": "4"}, 429)
    assert shared.wait_for(LEARNT) == 5
    clock.now += 5
    assert shared.wait_for(LEARNT) == 0


def test_a_429_without_a_reset_uses_retry_after_or_five_seconds(shared: SharedLimiter) -> None:
    shared.learn(LEARNT, {"retry-after": "30"}, 429)
    assert shared.wait_for(LEARNT) == 31

    other = SharedLimiter({LimitScope.CREDENTIAL: "other"}, shared.buckets, shared.now)
    other.learn(LEARNT, {}, 429)
    assert other.wait_for(LEARNT) == 5


@pytest.mark.parametrize("odd", ["1764150000", "1764150000000", "inf", "nan", "Wed, 26 Nov 2025 10:00:00 GMT"])
def test_a_reset_that_is_no_number_of_seconds_is_as_good_as_untold(
    shared: SharedLimiter, buckets: Buckets, odd: str
) -> None:
    shared.learn(LEARNT, {"x-left": "3", "x-reset": odd}, 200)
    assert buckets.read(KEY_ROW) is None

    shared.learn(LEARNT, {"x-reset": odd, "retry-after": odd}, 429)
    assert 0 < shared.wait_for(LEARNT) <= 5


def test_a_days_quota_is_waited_for(shared: SharedLimiter, clock: Clock) -> None:
    shared.learn(LEARNT, {"retry-after": "86400"}, 429)

    assert shared.wait_for(LEARNT) == 86401
    clock.now += 86401
    assert shared.wait_for(LEARNT) == 0


@pytest.mark.parametrize("limits", ["learnt", "published", "sliding"])
def test_a_row_that_ends_in_years_to_come_is_none(
    shared: SharedLimiter, buckets: Buckets, clock: Clock, limits: str
) -> None:
    """As an epoch in the place of seconds left it behind, or a clock that was wrong: calls go on, answers count."""
    limit = {"learnt": LEARNT, "published": PUBLISHED, "sliding": SLIDING}[limits]
    assert buckets.swap(KEY_ROW, None, Left(0, inf if isinstance(buckets, DatabaseBuckets) else 1.7e9))

    assert (shared.pause(limit), shared.wait_for(limit)) == (0, 0)
    shared.learn(limit, {"retry-after": "17"}, 429)
    assert shared.wait_for(limit) == 18
    clock.now += 18
    assert shared.wait_for(limit) == 0


def test_rows_are_by_key_and_do_not_tell_it(vendor: Vendor) -> None:
    provider = registry.provider(SLUG)
    auth = provider.auth[0]
    values = {"api_key": KEY, "app_token": APP_TOKEN, "company": NUMBER}

    def prefixes(override: str | None = None, **changed: str) -> dict[LimitScope, str]:
        return dict(limiter(provider, auth, {**values, **changed}, override=override).prefixes)

    assert prefixes() == prefixes()
    credential, company = LimitScope.CREDENTIAL, LimitScope.COMPANY
    assert prefixes()[credential] == prefixes(company="974760673")[credential]
    assert prefixes()[company] != prefixes(company="974760673")[company]
    assert prefixes()[credential] != prefixes(api_key="another")[credential]
    assert prefixes()[credential] != prefixes(override="http://127.0.0.1:1")[credential]
    assert prefixes()[company] == prefixes(api_key="another")[company]  # the company's limit, whoever asks
    assert prefixes()[company] == prefixes(app_token="another")[company]
    assert prefixes(company="FI19675438")[company] == prefixes(company="1967543-8")[company]
    assert KEY not in str(prefixes())
    assert all(len(prefix) < 110 for prefix in prefixes().values())


def test_a_session_waits_and_asks_again_before_it_sends(vendor: Vendor, clock: Clock) -> None:
    session = _session(clock)
    slept: list[float] = []
    session.sleep = lambda seconds: (slept.append(seconds), setattr(clock, "now", clock.now + seconds))[0]  # type: ignore[func-returns-value,assignment]
    vendor.headers = {"X-Remaining": "0", "X-Reset": "3"}

    session.read("/login", method="POST", payload={"key": KEY}, signed=False)
    session.read("/login", method="POST", payload={"key": KEY}, signed=False)

    assert slept == [4]
    assert len(vendor.heard) == 2


def test_a_session_gives_a_long_wait_back_and_sends_nothing(vendor: Vendor, clock: Clock) -> None:
    session = _session(clock)
    vendor.headers = {"X-Remaining": "0", "X-Reset": "60"}
    session.read("/login", method="POST", payload={"key": KEY}, signed=False)

    with pytest.raises(ConnectorError) as caught:
        session.read("/login", method="POST", payload={"key": KEY}, signed=False)

    assert caught.value.failure is Failure.TRANSIENT
    assert caught.value.retry_after == 61
    assert len(vendor.heard) == 1


def test_a_wait_after_the_vendors_own_429_is_told_as_that(vendor: Vendor, clock: Clock) -> None:
    """Only what was not even tried counts no attempt: a vendor that says 429 for ever must come to an end."""
    session = _session(clock)
    session.sleep = lambda _seconds: None
    vendor.fail["/login"], vendor.headers = 429, {"Retry-After": "7"}

    with pytest.raises(ConnectorError) as caught:
        session.read("/login", method="POST", payload={"key": KEY}, signed=False)

    assert not isinstance(caught.value, NotYetError)
    assert (caught.value.failure, caught.value.retry_after, caught.value.sent) == (Failure.TRANSIENT, 8, True)
    assert len(vendor.heard) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_refusal_with_an_epoch_for_seconds_is_tried_again_as_one_that_tells_none(
    vendor: Vendor, clock: Clock, status: int
) -> None:
    session = _session(clock)
    session.sleep = lambda seconds: setattr(clock, "now", clock.now + seconds)
    vendor.fail["/login"], vendor.headers = status, {"Retry-After": "1764150000", "X-Reset": "inf"}

    with pytest.raises(ConnectorError) as caught:
        session.read("/login", method="POST", payload={"key": KEY}, signed=False)

    assert (caught.value.failure, caught.value.retry_after) == (Failure.TRANSIENT, None)
    assert len(vendor.heard) == 4


def _session(clock: Clock) -> Session:
    session = session_for(registry.provider(SLUG), {"api_key": KEY})
    assert isinstance(session.limiter, SharedLimiter)
    session.limiter.now = clock
    return session


@pytest.mark.parametrize("attempt", range(10))
def test_threads_at_once_take_exactly_what_there_is(transactional_db: None, attempt: int) -> None:
    limits = (RateLimit(scope=LimitScope.CREDENTIAL, count=25, seconds=3600),)

    def take(_worker: int) -> int:
        mine = SharedLimiter({LimitScope.CREDENTIAL: f"key{attempt}"})
        taken = sum(mine.wait_for(limits) == 0 for _ in range(10))
        connections.close_all()
        return taken

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(take, range(4))) == 25


def started(environment: dict[str, str], *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.connectors.take", *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def test_four_processes_share_a_limit(elsewhere: dict[str, str]) -> None:
    every = [started(elsewhere, "take") for _ in range(4)]

    taken = [int(process.communicate(timeout=60)[0]) for process in every]

    assert sum(taken) == 20, taken
    row = SharedLimiter({LimitScope.CREDENTIAL: "shared"}).buckets.read("shared:0")
    assert row is not None
    assert row.remaining == 0


def test_four_processes_slide_in_one_window(elsewhere: dict[str, str]) -> None:
    """Each takes what it gets for some seconds: never more than 25 in any five of them, and no less than could be had."""
    every = [started(elsewhere, "slide", "12") for _ in range(4)]

    times = sorted(float(at) for process in every for at in process.communicate(timeout=60)[0].split())

    assert all(later - first > 5 for first, later in zip(times, times[25:], strict=False)), times
    assert len(times) >= 50


@pytest.mark.parametrize(("headers", "status"), [({"x-left": "0", "x-reset": "40"}, 200), ({"retry-after": "40"}, 429)])
def test_what_one_process_learns_stops_the_others(
    elsewhere: dict[str, str], headers: dict[str, str], status: int
) -> None:
    here = SharedLimiter({LimitScope.CREDENTIAL: "shared"})
    assert here.wait_for(LEARNT) == 0

    process = started(elsewhere, "learn", json.dumps(headers), str(status))
    process.communicate(timeout=60)

    assert 30 < here.wait_for(LEARNT) <= 41
    assert 30 < here.pause(LEARNT) <= 41


def test_two_keys_of_one_company_have_one_place_in_two_processes(elsewhere: dict[str, str]) -> None:
    """Half a second in the place each: what they held it must not overlap."""
    every = [
        started(elsewhere, "place", key, number)
        for key, number in (("first", "974760673"), ("second", "974 760 673"), ("third", "974760673"))
    ]
    held = sorted([float(at) for at in process.communicate(timeout=120)[0].split()] for process in every)

    assert [len(times) for times in held] == [2, 2, 2]
    assert all(left[1] <= right[0] for left, right in pairwise(held)), held


def test_most_of_a_short_window_used_is_a_pause_until_all_of_it_is_free(shared: SharedLimiter, clock: Clock) -> None:
    """To look takes nothing."""
    for limits, wait in ((PUBLISHED, 9.0), (SLIDING, 10.5)):
        shared.prefixes = {LimitScope.CREDENTIAL: str(wait)}
        assert [shared.pause(limits) for _ in range(5)] == [0] * 5
        assert shared.wait_for(limits) == 0
        assert shared.pause(limits) == 0
        clock.now += 1
        assert shared.wait_for(limits) == 0
        assert shared.pause(limits) == pytest.approx(wait)
        assert shared.wait_for(limits) == 0


def test_a_long_window_is_a_pause_only_when_it_is_used_up(shared: SharedLimiter) -> None:
    daily = (RateLimit(scope=LimitScope.CREDENTIAL, count=3, seconds=86400),)
    assert [shared.wait_for(daily), shared.wait_for(daily), shared.pause(daily)] == [0, 0, 0]
    assert [shared.wait_for(daily), shared.pause(daily)] == [0, 86400]


# -- Redis comes and goes ----------------------------------------------------------------------------------------------


def test_while_redis_is_gone_nobody_has_a_turn_and_it_is_told_once(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    here = SharedLimiter({LimitScope.CREDENTIAL: "key"}, known(redis_server))
    assert here.wait_for(PUBLISHED) == 0
    entry = here.enter(ALONE, 60)
    assert entry is not None
    redis_server.kill()

    for _call in range(3):
        assert (here.wait_for(PUBLISHED), here.pause(PUBLISHED), here.enter(ALONE, 60)) == (OUTAGE, OUTAGE, None)
        here.learn(LEARNT, {}, 429)
    here.leave(entry)
    redis_server.start()
    assert here.pause(LEARNT) == 0

    said = [record.levelname for record in caplog.records if "Redis" in record.message]
    assert said == ["ERROR", "WARNING"]


def test_a_redis_that_forgot_is_waited_out(redis_server: RedisServer) -> None:
    """What was taken before it was killed is in no row: as long as that may count, nobody has a turn."""
    short = (RateLimit(scope=LimitScope.CREDENTIAL, count=3, seconds=1.5, sliding=True),)
    here = SharedLimiter({LimitScope.CREDENTIAL: "key"}, known(redis_server))
    assert [here.wait_for(short) for _ in range(3)] == [0, 0, 0]
    redis_server.kill()
    redis_server.start()

    told = SharedLimiter({LimitScope.CREDENTIAL: "key"}, RedisBuckets(redis_server.url))
    assert 1 < told.wait_for(short) < 2.1
    assert told.enter(ALONE, 1) is None
    time.sleep(2.1)
    assert told.wait_for(short) == 0
    assert told.enter(ALONE, 1) is not None


def test_a_session_without_redis_waits_and_sends_nothing(
    vendor: Vendor, redis_server: RedisServer, clock: Clock
) -> None:
    session = _session(clock)
    assert isinstance(session.limiter, SharedLimiter)
    session.limiter.buckets = known(redis_server)
    session.sleep = lambda _seconds: None
    redis_server.kill()

    with pytest.raises(NotYetError) as caught:
        session.read("/login", method="POST", payload={"key": KEY}, signed=False)

    assert (caught.value.retry_after, caught.value.sent) == (OUTAGE, False)
    assert vendor.heard == []


def test_who_is_in_the_way_waits_a_bit_only(vendor: Vendor, clock: Clock) -> None:
    session = _session(clock)
    session.sleep = lambda _seconds: None
    vendor.headers = {"X-Remaining": "0", "X-Reset": "3"}
    session.read("/login", method="POST", payload={"key": KEY}, signed=False)
    session.is_in_the_way = lambda: True

    with pytest.raises(NotYetError) as caught:
        session.read("/login", method="POST", payload={"key": KEY}, signed=False)

    assert caught.value.retry_after == 4
    assert len(vendor.heard) == 1


def test_one_consent_is_one_company(vendor: Vendor) -> None:
    auth = registry.provider(SLUG).auth[0]

    def company(name: str, **values: str) -> str:
        prefixes = limiter(registry.provider(SLUG), auth, {"api_key": KEY, **values}, company=name).prefixes
        return prefixes[LimitScope.COMPANY]

    assert company("7") != company("8")
    assert company("7", company=NUMBER) == company("8", company=NUMBER)  # a field says which company is meant


SLIDING = (RateLimit(scope=LimitScope.CREDENTIAL, count=3, seconds=10, sliding=True),)
ALONE = (RateLimit(scope=LimitScope.CREDENTIAL, concurrency=1),)


def test_a_sliding_limit_counts_back_from_each_call(shared: SharedLimiter, clock: Clock) -> None:
    for _call in range(3):
        assert shared.wait_for(SLIDING) == 0
        clock.now += 3

    assert shared.wait_for(SLIDING) == pytest.approx(1.5)  # the first call, ten seconds and the way to the vendor
    clock.now += 1.6
    assert shared.wait_for(SLIDING) == 0
    assert shared.wait_for(SLIDING) == pytest.approx(2.9, abs=0.01)


def test_calls_dated_by_a_clock_that_was_years_ahead_do_not_count(shared: SharedLimiter, clock: Clock) -> None:
    clock.now += 1e9
    assert [shared.wait_for(SLIDING) for _ in range(3)] == [0, 0, 0]
    assert shared.enter(ALONE, 60) is not None
    clock.now -= 1e9

    assert (shared.pause(SLIDING), [shared.wait_for(SLIDING) for _ in range(3)]) == (0, [0, 0, 0])
    assert shared.wait_for(SLIDING) == pytest.approx(10.5)
    assert shared.enter(ALONE, 60) is not None
    clock.now -= 1  # another process asked a moment earlier: those calls were made all the same
    assert shared.wait_for(SLIDING) == pytest.approx(11.5)
    assert shared.enter(ALONE, 60) is None


def test_rows_begun_in_years_to_come_are_waited_for_no_longer(shared: SharedLimiter, buckets: Buckets) -> None:
    if isinstance(buckets, RedisBuckets):
        buckets.client.set(MARK, f"{buckets.client.info('server')['run_id']} 1700000000")
    buckets.begun = 1.7e9

    assert shared.wait_for(PUBLISHED) == 0
    assert shared.enter(ALONE, 60) is not None


def test_a_place_is_given_up_or_runs_out(shared: SharedLimiter, clock: Clock) -> None:
    first = shared.enter(ALONE, 60)
    assert first is not None
    assert shared.enter(ALONE, 60) is None

    shared.leave(first)
    second = shared.enter(ALONE, 60)
    assert second is not None
    clock.now += 61  # killed: nobody has given it up
    third = shared.enter(ALONE, 60)
    assert third is not None
    shared.leave(second)
    assert shared.enter(ALONE, 60) is None


def test_the_limiter_is_never_off_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.limiter(environ.Env(), production=True)
    monkeypatch.setenv("KONTOR_LIMITER", "0")

    assert not environment.limiter(environ.Env(), production=False)
    with pytest.raises(ImproperlyConfigured, match="KONTOR_LIMITER"):
        environment.limiter(environ.Env(), production=True)
