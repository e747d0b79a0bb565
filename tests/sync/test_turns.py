"""Whose turn it is: bureaus and lanes share the workers, and a credential is used by so many runs at once."""

import itertools
import json
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from apps.connectors import registry
from apps.connectors.models import ConnectorSecret
from apps.core.scope import system_scope
from apps.flows.models import Feed
from apps.sync import tasks, turns
from apps.sync.actions import start_run
from apps.sync.claims import claim, end, hand_on
from apps.sync.enums import LIVE, Lane, RunKind, RunState
from apps.sync.models import Run, Turn
from tests.conftest import Endurance, Manage
from tests.factories import ClientFactory, ConnectionFactory, ConnectorFactory, FeedFactory, OrganisationFactory
from tests.sync.bureau import answer, start, told
from tests.sync.patient_provider.provider import DIARY

Wait = Callable[..., None]
PATIENT = "patient_provider"


def queued(organisation: Any, count: int = 1, *, credential: str = "", places: int = 0, **fields: Any) -> list[Run]:
    client = ClientFactory(organisation=organisation)
    values = {"client": client, "kind": RunKind.MANUAL, "lane": Lane.NIGHTLY, **fields}
    with system_scope("tests"):
        return [Run.objects.create(credential=credential, places=places, **values) for _ in range(count)]


def taken(lane: str = Lane.NIGHTLY) -> Run:
    run = turns.take(lane)
    assert run is not None
    return run


# -- Between bureaus ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_giant_has_one_turn_in_so_many_as_there_are_bureaus(scope: None) -> None:
    giant, *others = [OrganisationFactory() for _ in range(5)]
    queued(giant, 40)
    for organisation in others:
        queued(organisation, 6)

    order = []
    for _slice in range(30):
        run = taken()
        order.append(run.organisation_id)
        turns.count(run, 1.0)
        end(run, RunState.SUCCEEDED)

    assert Counter(order) == dict.fromkeys([giant.pk, *(organisation.pk for organisation in others)], 6)
    assert all(len(set(order[at : at + 5])) == 5 for at in range(0, 30, 5))


@pytest.mark.django_db(transaction=True)
def test_turns_are_of_equal_time_not_of_equal_number(scope: None) -> None:
    slow, quick = OrganisationFactory(), OrganisationFactory()
    queued(slow, 40)
    queued(quick, 40)

    order = []
    for _slice in range(44):
        run = taken()
        order.append(run.organisation_id)
        turns.count(run, 10.0 if run.organisation_id == slow.pk else 1.0)
        hand_on(run)

    assert Counter(order)[slow.pk] == 4


@pytest.mark.django_db(transaction=True)
def test_who_has_fewest_at_work_is_next_before_who_was_served_least(scope: None) -> None:
    first, second = OrganisationFactory(), OrganisationFactory()
    Turn.objects.create(organisation=second, lane=Lane.NIGHTLY, served=100.0)
    queued(first, 4)
    queued(second, 4)

    assert [taken().organisation_id for _ in range(4)] == [first.pk, second.pk, first.pk, second.pk]


@pytest.mark.django_db(transaction=True)
def test_who_was_away_begins_where_the_others_stand(scope: None) -> None:
    busy, away = OrganisationFactory(), OrganisationFactory()
    Turn.objects.create(organisation=busy, lane=Lane.NIGHTLY, served=5000.0, level=5000.0)
    Turn.objects.create(organisation=away, lane=Lane.NIGHTLY, served=10.0)
    queued(busy, 10)
    queued(away, 10)

    order = []
    for _slice in range(10):
        run = taken()
        order.append(run.organisation_id)
        turns.count(run, 1.0)
        end(run, RunState.SUCCEEDED)

    assert Counter(order) == {busy.pk: 5, away.pk: 5}


