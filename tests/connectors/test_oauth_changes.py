"""Consent and tokens when something around them changes; nothing secret is ever stored in clear."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection as database

from apps.connectors import registry
from apps.connectors.actions import activate, activate_shared
from apps.connectors.models import Connection, Connector, OAuthGrant
from apps.connectors.oauth import callback, start_again
from apps.connectors.sdk.failures import ConnectorError
from apps.connectors.sdk.queries import Page
from apps.connectors.sessions import open_session
from apps.connectors.standalone import Summary, WrongUseError, session_for
from apps.core.scope import system_scope
from tests.connectors.oauth_vendor import CLIENT_ID, CLIENT_SECRET, CODE, NUMBER, SLUG, OAuthVendor, oauth_vendor
from tests.connectors.test_oauth import BACK, HERE, answer, begun
from tests.factories import ClientFactory

__all__ = ["oauth_vendor"]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _scope() -> Iterator[None]:
    with system_scope("tests"):
        yield


def by_tenant(client: Any, tenant: str, connector: Connector | None = None) -> Any:
    return activate(
        client=client, provider=SLUG, auth="oauth_client", actor="anna", connector=connector,
        values={"client_id": CLIENT_ID, "tenant": tenant}, secrets={"client_secret": CLIENT_SECRET},
    )  # fmt: skip


def test_another_tenant_does_not_use_the_token_of_the_one_before(oauth_vendor: OAuthVendor) -> None:
    client = ClientFactory(organisation_number=NUMBER)
    outcome = by_tenant(client, "1")
    open_session(Connection.objects.get()).tokens_in_use()
    assert OAuthGrant.objects.count() == 1

    assert by_tenant(client, "2", outcome.connector).ok

    oauth_vendor.heard.clear()
    open_session(Connection.objects.get()).tokens_in_use()
    assert [one.headers["tenantid"] for one in oauth_vendor.heard] == ["2"]


def test_a_shared_application_changed_meanwhile_is_not_put_back(oauth_vendor: OAuthVendor) -> None:
    client = ClientFactory(organisation_number=NUMBER)
    shared = activate_shared(
        organisation=client.organisation, provider=SLUG, auth="oauth_code", actor="anna", connector=None,
        values={"client_id": CLIENT_ID}, secrets={"client_secret": CLIENT_SECRET},
    ).connector  # fmt: skip
    assert shared is not None
    connection = Connection.objects.create(client=client, connector=shared)
    address = start_again(connection=connection, browser=HERE, redirect_uri=BACK)
    Connector.objects.filter(pk=shared.pk).update(values={"client_id": "another-app"})

    outcome = callback(
        query={"state": parse_qs(urlsplit(address).query)["state"][0], "code": CODE}, browser=HERE, actor="bo"
    )

    assert not outcome.ok
    shared.refresh_from_db()
    assert shared.values == {"client_id": "another-app"}
    assert not OAuthGrant.objects.exists()


def test_no_secret_stands_in_the_database_in_clear(oauth_vendor: OAuthVendor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    answer(begun("974760673")[1]["state"], code="canary-wrong-code-77")
    answer(begun("974760674")[1]["state"], error="access_denied", error_description=f"canary {CODE}")
    begun("974760675")
    state = begun()[1]["state"]
    answer(state)
    connection = Connection.objects.get(state="active")
    oauth_vendor.access = "-"
    session = open_session(connection)
    session.provider.verify(session)
    oauth_vendor.access = oauth_vendor.refresh = "-"
    with pytest.raises(ConnectorError):
        open_session(connection).provider.verify(open_session(connection))

    found = []
    with database.cursor() as cursor:
        for table in database.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - our own tables
            for row in cursor.fetchall():
                text = json.dumps([_readable(cell) for cell in row])
                if "canary" in text or state in text:
                    found.append((table, text[:400]))
    assert found == []
    assert "canary" not in caplog.text


def _readable(cell: Any) -> str:
    return bytes(cell).decode("latin-1") if isinstance(cell, bytes | memoryview) else str(cell)


def test_a_file_may_hold_fields_of_the_other_ways_to_sign_in(oauth_vendor: OAuthVendor) -> None:
    issued = oauth_vendor.issue()
    given = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "tenant": "42"}

    session = session_for(registry.provider(SLUG), {**given, "access_token": issued["access_token"]})

    assert session.provider.verify(session).organisation_number == NUMBER
    with pytest.raises(WrongUseError, match="colour"):
        session_for(registry.provider(SLUG), {**given, "colour": "red"})


def test_the_cursor_of_a_reading_asks_for_the_overlap_again() -> None:
    summary = Summary()

    for at in ("2026-03-02T10:00:00+00:00", "2026-03-02T10:05:00+00:00"):
        summary.take(Page(watermark=at), timedelta(hours=3))

    assert summary.cursor == "2026-03-02T07:00:00+00:00"
