"""Consent and renewal: what must fit, what is kept, and what each refusal means."""

import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone

from apps.connectors import registry
from apps.connectors.actions import Activation
from apps.connectors.enums import ConnectionState
from apps.connectors.grants import GrantTokens, consent_warning
from apps.connectors.models import Connection, Connector, ConsentState, Exchange, OAuthGrant
from apps.connectors.oauth import Browser, callback, start, start_again
from apps.connectors.sdk import oauth
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sessions import open_session
from apps.connectors.standalone import session_for, values_of
from apps.core.scope import system_scope
from tests.connectors.oauth_vendor import CLIENT_ID, CLIENT_SECRET, CODE, NUMBER, SLUG, OAuthVendor, oauth_vendor
from tests.connectors.test_oauth_processes import granted
from tests.factories import ClientFactory

__all__ = ["oauth_vendor"]
pytestmark = pytest.mark.django_db

HERE = Browser(user_id=7, session_key="this-browser")
BACK = "https://kontor.example/admin/consent/"


@pytest.fixture(autouse=True)
def _scope() -> Iterator[None]:
    with system_scope("tests"):
        yield


def begun(number: str = NUMBER) -> tuple[str, dict[str, str]]:
    """The address of the consent page, and its query."""
    address = start(
        client=ClientFactory(organisation_number=number), provider=SLUG, auth="oauth_code",
        values={"client_id": CLIENT_ID}, entered={"client_secret": CLIENT_SECRET}, browser=HERE, redirect_uri=BACK,
    )  # fmt: skip
    return address, {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def answer(state: str, browser: Browser = HERE, **query: str) -> Activation:
    return callback(query={"state": state, **(query or {"code": CODE})}, browser=browser, actor="anna")


def refused(outcome: Activation) -> str:
    assert outcome.error is not None
    return outcome.error.remedy.code


def test_the_consent_page_is_asked_as_declared(oauth_vendor: OAuthVendor) -> None:
    address, query = begun()

    assert address.startswith(f"{oauth_vendor.url}/auth?")  # the operator's other address, as for every call
    assert (query["response_type"], query["client_id"], query["scope"]) == ("code", CLIENT_ID, "books company")
    assert (query["access_type"], query["account_type"], query["redirect_uri"]) == ("offline", "service", BACK)
    assert (query["code_challenge_method"], len(query["code_challenge"])) == ("S256", 43)
    assert not Connector.objects.exists()
    assert CLIENT_SECRET not in ConsentState.objects.get().__dict__.values()


def test_a_consent_is_kept_once_its_company_is_the_clients(oauth_vendor: OAuthVendor) -> None:
    outcome = answer(begun()[1]["state"])

    assert outcome.ok, outcome.error
    connection = Connection.objects.get()
    assert (connection.state, connection.identity["name"]) == (ConnectionState.ACTIVE, "Fjord AS")
    tokens = open_session(connection).tokens_in_use()
    assert (tokens.access_token, tokens.learnt) == (oauth_vendor.access, {"tenant": "77"})
    assert tokens.refresh_expires_at is not None
    assert OAuthGrant.objects.get().consented_by == "anna"
    form = parse_qs(next(one for one in oauth_vendor.heard if one.path == "/token").body.decode())
    assert form["redirect_uri"] == [BACK]
    assert len(form["code_verifier"][0]) >= 43


def test_another_company_is_refused_and_no_token_is_kept(oauth_vendor: OAuthVendor) -> None:
    oauth_vendor.number = "974760673"

    outcome = answer(begun()[1]["state"])

    assert outcome.trouble is not None
    assert outcome.trouble.code == "connector.wrong_company"
    assert not OAuthGrant.objects.exists()
    assert Connection.objects.get().state == ConnectionState.BLOCKED


def test_another_company_leaves_a_working_connection_as_it_is(oauth_vendor: OAuthVendor) -> None:
    answer(begun()[1]["state"])
    held = OAuthGrant.objects.get().tokens
    oauth_vendor.number, oauth_vendor.codes = "974760673", {"second"}
    connection = Connection.objects.get()
    address = start_again(connection=connection, browser=HERE, redirect_uri=BACK)

    outcome = answer(parse_qs(urlsplit(address).query)["state"][0], code="second")

    assert not outcome.ok
    connection.refresh_from_db()
    assert connection.state == ConnectionState.ACTIVE
    assert OAuthGrant.objects.get().tokens == held


@pytest.mark.parametrize(
    "browser", [Browser(user_id=7, session_key="another-browser"), Browser(user_id=8, session_key="this-browser")]
)
def test_another_browser_or_user_gets_nothing_and_uses_the_state_up(
    oauth_vendor: OAuthVendor, browser: Browser
) -> None:
    state = begun()[1]["state"]

    assert refused(answer(state, browser)) == "connector.consent_state"
    assert refused(answer(state)) == "connector.consent_state"

    assert oauth_vendor.heard == []
    assert not Connector.objects.exists()


def test_a_state_is_good_once_and_for_ten_minutes(oauth_vendor: OAuthVendor) -> None:
    used, old = begun()[1]["state"], begun("974760673")[1]["state"]
    assert answer(used).ok
    calls = len(oauth_vendor.heard)

    assert refused(answer(used)) == "connector.consent_state"
    ConsentState.objects.filter(used_at=None).update(made_at=timezone.now() - timedelta(minutes=11))
    assert refused(answer(old)) == "connector.consent_state"
    assert refused(answer("made-up")) == "connector.consent_state"

    assert len(oauth_vendor.heard) == calls


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"error": "access_denied"}, "fake_oauth.consent_denied"),
        ({"error": "invalid_scope"}, "connector.scope_refused"),
        ({"code": "wrong"}, "fake_oauth.consent_code"),
    ],
)
def test_what_comes_back_in_the_place_of_a_good_code_has_its_remedy(
    oauth_vendor: OAuthVendor, query: dict[str, str], code: str
) -> None:
    assert refused(answer(begun()[1]["state"], **query)) == code
    assert not OAuthGrant.objects.exists()


