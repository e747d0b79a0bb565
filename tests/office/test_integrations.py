"""Adding an integration through its form: Activate tells the company, or the remedy beside the field at fault."""

import pytest
from django.test import Client as Browser

from apps.connectors.models import Connection, Connector, ConnectorSecret
from apps.core.scope import system_scope
from apps.flows.models import Feed
from apps.notifications.actions import raise_problem
from apps.sync.models import Run
from tests.connectors.fake import APP_TOKEN, KEY, NUMBER, OTHER_NUMBER, SLUG, Vendor, vendor
from tests.factories import ClientFactory
from tests.office.bureau import TROUBLE, Bureau, signed_in

__all__ = ["vendor"]
pytestmark = pytest.mark.django_db


def address(client: object) -> str:
    return f"/admin/clients/client/{client.pk}/integrations/add/{SLUG}/"  # type: ignore[attr-defined]


def test_the_form_is_the_declarations_own(bureau: Bureau, owner: Browser, vendor: Vendor) -> None:
    client = ClientFactory(organisation=bureau.organisation, organisation_number=NUMBER)

    page = owner.get(address(client)).content.decode()

    assert 'name="api_key"' in page
    assert 'name="site"' in page
    assert 'name="app_token"' not in page
    assert "becomes-company" in page
    assert NUMBER in page


def test_activate_tells_the_company_and_makes_the_feed(bureau: Bureau, owner: Browser, vendor: Vendor) -> None:
    client = ClientFactory(organisation=bureau.organisation, organisation_number=NUMBER)

    page = owner.post(address(client), {"api_key": KEY, "company": "%ORGNR%"}, follow=True).content.decode()

    assert f"Activated: Fjord AS ({NUMBER})." in page
    assert KEY not in page
    assert APP_TOKEN not in page
    with system_scope("tests"):
        assert Feed.objects.filter(client=client).count() == 1


def test_a_refused_key_shows_its_remedy_and_is_not_shown_again(bureau: Bureau, owner: Browser, vendor: Vendor) -> None:
    client = ClientFactory(organisation=bureau.organisation, organisation_number=NUMBER)

    page = owner.post(address(client), {"api_key": "wrong-key-0123456789"}).content.decode()

    assert 'class="k-fault" role="alert"' in page
    assert "Reference" in page
    assert "wrong-key-0123456789" not in page
    with system_scope("tests"):
        assert not Feed.objects.filter(client=client).exists()


def test_a_field_of_the_wrong_form_is_told_beside_it_and_nothing_is_sent(
    bureau: Bureau, owner: Browser, vendor: Vendor
) -> None:
    client = ClientFactory(organisation=bureau.organisation, organisation_number=NUMBER)

    page = owner.post(address(client), {"api_key": KEY, "site": "NORTH 7"}).content.decode()

    assert "This does not have the right form. Example: north." in page
    assert vendor.heard == []


def test_the_wrong_company_is_refused_with_both_names(bureau: Bureau, owner: Browser, vendor: Vendor) -> None:
    client = ClientFactory(organisation=bureau.organisation, name="Haug AS", organisation_number=OTHER_NUMBER)

    page = owner.post(address(client), {"api_key": KEY}, follow=True).content.decode()

    assert f"The connection opens Fjord AS ({NUMBER}), but the client is Haug AS ({OTHER_NUMBER})." in page
    with system_scope("tests"):
        assert not Feed.objects.filter(client=client).exists()


def test_the_bureaus_key_tells_how_many_companies_it_reaches(bureau: Bureau, owner: Browser, vendor: Vendor) -> None:
    vendor.companies = [{"id": "7", "name": "Fjord AS", "number": NUMBER}, {"id": "8", "name": "Haug AS"}]
    form = f"/admin/connectors/new/{bureau.organisation.pk}/{SLUG}/"

    page = owner.post(form, {"api_key": KEY, "company": "%ORGNR%"}, follow=True).content.decode()

    assert "Activated. The key reaches 2 companies." in page
    assert KEY not in page


def test_a_client_uses_the_bureaus_connector(bureau: Bureau, owner: Browser, vendor: Vendor) -> None:
    client = ClientFactory(organisation=bureau.organisation, organisation_number=NUMBER)
    owner.post(f"/admin/connectors/new/{bureau.organisation.pk}/{SLUG}/", {"api_key": KEY, "company": "%ORGNR%"})
    with system_scope("tests"):
        shared = Connector.objects.get(provider=SLUG)

    page = owner.post(f"/admin/clients/client/{client.pk}/integrations/shared/{shared.pk}/", follow=True)

    assert f"Activated: Fjord AS ({NUMBER})." in page.content.decode()
    with system_scope("tests"):
        assert Connection.objects.get(client=client).connector == shared


def test_an_accountant_does_not_touch_the_bureaus_key(bureau: Bureau, vendor: Vendor) -> None:
    browser = signed_in(bureau.member("accountant"))
    form = f"/admin/connectors/new/{bureau.organisation.pk}/{SLUG}/"

    assert browser.get(form).status_code == 403
    assert browser.post(form, {"api_key": KEY}).status_code == 403
    assert browser.get("/admin/connectors/new/").status_code == 403
    assert browser.get(f"/admin/connectors/{bureau.connection.connector_id}/").status_code == 403
    assert vendor.heard == []


def test_an_unknown_system_is_not_found(bureau: Bureau, owner: Browser) -> None:
    assert owner.get(f"/admin/clients/client/{bureau.client.pk}/integrations/add/nobody/").status_code == 404


def test_the_choice_of_systems_offers_the_bureaus_connector(bureau: Bureau, owner: Browser) -> None:
    client = ClientFactory(organisation=bureau.organisation)

    page = owner.get(f"/admin/clients/client/{client.pk}/integrations/add/").content.decode()

    assert "Use the bureau&#x27;s connector" in page or "Use the bureau's connector" in page


def test_try_again_starts_a_run(bureau: Bureau, owner: Browser) -> None:
    with system_scope("tests"):
        problem = raise_problem(client=bureau.client, subject=bureau.connection, trouble=TROUBLE)

    owner.post(f"/admin/problems/{problem.pk}/again/")

    with system_scope("tests"):
        assert [run.kind for run in Run.objects.filter(feed=bureau.feed)] == ["manual"]


def test_only_a_disappearance_is_released(bureau: Bureau, owner: Browser) -> None:
    with system_scope("tests"):
        problem = raise_problem(client=bureau.client, subject=bureau.connection, trouble=TROUBLE)

    assert owner.post(f"/admin/problems/{problem.pk}/release/").status_code == 404
    with system_scope("tests"):
        assert not Feed.objects.get(pk=bureau.feed.pk).release_disappearance


def test_no_secret_is_in_the_stored_values(bureau: Bureau, owner: Browser, vendor: Vendor) -> None:
    client = ClientFactory(organisation=bureau.organisation, organisation_number=NUMBER)
    owner.post(address(client), {"api_key": KEY})

    with system_scope("tests"):
        connector = Connector.objects.get(client=client)
        held = ConnectorSecret.objects.get(connector=connector)
    assert KEY not in str(connector.values)
    assert held.entered() == {"api_key": KEY}


def test_a_token_is_shown_once(bureau: Bureau, owner: Browser) -> None:
    form = {"organisation": bureau.organisation.pk, "name": "dashboard", "all_clients": "on"}

    made = owner.post("/admin/clients/apitoken/add/", form, follow=True).content.decode()
    later = owner.get("/admin/clients/apitoken/").content.decode()

    assert made.count("kontor_") == 1
    assert "kontor_" not in later
