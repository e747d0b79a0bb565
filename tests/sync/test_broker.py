"""A lane's queue: letters first and to one cluster only, every task pulled by one, and given back by the dead."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.utils import timezone
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from apps.notifications import outbox, webhooks
from apps.notifications.models import Mail
from apps.sync.broker import LaneBroker, calling, chores, give_back, lanes_with_tasks, letters, pulled, telling
from apps.sync.processes import MARK
from tests.conftest import Manage
from tests.sync.bureau import answer, start, told

MINE, OTHER = "a" * 32, "b" * 32
PULL = """
from apps.sync.broker import LaneBroker
broker = LaneBroker(list_key="nightly")
for line in sys.stdin:
    print(",".join(str(key) for key, payload in broker.dequeue()), flush=True)
"""


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], LaneBroker]:
    def make(mark: str) -> LaneBroker:
        monkeypatch.setenv(MARK, mark)
        return LaneBroker(list_key="nightly")

    return make


def task(key: str = "nightly", *, seconds: float = -1) -> int:
    row: Any = OrmQ.objects.create(key=key, payload="task", lock=timezone.now() + timedelta(seconds=seconds))
    return int(row.pk)


@pytest.mark.django_db
def test_letters_come_first_then_the_oldest_and_nothing_of_another_cluster(broker: Callable[[str], LaneBroker]) -> None:
    first, second = task(), task()
    task("interactive")
    task(letters("nightly", OTHER))
    task(pulled("nightly", OTHER))  # its time is over, but it is that cluster's
    letter = task(letters("nightly", MINE))
    mine = broker(MINE)

    got = [mine.dequeue() for _ in range(4)]

    assert [[pk for pk, _payload in one] for one in got] == [[letter], [first], [second], []]
    assert lanes_with_tasks() == {"interactive", letters("nightly", OTHER), pulled("nightly", OTHER)}


@pytest.mark.django_db
@pytest.mark.parametrize("mark", [MINE, ""])
def test_what_only_tells_goes_before_the_runs_of_its_lane(broker: Callable[[str], LaneBroker], mark: str) -> None:
    runs = [task() for _ in range(3)]
    webhooks.enqueue(7)
    outbox.enqueue(Mail(pk=8))
    letter = [task(letters("nightly", mark))] if mark else []
    OrmQ.objects.update(lock=timezone.now() - timedelta(seconds=1))
    lane = broker(mark)

    got = [one for _ in range(5 + len(letter)) for one in lane.dequeue()]

    told = [SignedPackage.loads(payload)["func"] for _pk, payload in got[len(letter) :][:2]]
    assert told == ["apps.notifications.tasks.tell", "apps.notifications.tasks.send"]
    assert [pk for pk, _payload in got if pk in {*runs, *letter}] == [*letter, *runs]
    if mark:
        assert give_back("nightly", mark) == 5
        keys = Counter(OrmQ.objects.values_list("key", flat=True))
        assert keys == {"nightly": 3, telling("nightly"): 1, calling("nightly"): 1}


@pytest.mark.django_db
@pytest.mark.parametrize("mark", [MINE, ""])
def test_of_slow_webhooks_one_is_called_at_a_time_and_the_runs_go_on(
    broker: Callable[[str], LaneBroker], mark: str
) -> None:
    for webhook in range(5):
        webhooks.enqueue(webhook)
    calls = list(OrmQ.objects.order_by("pk").values_list("pk", flat=True))
    OrmQ.objects.update(lock=timezone.now() - timedelta(seconds=1))
    runs = [task() for _ in range(9)]
    lane = broker(mark)

    def pull(count: int) -> list[int]:
        return [pk for _ in range(count) for pk, _payload in lane.dequeue()]

    assert pull(5) == [calls[0], *runs[:4]]  # as many as a cluster of two workers holds
    for run in runs[:4]:
        lane.acknowledge(run)
    assert pull(2) == runs[4:6]
    lane.acknowledge(calls[0])
    assert pull(3) == [calls[1], *runs[6:8]]
    assert pull(2) == runs[8:]  # and no second call, though there is nothing else
    mail = task(telling("nightly"))
    assert pull(2) == [mail]
    for before, after in pairwise(calls[1:]):
        lane.acknowledge(before)
        assert pull(2) == [after]


@pytest.mark.django_db
def test_a_call_of_another_cluster_or_one_whose_worker_died_keeps_none_waiting(
    broker: Callable[[str], LaneBroker],
) -> None:
    first, second = task(calling("nightly")), task(calling("nightly"))

    assert broker(OTHER).dequeue() == [(first, "task")]
    assert broker(MINE).dequeue() == [(second, "task")]
    third = task(calling("nightly"))
    assert broker(OTHER).dequeue() == []
    OrmQ.objects.filter(pk=first).update(lock=timezone.now() - timedelta(seconds=1))  # nobody acknowledged it
    assert broker(OTHER).dequeue() == [(first, "task")]
    assert give_back("nightly", OTHER) == 1
    assert broker("c" * 32).dequeue() == [(first, "task")]
    assert broker("d" * 32).dequeue() == [(third, "task")]


@pytest.mark.django_db
def test_a_chore_is_no_run_and_takes_its_turn_by_age(broker: Callable[[str], LaneBroker]) -> None:
    """Who asks whether somebody will come by for the lane's runs must not take a chore for one."""
    chore = task(chores("nightly"))
    assert "nightly" not in lanes_with_tasks()
    run = task("nightly")

    lane = broker(MINE)

    assert [pk for _ in range(2) for pk, _payload in lane.dequeue()] == [chore, run]
    assert give_back("nightly", MINE) == 2
    assert set(OrmQ.objects.values_list("pk", "key")) == {(chore, "nightly-"), (run, "nightly")}


