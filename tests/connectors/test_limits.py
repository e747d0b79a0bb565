"""Limits of vendors: one row per key, shared by all processes, lowered only."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import environ
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from apps.connectors import registry
from apps.connectors.limits import Buckets, DatabaseBuckets, Left, MemoryBuckets, SharedLimiter, limiter
from apps.connectors.models import RateBucket
from apps.connectors.sdk.declaration import LimitScope, RateLimit
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.session import Session
from apps.connectors.standalone import session_for
from config import environment
from tests.conftest import ROOT, Manage
from tests.connectors.fake import APP_TOKEN, KEY, NUMBER, SLUG, Vendor, vendor

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


@pytest.fixture(params=["memory", "database"])
def buckets(request: pytest.FixtureRequest) -> Buckets:
    if request.param == "memory":
        return MemoryBuckets()
    request.getfixturevalue("db")
    return DatabaseBuckets()


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


def test_two_processes_share_a_limit(manage: Manage) -> None:
    command = [sys.executable, "-m", "tests.connectors.take", "take"]
    both = [
        subprocess.Popen(command, cwd=ROOT, env=manage.environment, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]

    taken = [int(process.communicate(timeout=60)[0]) for process in both]

    assert sum(taken) == 20, taken
    assert RateBucket.objects.get(pk="shared:0").remaining == 0


def test_two_keys_of_one_company_have_one_place_in_two_processes(manage: Manage) -> None:
    """Half a second in the place each: what they held it must not overlap."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.connectors.take", "place", key, number],
            cwd=ROOT,
            env=manage.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for key, number in (("first", "974760673"), ("second", "974 760 673"), ("third", "974760673"))
    ]
    held = sorted([float(at) for at in process.communicate(timeout=120)[0].split()] for process in started)

    assert [len(times) for times in held] == [2, 2, 2]
    assert all(left[1] <= right[0] for left, right in pairwise(held)), held


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
