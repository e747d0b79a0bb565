"""The consent pages: who may begin one, in whose bureau, and what comes back to them."""

import logging.config
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.test import Client as Browser

from apps.connectors.models import Connection, Connector, ConsentState, OAuthGrant
from apps.core.scope import system_scope
from apps.organisations.models import Membership
from tests.connectors.oauth_vendor import CLIENT_ID, CLIENT_SECRET, CODE, NUMBER, SLUG, OAuthVendor, oauth_vendor
from tests.factories import MembershipFactory
from tests.office.bureau import Bureau, signed_in

__all__ = ["oauth_vendor"]
pytestmark = pytest.mark.django_db
TYPED = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


@pytest.fixture
def asked(bureau: Bureau, oauth_vendor: OAuthVendor) -> str:
    with system_scope("tests"):
        type(bureau.client).objects.filter(pk=bureau.client.pk).update(organisation_number=NUMBER)
    return f"/admin/clients/client/{bureau.client.pk}/integrations/add/{SLUG}/"


def grants() -> int:
    with system_scope("tests"):
        return OAuthGrant.objects.count() + ConsentState.objects.filter(used_at=None).count()


@pytest.mark.parametrize("role", ["reviewer", "read_only", "auditor"])
def test_who_may_not_work_begins_and_ends_no_consent(bureau: Bureau, asked: str, role: str) -> None:
    browser = signed_in(bureau.member(role))

    assert browser.post(asked, TYPED).status_code == 403
    assert browser.post(f"/admin/connections/{bureau.connection.pk}/consent/").status_code == 403
    assert browser.get("/admin/consent/?state=x&code=y").status_code == 403
    assert grants() == 0


def test_another_bureaus_rows_are_not_there(bureau: Bureau, other: Bureau, asked: str) -> None:
    browser = signed_in(other.member("owner"))

    assert browser.post(asked, TYPED).status_code == 404
    assert browser.post(f"/admin/connections/{bureau.connection.pk}/consent/").status_code == 404
    assert grants() == 0


def test_a_consent_comes_back_to_the_browser_that_began_it(bureau: Bureau, asked: str) -> None:
    browser, stranger = signed_in(bureau.member("accountant")), signed_in(bureau.member("owner"))
    sent = [parse_qs(urlsplit(browser.post(asked, TYPED).context["address"]).query)["state"][0] for _time in range(2)]

    assert "Connected" not in stranger.get("/admin/consent/", {"state": sent[0], "code": CODE}).content.decode()
    answer = browser.get("/admin/consent/", {"state": sent[1], "code": CODE})

    assert (answer["Referrer-Policy"], "no-store" in answer["Cache-Control"]) == ("strict-origin", True)
    assert answer["Location"] == f"/admin/clients/client/{bureau.client.pk}/change/"
    shown = browser.get(answer["Location"]).content.decode()
    assert "Activated: Fjord AS" in shown
    assert CODE not in shown


def test_who_was_signed_out_meanwhile_takes_no_code_along_and_is_told_what_to_do(bureau: Bureau, asked: str) -> None:
    person = bureau.member("accountant")
    browser = signed_in(person)
    state = parse_qs(urlsplit(browser.post(asked, TYPED).context["address"]).query)["state"][0]
    browser.logout()

    sent = browser.get("/admin/consent/", {"state": state, "code": CODE})["Location"]
    browser.force_login(person)
    shown = browser.get(parse_qs(urlsplit(sent).query)["next"][0]).content.decode()

    assert sent.startswith("/admin/login/?")
    assert CODE not in sent
    assert "connector.consent_state" in shown
    assert f"/admin/clients/client/{bureau.client.pk}/change/" in shown  # and the way back
    assert grants() == 0


def test_the_servers_own_log_shows_no_code(capsys: pytest.CaptureFixture[str], bureau: Bureau) -> None:
    logging.config.dictConfig(settings.LOGGING)

    logging.getLogger("django.server").info(
        '"%s" %s %s', f"GET /admin/consent/?state=s1&code={CODE} HTTP/1.1", "302", "0"
    )

    told = capsys.readouterr().err
    assert "/admin/consent/?state=[redacted]&code=[redacted] HTTP/1.1" in told
    assert CODE not in told


def test_a_role_lost_meanwhile_ends_the_consent(bureau: Bureau, other: Bureau, asked: str) -> None:
    person = bureau.member("accountant")
    MembershipFactory(user=person, organisation=other.organisation, role="accountant")
    browser = signed_in(person)
    state = parse_qs(urlsplit(browser.post(asked, TYPED).context["address"]).query)["state"][0]
    with system_scope("tests"):
        Membership.objects.filter(user=person, organisation=bureau.organisation).update(role="read_only")

    shown = browser.get("/admin/consent/", {"state": state, "code": CODE}).content.decode()

    assert "connector.consent_state" in shown
    assert bureau.client.name not in shown
    with system_scope("tests"):
        assert not Connector.objects.filter(provider=SLUG).exists()


