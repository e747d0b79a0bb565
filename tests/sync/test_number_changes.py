"""When a client's organisation number is changed, runs stop, nothing more is stored, and what was read is hidden."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.db import transaction
from django.test import Client as Browser
from django.utils import timezone

from apps.clients.models import ApiToken, Client, new_token, token_digest
from apps.clients.reach import reach_of
from apps.connectors.actions import activate_connection, release_books
from apps.connectors.enums import ConnectionState
from apps.connectors.models import Connection, Exchange
from apps.core.scope import organisation_scope, reader_scope, system_scope
from apps.ledger.models import Balance, Finding, FiscalYear, LedgerState, Posting, Proof, Voucher
from apps.notifications.models import Problem
from apps.organisations.models import User
from apps.sync.actions import change_number
from apps.sync.claims import LeaseLostError, claim, step
from apps.sync.enums import RunState
from apps.sync.models import Run
from apps.sync.timetable import start_due
from tests.factories import MembershipFactory, UserFactory, VoucherFactory
from tests.sync.test_claims import queued
from tests.sync.world import NUMBER, OTHER_NUMBER, Bookkeeping, Vendor

Connected = Callable[..., Bookkeeping]
BOOKS = (Voucher, Posting, Balance, Proof, LedgerState, FiscalYear, Exchange, Finding)


def owner_of(client: Client) -> User:
    person: User = UserFactory()
    MembershipFactory(user=person, organisation=client.organisation, role="owner")
    return person


def seen_by(person: User) -> dict[str, int]:
    with reader_scope(None if person.is_superuser else person.roles(), reach_of(person), "tests"):
        return {model.__name__: model.objects.count() for model in BOOKS}


def change(books: Bookkeeping, number: str = OTHER_NUMBER) -> None:
    change_number(client=books.client, number=number, actor=None, reason="typed wrong")


@pytest.mark.django_db
def test_what_was_read_is_hidden_from_everybody_until_it_is_released(connected: Connected) -> None:
    books = connected()
    books.night()
    people = [owner_of(books.client), UserFactory(is_superuser=True)]
    before = [seen_by(person) for person in people]
    assert before[0]["Voucher"] == 8

    change(books)

    for person in people:
        assert set(seen_by(person).values()) == {0}
    change(books, NUMBER)
    assert activate_connection(connection=books.feed.connection, actor=None).ok
    release_books(client=books.client, actor=None, reason="it was right")
    after = [seen_by(person) for person in people]
    assert [{**counts, "Exchange": 0} for counts in after] == [{**counts, "Exchange": 0} for counts in before]


@pytest.mark.django_db
def test_no_run_reads_anything_until_it_is_released(connected: Connected, vendor: Vendor) -> None:
    books = connected()
    books.night()
    held = set(Voucher.objects.values_list("pk", "version", "deleted_at"))
    change(books)
    vendor.mouth.heard.clear()

    assert start_due(timezone.now()) == []
    by_hand = books.night()

    assert (by_hand.state, by_hand.remedy) == (RunState.BLOCKED, "client.books_hidden")
    assert vendor.mouth.heard == []
    problem = Problem.objects.get(code="client.books_hidden", resolved_at=None)
    assert NUMBER in problem.title
    assert OTHER_NUMBER in problem.title
    # activated again, but not released yet
    change(books, NUMBER)
    assert activate_connection(connection=Connection.objects.get(), actor=None).ok
    vendor.mouth.heard.clear()
    assert books.night().state == RunState.BLOCKED
    assert vendor.mouth.heard == []
    assert Connection.objects.get().state == ConnectionState.ACTIVE
    # released: the next night goes on where the last one stopped
    release_books(client=Client.objects.get(), actor=None, reason="typed wrong")
    assert books.night().state == RunState.SUCCEEDED
    assert set(Voucher.objects.values_list("pk", "version", "deleted_at")) == held


@pytest.mark.django_db
def test_the_api_tells_no_figure(connected: Connected) -> None:
    books = connected()
    books.night()
    token = new_token()
    ApiToken.objects.create(
        organisation=books.client.organisation, name="x", digest=token_digest(token), all_clients=True
    )
    address = f"/api/v1/clients/{books.client.number}/status"
    headers = {"Authorization": f"Bearer {token}"}
    assert Browser().get(address, headers=headers).json()["last_entry"] == "2026-04-10"

    change(books)

    told = Browser().get(address, headers=headers).json()
    assert told["state"]["code"] == "number_changed"
    figures = ("basis", "control_difference", "read_at", "last_entry", "closed_to")
    assert {told[name] for name in figures} == {None}
    assert "client.books_hidden" in {one["code"] for one in told["problems"]}
    overall = Browser().get("/api/v1/status", headers=headers).json()
    assert (overall["complete"], overall["each"][0]["last_entry"]) == (0, None)


@pytest.mark.django_db
def test_commands_give_no_balances_and_take_no_file(connected: Connected, tmp_path: Any) -> None:
    books = connected()
    books.night()
    change(books)
    file = tmp_path / "a.se"
    file.write_text("#FLAGGA 0\n")

    for arguments in (["balances", "--from", "2026-01", "--to", "2026-04"], ["import", str(file)]):
        with pytest.raises((SystemExit, CommandError)):
            call_command("ledger", arguments[0], "--client", books.client.number, *arguments[1:])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("committed_first", [True, False])
def test_a_run_under_way_writes_nothing_more(committed_first: bool) -> None:  # noqa: FBT001 - a parameter of the test
    run = queued()
    with system_scope("tests"):
        client = run.client
        Client.objects.filter(pk=client.pk).update(organisation_number=NUMBER)
        Connection.objects.update(organisation_number=NUMBER, verified_at=timezone.now())
    started = threading.Event()

    def changed() -> None:
        try:
            with system_scope("tests"), transaction.atomic():
                change_number(client=Client.objects.get(pk=client.pk), number=OTHER_NUMBER, actor=None)
                started.set()
                time.sleep(0 if committed_first else 0.7)
        finally:
            started.set()
            database.close()

    with organisation_scope({client.organisation_id}, "a worker"):
        taken = claim(run.pk)
        assert taken is not None
        manager = threading.Thread(target=changed)
        manager.start()
        assert started.wait(10)
        if committed_first:
            manager.join()
        with pytest.raises(LeaseLostError), step(taken):
            VoucherFactory(client=client)
        manager.join()

        assert not Voucher.objects.exists()
        ended = Run.objects.get(pk=run.pk)
        assert (ended.state, ended.remedy) == (RunState.BLOCKED, "client.books_hidden")
        assert Client.objects.get(pk=client.pk).hidden_at is not None
