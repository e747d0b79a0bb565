"""`manage.py sync`: works the runs itself where no worker does, tells a line per run, and exits as COMMANDS.md says."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from apps.clients.models import Client
from apps.ledger.models import Voucher
from apps.sync.enums import LIVE, RunState
from apps.sync.models import Run
from tests.conftest import Manage
from tests.factories import ClientFactory, FeedFactory
from tests.sync.bureau import Bureau, bureaus


@pytest.fixture
def bureau(
    manage: Manage, scope: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Bureau]]:
    with bureaus(manage, tmp_path, monkeypatch) as make:
        yield make


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_wait_works_the_run_without_workers_and_tells_it_as_one_json_line(
    bureau: Callable[..., Bureau], manage: Manage
) -> None:
    made = bureau(clients=1)
    [(number, feed)] = made.feeds.items()
    slug = feed.client.organisation.slug

    done = manage("sync", "--client", f"{slug}/{number}", "--wait", "--json")

    [told] = lines(done.stdout)
    run = Run.objects.get()
    assert told == {
        "run": run.pk,
        "client": number,
        "state": "succeeded",
        "failure": None,
        "remedy": None,
        "counts": run.counts,
        "grade": 1,
        "control_difference": "0.00",
    }
    assert Voucher.objects.count() == made.held_by_vendor(number)

    again = manage("sync", "--client", number, "--days", "30", "--wait")
    assert "complete" in again.stdout
    newest = Run.objects.latest("pk")
    today = timezone.now().astimezone(feed.client.zone).date()
    assert (newest.window_from, newest.first_load, newest.whole) == (today - timedelta(days=30), False, False)
    dates = ("--from", f"{today.year}-01-01", "--to", today.isoformat())
    manage("sync", "--client", number, *dates, "--wait")
    newest = Run.objects.latest("pk")
    assert (newest.window_from.isoformat(), newest.window_to) == (f"{today.year}-01-01", today)


def test_a_refused_connection_exits_1_and_names_the_remedy(bureau: Callable[..., Bureau], manage: Manage) -> None:
    made = bureau(clients=2)
    first = next(iter(made.feeds))
    Client.objects.filter(number=first).update(organisation_number="974760673")  # somebody else's

    done = manage("sync", "--all", "--wait", "--json", check=False)

    assert done.returncode == 1
    told = {line["client"]: line for line in lines(done.stdout)}
    assert told[first]["state"] in ("blocked", "failed")
    assert told[first]["remedy"]
    assert (told[first]["grade"], told[first]["control_difference"]) == (4, "0.00")
    [other] = [line for number, line in told.items() if number != first]
    assert (other["state"], other["grade"]) == ("succeeded", 1)


def test_without_wait_it_only_queues_and_a_second_call_joins(manage: Manage, scope: None) -> None:
    feed = FeedFactory()

    first, second = (lines(manage("sync", "--all", "--json").stdout) for _ in range(2))
    assert first == second
    assert [line["state"] for line in first] == ["queued"]
    assert list(Run.objects.values_list("feed", "state", "attempts")) == [(feed.pk, "queued", 0)]


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--all", "--client", "1"],
        ["--client", "no-such-client"],
        ["--all", "--days", "5", "--from", "2026-01-01", "--to", "2026-02-01"],
        ["--all", "--days", "-5"],
        ["--all", "--days", "many"],
        ["--all", "--from", "2026-01-01"],
        ["--all", "--to", "2026-01-01"],
        ["--all", "--from", "2026-02-01", "--to", "2026-01-01"],
        ["--all", "--from", "2026-02-30", "--to", "2026-03-01"],
    ],
    ids=" ".join,
)
def test_wrong_use_exits_2_and_starts_nothing(manage: Manage, scope: None, options: list[str]) -> None:
    FeedFactory()

    done = manage("sync", *options, "--json", check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.strip()
    assert not Run.objects.exists()


def test_a_number_of_two_bureaus_exits_2_naming_both(manage: Manage, scope: None) -> None:
    clients = [ClientFactory(number="77") for _ in range(2)]

    done = manage("sync", "--client", "77", check=False)
    assert done.returncode == 2
    assert all(client.organisation.slug in done.stderr for client in clients)


def test_beside_running_workers_neither_does_a_slice_twice(
    bureau: Callable[..., Bureau], manage: Manage, wait_until: Callable[..., None]
) -> None:
    made = bureau(clients=3)
    work = manage.start("work", KONTOR_TICK_SECONDS="0.5")

    done = manage("sync", "--all", "--wait", "--json")

    assert [line["state"] for line in lines(done.stdout)] == ["succeeded"] * 3
    assert not Run.objects.filter(state__in=LIVE).exists()
    work.terminate()
    assert work.wait(60) == 0
    for number, feed in made.feeds.items():
        run = Run.objects.get(feed=feed)
        assert (run.state, run.attempts, run.detail) == (RunState.SUCCEEDED, 0, "")
        assert Voucher.objects.filter(client=feed.client).count() == made.held_by_vendor(number) == run.done
