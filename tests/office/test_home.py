import time

import pytest
from django.test import Client as Browser
from pytest_django.fixtures import DjangoAssertNumQueries

from apps.sync import deadman
from tests.factories import ClientFactory, FeedFactory
from tests.office.bureau import Bureau, prove, run_of, trouble

# session, user, second factor, roles, reach (3); then clients with their states, problems, runs
HOME_QUERIES = 10
LIST_QUERIES = 11


@pytest.fixture(autouse=True)
def _watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dead-man's switch looks now and then, with questions of its own."""
    monkeypatch.setitem(deadman.LOOKED, "at", time.monotonic())


def more(bureau: Bureau, count: int) -> None:
    for _ in range(count):
        client = ClientFactory(organisation=bureau.organisation)
        feed = FeedFactory(connection__client=client)
        prove(client)
        run_of(feed)
        trouble(feed.connection)


def test_home_says_how_many_agree(bureau: Bureau, owner: Browser) -> None:
    more(bureau, 1)
    ClientFactory(organisation=bureau.organisation)

    page = owner.get("/admin/").content.decode()

    assert "2 of 3 clients agree with their source. 1 needs a hand." in page
    assert "The key of Nordlys is not accepted." in page


def test_home_without_clients_teaches(bureau: Bureau, owner: Browser) -> None:
    from apps.core.scope import system_scope
    from apps.organisations.models import Membership, Organisation

    with system_scope("tests"):
        empty = Organisation.objects.create(slug="empty", name="Empty")
        Membership.objects.update(organisation=empty)

    assert "There are no clients yet." in owner.get("/admin/").content.decode()


@pytest.mark.parametrize("clients", [1, 30])
def test_home_asks_the_same_however_many_clients(
    bureau: Bureau, owner: Browser, clients: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    more(bureau, clients - 1)

    with django_assert_num_queries(HOME_QUERIES):
        owner.get("/admin/")


@pytest.mark.parametrize("clients", [1, 30])
def test_the_list_of_clients_asks_the_same_however_many(
    bureau: Bureau, owner: Browser, clients: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    more(bureau, clients - 1)

    with django_assert_num_queries(LIST_QUERIES):
        owner.get("/admin/clients/client/")
