"""The doctor: each check ok, failed or not reached, in order, with the remedy; and what the night tells of it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.connectors.doctor import Report, examine, tell
from apps.connectors.enums import Check
from apps.connectors.models import Connection, Connector, ConnectorSecret, Examination
from apps.connectors.sdk.failures import Failure, Refusal
from apps.connectors.sdk.remedies import NOT_ALLOWED
from apps.core.scope import system_scope
from apps.notifications.models import Problem
from tests.connectors.fake import KEY, NUMBER, SLUG, Vendor, vendor
from tests.conftest import Manage
from tests.factories import ClientFactory, ConnectionFactory, ConnectorFactory

__all__ = ["vendor"]
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
