"""Keys are changed under a running night: real workers with both keys, `rotate_keys` beside them, then without the old."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.connectors.models import Connection, ConnectorSecret, Exchange
from apps.core.encryption import newest
from apps.notifications.models import Problem
from apps.sync.actions import start_run
from apps.sync.enums import LIVE, RunKind, RunState
from apps.sync.models import Run
from tests.conftest import Manage
from tests.sync.bureau import Bureau, bureaus

NEW = "the-new-fernet-key-of-the-tests-0123456789"
OLD = "the-first-fernet-key-of-the-tests-0123456789"
# a fresh process that reads everything there is, with the keys it was started with
READS = """
import json
from django.apps import apps
from apps.core.rotation import columns
from apps.connectors.exchanges import body_of
from apps.connectors.models import Exchange
with system_scope("tests"):
    read = sum(value is not None for c in columns() for value in c.model.objects.values_list(c.field.name, flat=True))
    print(json.dumps([read, sum(body_of(row) is not None for row in Exchange.objects.all())]))
"""


@pytest.fixture
def bureau(
    manage: Manage, scope: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Bureau]]:
    with bureaus(manage, tmp_path, monkeypatch) as make:
        yield make


def test_keys_are_changed_under_a_running_night(
    bureau: Callable[..., Bureau], manage: Manage, wait_until: Callable[..., None], settings: Any
) -> None:
    """As the README says: all can read the new key before anybody writes with it, and `work` is replaced beside itself."""
    made = bureau(clients=3, vouchers=60)  # activated with the old key
    assert newest().decrypt(_stored()), "what was there before is of the old key"
    for number in made.feeds:
        made.slow(number, 0.2, path="")

    def working(keys: str) -> subprocess.Popen[str]:
        started = manage.start("work", FERNET_KEYS=keys, KONTOR_WORKERS_INTERACTIVE="2", KONTOR_TICK_SECONDS="0.5")
        wait_until(lambda: Run.objects.filter(state=RunState.RUNNING, done__gt=0).exists(), seconds=60)
        return started

    def night() -> None:
        for feed in made.feeds.values():
            start_run(feed=feed, kind=RunKind.MANUAL)

    night()
    last = working(OLD)
    for keys in (f"{OLD},{NEW}", f"{NEW},{OLD}"):
        settings.FERNET_KEYS = keys.split(",")  # the web processes, which go first
        night()
        both = working(keys)
        last.send_signal(signal.SIGTERM)
        assert last.wait(60) == 0
        last = both
    rotations = 0
    night()
    while Run.objects.filter(state__in=LIVE).exists():
        told = json.loads(manage("rotate_keys", "--json", FERNET_KEYS=keys).stdout.splitlines()[-1])
        assert (told["proven"], told["old"], told["unreadable"]) == (True, 0, 0)
        rotations += 1
    assert rotations, "the night ended before the keys were changed"

    ends = list(Run.objects.values_list("state", "remedy", "detail"))
    assert set(ends) == {(RunState.SUCCEEDED, "", "")}, ends
    assert not Problem.objects.filter(resolved_at=None).exists()
    assert Connection.objects.filter(state="active").count() == len(made.feeds)
    manage.stop()

    only_new = {"FERNET_KEYS": NEW}
    checked = json.loads(manage("rotate_keys", "--check", "--json", **only_new).stdout.splitlines()[-1])
    read, bodies = json.loads(manage.python(READS, **only_new).stdout)
    assert (checked["proven"], checked["values"]) == (True, read)
    assert bodies == Exchange.objects.filter(payload__isnull=False).count() > 20
    assert manage.python(READS, check=False, FERNET_KEYS=OLD).returncode, "the old key alone must read nothing"

    manage("sync", "--all", "--wait", **only_new)  # and the next night has no need of it
    assert Run.objects.exclude(state=RunState.SUCCEEDED).count() == 0


def test_runs_that_were_queued_before_the_signing_key_was_changed_are_worked(
    bureau: Callable[..., Bureau], manage: Manage, wait_until: Callable[..., None], settings: Any
) -> None:
    """django-q2 throws away what it cannot check, SECRET_KEY_FALLBACKS or not; our own rows bring it back."""
    settings.KONTOR_LEASE_SECONDS = 2  # four times as long a queued run is left alone
    made = bureau(clients=2, vouchers=40)
    for feed in made.feeds.values():
        start_run(feed=feed, kind=RunKind.MANUAL)
    former = manage.environment["SECRET_KEY"]

    manage.start("work", SECRET_KEY=former[::-1], SECRET_KEY_FALLBACKS=former, KONTOR_TICK_SECONDS="0.5")

    wait_until(lambda: not Run.objects.filter(state__in=LIVE).exists(), seconds=90)
    assert set(Run.objects.values_list("state", flat=True)) == {RunState.SUCCEEDED}


def _stored() -> bytes:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT fields FROM connectors_connectorsecret ORDER BY connector_id LIMIT 1")
        found = cursor.fetchone()
    assert ConnectorSecret.objects.exists()
    return bytes(found[0])
