"""SIGKILL in the middle of taking clients in: done again, nothing is doubled, and the report is right."""

import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.audit.models import AuditLine
from apps.clients.models import Client
from apps.connectors.models import Connection
from apps.core.scope import system_scope
from apps.flows.models import Feed
from apps.onboarding.actions import list_companies, start, try_again
from apps.onboarding.claims import rows
from apps.onboarding.enums import BUSY
from apps.onboarding.models import Batch, Line
from tests.conftest import Endurance, Manage
from tests.onboarding.keys import Bureau, Vendor, make_bureau, norwegian, worked
from tests.sync.bureau import answer
from tests.sync.bureau import start as started

# Works the batch, and stops before its n-th statement that writes, to be killed there; tells which one it was.
WORKER = """
import time
from django.conf import settings
from django.db import connection
from apps.onboarding.tasks import work
settings.KONTOR_HEARTBEAT_SECONDS = 60
left = int(sys.argv[2])
def counted(execute, sql, params, many, context):
    global left
    words = sql.split(None, 2)
    if words[0] in ("INSERT", "UPDATE", "DELETE", "RELEASE"):
        left -= 1
        if left == 0:
            print(" ".join(words[:2]) + " " + (words[2].split(None, 1)[0] if words[0] == "INSERT" else ""), flush=True)
            time.sleep(600)
    return execute(sql, params, many, context)
with connection.execute_wrapper(counted):
    print(work(int(sys.argv[1])), flush=True)
"""
COMPANIES = 6


def begun(vendor: Vendor, bureau: Bureau, round_: int) -> Batch:
    numbers = [norwegian(round_ * COMPANIES + index) for index in range(COMPANIES)]
    vendor.companies(*((f"Selskap {number}", number) for number in numbers))
    batch = worked(list_companies(connector=bureau.connector, actor=bureau.owner))
    fresh = set(Line.objects.filter(batch=batch, organisation_number__in=numbers).values_list("pk", flat=True))
    assert len(fresh) == COMPANIES
    assert start(batch=batch, chosen=fresh, first_number=0, actor=bureau.owner)
    return batch


@pytest.mark.soak
def test_killed_anywhere_nothing_is_doubled_and_the_report_is_right(
    manage: Manage, vendor: Vendor, endurance: Callable[..., Endurance]
) -> None:
    job = endurance(short=12, full=80)
    chance = random.Random(job.seed)  # noqa: S311 - kills, no secrets
    manage.environment |= vendor.environment
    where: Counter[str] = Counter()
    vendor.companies(("Selskap Null", norwegian(9999)))
    bureau = make_bureau()
    round_ = 0
    while job.done < job.planned:
        with system_scope("tests"):
            batch = begun(vendor, bureau, round_)
            while _busy(batch):
                line = _worked_until_killed(manage, batch, chance.randint(3, 40))
                if line in BUSY or line in ("ended", "not ours"):
                    continue
                where[line.split()[0]] += 1
                job.done += 1
            if batch.lines.filter(trouble__code="onboarding.crashed").exists():  # killed three times on end
                assert try_again(batch=batch, actor=bureau.owner)
                worked(batch)
            _assert_right(batch)
        round_ += 1
    assert set(where) >= {"INSERT", "UPDATE"}, where
    with system_scope("tests"):
        made = round_ * COMPANIES
        assert (Client.objects.count(), Connection.objects.count(), Feed.objects.count()) == (made, made, made)


def _busy(batch: Batch) -> bool:
    batch.refresh_from_db()
    rows().filter(pk=batch.pk).update(lease_until=timezone.now() - timedelta(seconds=1), not_before=None)
    return batch.state in BUSY


def _worked_until_killed(manage: Manage, batch: Batch, writes: int) -> str:
    process = started(manage, WORKER, batch.pk, writes)
    line = answer(process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return line


def _assert_right(batch: Batch) -> None:
    lines = list(batch.lines.filter(chosen=True).select_related("client", "connection"))
    assert {line.state for line in lines} == {"made"}
    assert {tuple(line.made) for line in lines} == {("client", "connection", "feed")}
    ids = [str(line.client_id) for line in lines]
    assert len(set(ids)) == COMPANIES
    assert len({line.client.number for line in lines}) == COMPANIES  # type: ignore[union-attr]
    assert {line.connection.state for line in lines} == {"active"}  # type: ignore[union-attr]
    added = AuditLine.objects.filter(action="client.added", subject_id__in=ids).values_list("subject_id", flat=True)
    assert sorted(added) == sorted(ids)


def test_workers_killed_and_started_again_finish_the_batch(
    manage: Manage, vendor: Vendor, wait_until: Callable[..., None]
) -> None:
    manage.environment |= {**vendor.environment, "KONTOR_TICK_SECONDS": "0.3"}
    vendor.companies(*((f"Selskap {index}", norwegian(index)) for index in range(12)))
    bureau = make_bureau()
    with system_scope("tests"):
        batch = list_companies(connector=bureau.connector, actor=bureau.owner)
    first = manage.start("work")
    wait_until(lambda: _state(batch) == "open", seconds=60)
    with system_scope("tests"):
        ids = set(Line.objects.filter(batch=batch).values_list("pk", flat=True))
        assert start(batch=batch, chosen=ids, first_number=0, actor=bureau.owner)
    wait_until(lambda: _done(batch) >= 3, seconds=60, every=0.02)

    manage.stop()

    assert first.returncode is not None
    assert _state(batch) == "working"
    assert _done(batch) < 12
    manage.start("work")
    wait_until(lambda: _state(batch) == "ended", seconds=90)
    with system_scope("tests"):
        assert set(Line.objects.filter(batch=batch).values_list("state", flat=True)) == {"made"}
        assert (Client.objects.count(), Connection.objects.count(), Feed.objects.count()) == (12, 12, 12)


def _state(batch: Batch) -> Any:
    with system_scope("tests"):
        return Batch.objects.values_list("state", flat=True).get(pk=batch.pk)


def _done(batch: Batch) -> int:
    with system_scope("tests"):
        return Line.objects.filter(batch=batch, state="made").count()
