"""The connector's form: made of the declaration; secrets go in and never come out."""

import json
from collections.abc import Iterator

import pytest
from django.utils import translation

from apps.connectors import registry
from apps.connectors.forms import ConnectorForm, connector_form
from apps.connectors.models import Connector, ConnectorSecret
from apps.core.scope import system_scope
from tests.connectors.fake import KEY, SLUG, Vendor, vendor
from tests.factories import ConnectorFactory

__all__ = ["vendor"]


@pytest.fixture(autouse=True)
def _scope() -> Iterator[None]:
    with system_scope("tests"):
        yield


def form(data: dict[str, str] | None = None, connector: Connector | None = None) -> ConnectorForm:
    return connector_form(registry.provider(SLUG), "api_key", connector=connector)(data)


def test_people_see_their_fields_and_not_the_operators(vendor: Vendor) -> None:
    assert list(form().fields) == ["api_key", "company", "site"]
    assert form().fields["api_key"].required
    assert not form().fields["company"].required
    assert "%ORGNR%, %CLIENTNR%, %COUNTRY%" in str(form().fields["company"].help_text)


def test_values_and_secrets_come_out_apart(vendor: Vendor) -> None:
    filled = form({"api_key": f" {KEY} ", "company": "%ORGNR%", "site": "north"})

    assert filled.is_valid(), filled.errors
    assert filled.split() == ({"company": "%ORGNR%", "site": "north"}, {"api_key": KEY})


@pytest.fixture
def connector(db: None) -> Connector:
    made: Connector = ConnectorFactory(provider=SLUG, values={"company": "%ORGNR%", "site": "north"})
    ConnectorSecret.objects.create(connector=made, fields=json.dumps({"api_key": KEY}))
    return made


def test_a_stored_secret_is_never_shown_and_blank_keeps_it(vendor: Vendor, connector: Connector) -> None:
    page = form(connector=connector).as_p()
    assert "%ORGNR%" in page
    assert KEY not in page
    assert "Leave blank to keep what is stored." in page

    filled = form({"api_key": "", "company": "%ORGNR%", "site": ""}, connector)

    assert filled.is_valid(), filled.errors
    assert filled.split() == ({"company": "%ORGNR%", "site": ""}, {})


def test_a_refused_form_does_not_give_the_typed_secret_back(vendor: Vendor) -> None:
    refused = form({"api_key": KEY, "company": "", "site": "NORTH 1"})

    assert not refused.is_valid()
    assert refused.errors == {"site": ["This does not have the right form. Example: north."]}
    assert KEY not in refused.as_p()


def test_an_unknown_placeholder_is_refused_with_the_known_ones(vendor: Vendor) -> None:
    refused = form({"api_key": KEY, "company": "%ORGNUMBER%"})

    assert refused.errors == {
        "company": ["There is no placeholder %ORGNUMBER%. There are: %ORGNR%, %CLIENTNR%, %COUNTRY%."]
    }


def test_a_missing_field_is_told(vendor: Vendor) -> None:
    assert list(form({"company": ""}).errors) == ["api_key"]


def test_labels_are_translated_when_they_are_shown(vendor: Vendor) -> None:
    made = form()
    with translation.override("nb"):
        assert str(made.fields["api_key"].label)
