"""Activate: what works is kept, what fails replaces nothing that works, and the wrong company leaves nothing behind."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from apps.audit.models import AuditLine
from apps.clients.models import Client
from apps.connectors import registry
from apps.connectors.actions import (
    Activation,
    Confirmation,
    activate,
    activate_connection,
    activate_shared,
    block_connection,
    change_organisation_number,
    confirm_company,
    connect,
    stop_connection,
    verify_connector,
)
from apps.connectors.enums import ConnectionState
from apps.connectors.forms import connector_form
from apps.connectors.guard import check_company
from apps.connectors.models import Connection, Connector, ConnectorSecret, Exchange, PageDigest
from apps.connectors.queries import connection_for, connector_for
from apps.connectors.sdk import remedies
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sessions import open_session, secrets_of
from apps.core.scope import system_scope
from apps.notifications.actions import Trouble, raise_problem
from apps.notifications.models import Problem
from apps.organisations.models import User
from tests.connectors.fake import KEY, NUMBER, OTHER_NUMBER, SLUG, TOKEN, Vendor, vendor
from tests.factories import ClientFactory, ConnectorFactory, UserFactory, lose_the_key

__all__ = ["vendor"]
pytestmark = pytest.mark.django_db

NEW_KEY = "another-key-that-works-12345"


@pytest.fixture(autouse=True)
def _scope() -> Iterator[None]:
    with system_scope("tests"):
        yield


@pytest.fixture
def actor() -> User:
    made: User = UserFactory(name="Kari", is_superuser=True)
    return made


@pytest.fixture
def client() -> Client:
    made: Client = ClientFactory(name="Fjord AS", organisation_number=NUMBER)
    return made


def tried(client: Client, actor: User | None, key: str = KEY, **more: Any) -> Activation:
    values = {"company": more.pop("company", "")}
    return activate(
        client=client,
        provider=SLUG,
        auth="",
        values=values,
        secrets={"api_key": key} if key else {},
        actor=actor,
        **more,
    )


def open_codes() -> list[str]:
    return sorted(Problem.objects.filter(resolved_at=None).values_list("code", flat=True))


def test_success_stores_everything_and_shows_the_company(vendor: Vendor, client: Client, actor: User) -> None:
    outcome = tried(client, actor)

    assert outcome.ok
    connection = Connection.objects.get()
    connector = Connector.objects.get()
    assert connection == outcome.connection
    assert connection.state == ConnectionState.ACTIVE
    assert connection.company == f"Fjord AS ({NUMBER})"
    assert connection.pinned_company_id == "7"
    assert connection.organisation_number == NUMBER
    assert connection.verified_at is not None
    assert connector.verified_at is not None
    assert (connector.client, connector.auth) == (client, "api_key")
    assert secrets_of(connector) == {"api_key": KEY}
    assert json.loads(ConnectorSecret.objects.get().issued) == {"session": {"token": TOKEN}}
    assert set(Exchange.objects.values_list("connection_id", flat=True)) == {connection.pk}


def test_the_audit_tells_what_was_done_and_no_secrets(vendor: Vendor, client: Client, actor: User) -> None:
    tried(client, actor)

    lines = [(line.actor, line.action, line.details) for line in AuditLine.objects.order_by("id")]
    assert lines == [
        ("Kari", "connector.made", {"fields": ["api_key", "auth"], "verified": True}),
        ("Kari", "connection.activated", {"company": f"Fjord AS ({NUMBER})", "company_id": "7"}),
    ]


def test_secrets_never_stand_among_the_values(vendor: Vendor, client: Client, actor: User) -> None:
    activate(
        client=client,
        provider=SLUG,
        auth="api_key",
        values={"api_key": KEY, "app_token": "of nobody's business", "nonsense": "x"},
        secrets={},
        actor=actor,
    )

    assert Connector.objects.get().values == {"company": "", "site": ""}
    assert secrets_of(Connector.objects.get()) == {"api_key": KEY}


def test_a_first_failure_keeps_what_was_typed_and_raises_the_problem(
    vendor: Vendor, client: Client, actor: User
) -> None:
    vendor.keys = set()

    outcome = tried(client, actor)

    assert outcome.error is not None
    assert outcome.trouble is not None
    assert outcome.trouble.code == "connector.refused"
    assert Connection.objects.get().state == ConnectionState.NEW
    assert Connector.objects.get().verified_at is None
    assert open_codes() == ["connector.refused"]

    vendor.keys = {KEY}
    assert tried(client, actor, key="").ok  # the key need not be typed again

    assert Connector.objects.count() == 1
    assert open_codes() == []


def test_failing_credentials_never_overwrite_working_ones(vendor: Vendor, client: Client, actor: User) -> None:
    working = tried(client, actor).connector
    before = _stored()

    outcome = tried(client, actor, key="a-key-that-does-not-work", company="1", connector=working)

    assert outcome.error is not None
    assert _stored() == before
    assert open_codes() == []


def test_a_vendor_that_is_down_overwrites_nothing_and_is_no_problem(
    vendor: Vendor, client: Client, actor: User
) -> None:
    working = tried(client, actor).connector
    before = _stored()
    vendor.keys = {NEW_KEY}
    vendor.fail, vendor.headers = {"/company": 503}, {"Retry-After": "0.01"}

    outcome = tried(client, actor, key=NEW_KEY, connector=working)

    assert outcome.error is not None
    assert _stored() == before
    assert open_codes() == []


def _stored() -> list[Any]:
    return [
        list(Connector.objects.values()),
        list(Connection.objects.values()),
        list(ConnectorSecret.objects.values()),
        list(PageDigest.objects.values()),
    ]


def test_a_changed_secret_drops_what_was_issued_for_the_old_one(vendor: Vendor, client: Client, actor: User) -> None:
    working = tried(client, actor).connector
    ConnectorSecret.objects.update(issued=json.dumps({"session": {"token": "old"}, "other": {"token": "old"}}))
    vendor.keys = {NEW_KEY}

    assert tried(client, actor, key=NEW_KEY, connector=working).ok

    assert json.loads(ConnectorSecret.objects.get().issued) == {"session": {"token": TOKEN}}
    assert secrets_of(Connector.objects.get()) == {"api_key": NEW_KEY}


def test_a_secret_of_a_lost_key_is_told_and_mended_by_entering_it_again(
    vendor: Vendor, client: Client, actor: User
) -> None:
    tried(client, actor)
    connection = Connection.objects.get()
    lose_the_key(connection.connector)

    with pytest.raises(ConnectorError) as caught:
        open_session(connection)
    assert caught.value.remedy.code == "connector.unreadable"

    assert connector_form(registry.provider(SLUG), None, connector=connection.connector)
    assert tried(client, actor, connector=connection.connector).ok
    assert secrets_of(connection.connector) == {"api_key": KEY}


def test_a_fault_of_the_provider_itself_is_told_and_hides_the_secret(
    vendor: Vendor, client: Client, actor: User, caplog: pytest.LogCaptureFixture
) -> None:
    vendor.company = {KEY: "no id"}

    outcome = tried(client, actor)

    assert outcome.error is not None
    assert (outcome.error.failure, outcome.error.remedy) == (Failure.UNKNOWN, remedies.NOT_UNDERSTOOD)
    assert outcome.error.detail == "KeyError: 'id'"
    assert "KeyError" in caplog.text
    assert KEY not in caplog.text


def test_the_wrong_company_is_blocked_with_a_problem_that_names_both(
    vendor: Vendor, client: Client, actor: User
) -> None:
    vendor.company = {"id": "9", "name": "Fjell AS", "number": OTHER_NUMBER}

    outcome = tried(client, actor)

    assert outcome.error is None
    connection = Connection.objects.get()
    assert connection.state == ConnectionState.BLOCKED
    assert (connection.identity, connection.pinned_company_id, connection.organisation_number) == ({}, "", "")
    problem = Problem.objects.get()
    assert problem.code == "connector.wrong_company"
    assert problem.title == (f"The connection opens Fjell AS ({OTHER_NUMBER}), but the client is Fjord AS ({NUMBER}).")


def test_another_companys_key_never_overwrites_a_working_one(vendor: Vendor, client: Client, actor: User) -> None:
    working = tried(client, actor).connector
    before = _stored()
    vendor.keys = {NEW_KEY}
    vendor.company = {"id": "9", "name": "Fjell AS", "number": OTHER_NUMBER}

    outcome = tried(client, actor, key=NEW_KEY, connector=working)

    assert outcome.trouble is not None
    assert outcome.trouble.code == "connector.wrong_company"
    assert _stored() == before
    assert open_codes() == []


def test_a_company_changed_behind_the_same_key_blocks_and_clears_nothing(
    vendor: Vendor, client: Client, actor: User
) -> None:
    connection = tried(client, actor).connection
    assert connection is not None
    vendor.company = {"id": "9", "name": "Fjell AS", "number": OTHER_NUMBER}

    outcome = activate_connection(connection=connection, actor=actor)

    assert outcome.trouble is not None
    connection = Connection.objects.get()
    assert connection.state == ConnectionState.BLOCKED
    assert connection.company == f"Fjord AS ({NUMBER})"
    assert connection.pinned_company_id == "7"
    assert open_codes() == ["connector.wrong_company"]

    vendor.company = {"id": "7", "name": "Fjord AS", "number": NUMBER}
    assert activate_connection(connection=connection, actor=actor).ok
    assert Connection.objects.get().state == ConnectionState.ACTIVE
    assert open_codes() == []


def test_another_id_with_the_same_number_waits_for_staff(vendor: Vendor, client: Client, actor: User) -> None:
    connection = tried(client, actor).connection
    assert connection is not None
    PageDigest.objects.create(connection=connection, resource="vouchers", key="1", digest="x")
    vendor.company = {"id": "8", "name": "Fjord AS (kopi)", "number": NUMBER}

    outcome = activate_connection(connection=connection, actor=actor)

    assert outcome.trouble is not None
    assert outcome.trouble.code == "connector.other_company_id"
    assert Connection.objects.get().pinned_company_id == "7"
    assert PageDigest.objects.count() == 1

    confirm_company(connection=connection, actor=actor, reason="moved to a new company in the vendor's system")

    connection = Connection.objects.get()
    assert (connection.state, connection.pinned_company_id) == (ConnectionState.ACTIVE, "8")
    assert connection.confirmed["reason"] == "moved to a new company in the vendor's system"
    assert connection.confirmed["by"] == "Kari"
    assert PageDigest.objects.count() == 0
    assert open_codes() == []
    assert activate_connection(connection=connection, actor=actor).ok


def test_confirming_needs_a_reason_and_a_company_to_confirm(vendor: Vendor, client: Client, actor: User) -> None:
    connection = tried(client, actor).connection
    assert connection is not None

    for reason in ("", "because"):
        with pytest.raises(ValidationError):
            confirm_company(connection=connection, actor=actor, reason=reason)

    vendor.company = {"id": "9", "name": "Fjell AS", "number": OTHER_NUMBER}
    activate_connection(connection=connection, actor=actor)
    with pytest.raises(ValidationError):
        confirm_company(connection=connection, actor=actor, reason="it is all the same to me")
    assert Connection.objects.get().state == ConnectionState.BLOCKED


def test_new_values_for_an_unproven_company_are_kept_with_a_confirmation(
    vendor: Vendor, client: Client, actor: User
) -> None:
    vendor.company["proof"] = "none"

    assert tried(client, actor).trouble is not None
    assert open_codes() == ["connector.unconfirmed_company"]

    assert not tried(client, actor, confirmation=Confirmation(company_id="99", reason="seen")).ok
    assert not tried(client, actor, confirmation=Confirmation(company_id="7", reason=" ")).ok
    assert tried(client, actor, confirmation=Confirmation(company_id="7", reason="seen on the screen")).ok

    assert Connection.objects.get().confirmed["reason"] == "seen on the screen"
    assert open_codes() == []


def shared(client: Client, **values: str) -> Connector:
    connector: Connector = ConnectorFactory(organisation=client.organisation, provider=SLUG, values=values)
    ConnectorSecret.objects.create(connector=connector, fields=json.dumps({"api_key": KEY}))
    return connector


def test_a_shared_key_is_verified_for_each_client(vendor: Vendor, client: Client, actor: User) -> None:
    connection = connect(client=client, connector=shared(client, company="%ORGNR%"), actor=actor)

    assert activate_connection(connection=connection, actor=actor).ok

    assert Connection.objects.get().state == ConnectionState.ACTIVE
    assert vendor.heard[-1].headers["x-company"] == NUMBER


def test_a_refused_activation_of_a_shared_key_is_a_problem_of_the_connection(
    vendor: Vendor, client: Client, actor: User
) -> None:
    connection = connect(client=client, connector=shared(client, company="%ORGNR%"), actor=actor)
    vendor.fail = {"/company": 403}

    outcome = activate_connection(connection=connection, actor=actor)

    assert outcome.error is not None
    assert open_codes() == ["connector.not_allowed"]
    assert activate_connection(connection=connection, actor=None).error is not None  # the run raises it itself
    assert Problem.objects.get().times == 1


def test_a_shared_connector_says_how_many_companies_its_key_reaches(
    vendor: Vendor, client: Client, actor: User
) -> None:
    vendor.companies = [{"id": str(n), "name": f"Company {n}"} for n in range(3)]

    outcome = activate_shared(
        organisation=client.organisation,
        provider=SLUG,
        auth="",
        values={"company": "%ORGNR%"},
        secrets={"api_key": KEY},
        actor=actor,
    )

    assert outcome.ok
    assert outcome.companies == 3
    assert "x-company" not in vendor.heard[-1].headers
    connector = Connector.objects.get()
    assert (connector.client, connector.values["company"]) == (None, "%ORGNR%")
    again = verify_connector(connector=connector, actor=actor)
    assert again.companies == 3


def test_a_failing_shared_key_never_overwrites_a_working_one(vendor: Vendor, client: Client, actor: User) -> None:
    vendor.companies = [{"id": "1", "name": "Company"}]
    given = {"provider": SLUG, "auth": "", "values": {"company": "%ORGNR%"}, "actor": actor}
    working = activate_shared(organisation=client.organisation, secrets={"api_key": KEY}, **given).connector
    before = _stored()

    outcome = activate_shared(
        organisation=client.organisation, secrets={"api_key": "does-not-work"}, connector=working, **given
    )

    assert outcome.error is not None
    assert _stored() == before


def test_the_clients_own_connector_wins(vendor: Vendor, client: Client, actor: User) -> None:
    ours = shared(client, company="%ORGNR%")
    assert connector_for(client, SLUG) == ours
    assert connection_for(client, SLUG) is None

    own = tried(client, actor).connector

    assert connector_for(client, SLUG) == own
    assert connection_for(client, SLUG) == Connection.objects.get()
    assert connector_for(ClientFactory(organisation=client.organisation), SLUG) == ours
    assert connector_for(ClientFactory(), SLUG) is None


def test_another_bureaus_connector_cannot_be_used(vendor: Vendor, client: Client, actor: User) -> None:
    with pytest.raises(ValueError, match="is not for client"):
        connect(client=ClientFactory(), connector=shared(client), actor=actor)
    own = tried(client, actor).connector
    with pytest.raises(ValueError, match="own"):
        tried(ClientFactory(organisation=client.organisation), actor, connector=own)


def test_refused_credentials_pause_until_activated(vendor: Vendor, client: Client, actor: User) -> None:
    connection = tried(client, actor).connection
    assert connection is not None

    stop_connection(connection, ConnectorError(Failure.RECONNECT, remedies.REFUSED))

    assert connection.state == Connection.objects.get().state == ConnectionState.PAUSED
    assert open_codes() == ["connector.refused"]
    assert activate_connection(connection=connection, actor=actor).ok
    assert open_codes() == []


def test_a_late_run_stops_nothing_that_was_activated_meanwhile(vendor: Vendor, client: Client, actor: User) -> None:
    loaded = tried(client, actor).connection
    assert loaded is not None
    activate_connection(connection=Connection.objects.get(), actor=actor)

    assert stop_connection(loaded, ConnectorError(Failure.RECONNECT, remedies.REFUSED)) is None
    trouble = Trouble(code="connector.wrong_company", failure="setup", who="bureau", title="")
    assert block_connection(connection=loaded, trouble=trouble) is None

    assert Connection.objects.get().state == ConnectionState.ACTIVE
    assert open_codes() == []


def test_activation_leaves_problems_of_the_books_open(vendor: Vendor, client: Client, actor: User) -> None:
    connection = tried(client, actor).connection
    assert connection is not None
    trouble = Trouble(code="ledger.mass_disappearance", failure="record", who="bureau", title="")
    raise_problem(client=client, subject=connection, trouble=trouble)

    activate_connection(connection=connection, actor=actor)

    assert open_codes() == ["ledger.mass_disappearance"]


def test_a_wrongly_typed_number_is_not_in_use_and_can_be_corrected(vendor: Vendor, client: Client, actor: User) -> None:
    vendor.company = {"id": "9", "name": "Fjell AS", "number": OTHER_NUMBER}
    connection = tried(client, actor).connection
    assert connection is not None

    change_organisation_number(client=client, number=OTHER_NUMBER, actor=actor)

    assert activate_connection(connection=connection, actor=actor).ok
    assert check_company(identity=_identity(connection), client=client, connection=Connection.objects.get()) is None


def _identity(connection: Connection) -> Any:
    from apps.records.json import from_json
    from apps.records.ledger import Identity

    return from_json(Identity, Connection.objects.get(pk=connection.pk).identity)


@pytest.mark.parametrize("number", ["12", "923609017"])
def test_a_number_of_another_form_is_refused(client: Client, actor: User, number: str) -> None:
    with pytest.raises(ValidationError):
        change_organisation_number(client=client, number=number, actor=actor)
    assert Client.objects.get(pk=client.pk).organisation_number == NUMBER
