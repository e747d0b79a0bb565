"""Clients of one application, fifty and five hundred, in a night of four processes: the vendor never says 429."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.connectors import environment
from apps.connectors.actions import activate
from apps.connectors.models import RateBucket
from apps.connectors.providers.fortnox.sandbox.service import FortnoxSandbox
from apps.connectors.providers.fortnox.sandbox.window import LIMIT
from apps.connectors.sdk.sandbox import Answer, Books, Edit, Request
from apps.core.scope import system_scope
from apps.flows.actions import ensure_feed
from apps.flows.models import Feed
from apps.ledger.enums import Grade
from apps.ledger.models import LedgerState, Voucher
from apps.notifications.models import Problem
from apps.records.ledger import FiscalYear
from apps.sandbox.server import running
from apps.sandbox.store import Store
from apps.sync.actions import start_run
from apps.sync.engine import work
from apps.sync.enums import LIVE, RunKind, RunState
from apps.sync.models import Run
from tests.conftest import Endurance, Manage
from tests.connectors.providers.fortnox.books import ACCOUNTS, rent
from tests.factories import ClientFactory, OrganisationFactory
from tests.servers import RedisServer

APPLICATION = {"client_id": "one-app", "client_secret": "of-the-operator"}
CLIENTS, WORKERS = 50, 4
LATE, EARLY, GONE = 40, 20, 20  # vouchers in the window that a night reads, before it, and lost between two nights
Wait = Callable[..., None]


class Counting(FortnoxSandbox):
    """Counts the calls of each client id and tenant, as the limit does. Without files, each voucher is a call."""

    def __init__(self) -> None:
        super().__init__(Store())
        self.asked: Counter[str] = Counter()
        self.files = True

    def _read(self, request: Request, path: str, *more: Any) -> Answer:
        if path.startswith("/3/sie") and not self.files:
            return Answer(status=404)
        return super()._read(request, path, *more)

    def _full(self, key: str) -> Answer | None:
        self.asked[key] += 1
        return super()._full(key)


@dataclass
class Night:
    """Clients with their feeds, and the sandbox they are read from."""

    sandbox: Counting
    feeds: list[Feed]

    def start(self, feeds: list[Feed], day: int) -> list[Run]:
        night = timezone.localdate() - timedelta(days=2 - day)
        return [start_run(feed=feed, kind=RunKind.NIGHTLY, night=night) for feed in feeds]

    def lose(self, feed: Feed) -> None:
        """As when a SIE import replaced the year: every voucher that is missing must be asked for by itself."""
        self.sandbox.store.set("delete_means", "gone")
        for n in range(GONE):
            self.sandbox.edit(feed.client.number, Edit(action="delete", external_id=names(n)[0]))

    def said(self, what: str) -> int:
        return self.sandbox.store.counters().get(what, 0)


def names(n: int) -> tuple[str, date]:
    """The n-th of the late vouchers: its name and day."""
    day = timezone.localdate() - timedelta(days=2 * n)
    return f"rent-{day}-{n}", day


def books(number: str, organisation_number: str, *, late: int = LATE, early: int = EARLY) -> Books:
    this = timezone.localdate().year
    recent = [rent(names(n)[1], n) for n in range(late)]
    older = [rent(date(this - 1, 1, 1) + timedelta(days=n), LATE + n) for n in range(early)]
    return Books(
        company=number,
        name=f"Bolag {number} AB",
        organisation_number=organisation_number,
        country="SE",
        currency="SEK",
        fiscal_years=tuple(FiscalYear(start=date(y, 1, 1), end=date(y, 12, 31)) for y in (this - 1, this)),
        accounts=ACCOUNTS,
        dimensions=(),
        openings={"1930": Decimal("10000.50"), "2081": Decimal("-10000.50")},
        vouchers=(*older, *recent),
    )


def organisation_number(n: int) -> str:
    """A number with its check digit, by Luhn."""
    nine = f"{559100000 + n}"
    digits = [int(digit) * (2 if at % 2 == 0 else 1) for at, digit in enumerate(nine)]
    return f"{nine}{-sum(digit // 10 + digit % 10 for digit in digits) % 10}"


@pytest.fixture
def night(manage: Manage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Night]]:
    """`night(50)`: so many companies with a service account each, connected and ready to be read."""
    sandbox = Counting()
    with system_scope("tests"), running({"fortnox": sandbox}) as url:
        operator = {environment.variable("fortnox", name): value for name, value in APPLICATION.items()}
        operator[environment.variable("fortnox", "BASE_URL")] = f"{url}/fortnox"
        operator[environment.PRIVATE_HOSTS] = url.removeprefix("http://")
        for name, value in operator.items():
            monkeypatch.setenv(name, value)
        manage.environment |= operator

        def make(clients: int, **more: int) -> Night:
            organisation = OrganisationFactory(country="SE")
            return Night(sandbox, [connected(sandbox, organisation, n, **more) for n in range(clients)])

        yield make
        manage.stop()  # before the sandbox that its workers are reading from


def connected(sandbox: Counting, organisation: Any, n: int, **more: int) -> Feed:
    number, tenant, company = f"{3000 + n}", 31000 + n, organisation_number(n)
    consents = [{"client_id": APPLICATION["client_id"], "service": True}]
    access = {"tenant": tenant, "clients": [APPLICATION], "consents": consents}
    sandbox.seed(books(number, company, **more), access)
    client = ClientFactory(organisation=organisation, number=number, country="SE", organisation_number=company)
    values = {"tenant_id": str(tenant)}
    outcome = activate(client=client, provider="fortnox", auth="oauth_client", values=values, secrets={}, actor=None)
    assert outcome.connection is not None
    assert outcome.trouble is None, outcome.trouble
    return ensure_feed(connection=outcome.connection, actor=None)


def assert_read(told: Night, runs: list[Run], vouchers: int) -> None:
    """Every run succeeded, every client's books agree with the vendor's balances, and nobody was refused."""
    ends = Counter(Run.objects.filter(pk__in=[run.pk for run in runs]).values_list("state", "remedy", "detail"))
    assert ends == {(RunState.SUCCEEDED, "", ""): len(runs)}
    assert not Problem.objects.filter(resolved_at=None).exists()
    for run in runs:
        proof = LedgerState.objects.get(client=run.client).proof
        assert proof is not None
        assert (proof.grade, proof.control_difference) == (Grade.CONTROL_TOTALS, Decimal(0)), run.client.number
        assert Voucher.objects.filter(client=run.client, deleted_at=None).count() == vouchers
    assert (told.said("limited"), told.said("answers.429")) == (0, 0)


@pytest.mark.soak
def test_fifty_clients_in_one_night_are_never_too_many_requests(
    night: Callable[..., Night], manage: Manage, wait_until: Wait, endurance: Callable[..., Endurance]
) -> None:
    """The first night reads all the books; in the next each company has more to be asked than the limit allows at once.

    `make test` has all fifty in the first night, and a dozen in the next.
    """
    job = endurance(short=12, full=CLIENTS)
    told = night(CLIENTS)
    patient = {"KONTOR_DELETE_SOME": "1000", "KONTOR_TICK_SECONDS": "0.5", "KONTOR_WORKERS": str(WORKERS)}

    first = told.start(told.feeds, 0)
    manage.start("work", **patient)
    wait_until(lambda: not Run.objects.filter(state__in=LIVE).exists(), seconds=240, every=0.5)

    assert_read(told, first, EARLY + LATE)
    assert len(set(Run.objects.exclude(worker="").values_list("worker", flat=True))) == WORKERS

    feeds = told.feeds[: job.planned]
    for feed in feeds:
        told.lose(feed)
    told.sandbox.asked.clear()
    second = told.start(feeds, 1)
    wait_until(lambda: not Run.objects.filter(state__in=LIVE).exists(), seconds=400, every=0.5)

    assert_read(told, second, EARLY + LATE - GONE)
    assert len(told.sandbox.asked) == job.planned
    assert min(told.sandbox.asked.values()) > LIMIT
    job.done = len(second)
    job.failures = told.said("limited")


def test_the_sandbox_does_refuse_one_client_without_the_limiter(night: Callable[..., Night], settings: Any) -> None:
    told = night(1)
    settings.KONTOR_LIMITER = False
    [first] = told.start(told.feeds, 0)
    work(first.pk)
    told.lose(told.feeds[0])
    [second] = told.start(told.feeds, 1)
    work(second.pk)

    assert told.said("limited") > 0
    assert told.said("answers.429") == told.said("limited")


# -- Five hundred ------------------------------------------------------------------------------------------------------

FEW = {"late": 16, "early": 4}  # vouchers; with the lists and balances about forty calls a client, one by one


@pytest.fixture(params=["database", "redis"])
def rows(request: pytest.FixtureRequest, manage: Manage) -> RedisServer | None:
    """Where the limits are counted, here and in the workers."""
    if request.param == "database":
        return None
    server: RedisServer = request.getfixturevalue("redis_server")
    manage.environment["REDIS_URL"] = server.url
    return server


def all_ended() -> bool:
    return not Run.objects.filter(state__in=LIVE).exists()


@pytest.mark.soak
def test_five_hundred_clients_with_more_calls_each_than_the_limit_are_never_too_many_requests(
    rows: RedisServer | None,
    night: Callable[..., Night],
    manage: Manage,
    wait_until: Wait,
    endurance: Callable[..., Endurance],
) -> None:
    job = endurance(short=12, full=500 if connection.vendor == "sqlite" else 50)
    told = night(job.planned, **FEW)
    told.sandbox.files = False
    told.sandbox.asked.clear()

    runs = told.start(told.feeds, 0)
    manage.start("work", KONTOR_TICK_SECONDS="0.5", KONTOR_WORKERS=str(WORKERS))
    wait_until(all_ended, seconds=60 + 3 * job.planned, every=0.5)

    assert_read(told, runs, sum(FEW.values()))
    assert len(told.sandbox.asked) == job.planned
    assert min(told.sandbox.asked.values()) > LIMIT
    # four at a time; one that has worked 200 tasks (Q_CLUSTER) makes room for another
    assert len(set(Run.objects.exclude(worker="").values_list("worker", flat=True))) >= WORKERS
    assert RateBucket.objects.exists() == (rows is None)
    job.done = len(runs)
    job.failures = told.said("limited")


def test_the_sandbox_does_refuse_four_workers_without_the_limiter(
    night: Callable[..., Night], manage: Manage, wait_until: Wait
) -> None:
    told = night(4, **FEW)
    told.sandbox.files = False
    told.start(told.feeds, 0)
    manage.start("work", KONTOR_LIMITER="0", KONTOR_TICK_SECONDS="0.5", KONTOR_WORKERS=str(WORKERS))

    wait_until(lambda: told.said("limited") > 0, seconds=90)
    assert told.said("answers.429") > 0


def test_one_worker_reads_another_client_while_one_waits_for_its_turn(
    night: Callable[..., Night], manage: Manage, wait_until: Wait
) -> None:
    """Each client must wait five seconds and more in the middle; hardly anything is asked for twice."""
    told = night(4, **FEW)
    told.sandbox.files = False
    alone, *together = told.feeds
    patient = {"KONTOR_TICK_SECONDS": "0.5", "KONTOR_WORKERS": "1", "KONTOR_SLICE_SECONDS": "60"}
    manage.start("work", **patient)
    told.sandbox.asked.clear()
    [first] = told.start([alone], 0)
    wait_until(all_ended, seconds=60)
    assert set(Run.objects.values_list("slices", flat=True)) == {1}  # nobody else was there: it waited where it was
    [calls] = told.sandbox.asked.values()
    told.sandbox.asked.clear()
    runs = told.start(together, 0)
    wait_until(all_ended, seconds=60)

    assert_read(told, [first, *runs], sum(FEW.values()))
    ended = Run.objects.filter(pk__in=[run.pk for run in runs])
    assert set(ended.values_list("attempts", flat=True)) == {0}
    assert max(ended.values_list("slices", flat=True)) > 1
    begun, done = min(run.started_at for run in ended), max(run.started_at for run in ended)
    earliest = min(run.finished_at for run in ended)
    assert done < earliest, (begun, done, earliest)  # all had begun before the first was ready
    # a new slice asks for the years again, and for the few calls after the last step
    assert max(told.sandbox.asked.values()) <= calls + 8 * (max(run.slices for run in ended) - 1)


@pytest.mark.parametrize("rows", ["redis"], indirect=True)
def test_redis_killed_in_the_middle_of_a_night_costs_time_and_nothing_else(
    rows: RedisServer, night: Callable[..., Night], manage: Manage, wait_until: Wait
) -> None:
    told = night(6, **FEW)
    told.sandbox.files = False
    told.sandbox.asked.clear()
    runs = told.start(told.feeds, 0)
    manage.start("work", KONTOR_TICK_SECONDS="0.5", KONTOR_WORKERS=str(WORKERS))
    wait_until(lambda: told.sandbox.asked.total() > 60, seconds=60, every=0.02)

    rows.kill()
    time.sleep(1)  # calls under way end
    before = told.sandbox.asked.total()
    time.sleep(4)
    assert told.sandbox.asked.total() == before
    assert not all_ended()
    rows.start()
    wait_until(all_ended, seconds=120, every=0.5)

    assert_read(told, runs, sum(FEW.values()))
    assert set(Run.objects.values_list("attempts", flat=True)) == {0}