@pytest.mark.django_db(transaction=True)
def test_the_oldest_run_of_a_bureau_is_next_and_who_must_wait_is_passed_over(scope: None) -> None:
    organisation = OrganisationFactory()
    [waits] = queued(organisation, not_before=timezone.now() + timedelta(minutes=1))
    first, second = queued(organisation, 2)

    assert [taken().pk, taken().pk] == [first.pk, second.pk]
    assert turns.take(Lane.NIGHTLY) is None
    waits.refresh_from_db()
    assert (waits.state, waits.attempts) == (RunState.QUEUED, 0)


@pytest.mark.django_db(transaction=True)
def test_a_task_is_only_a_wake_up(scope: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task names the giant's run; the turn is another's, of the same lane only."""
    giant, other = OrganisationFactory(), OrganisationFactory()
    Turn.objects.create(organisation=giant, lane=Lane.NIGHTLY, served=100.0)
    [named], [fair] = queued(giant), queued(other)
    [apart] = queued(other, lane=Lane.INTERACTIVE, kind=RunKind.RECALCULATION)
    worked: list[int] = []
    monkeypatch.setattr("apps.sync.engine._slice", lambda run: (worked.append(run.pk), end(run, RunState.SUCCEEDED)))

    said = [tasks.work(named.pk) for _ in range(3)]

    assert worked == [fair.pk, named.pk]
    assert said == [f"{fair.pk} succeeded", f"{named.pk} succeeded", "nothing to do"]
    apart.refresh_from_db()
    assert apart.state == RunState.QUEUED


# -- Places of a credential --------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_no_more_runs_of_a_credential_are_worked_than_it_has_places(scope: None) -> None:
    runs = queued(OrganisationFactory(), 3, credential="key", places=2)
    [other] = queued(OrganisationFactory(), credential="another", places=1)

    first, second = claim(runs[0].pk), claim(runs[1].pk)
    assert first is not None
    assert second is not None
    assert (first.place, second.place) == (0, 1)
    assert claim(runs[2].pk) is None
    assert taken().pk == other.pk
    assert turns.take(Lane.NIGHTLY) is None
    runs[2].refresh_from_db()
    assert (runs[2].state, runs[2].attempts, runs[2].slices) == (RunState.QUEUED, 0, 0)

    hand_on(first, wait=60)
    third = taken()
    assert (third.pk, third.place) == (runs[2].pk, 0)


TAKE = """
import time
from apps.sync.claims import end
from apps.sync.turns import take
with system_scope("a worker"):
    for line in sys.stdin:
        kept = []
        while (run := take("nightly")) is not None:
            kept.append(run)
        print(len(kept), flush=True)
        sys.stdin.readline()
        for run in kept:
            end(run, "succeeded")
        print("ended", flush=True)
"""


@pytest.mark.soak
def test_processes_that_claim_at_once_never_take_more_than_the_places(
    manage: Manage, scope: None, endurance: Callable[..., Endurance]
) -> None:
    job = endurance(short=6, full=100)
    takers = [start(manage, TAKE) for _ in range(4)]
    organisations = [OrganisationFactory() for _ in range(4)]
    for _ in range(job.planned):
        for organisation in organisations:  # one key, used by all of them
            queued(organisation, 3, credential="key", places=3)
        for taker in takers:
            told(taker, "go")
        got = [int(answer(taker)) for taker in takers]
        working = Run.objects.filter(state=RunState.RUNNING)
        assert sum(got) == working.count() == 3, got
        assert sorted(working.values_list("place", flat=True)) == [0, 1, 2]
        for taker in takers:
            told(taker, "on")
        assert [answer(taker) for taker in takers] == ["ended"] * 4
        left = Run.objects.filter(state=RunState.QUEUED)
        assert (left.count(), set(left.values_list("attempts", flat=True))) == (9, {0})
        left.update(state=RunState.SUCCEEDED)
        job.done += 1


@pytest.mark.django_db(transaction=True)
def test_the_night_leaves_the_last_place_to_a_person_who_waits(scope: None) -> None:
    organisation = OrganisationFactory()
    night = queued(organisation, 3, credential="key", places=2)
    [asked] = queued(organisation, lane=Lane.INTERACTIVE, credential="key", places=2)

    assert taken().pk == night[0].pk
    assert turns.take(Lane.NIGHTLY) is None
    assert taken(Lane.INTERACTIVE).pk == asked.pk
    assert turns.take(Lane.NIGHTLY) is None


@pytest.mark.django_db(transaction=True)
def test_the_night_gives_a_place_back_when_a_person_waits_for_it(scope: None) -> None:
    organisation = OrganisationFactory()
    queued(organisation, 2, credential="key", places=2)
    first, second = taken(), taken()
    assert not turns.is_wanted_by_people(first)

    [asked] = queued(organisation, lane=Lane.INTERACTIVE, credential="key", places=2)
    assert turns.take(Lane.INTERACTIVE) is None
    assert turns.is_wanted_by_people(first)
    OrmQ.objects.all().delete()
    hand_on(first)
    turns.wake()

    assert not turns.is_wanted_by_people(second)
    assert [(task.key, task.task["args"]) for task in OrmQ.objects.order_by("id")] == [
        (Lane.NIGHTLY, (first.pk,)),
        (Lane.INTERACTIVE, (asked.pk,)),
    ]
    assert taken(Lane.INTERACTIVE).pk == asked.pk


@pytest.mark.django_db(transaction=True)
def test_places_are_of_the_key_wherever_it_was_entered(patient: None, scope: None) -> None:
    same = [connected("one-key").connection for _ in range(2)]
    other = connected("another").connection

    runs = [
        start_run(feed=Feed.objects.get(connection=connection), kind=RunKind.NIGHTLY) for connection in (*same, other)
    ]

    assert [run.places for run in runs] == [2, 2, 2]
    assert runs[0].credential == runs[1].credential != runs[2].credential
    assert "one-key" not in runs[0].credential


# -- With real workers -------------------------------------------------------------------------------------------------


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    monkeypatch.setenv(registry.PACKAGES_VARIABLE, f"tests.sync.{PATIENT}")
    registry.all_providers.cache_clear()
    yield
    registry.all_providers.cache_clear()


@pytest.fixture
def workers(patient: None, manage: Manage, scope: None, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """`workers(4)` starts so many in the lane of the night."""
    manage.environment |= {registry.PACKAGES_VARIABLE: f"tests.sync.{PATIENT}", DIARY: str(tmp_path / "diary")}
    yield lambda number, **more: manage.start("work", KONTOR_TICK_SECONDS="0.5", KONTOR_WORKERS=str(number), **more)
    manage.stop()


numbers = itertools.count(910000000)


def connected(key: str, *, organisation: Any = None, pages: int = 1, seconds: float = 0.01) -> Feed:
    organisation = organisation or OrganisationFactory()
    number = str(next(numbers))
    values = {"pages": str(pages), "seconds": str(seconds), "number": number}
    connector = ConnectorFactory(organisation=organisation, provider=PATIENT, values=values)
    with system_scope("tests"):
        ConnectorSecret.objects.create(connector=connector, fields=json.dumps({"api_key": key}))
    client = ClientFactory(organisation=organisation, organisation_number=number)
    connection = ConnectionFactory(client=client, connector=connector, pinned_company_id="7")
    feed: Feed = FeedFactory(connection=connection)
    return feed


def diary(folder: Path) -> list[tuple[str, float, float]]:
    lines = (folder / "diary").read_text().splitlines()
    return [(key, float(begun), float(ended)) for key, begun, ended in map(str.split, lines)]


def at_once(pages: list[tuple[str, float, float]]) -> int:
    """How many of these pages were read at the same time, at most."""
    marks = sorted([(begun, 1) for _key, begun, _ended in pages] + [(ended, -1) for _key, _begun, ended in pages])
    return max(sum(mark for _at, mark in marks[: end + 1]) for end in range(len(marks)))


def test_workers_use_a_key_as_often_at_once_as_the_provider_allows_and_others_meanwhile(
    workers: Callable[..., None], wait_until: Wait, tmp_path: Path
) -> None:
    feeds = [connected("narrow", pages=2, seconds=0.2) for _ in range(8)]
    feeds += [connected(f"own-{n}", pages=2, seconds=0.2) for n in range(8)]
    for feed in feeds:
        start_run(feed=feed, kind=RunKind.NIGHTLY)
    workers(5)
    wait_until(lambda: not Run.objects.filter(state__in=LIVE).exists(), seconds=90, every=0.3)

    assert set(Run.objects.values_list("state", "slices", "attempts", "detail")) == {(RunState.SUCCEEDED, 1, 0, "")}
    pages = diary(tmp_path)
    assert len(pages) == 32
    assert at_once([page for page in pages if page[0] == "narrow"]) == 2
    assert at_once(pages) > 2


@dataclass
class Finished:
    """When the runs of a night ended, seconds after it began; the giant's apart."""

    others: list[float]
    giant: list[float]

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.others, n=20)[-1] if len(self.others) > 1 else self.others[0]


