"""Organisation numbers in the form of their country."""

import pytest
from django.core.exceptions import ValidationError

from apps.clients.identifiers import FORMS, MODULES, clean_organisation_number, same_number
from apps.clients.models import Client


@pytest.mark.parametrize(
    ("country", "typed", "clean"),
    [
        ("NO", "923 609 016", "923609016"),
        ("NO", "NO923609016MVA", "923609016"),
        ("SE", "556036-0793", "5560360793"),
        ("NL", "33.03.14.31", "33031431"),
        ("XX", " AB-1234 ", "AB-1234"),
    ],
)
def test_cleaned(country: str, typed: str, clean: str) -> None:
    assert clean_organisation_number(country, typed) == clean


@pytest.mark.parametrize("country", [*MODULES, *FORMS])
def test_every_countrys_example_is_right_and_named_to_who_errs(country: str) -> None:
    example = {**MODULES, **FORMS}[country][1]
    assert clean_organisation_number(country, example)

    with pytest.raises(ValidationError) as caught:
        clean_organisation_number(country, "1")
    assert example in caught.value.messages[0]


@pytest.mark.parametrize(("country", "number"), [("NO", "923609017"), ("SE", "556036-0794"), ("XX", "?")])
def test_refused(country: str, number: str) -> None:
    with pytest.raises(ValidationError):
        clean_organisation_number(country, number)


def test_the_same_number_however_written() -> None:
    assert same_number("NO", "NO 923 609 016 MVA", "923609016")
    assert not same_number("NO", "923609016", "974760673")
    assert not same_number("NO", "", "")
    assert not same_number("NO", None, "923609016")
    assert same_number("NO", "12-34", "1234")


def test_a_client_is_cleaned() -> None:
    client = Client(country=" no ", organisation_number="923 609 016")
    client.clean()
    assert (client.country, client.organisation_number) == ("NO", "923609016")
    with pytest.raises(ValidationError):
        Client(country="NOR").clean()
