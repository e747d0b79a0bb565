"""What ends a problem, and what must not."""

from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone

from apps.core.scope import system_scope
from apps.notifications.actions import Trouble, raise_problem, resolve_problems
from apps.notifications.enums import EventKind
from apps.notifications.models import Affected, Problem, Webhook, WebhookEvent
from tests.factories import ClientFactory, ConnectorFactory

TOLD = Trouble(code="v.key", failure="reconnect", who="bureau", title="The bureau's key is not accepted.")


@pytest.fixture(autouse=True)
def _scope(db: None) -> Iterator[None]:
    with system_scope("tests"):
        yield


def hit_by(shared: Any, *clients: Any) -> Problem:
    return raise_problem(client=None, subject=shared, trouble=TOLD, clients=clients)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("look", [1, 2])
def test_what_is_seen_again_while_an_earlier_success_is_told_is_not_over(look: int) -> None:
    """After the first look another worker comes between; after the second he waits, and what he sees is a new one."""
    if look == 2 and database.vendor == "sqlite":
        pytest.skip("SQLite lets nobody write meanwhile")
    client = ClientFactory()
    shared = ConnectorFactory(organisation=client.organisation)
    Webhook.objects.create(organisation=client.organisation, name="Tickets", host="a.example", all_clients=True)
    hit_by(shared, client)
    before = timezone.now()
    looks, seen = [], Event()

    def worker() -> None:
        with system_scope("tests"):
            hit_by(shared, client)
        seen.set()
        database.close()

    thread = Thread(target=worker)

    def meanwhile(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if sql.startswith("SELECT") and 'FROM "notifications_problem"' in sql:
            looks.append(sql)
            if len(looks) == look:
                thread.start()
                seen.wait(20 if look == 1 else 1)
        return result

    with database.execute_wrapper(meanwhile):
        ended = resolve_problems(subject=shared, before=before)
    thread.join(20)

    assert seen.is_set()
    assert ended == look - 1
    problem = Problem.objects.get(resolved_at=None)
    assert Affected.objects.get(problem=problem).cleared_at is None
    assert WebhookEvent.objects.filter(kind=EventKind.RESOLVED).count() == look - 1