@pytest.mark.soak
def test_a_giant_keeps_nobody_waiting(
    workers: Callable[..., None], wait_until: Wait, endurance: Callable[..., Endurance]
) -> None:
    """The night of 49 bureaus, then the same with a giant that has more runs than all of them, each three times as long.

    The bar is on the time of the others. `make test` has 9 bureaus, where the giant's share alone is a ninth and the
    times are short: there only the turns are counted.
    """
    job = endurance(short=70, full=1000)
    bureaus, each, seconds = (49, 10, 0.25) if job.planned == 1000 else (9, 4, 0.05)
    organisations = [OrganisationFactory() for _ in range(bureaus)]
    giant = OrganisationFactory()

    def feeds(organisation: Any, count: int, pages: int) -> list[Feed]:
        # a key each: what one key allows at once is another test's
        return [
            connected(f"{organisation.pk}-{n}-{pages}", organisation=organisation, pages=pages, seconds=seconds)
            for n in range(count)
        ]

    def night(made: list[Feed]) -> Finished:
        began = timezone.now()
        for feed in made:
            start_run(feed=feed, kind=RunKind.NIGHTLY)
        begin = timezone.now()
        wait_until(lambda: not Run.objects.filter(state__in=LIVE).exists(), seconds=120 + 2 * job.planned, every=0.5)
        ended = Run.objects.filter(created_at__gte=began).values_list("organisation", "finished_at", "state")
        assert {state for _organisation, _at, state in ended} == {RunState.SUCCEEDED}
        times = [(organisation, (at - begin).total_seconds()) for organisation, at, _state in ended]
        return Finished(
            sorted(at for organisation, at in times if organisation != giant.pk),
            sorted(at for organisation, at in times if organisation == giant.pk),
        )

    calm = [feed for organisation in organisations for feed in feeds(organisation, each, 1)]
    busy = feeds(giant, job.planned - len(calm), 3)  # the oldest runs are the giant's
    busy += [feed for organisation in organisations for feed in feeds(organisation, each, 1)]
    workers(4, KONTOR_LEASE_SECONDS="20")
    without = night(calm)
    among = night(busy)

    job.done = len(among.others) + len(among.giant)
    # while the runs were being made, the giant's first, nobody else was there to wait
    early = sum(at <= 0 for at in among.giant)
    before = sum(0 < at <= among.p95 for at in among.giant)
    job.name += f", others' p95 {without.p95:.1f} s, with the giant {among.p95:.1f} s, {before} of its runs before that, {early} early"
    assert len(without.others) == len(among.others) == bureaus * each
    # one bureau of so many, and what each worker has begun
    assert before <= len(among.others) / bureaus + 4
    if job.planned == 1000:
        assert among.p95 <= 1.2 * without.p95, (among.p95, without.p95)
