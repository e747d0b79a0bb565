"""Raw data goes when its days are over; evidence stays; a night beside it notices nothing."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from axes.models import AccessAttempt, AccessLog
from django.db import models, transaction
from django.utils import timezone
from django_q.models import Task

from apps.audit.models import AuditLine
from apps.connectors.exchanges import body_of, keep_payload
from apps.connectors.models import ConsentState, Exchange, ExchangePayload
from apps.core import retention
from apps.ledger.models import Proof, VoucherVersion
from apps.notifications.models import Problem
from apps.sync.actions import start_run
from apps.sync.enums import LIVE, RunKind, RunState
from apps.sync.models import Chore, Run
from apps.sync.retention import RULES, purge_all
from apps.sync.timetable import start_chores
from tests.conftest import Manage
from tests.factories import ConnectionFactory
from tests.sync.bureau import Bureau, bureaus

LONG_AGO = timedelta(days=31)


@pytest.fixture
def bureau(
    manage: Manage, scope: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Bureau]]:
    with bureaus(manage, tmp_path, monkeypatch) as make:
        yield make


def exchange(connection: Any, *, days: float, body: bytes = b"page") -> Exchange:
    organisation = connection.client.organisation_id
    made: Exchange = Exchange.objects.create(
        organisation_id=organisation, connection=connection, at=timezone.now() - timedelta(days=days), method="GET",
        place="https://vendor.example/a", url="https://vendor.example/a?b", request="sent", error="", seconds=0.1,
        payload_id=keep_payload(organisation, body),
    )  # fmt: skip
    return made


def age(rows: Any, name: str, days: float) -> None:
    rows.update(**{name: timezone.now() - timedelta(days=days)})


def gone(**more: Any) -> dict[str, int]:
    return {purged.what: purged.rows for purged in purge_all(timezone.now(), **more) if purged.rows}


def test_contents_go_after_their_days_and_that_there_was_a_call_stays(scope: None) -> None:
    connection = ConnectionFactory()
    old, new = exchange(connection, days=31, body=b"old page"), exchange(connection, days=29, body=b"new page")
    age(ExchangePayload.objects.filter(pk=old.payload_id), "kept_at", 31)

    assert gone(dry_run=True) == {"exchange contents": 1}  # its page is named until then
    assert gone() == {"exchange contents": 1, "payloads": 1}
    assert gone() == {}

    old, new = Exchange.objects.get(pk=old.pk), Exchange.objects.get(pk=new.pk)
    assert (old.place, old.url, old.request, old.error, body_of(old)) == (
        "https://vendor.example/a", None, None, None, None,
    )  # fmt: skip
    assert (new.url, body_of(new)) == ("https://vendor.example/a?b", b"new page")
    age(Exchange.objects.filter(pk=old.pk), "at", 401)
    assert gone() == {"exchanges": 1}


def test_a_page_that_a_later_call_named_stays(scope: None) -> None:
    connection = ConnectionFactory()
    old, new = exchange(connection, days=31), exchange(connection, days=1)
    assert old.payload_id == new.payload_id
    ExchangePayload.objects.update(kept_at=timezone.now() - LONG_AGO)

    assert gone() == {"exchange contents": 1}
    assert body_of(Exchange.objects.get(pk=new.pk)) == b"page"


def test_the_days_are_a_setting(scope: None, settings: Any) -> None:
    exchange(ConnectionFactory(), days=3)
    assert gone() == {}
    settings.KONTOR_PAYLOAD_DAYS = 2
    assert gone() == {"exchange contents": 1}


def test_consents_tasks_and_problems_that_are_over_go(scope: None) -> None:
    connection = ConnectionFactory()
    now = timezone.now()
    for number, (used, days) in enumerate([(now, 0), (None, 0), (None, 2)]):
        ConsentState.objects.create(digest=str(number), user_id=1, client=connection.client, used_at=used)
        age(ConsentState.objects.filter(digest=str(number)), "made_at", days)
    for name, stopped in (("old", now - timedelta(days=8)), ("new", now)):
        Task.objects.create(id=name * 8, name=name, func="x", started=stopped, stopped=stopped, success=True)
    for name, resolved in (("old", now - timedelta(days=401)), ("new", now), ("open", None)):
        Problem.objects.create(
            organisation=connection.client.organisation, code=name, failure="setup", who="bureau", subject_kind="x",
            subject_id="1", resolved_at=resolved,
        )  # fmt: skip

    assert gone() == {"begun consents": 2, "finished tasks": 1, "problems that are over": 1}
    assert ConsentState.objects.get().digest == "1"
    assert Task.objects.get().name == "new"
    assert set(Problem.objects.values_list("code", flat=True)) == {"new", "open"}


def test_wrong_passwords_go_when_they_count_no_more_and_old_sign_ins_at_once(scope: None, settings: Any) -> None:
    for number, seconds in enumerate([0, settings.KONTOR_LOCKOUT_SECONDS - 60, settings.KONTOR_LOCKOUT_SECONDS + 60]):
        AccessAttempt.objects.create(username=str(number), failures_since_start=1)
        age(AccessAttempt.objects.filter(username=str(number)), "attempt_time", seconds / 86400)
    AccessLog.objects.create(username="a@b.example", ip_address="192.0.2.7", user_agent="Firefox")
    age(AccessLog.objects.all(), "attempt_time", 1)

    assert gone(dry_run=True) == {"wrong passwords": 1, "sign-ins": 1}
    assert gone() == {"wrong passwords": 1, "sign-ins": 1}
    assert set(AccessAttempt.objects.values_list("username", flat=True)) == {"0", "1"}


def test_it_goes_in_batches_and_stops_at_its_time(scope: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    connection = ConnectionFactory()
    for _number in range(5):
        exchange(connection, days=31)

    first = next(iter(purge_all(timezone.now(), seconds=0)))
    assert (first.rows, first.finished) == (0, False)
    assert gone() == {"exchange contents": 5}


def test_a_page_taken_up_again_between_look_and_lock_stays(scope: None, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = ConnectionFactory()
    payload = keep_payload(connection.client.organisation_id, b"page")
    ExchangePayload.objects.update(kept_at=timezone.now() - LONG_AGO)

    def seen_again() -> Any:
        exchange(connection, days=0)
        return transaction.atomic()

    monkeypatch.setattr(retention, "transaction", SimpleNamespace(atomic=seen_again))
    rule = next(rule for rule in RULES if rule.name == "payloads")

    assert retention.purge(rule, timezone.now()) == (0, True)
    assert ExchangePayload.objects.get().pk == payload


def test_no_rule_reaches_evidence(scope: None) -> None:
    touched: set[type[models.Model]] = {rule.over(timezone.now()).model for rule in RULES}
    assert not touched & {VoucherVersion, Proof, AuditLine, Run}


def test_the_command_tells_and_dry_run_changes_nothing(manage: Manage, scope: None) -> None:
    exchange(ConnectionFactory(), days=31)

    dry = [json.loads(line) for line in manage("purge", "--dry-run", "--json").stdout.splitlines()]
    assert dry[0] == {"what": "exchange contents", "days": 30, "rows": 1}
    assert dry[-1] == {"dry_run": True, "rows": 1}
    assert Exchange.objects.filter(url__isnull=False).count() == 1
    assert "exchange contents, after 30 days: 1" in manage("purge").stdout
    assert manage("purge", "--nonsense", check=False).returncode == 2


def test_purge_beside_a_night_takes_nothing_that_the_night_needs(
    bureau: Callable[..., Bureau], manage: Manage, wait_until: Callable[..., None]
) -> None:
    """The second night sees the pages of the first again, all of them older than their days while the purge runs."""
    made = bureau(clients=3, vouchers=60)
    for feed in made.feeds.values():
        start_run(feed=feed, kind=RunKind.MANUAL)
    manage.start("work", KONTOR_WORKERS_INTERACTIVE="2", KONTOR_TICK_SECONDS="0.5")
    wait_until(lambda: not Run.objects.filter(state__in=LIVE).exists(), seconds=120)
    evidence = VoucherVersion.objects.count(), Proof.objects.count(), AuditLine.objects.count()
    Exchange.objects.update(at=timezone.now() - LONG_AGO)
    ExchangePayload.objects.update(kept_at=timezone.now() - LONG_AGO)

    last = Exchange.objects.latest("pk").pk
    runs = [start_run(feed=feed, kind=RunKind.MANUAL) for feed in made.feeds.values()]
    went = 0
    while Run.objects.filter(state__in=LIVE).exists():
        went += sum(gone().values())

    assert went
    assert set(Run.objects.filter(pk__in=[run.pk for run in runs]).values_list("state", "detail")) == {
        (RunState.SUCCEEDED, "")
    }
    fresh = Exchange.objects.filter(pk__gt=last).exclude(status=304)
    assert fresh.exists()
    assert [row.url for row in fresh if body_of(row) is None] == []
    assert not Exchange.objects.filter(pk__lte=last, url__isnull=False).exists()
    left = VoucherVersion.objects.count(), Proof.objects.count(), AuditLine.objects.count()
    assert all(now >= before for now, before in zip(left, evidence, strict=True))


def test_chores_are_begun_once_a_day(scope: None) -> None:
    from datetime import UTC, datetime

    connection = ConnectionFactory()
    organisation = connection.client.organisation  # Oslo, night at 2
    evening = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
    examine = f"examine organisation {organisation.pk}"

    assert set(start_chores(evening)) == {"purge", examine}
    assert start_chores(evening + timedelta(minutes=5)) == []
    assert start_chores(evening + timedelta(hours=2)) == ["purge"]  # another day in UTC
    assert start_chores(evening + timedelta(hours=7)) == [examine]  # 05:30 in Oslo: three hours after the night began
    assert Chore.objects.count() == 2
