"""Opening a session: what is filled in, what is refused before anything is sent, what is kept and masked."""

import json
from collections.abc import Iterator

import pytest
from django.db import connection as database

from apps.clients.models import Client
from apps.connectors.exchanges import body_of
from apps.connectors.models import Connection, Connector, ConnectorSecret, Exchange, ExchangePayload
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sessions import last_exchange_id, open_session
from apps.core.scope import system_scope
from tests.connectors.fake import APP_TOKEN, KEY, NUMBER, SLUG, TOKEN, Vendor, vendor
from tests.factories import ClientFactory, ConnectionFactory, ConnectorFactory

__all__ = ["vendor"]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _scope() -> Iterator[None]:
    with system_scope("tests"):
        yield


def connected(client: Client | None = None, *, secrets: dict[str, str] | None = None, **values: str) -> Connection:
    client = client or ClientFactory(organisation_number=NUMBER)
    connector = ConnectorFactory(organisation=client.organisation, provider=SLUG, values=values)
    ConnectorSecret.objects.create(connector=connector, fields=json.dumps(secrets or {"api_key": KEY}))
    made: Connection = ConnectionFactory(client=client, connector=connector, company_key="", pinned_company_id="")
    return made


def refused(connection: Connection) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        open_session(connection)
    assert caught.value.failure is Failure.SETUP
    assert caught.value.sent is False
    return caught.value


def test_a_placeholder_is_filled_with_the_clients_own_value(vendor: Vendor) -> None:
    session = open_session(connected(company="%ORGNR%"))

    session.provider.verify(session)

    assert session.values["company"] == NUMBER
    assert vendor.heard[-1].headers["x-company"] == NUMBER


def test_two_percents_are_one(vendor: Vendor) -> None:
    assert open_session(connected(company="50%% of it")).values["company"] == "50% of it"


def test_a_client_without_the_value_is_named_and_nothing_is_sent(vendor: Vendor) -> None:
    client = ClientFactory(organisation_number="", name="Fjell AS", number="77")

    error = refused(connected(client, company="%ORGNR%"))

    assert error.remedy.code == "connector.placeholder"
    assert error.field == "company"
    assert error.facts == {"field": "Company", "placeholder": "%ORGNR%", "client": "Fjell AS"}
    assert "client 77 (Fjell AS) has no value for %ORGNR%" in error.detail
    assert vendor.heard == []


def test_an_unknown_placeholder_is_named_with_the_known_ones(vendor: Vendor) -> None:
    error = refused(connected(company="%ORGNUMBER%"))

    assert error.remedy.code == "connector.placeholder"
    assert error.detail == ("company: there is no placeholder %ORGNUMBER%; there are: %ORGNR%, %CLIENTNR%, %COUNTRY%")
    assert vendor.heard == []


def test_a_number_that_has_not_the_countrys_form_is_not_sent(vendor: Vendor) -> None:
    error = refused(connected(ClientFactory(organisation_number="123"), company="%ORGNR%"))

    assert (error.remedy.code, error.field) == ("connector.placeholder", "company")
    assert vendor.heard == []


def test_a_missing_field_is_named(vendor: Vendor) -> None:
    error = refused(connected(secrets={"other": "x"}))

    assert (error.remedy.code, error.field) == ("connector.field_missing", "api_key")


def test_a_field_of_another_form_is_named_with_its_example(vendor: Vendor) -> None:
    error = refused(connected(site="NORTH 1"))

    assert (error.remedy.code, error.field) == ("connector.field_form", "site")
    assert "north" in error.detail
    assert "NORTH 1" not in error.detail