def test_a_failed_consent_leads_back_by_its_button(bureau: Bureau, asked: str) -> None:
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(bureau.member("accountant"))
    token = parsed(browser.get(asked).content.decode())
    leaves = browser.post(asked, {**TYPED, "csrfmiddlewaretoken": token}).context["address"]
    state = parse_qs(urlsplit(leaves).query)["state"][0]

    shown = browser.get("/admin/consent/", {"state": state, "error": "access_denied"}).content.decode()

    assert "fake_oauth.consent_denied" in shown
    assert f"/admin/clients/client/{bureau.client.pk}/integrations/add/" in shown
    assert grants() == 0


def parsed(page: str) -> str:
    return re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[0]


def connected(bureau: Bureau, browser: Browser, asked: str) -> Connection:
    state = parse_qs(urlsplit(browser.post(asked, TYPED).context["address"]).query)["state"][0]
    browser.get("/admin/consent/", {"state": state, "code": CODE})
    with system_scope("tests"):
        return Connection.objects.get(connector__provider=SLUG)


@pytest.mark.parametrize(("role", "status"), [("owner", 302), ("accountant", 403)])
def test_a_consent_is_given_up_by_who_manages_the_bureau(
    bureau: Bureau, asked: str, role: str, status: int, oauth_vendor: OAuthVendor
) -> None:
    row = connected(bureau, signed_in(bureau.member("owner")), asked)
    browser = signed_in(bureau.member(role))

    offered = "Give the consent up" in browser.get(f"/admin/connections/{row.pk}/").content.decode()
    answer = browser.post(f"/admin/connections/{row.pk}/consent/give-up/")

    assert (answer.status_code, offered) == (status, status == 302)
    assert grants() == (0 if status == 302 else 1)
    assert len([one for one in oauth_vendor.heard if one.path == "/revoke"]) == 1 - grants()


def test_a_service_account_begins_with_connect_and_an_empty_field(bureau: Bureau, asked: str) -> None:
    browser = signed_in(bureau.member("accountant"))
    address = f"{asked}?auth=oauth_client"

    assert "formnovalidate" in browser.get(address).content.decode()
    assert browser.post(address, TYPED).status_code == 200  # Activate asks for the tenant
    sent = browser.post(address, {**TYPED, "consent": "1"}).context["address"]
    browser.get("/admin/consent/", {"state": parse_qs(urlsplit(sent).query)["state"][0], "code": CODE})

    with system_scope("tests"):
        connector: Any = Connector.objects.get(provider=SLUG)
        assert (connector.auth, connector.values["tenant"]) == ("oauth_client", "77")
    assert 'value="77"' in browser.get(asked).content.decode()


def test_a_client_enters_its_own_field_under_the_bureaus_connector(
    bureau: Bureau, asked: str, oauth_vendor: OAuthVendor
) -> None:
    browser = signed_in(bureau.member("owner"))
    form = f"/admin/connectors/new/{bureau.organisation.pk}/{SLUG}/?auth=oauth_client"
    assert 'name="tenant"' not in browser.get(form).content.decode()
    browser.post(form, TYPED)
    with system_scope("tests"):
        shared: Any = Connector.objects.get(provider=SLUG)

    page = browser.post(f"/admin/clients/client/{bureau.client.pk}/integrations/shared/{shared.pk}/")["Location"]
    assert oauth_vendor.heard == []
    shown = browser.get(page).content.decode()
    assert ('name="tenant"' in shown, "connection_consent" in shown or "/consent/" in shown) == (True, True)
    assert browser.post(f"{page}fields/", {"tenant": ""}).status_code == 200
    browser.post(f"{page}fields/", {"tenant": "42"})

    with system_scope("tests"):
        row = Connection.objects.get(connector=shared)
        assert (row.state, row.values) == ("active", {"tenant": "42"})
        assert Connector.objects.get(pk=shared.pk).values == {"client_id": CLIENT_ID}


def test_another_way_to_sign_in_may_be_taken_later(bureau: Bureau, asked: str) -> None:
    browser = signed_in(bureau.member("owner"))
    state = parse_qs(urlsplit(browser.post(asked, TYPED).context["address"]).query)["state"][0]
    browser.get("/admin/consent/", {"state": state, "code": CODE})

    assert "?auth=oauth_client" in browser.get(asked).content.decode()
    browser.post(f"{asked}?auth=oauth_client", {**TYPED, "tenant": "42"})

    with system_scope("tests"):
        connector: Any = Connector.objects.get(provider=SLUG)
        assert (connector.auth, connector.values["tenant"]) == ("oauth_client", "42")
        assert Connection.objects.get(connector=connector).state == "active"
        assert not OAuthGrant.objects.exists()  # the consent's tokens are not the service account's