@pytest.mark.django_db
def test_what_was_pulled_comes_again_to_the_same_cluster_after_its_time_only(
    broker: Callable[[str], LaneBroker],
) -> None:
    pk = task()
    mine = broker(MINE)
    assert mine.dequeue() == [(pk, "task")]
    assert mine.dequeue() == []
    row = OrmQ.objects.get()
    assert row.key == pulled("nightly", MINE)
    assert row.lock > timezone.now() + timedelta(minutes=1)

    OrmQ.objects.update(lock=timezone.now() - timedelta(seconds=1))
    assert broker(OTHER).dequeue() == []
    assert broker(MINE).dequeue() == [(pk, "task")]
    mine.acknowledge(pk)
    assert not OrmQ.objects.exists()


@pytest.mark.django_db
def test_a_dead_clusters_tasks_are_given_back_at_once_and_its_letters_thrown_away(
    broker: Callable[[str], LaneBroker],
) -> None:
    both = {task(), task()}
    mine = broker(MINE)
    assert {pk for _ in both for pk, _payload in mine.dequeue()} == both
    task(letters("nightly", MINE))
    kept = task(letters("nightly", OTHER))

    assert give_back("nightly", MINE) == 2
    assert set(OrmQ.objects.values_list("pk", "key")) == {(pk, "nightly") for pk in both} | {
        (kept, letters("nightly", OTHER))
    }
    other = broker(OTHER)
    assert {pk for _ in range(3) for pk, _payload in other.dequeue()} == both | {kept}


def test_of_three_clusters_that_pull_at_once_each_task_goes_to_one(manage: Manage) -> None:
    clusters = []
    for mark in (MINE, OTHER, ""):
        manage.environment[MARK] = mark
        clusters.append(start(manage, PULL))
    for cluster in clusters:
        told(cluster, "go")
    assert [answer(cluster) for cluster in clusters] == ["", "", ""]
    keys = [task() for _ in range(30)]

    got: list[str] = []
    for _ in range(120):
        for cluster in clusters:
            told(cluster, "go")
        got += [one for cluster in clusters if (one := answer(cluster))]
        if len(got) >= len(keys):
            break
    assert Counter(got) == Counter(str(key) for key in keys)