def test_nothing_secret_stands_in_the_kept_exchanges(oauth_vendor: OAuthVendor) -> None:
    answer(begun()[1]["state"])
    connection = Connection.objects.get()
    session = open_session(connection)
    session.provider.verify(session)

    kept = "".join(f"{one.url} {one.request} {one.error}" for one in Exchange.objects.all())
    from apps.connectors.exchanges import body_of

    kept += "".join(str(body_of(one)) for one in Exchange.objects.all())
    assert "canary" not in kept


def ended(vendor: OAuthVendor, **changes: Any) -> ConnectorError:
    connection = granted(vendor, ended=True)
    vendor.refresh = "-"
    OAuthGrant.objects.update(**changes)
    with pytest.raises(ConnectorError) as caught:
        open_session(connection).tokens_in_use()
    return caught.value


def test_withdrawn_and_expired_are_told_apart(oauth_vendor: OAuthVendor) -> None:
    error = ended(oauth_vendor)
    assert (error.failure, error.remedy.code) == (Failure.RECONNECT, "fake_oauth.consent_withdrawn")

    connection = granted(oauth_vendor, ended=True)
    oauth_vendor.refresh = "-"
    row = OAuthGrant.objects.get(pk=connection.pk)
    held = json.loads(row.tokens) | {"refresh_expires_at": (timezone.now() - timedelta(days=1)).isoformat()}
    OAuthGrant.objects.filter(pk=row.pk).update(tokens=json.dumps(held))
    with pytest.raises(ConnectorError) as caught:
        open_session(connection).tokens_in_use()
    assert caught.value.remedy.code == "fake_oauth.consent_expired"


def test_a_refused_secret_is_not_a_lost_consent(oauth_vendor: OAuthVendor) -> None:
    connection = granted(oauth_vendor, ended=True)
    oauth_vendor.refuse = "invalid_client"

    with pytest.raises(ConnectorError) as caught:
        open_session(connection).tokens_in_use()

    assert (caught.value.failure, caught.value.field) == (Failure.SETUP, "client_secret")
    oauth_vendor.refuse = ""
    assert open_session(connection).tokens_in_use().access_token == oauth_vendor.access


def test_a_host_that_may_have_no_credentials_gets_none(oauth_vendor: OAuthVendor) -> None:
    session = open_session(granted(oauth_vendor))
    session.provider = replace(session.provider, base_url=lambda _values: "https://files.fake-oauth.example")

    with pytest.raises(ConnectorError) as caught:
        session.read("/x")

    assert caught.value.facts["status"] == "401"
    assert "authorization" not in oauth_vendor.heard[-1].headers
    assert oauth_vendor.refreshes == 0


def test_client_credentials_are_asked_for_with_the_tenant(oauth_vendor: OAuthVendor) -> None:
    given = {"auth": "oauth_client", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "tenant": "42"}
    session = session_for(registry.provider(SLUG), given)

    session.provider.verify(session)

    asked = oauth_vendor.heard[0]
    assert asked.headers["tenantid"] == "42"
    assert parse_qs(asked.body.decode()) == {"grant_type": ["client_credentials"], "scope": ["books"]}


def test_a_files_token_is_used_as_it_is_and_a_rotated_pair_is_written_before_use(
    oauth_vendor: OAuthVendor, tmp_path: Path
) -> None:
    issued = oauth_vendor.issue()
    path = tmp_path / "values.json"
    given = {"auth": "oauth_code", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    given |= {"access_token": issued["access_token"], "refresh_token": issued["refresh_token"]}
    path.write_text(json.dumps(given))

    def verify() -> None:
        session = session_for(registry.provider(SLUG), values_of(str(path)), path=str(path))
        session.provider.verify(session)

    verify()
    assert [one.path for one in oauth_vendor.heard] == ["/api/company"]

    oauth_vendor.access = "expired"
    verify()
    written = json.loads(path.read_text())
    assert (written["access_token"], written["refresh_token"]) == (oauth_vendor.access, oauth_vendor.refresh)
    assert datetime.fromisoformat(written["expires_at"]) > datetime.now(UTC)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert written["client_id"] == CLIENT_ID


def test_a_consent_that_ends_soon_is_told_with_its_day(oauth_vendor: OAuthVendor) -> None:
    connection = granted(oauth_vendor)
    assert consent_warning(connection) is None
    OAuthGrant.objects.update(refresh_expires_at=timezone.now() + timedelta(days=3))

    told = consent_warning(connection)

    assert told is not None
    assert told.code == "fake_oauth.consent_ends"


def test_revoking_tells_the_vendor(oauth_vendor: OAuthVendor) -> None:
    session = open_session(granted(oauth_vendor))
    tokens = GrantTokens(Connection.objects.get().pk).load()
    assert tokens is not None

    assert oauth.revoke(session, tokens)

    assert parse_qs(oauth_vendor.heard[-1].body.decode())["token_type_hint"] == ["refresh_token"]


def test_claims_are_read_from_a_token_without_trust() -> None:
    assert oauth.claims("x.eyJ0ZW5hbnRJZCI6IDV9.y") == {"tenantId": 5}
    assert oauth.claims("no token") == {}
