"""The doctor: each check ok, failed or not reached, in order, with the remedy; and what the night tells of it."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.connectors.doctor import Report, examine, tell
from apps.connectors.enums import Check
from apps.connectors.models import Connection, ConnectorSecret, Examination, OAuthGrant
from apps.core.scope import system_scope
from apps.notifications.models import Problem
from tests.conftest import Manage
from tests.connectors.fake import KEY, NUMBER, SLUG, Vendor, vendor
from tests.connectors.oauth_vendor import OAuthVendor, oauth_vendor
from tests.connectors.test_oauth_processes import granted
from tests.connectors.test_way_out import network
from tests.factories import ClientFactory, ConnectionFactory, ConnectorFactory

__all__ = ["oauth_vendor", "vendor"]
pytestmark = pytest.mark.django_db
OK, FAILED, NOT = "ok", "failed", "not_reached"


@pytest.fixture(autouse=True)
def _scope() -> Iterator[None]:
    with system_scope("tests"):
        yield


def connected(key: str = KEY, number: str = NUMBER, **values: str) -> Connection:
    client = ClientFactory(organisation_number=number)
    connector = ConnectorFactory(organisation=client.organisation, provider=SLUG, values=values)
    ConnectorSecret.objects.create(connector=connector, fields=json.dumps({"api_key": key} if key else {}))
    made: Connection = ConnectionFactory(client=client, connector=connector, company_key="", pinned_company_id="")
    return made


def states(report: Report) -> list[str]:
    return [found.state.value for found in report.found]


def failed(report: Report) -> tuple[str, str]:
    (found,) = [found for found in report.found if found.trouble is not None]
    assert found.trouble is not None
    return found.check.value, found.trouble.code


def test_everything_is_in_order(vendor: Vendor) -> None:
    report = examine(connected())

    assert states(report) == [OK] * 7
    assert report.ok
    assert report.checks[Check.COMPANY].detail == "Fjord AS"


def test_an_address_that_nobody_answers(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_FAKE_PROVIDER_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("CONNECTOR_ALLOW_PRIVATE_HOSTS", "127.0.0.1:1")
    report = examine(connected())

    assert states(report) == [FAILED, *[NOT] * 6]
    assert failed(report) == ("address", "connector.unreachable")
    assert vendor.heard == []


def test_an_address_that_is_not_allowed(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_ALLOW_PRIVATE_HOSTS", "")
    assert failed(examine(connected())) == ("address", "connector.address_refused")
    assert vendor.heard == []


def test_a_name_that_leads_into_our_own_network_is_not_connected_to(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connected()
    monkeypatch.delenv("CONNECTOR_FAKE_PROVIDER_BASE_URL")
    port = int(vendor.url.rpartition(":")[2])
    with network(monkeypatch, port, fake_example=["127.0.0.1"]) as net:
        report = examine(connection)

    assert failed(report) == ("address", "connector.address_refused")
    assert (set(net.asked), net.opened) == ({"fake.example"}, [])


def test_a_server_that_speaks_no_tls(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_FAKE_PROVIDER_BASE_URL", vendor.url.replace("http://", "https://"))
    report = examine(connected())

    assert states(report) == [OK, FAILED, *[NOT] * 5]
    assert failed(report) == ("tls", "connector.tls_refused")


def test_a_field_that_is_missing(vendor: Vendor) -> None:
    report = examine(connected(key=""))

    assert failed(report) == ("credentials", "connector.field_missing")
    assert states(report) == [OK, OK, FAILED, NOT, NOT, NOT, NOT]
    assert vendor.heard == []


def test_a_key_that_is_refused(vendor: Vendor) -> None:
    report = examine(connected(key="a-key-that-the-vendor-does-not-know"))

    assert failed(report)[0] == "credentials"
    assert states(report) == [OK, OK, FAILED, NOT, NOT, NOT, NOT]


def test_another_company(vendor: Vendor) -> None:
    vendor.company["number"] = "974760673"
    report = examine(connected())

    assert failed(report) == ("company", "connector.wrong_company")
    assert states(report) == [OK, OK, OK, OK, OK, FAILED, NOT]


def test_the_night_raises_what_is_wrong_and_ends_what_is_over(vendor: Vendor) -> None:
    connection = connected()
    right = dict(vendor.company)
    vendor.company["number"] = "974760673"
    for _night in range(2):
        tell(examine(connection))
    assert [(row.code, row.times) for row in Problem.objects.filter(resolved_at=None)] == [
        ("connector.wrong_company", 2)
    ]

    vendor.company.update(right)
    tell(examine(connection))
    assert not Problem.objects.filter(resolved_at=None).exists()


def test_the_last_examination_is_kept_without_secrets(vendor: Vendor) -> None:
    connection = connected(key="a-key-that-the-vendor-does-not-know")
    examine(connection)

    kept = Examination.objects.get()
    assert [found["state"] for found in kept.checks][:3] == [OK, OK, FAILED]
    assert "a-key-that-the-vendor-does-not-know" not in json.dumps(kept.checks)
    assert timezone.now() - kept.at < timedelta(minutes=1)


def test_a_right_that_is_missing(vendor: Vendor) -> None:
    vendor.fail["/vouchers"] = 403
    report = examine(connected())

    assert failed(report) == ("rights", "connector.not_allowed")
    assert states(report) == [OK, OK, OK, OK, FAILED, OK, NOT]
    assert report.checks[Check.RIGHTS].detail.startswith("vouchers: ")


def test_a_page_that_cannot_be_read(vendor: Vendor) -> None:
    vendor.pages = [[{"id": "1", "date": "no day"}]]
    report = examine(connected())

    assert failed(report) == ("read", "connector.not_understood")
    assert states(report) == [*[OK] * 6, FAILED]


def test_a_consent_that_was_withdrawn_and_one_that_ends_soon(oauth_vendor: OAuthVendor) -> None:
    connection = granted(oauth_vendor, ended=True)
    assert examine(connection).ok
    OAuthGrant.objects.update(refresh_expires_at=timezone.now() + timedelta(days=3))

    report = examine(connection)
    assert report.ok
    assert [trouble.code for trouble in report.warnings] == ["fake_oauth.consent_ends"]
    tell(report)
    assert Problem.objects.get(resolved_at=None).code == "fake_oauth.consent_ends"

    oauth_vendor.refuse, oauth_vendor.access = "invalid_grant", "another"
    report = examine(connection)
    assert failed(report) == ("token", "fake_oauth.consent_withdrawn")
    assert states(report) == [OK, OK, OK, FAILED, NOT, NOT, NOT]


def test_a_client_secret_that_is_refused(oauth_vendor: OAuthVendor) -> None:
    connection = granted(oauth_vendor, ended=True)
    oauth_vendor.refuse = "invalid_client"

    assert failed(examine(connection)) == ("credentials", "connector.client_refused")


def test_nobody_is_asked_without_a_consent(oauth_vendor: OAuthVendor) -> None:
    connection = granted(oauth_vendor)
    OAuthGrant.objects.all().delete()

    report = examine(connection)

    assert failed(report) == ("token", "fake_oauth.consent_missing")
    assert states(report) == [OK, OK, NOT, FAILED, NOT, NOT, NOT]
    assert oauth_vendor.heard == []


def test_the_command_has_a_line_per_connection_and_fails_with_one(vendor: Vendor, manage: Manage) -> None:
    good, bad = connected(), connected(key="a-key-that-the-vendor-does-not-know")
    manage.environment |= vendor.environment

    done = manage("doctor", "--json", check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["client"], line["ok"]) for line in lines] == [(good.client.number, True), (bad.client.number, False)]
    assert [found["check"] for found in lines[0]["checks"]] == [
        "address", "tls", "credentials", "token", "rights", "company", "read",
    ]  # fmt: skip
    assert (lines[1]["checks"][2]["state"], lines[1]["checks"][3]["state"]) == ("failed", "not_reached")
    assert done.returncode == 1
    assert manage("doctor", "--client", good.client.number).returncode == 0
    assert manage("doctor", "--client", "nobody", check=False).returncode == 2
