"""A changed organisation number: with a shared key it alone decides whose books are read."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from apps.audit.models import AuditLine
from apps.clients.models import Client
from apps.connectors.actions import (
    activate_connection,
    activate_shared,
    change_organisation_number,
    confirm_company,
    connect,
    release_books,
)
from apps.connectors.enums import ConnectionState
from apps.connectors.models import Connection, Connector, PageDigest
from apps.core.scope import system_scope
from apps.notifications.models import Problem
from apps.organisations.models import User
from tests.connectors.fake import KEY, NUMBER, OTHER_NUMBER, SLUG, Vendor, vendor
from tests.factories import ClientFactory, MembershipFactory, UserFactory

__all__ = ["vendor"]
pytestmark = pytest.mark.django_db
THIRD_NUMBER = "985952442"


@pytest.fixture(autouse=True)
def _scope() -> Iterator[None]:
    with system_scope("tests"):
        yield


@pytest.fixture
def client() -> Client:
    made: Client = ClientFactory(name="Fjord AS", organisation_number=NUMBER)
    return made


@pytest.fixture
def manager(client: Client) -> User:
    return member(client, "manager")


def member(client: Client, role: str) -> User:
    person: User = UserFactory(name=role)
    MembershipFactory(user=person, organisation=client.organisation, role=role)
    return person


def shared(client: Client, vendor: Vendor) -> Connector:
    """The bureau's one key for all clients: each is reached by its own number."""
    vendor.companies = [vendor.company]
    outcome = activate_shared(
        organisation=client.organisation, provider=SLUG, auth="", values={"company": "%ORGNR%"},
        secrets={"api_key": KEY}, actor=None,
    )  # fmt: skip
    assert outcome.connector is not None
    return outcome.connector


def activated(client: Client, connector: Connector) -> Connection:
    connection = connect(client=client, connector=connector, actor=None)
    assert activate_connection(connection=connection, actor=None).ok
    PageDigest.objects.create(connection=connection, resource="vouchers", key="1", digest="d")
    return connection


def codes(**of: Any) -> set[str]:
    return set(Problem.objects.filter(resolved_at=None, **of).values_list("code", flat=True))


def test_a_change_blocks_the_connection_through_the_shared_key_and_hides_the_books(
    vendor: Vendor, client: Client, manager: User
) -> None:
    connection = activated(client, shared(client, vendor))

    assert change_organisation_number(client=client, number=OTHER_NUMBER, actor=manager, reason="typed wrong")

    connection.refresh_from_db()
    assert connection.state == ConnectionState.BLOCKED
    assert (connection.company_key, connection.organisation_number, connection.identity) == ("", "", {})
    assert connection.verified_at is None
    assert connection.pinned_company_id == "7"
    assert not PageDigest.objects.filter(connection=connection).exists()
    assert client.organisation_number == OTHER_NUMBER
    assert client.hidden_at is not None
    assert codes(client=client) == {"connector.number_changed", "client.books_hidden"}
    line = AuditLine.objects.get(action="client.organisation_number_changed")
    assert (line.actor, line.client_id) == ("manager", client.pk)
    assert line.details == {
        "before": NUMBER, "after": OTHER_NUMBER, "reason": "typed wrong", "connections": [connection.pk],
    }  # fmt: skip


def test_other_clients_of_the_same_key_are_left_alone(vendor: Vendor, client: Client, manager: User) -> None:
    connector = shared(client, vendor)
    activated(client, connector)
    neighbour = ClientFactory(organisation=client.organisation, organisation_number=OTHER_NUMBER)
    vendor.company = {"id": "8", "name": "Haug AS", "number": OTHER_NUMBER}
    other = activated(neighbour, connector)

    change_organisation_number(client=client, number=THIRD_NUMBER, actor=manager)

    other.refresh_from_db()
    neighbour.refresh_from_db()
    assert (other.state, neighbour.hidden_at) == (ConnectionState.ACTIVE, None)


@pytest.mark.parametrize("role", ["accountant", "reviewer", "read_only", "auditor"])
def test_only_managers_change_a_number_or_release_books(vendor: Vendor, client: Client, role: str) -> None:
    connection = activated(client, shared(client, vendor))
    person = member(client, role)

    with pytest.raises(PermissionDenied):
        change_organisation_number(client=client, number=OTHER_NUMBER, actor=person)
    with pytest.raises(PermissionDenied):
        release_books(client=client, actor=person, reason="because")

    connection.refresh_from_db()
    assert connection.state == ConnectionState.ACTIVE
    assert Client.objects.get(pk=client.pk).organisation_number == NUMBER


@pytest.mark.parametrize("country", ["NO", "XX"])
def test_two_clients_of_a_bureau_have_not_one_number_whatever_the_country(
    vendor: Vendor, client: Client, manager: User, country: str
) -> None:
    connection = activated(client, shared(client, vendor))
    ClientFactory(organisation=client.organisation, organisation_number=OTHER_NUMBER, country=country)

    with pytest.raises(ValidationError, match="Another client of this bureau"):
        change_organisation_number(client=client, number=OTHER_NUMBER, actor=manager)

    connection.refresh_from_db()
    assert connection.state == ConnectionState.ACTIVE
    assert Client.objects.get(pk=client.pk).hidden_at is None


