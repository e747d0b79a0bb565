"""A service account's one consent, what it tells, what each client has to itself, and a consent given up."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone

from apps.audit.models import AuditLine
from apps.connectors import registry
from apps.connectors.actions import Activation, activate_connection, activate_shared, connect
from apps.connectors.checks import faults
from apps.connectors.enums import ConnectionState
from apps.connectors.forms import connection_form, connector_form
from apps.connectors.grants import GrantTokens
from apps.connectors.models import Connection, Connector, ConsentState, OAuthGrant
from apps.connectors.oauth import LIFETIME, callback, start, start_again, withdraw
from apps.connectors.sdk.declaration import Field, FieldScope, OAuth2Client
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.ports import Tokens
from apps.connectors.sessions import open_session
from apps.core.scope import system_scope
from apps.sync.retention import purge_all
from tests.connectors.oauth_vendor import CLIENT_ID, CLIENT_SECRET, CODE, NUMBER, SLUG, OAuthVendor, oauth_vendor
from tests.connectors.test_oauth import BACK, HERE, answer, begun, refused
from tests.factories import ClientFactory

__all__ = ["oauth_vendor"]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _scope() -> Iterator[None]:
    with system_scope("tests"):
        yield


def state_of(address: str) -> str:
    return parse_qs(urlsplit(address).query)["state"][0]


def service(client: Any, tenant: str = "", **more: Any) -> str:
    """The address of the consent page for a service account."""
    return start(
        client=client, provider=SLUG, auth="oauth_client", values={"client_id": CLIENT_ID, "tenant": tenant},
        entered={"client_secret": CLIENT_SECRET}, browser=HERE, redirect_uri=BACK, **more,
    )  # fmt: skip


def shared_by(client: Any) -> Connection:
    outcome = activate_shared(
        organisation=client.organisation, provider=SLUG, auth="oauth_client", actor="anna",
        values={"client_id": CLIENT_ID}, secrets={"client_secret": CLIENT_SECRET},
    )  # fmt: skip
    assert outcome.connector is not None, outcome.trouble
    return connect(client=client, connector=outcome.connector, actor="anna")


def tenants_asked(vendor: OAuthVendor) -> list[str]:
    return [one.headers["tenantid"] for one in vendor.heard if "tenantid" in one.headers]


# -- One consent ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["", "1234"])
def test_the_consent_tells_the_tenant_and_the_account_is_used_from_then_on(
    oauth_vendor: OAuthVendor, typed: str
) -> None:
    address = service(ClientFactory(organisation_number=NUMBER), typed)
    assert "access_type" not in parse_qs(urlsplit(address).query)  # no refresh token is asked for that nobody keeps

    outcome = answer(state_of(address))

    assert outcome.ok, outcome.error
    connector = Connector.objects.get()
    assert (connector.auth, connector.values["tenant"]) == ("oauth_client", "77")
    assert tenants_asked(oauth_vendor) == ["77"]
    assert not OAuthGrant.objects.exists()
    open_session(Connection.objects.get()).tokens_in_use()
    assert tenants_asked(oauth_vendor) == ["77", "77"]
    assert "refresh-canary" not in OAuthGrant.objects.get().tokens


def test_a_consent_for_another_company_leaves_the_working_account(oauth_vendor: OAuthVendor) -> None:
    answer(state_of(service(ClientFactory(organisation_number=NUMBER))))
    connection = Connection.objects.get()
    Connector.objects.update(values={"client_id": CLIENT_ID, "tenant": "42"})
    oauth_vendor.number, oauth_vendor.codes = "974760673", {"second"}

    outcome = answer(state_of(start_again(connection=connection, browser=HERE, redirect_uri=BACK)), code="second")

    assert outcome.trouble is not None
    assert outcome.trouble.code == "connector.wrong_company"
    assert Connector.objects.get().values["tenant"] == "42"
    assert Connection.objects.get().state == ConnectionState.ACTIVE


def test_fields_that_lead_elsewhere_are_told_and_nobody_is_sent_there(
    oauth_vendor: OAuthVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = registry.provider(SLUG)
    astray = replace(provider.auth[0], authorize_url="https://elsewhere.example/auth")  # type: ignore[type-var]
    monkeypatch.setitem(registry.all_providers(), SLUG, replace(provider, auth=(astray,)))

    with pytest.raises(ConnectorError) as caught:
        begun()

    assert (caught.value.failure, caught.value.remedy.code) == (Failure.SETUP, "connector.address_refused")
    assert not ConsentState.objects.exists()


# -- Each client's own fields -----------------------------------------------------------------------------------------


def test_a_shared_connectors_form_leaves_the_clients_field_to_the_clients(oauth_vendor: OAuthVendor) -> None:
    provider = registry.provider(SLUG)

    assert list(connector_form(provider, "oauth_client", shared=True).base_fields) == ["client_id", "client_secret"]
    assert connector_form(provider, "oauth_client").base_fields["tenant"].required
    assert not connector_form(provider, "oauth_client", consenting=True).base_fields["tenant"].required
    connection = shared_by(ClientFactory(organisation_number=NUMBER))
    assert list(connection_form(connection).base_fields) == ["tenant"]
    assert oauth_vendor.heard == []  # there is no company to ask about yet


def test_two_clients_of_one_connector_have_a_tenant_each(oauth_vendor: OAuthVendor) -> None:
    first = shared_by(ClientFactory(organisation_number=NUMBER))
    other = ClientFactory(organisation=first.client.organisation, organisation_number="974760673")
    second = connect(client=other, connector=first.connector, actor="anna")

    assert activate_connection(connection=first, actor="anna", values={"tenant": "1"}).ok
    oauth_vendor.number = "974760673"
    assert answer(state_of(start_again(connection=second, browser=HERE, redirect_uri=BACK))).ok

    assert tenants_asked(oauth_vendor) == ["1", "77"]
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.values, second.values) == ({"tenant": "1"}, {"tenant": "77"})
    assert first.connector.values == {"client_id": CLIENT_ID}
    assert {first.state, second.state} == {ConnectionState.ACTIVE}


@pytest.mark.parametrize("how", ["refused", "another company"])
def test_a_field_that_fails_does_not_take_the_place_of_one_that_works(oauth_vendor: OAuthVendor, how: str) -> None:
    connection = shared_by(ClientFactory(organisation_number=NUMBER))
    assert activate_connection(connection=connection, actor="anna", values={"tenant": "1"}).ok
    open_session(connection).tokens_in_use()
    held = OAuthGrant.objects.get().tokens
    if how == "refused":
        oauth_vendor.refuse = "invalid_grant"
    else:
        oauth_vendor.number = "974760673"

    outcome = activate_connection(connection=connection, actor="anna", values={"tenant": "2"})

    assert not outcome.ok
    kept = Connection.objects.get()
    assert (kept.values, kept.state, connection.values) == ({"tenant": "1"}, ConnectionState.ACTIVE, {"tenant": "1"})
    assert OAuthGrant.objects.get().tokens == held


def test_another_tenant_drops_the_token_of_the_one_before(oauth_vendor: OAuthVendor) -> None:
    connection = shared_by(ClientFactory(organisation_number=NUMBER))
    assert activate_connection(connection=connection, actor="anna", values={"tenant": "1"}).ok
    open_session(connection).tokens_in_use()

    assert activate_connection(connection=connection, actor="anna", values={"tenant": "2"}).ok

    open_session(connection).tokens_in_use()
    assert tenants_asked(oauth_vendor)[-2:] == ["2", "2"]


def test_a_secret_field_of_a_connection_is_a_fault(oauth_vendor: OAuthVendor) -> None:
    provider = registry.provider(SLUG)
    way = provider.auth_named("oauth_client")
    assert isinstance(way, OAuth2Client)
    secret = Field(name="pin", label="Pin", secret=True, scope=FieldScope.CONNECTION)

    assert list(faults(provider)) == []
    told = list(faults(replace(provider, auth=(replace(way, fields=(*way.fields, secret)),))))
    assert any("pin" in text for text in told)


# -- Over -------------------------------------------------------------------------------------------------------------


def consented() -> Connection:
    assert answer(begun()[1]["state"]).ok
    return Connection.objects.get()


def notes() -> list[str]:
    return list(AuditLine.objects.filter(action__startswith="consent.").order_by("pk").values_list("action", flat=True))


def test_a_consent_given_up_is_forgotten_and_the_vendor_told(oauth_vendor: OAuthVendor) -> None:
    connection = consented()
    refresh = oauth_vendor.refresh

    assert withdraw(connection=connection, actor="anna")

    assert not OAuthGrant.objects.exists()
    assert connection.state == ConnectionState.NEW
    [asked] = [one for one in oauth_vendor.heard if one.path == "/revoke"]
    assert parse_qs(asked.body.decode())["token"] == [refresh]
    assert notes() == ["consent.withdrawn", "consent.revoked"]
    with pytest.raises(ConnectorError) as caught:
        open_session(connection).tokens_in_use()
    assert caught.value.remedy.code == "fake_oauth.consent_missing"


def test_a_vendor_out_of_reach_keeps_nobody_from_giving_up(
    oauth_vendor: OAuthVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = consented()
    monkeypatch.setenv("CONNECTOR_FAKE_OAUTH_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("CONNECTOR_ALLOW_PRIVATE_HOSTS", "127.0.0.1:9")

    assert not withdraw(connection=connection, actor="anna")

    assert not OAuthGrant.objects.exists()
    assert notes() == ["consent.withdrawn", "consent.not_revoked"]
    assert AuditLine.objects.get(action="consent.not_revoked").details == {"why": "connector.unreachable"}


def test_a_pair_that_comes_after_giving_up_is_not_used(oauth_vendor: OAuthVendor) -> None:
    connection = consented()
    store = GrantTokens(connection.pk)

    def refresh(_held: Tokens | None, _lost: bool) -> Tokens:  # noqa: FBT001 - as the store calls it
        withdraw(connection=connection, actor="anna")
        return Tokens(access_token="late", refresh_token="late")

    with pytest.raises(ConnectorError) as caught:
        store.renewed(store.load(), refresh)

    assert caught.value.failure is Failure.RECONNECT
    assert not OAuthGrant.objects.exists()


def test_what_was_entered_is_gone_with_the_first_answer(oauth_vendor: OAuthVendor) -> None:
    state = begun()[1]["state"]
    answer(state, error="access_denied")

    assert json.loads(ConsentState.objects.get().entered) == {}


def test_begun_consents_are_purged_once_they_are_over(oauth_vendor: OAuthVendor) -> None:
    old, used, waiting = begun()[1]["state"], begun("974760673")[1]["state"], begun("985952442")[1]["state"]
    rows = ConsentState.objects.order_by("made_at")
    ConsentState.objects.filter(pk=rows[0].pk).update(made_at=timezone.now() - timedelta(days=1, minutes=1))
    answer(used, error="access_denied")

    list(purge_all(timezone.now()))

    assert timedelta(days=1) > LIFETIME
    assert refused(answer(old)) == refused(answer(used)) == "connector.consent_state"
    assert ConsentState.objects.count() == 1
    assert refused(answer(waiting, error="access_denied")) == "fake_oauth.consent_denied"


def test_who_lost_the_right_meanwhile_changes_nothing(oauth_vendor: OAuthVendor) -> None:
    state = begun()[1]["state"]

    outcome: Activation = callback(
        query={"state": state, "code": CODE}, browser=HERE, actor="anna", may=lambda _organisation: False
    )

    assert refused(outcome) == "connector.consent_state"
    assert outcome.client is None
    assert oauth_vendor.heard == []
    assert not Connector.objects.exists()