def test_a_missing_operator_field_names_the_variable(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONNECTOR_FAKE_PROVIDER_APP_TOKEN")

    error = refused(connected())

    assert (error.remedy.code, error.field) == ("connector.operator_field", "app_token")
    assert error.facts["variable"] == "CONNECTOR_FAKE_PROVIDER_APP_TOKEN"


def test_operator_fields_are_never_taken_from_the_connector(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONNECTOR_FAKE_PROVIDER_APP_TOKEN")

    error = refused(connected(app_token="typed by somebody"))

    assert error.remedy.code == "connector.operator_field"


def test_a_provider_that_is_gone_is_told(vendor: Vendor) -> None:
    connection = connected()
    Connector.objects.update(provider="vanished")
    connection.connector.refresh_from_db()

    assert refused(connection).remedy.code == "connector.not_installed"


def test_a_private_address_is_refused_unless_the_operator_opened_it(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTOR_ALLOW_PRIVATE_HOSTS", "127.0.0.1:1")
    session = open_session(connected())

    with pytest.raises(ConnectorError) as caught:
        session.provider.verify(session)

    assert caught.value.remedy.code == "connector.address_refused"
    assert vendor.heard == []


def test_every_call_is_kept_once_with_its_payload(vendor: Vendor) -> None:
    connection = connected()
    session = open_session(connection, run_id=42)

    session.provider.verify(session)
    session.provider.verify(session)

    kept = list(Exchange.objects.order_by("id"))
    assert [(row.method, row.url, row.status) for row in kept] == [
        ("POST", "https://fake.example/api/login", 200),
        ("GET", "https://fake.example/api/company", 200),
        ("GET", "https://fake.example/api/company", 200),
    ]
    assert {row.run_id for row in kept} == {42}
    assert {row.connection_id for row in kept} == {connection.pk}
    assert last_exchange_id(session) == kept[-1].pk
    assert kept[1].payload_id == kept[2].payload_id
    assert json.loads(body_of(kept[2]) or b"") == vendor.company
    assert ExchangePayload.objects.count() == 2


def test_payloads_of_two_bureaus_are_kept_apart(vendor: Vendor) -> None:
    for _bureau in range(2):
        session = open_session(connected())
        session.provider.verify(session)

    digests = list(ExchangePayload.objects.values_list("digest", flat=True))
    assert len(digests) == 4
    assert len(set(digests)) == 4  # nobody can tell that they hold the same


def test_an_answer_too_large_to_keep_is_noted_with_its_size(vendor: Vendor, settings: object) -> None:
    settings.KONTOR_KEPT_PAYLOAD_BYTES = 10  # type: ignore[attr-defined]
    session = open_session(connected())

    session.provider.verify(session)

    kept = Exchange.objects.get(pk=last_exchange_id(session))
    assert kept.payload is None
    assert kept.size == len(json.dumps(vendor.company))


def test_secrets_entered_and_issued_stand_nowhere_in_clear(vendor: Vendor) -> None:
    """The canaries are found on the wire first: a test that looks for nothing finds nothing."""
    vendor.company["echo"] = f"{KEY} {TOKEN} {APP_TOKEN}"
    session = open_session(connected(company="%ORGNR%"))

    session.provider.verify(session)

    wire = b"".join(request.body + json.dumps(dict(request.headers)).encode() for request in vendor.heard).decode()
    assert KEY in wire
    assert TOKEN in wire
    rows = Exchange.objects.count()
    bodies = b"".join(body_of(row) or b"" for row in Exchange.objects.all()).decode()
    bodies += "".join(f"{row.url} {row.request} {row.error}" for row in Exchange.objects.all())
    assert rows == 2
    assert '"echo": "*** *** ***"' in bodies
    everything = bodies + _whole_database()
    assert "Fjord AS" in everything
    assert [canary for canary in (KEY, TOKEN, APP_TOKEN) if canary in everything] == []


def _whole_database() -> str:
    """Every column of our tables as text; exchanges are looked at decrypted by the caller."""
    found = []
    with database.cursor() as cursor:
        for table in database.introspection.table_names(cursor):
            if table.startswith("connectors_"):
                cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - our own tables
                found += [
                    bytes(cell).decode("latin-1") if isinstance(cell, bytes | memoryview) else str(cell)
                    for row in cursor.fetchall()
                    for cell in row
                ]
    return "\n".join(found)


def test_a_resolved_company_is_kept_on_the_connection(vendor: Vendor) -> None:
    connection = connected()
    session = open_session(connection)

    session.keep_company_key("5001")

    assert Connection.objects.get(pk=connection.pk).company_key == "5001"
    assert open_session(Connection.objects.get(pk=connection.pk)).company_key == "5001"


def test_a_vendors_cookies_are_not_kept(vendor: Vendor) -> None:
    """They would be sent beside what is masked, and make calls depend on those before."""
    vendor.headers["Set-Cookie"] = "session=canary-cookie-value; Path=/"
    session = open_session(connected())

    session.provider.verify(session)
    session.provider.verify(session)

    assert len(vendor.heard) == 3
    assert [request.headers.get("cookie") for request in vendor.heard] == [None] * 3
