"""The consent pages: who may begin one, in whose bureau, and what comes back to them."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from apps.connectors.models import Connection, Connector, ConsentState, OAuthGrant
from apps.core.scope import system_scope
from tests.connectors.oauth_vendor import CLIENT_ID, CLIENT_SECRET, CODE, NUMBER, SLUG, OAuthVendor, oauth_vendor
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

    assert "Fjord AS" in answer.content.decode()
    assert (answer["Referrer-Policy"], "no-store" in answer["Cache-Control"]) == ("no-referrer", True)
    assert CODE not in answer.content.decode()


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