def test_the_same_company_under_its_new_number_is_activated_and_released(
    vendor: Vendor, client: Client, manager: User
) -> None:
    connection = activated(client, shared(client, vendor))
    change_organisation_number(client=client, number=OTHER_NUMBER, actor=manager)
    vendor.company = {"id": "7", "name": "Fjord AS", "number": OTHER_NUMBER}

    assert activate_connection(connection=connection, actor=manager).ok
    assert codes(client=client) == {"client.books_hidden"}
    with pytest.raises(ValidationError, match="Give a reason"):
        release_books(client=client, actor=manager, reason=" ")
    assert Client.objects.get(pk=client.pk).hidden_at is not None
    release_books(client=client, actor=manager, reason="merged, same books")

    assert (client.hidden_at, client.hidden) == (None, {})
    assert codes(client=client) == set()
    line = AuditLine.objects.get(action="client.books_released")
    assert line.details == {"before": NUMBER, "after": OTHER_NUMBER, "reason": "merged, same books"}


def test_the_books_of_one_company_never_follow_those_of_another(vendor: Vendor, client: Client, manager: User) -> None:
    connection = activated(client, shared(client, vendor))
    change_organisation_number(client=client, number=OTHER_NUMBER, actor=manager)
    vendor.company = {"id": "8", "name": "Haug AS", "number": OTHER_NUMBER}

    outcome = activate_connection(connection=connection, actor=manager)
    assert outcome.trouble is not None
    assert outcome.trouble.code == "connector.other_company_id"
    confirm_company(connection=connection, actor=manager, reason="the right one")
    with pytest.raises(ValidationError, match="another company"):
        release_books(client=client, actor=manager, reason="never mind")

    assert Client.objects.get(pk=client.pk).hidden_at is not None


def test_nothing_is_released_before_it_is_seen_which_company_the_number_opens(
    vendor: Vendor, client: Client, manager: User
) -> None:
    connection = activated(client, shared(client, vendor))
    change_organisation_number(client=client, number=OTHER_NUMBER, actor=manager)

    with pytest.raises(ValidationError, match=r"Activate first.*Fjord AS"):
        release_books(client=client, actor=manager, reason="no time")
    vendor.company = {"id": "8", "name": "Haug AS", "number": OTHER_NUMBER}
    activate_connection(connection=connection, actor=manager)
    with pytest.raises(ValidationError, match="Activate first"):
        release_books(client=client, actor=manager, reason="no time")

    assert Client.objects.get(pk=client.pk).hidden_at is not None


def test_with_the_number_back_as_it_was_nothing_has_to_be_activated(
    vendor: Vendor, client: Client, manager: User
) -> None:
    connection = activated(client, shared(client, vendor))
    change_organisation_number(client=client, number=OTHER_NUMBER, actor=manager)
    change_organisation_number(client=client, number=NUMBER, actor=manager)
    release_books(client=client, actor=manager, reason="typed wrong")
    assert client.hidden_at is None

    # changed again before the connection was activated again: it has read all the same
    change_organisation_number(client=client, number=OTHER_NUMBER, actor=manager, read=True)

    assert client.hidden["companies"] == {str(connection.pk): "7"}
    with pytest.raises(ValidationError, match="Activate first"):
        release_books(client=client, actor=manager, reason="no time")


@pytest.mark.parametrize("gone", ["connection", "system"])
def test_a_connection_that_can_show_nothing_holds_no_books_back(
    vendor: Vendor, client: Client, manager: User, gone: str
) -> None:
    connection = activated(client, shared(client, vendor))
    change_organisation_number(client=client, number=OTHER_NUMBER, actor=manager)
    if gone == "system":
        Connector.objects.filter(pk=connection.connector_id).update(provider="long_gone")
    else:
        Connection.objects.filter(pk=connection.pk).delete()

    release_books(client=client, actor=manager, reason="seen in the register of companies")

    assert client.hidden_at is None
    assert len(AuditLine.objects.get(action="client.books_released").details["not_asked"]) == 1


def test_of_two_changes_the_first_company_counts(vendor: Vendor, client: Client, manager: User) -> None:
    connection = activated(client, shared(client, vendor))
    change_organisation_number(client=client, number=OTHER_NUMBER, actor=manager)
    vendor.company = {"id": "8", "name": "Haug AS", "number": OTHER_NUMBER}
    activate_connection(connection=connection, actor=manager)
    confirm_company(connection=connection, actor=manager, reason="the right one")

    change_organisation_number(client=client, number=NUMBER, actor=manager)

    assert client.hidden["companies"] == {str(connection.pk): "7"}
    vendor.company = {"id": "7", "name": "Fjord AS", "number": NUMBER}
    connection.refresh_from_db()
    activate_connection(connection=connection, actor=manager)
    confirm_company(connection=connection, actor=manager, reason="back again")
    release_books(client=client, actor=manager, reason="typed wrong")
    assert client.hidden_at is None


def test_a_number_that_opened_nothing_is_changed_without_more(client: Client, manager: User) -> None:
    change_organisation_number(client=client, number=OTHER_NUMBER, actor=manager)

    assert (client.organisation_number, client.hidden_at) == (OTHER_NUMBER, None)
    assert codes() == set()


def test_an_activation_that_is_under_way_with_the_old_number_comes_too_late(
    vendor: Vendor, client: Client, manager: User
) -> None:
    connector = shared(client, vendor)
    connection = activated(client, connector)
    loaded = Connection.objects.select_related("client__organisation", "connector").get(pk=connection.pk)
    change_organisation_number(client=Client.objects.get(pk=client.pk), number=OTHER_NUMBER, actor=manager)

    outcome = activate_connection(connection=loaded, actor=manager)  # asks with the client as it was loaded

    assert outcome.trouble is not None
    assert Connection.objects.get(pk=connection.pk).state == ConnectionState.BLOCKED
