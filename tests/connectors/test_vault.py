"""What vendors issue is kept encrypted, and no process loses another's entry."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import connection as database
from django.db import connections

from apps.connectors.models import Connector, ConnectorSecret
from apps.connectors.vault import ConnectorVault
from apps.core.scope import system_scope
from tests.conftest import ROOT, Manage
from tests.factories import ConnectorFactory


def test_entries_are_named_and_dropped_one_by_one(db: None) -> None:
    vault = ConnectorVault(ConnectorFactory().pk)

    vault.put("session", {"token": "a"})
    vault.put("refresh", {"token": "b"})
    vault.put("session", None)

    assert vault.get("session") is None
    assert vault.get("refresh") == {"token": "b"}


def test_nothing_there_is_nothing(db: None) -> None:
    vault = ConnectorVault(ConnectorFactory().pk)

    vault.put("session", None)

    assert vault.get("session") is None


def test_entered_secrets_stay_and_issued_ones_are_encrypted(db: None) -> None:
    connector = ConnectorFactory()
    with system_scope("tests"):
        ConnectorSecret.objects.create(connector=connector, fields=json.dumps({"api_key": "entered"}))

    ConnectorVault(connector.pk).put("session", {"token": "canary-token"})

    with system_scope("tests"):
        assert ConnectorSecret.objects.get(pk=connector.pk).entered() == {"api_key": "entered"}
    with database.cursor() as cursor:
        cursor.execute("SELECT issued FROM connectors_connectorsecret")
        assert b"canary" not in bytes(cursor.fetchone()[0])


def test_writers_at_once_lose_nothing(transactional_db: None) -> None:
    connector: Connector = ConnectorFactory()  # nobody has written yet: all four make the row
    together = threading.Barrier(4)

    def write(worker: int) -> None:
        together.wait()
        for turn in range(5):
            ConnectorVault(connector.pk).put(f"{worker}.{turn}", {"n": turn})
        connections.close_all()

    at_once(write)

    with system_scope("tests"):
        held = json.loads(ConnectorSecret.objects.get(pk=connector.pk).issued)
    assert len(held) == 20


def at_once(work: Callable[[int], None]) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


def test_two_processes_keep_both_ones_entries(manage: Manage) -> None:
    connector: Connector = ConnectorFactory()
    command = [sys.executable, "-m", "tests.connectors.take", "keep", str(connector.pk)]
    both = [
        subprocess.Popen([*command, name], cwd=ROOT, env=manage.environment, stdout=subprocess.PIPE) for name in "ab"
    ]
    for process in both:
        process.communicate(timeout=60)

    with system_scope("tests"):
        held = json.loads(ConnectorSecret.objects.get(pk=connector.pk).issued)
    assert sorted(held) == sorted(f"{name}.{turn}" for name in "ab" for turn in range(10))
