"""Placeholders are filled with the client's own data, or named."""

import pytest

from apps.clients.models import Client
from apps.clients.placeholders import PlaceholderError, fill, has_placeholder

CLIENT = Client(number="77", country="NO", organisation_number="923609016")


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("%ORGNR%", "923609016"),
        ("no-%CLIENTNR%-%COUNTRY%", "no-77-NO"),
        ("100%% sure", "100% sure"),
        ("%%ORGNR%%", "%ORGNR%"),
        ("100 % of it", "100 % of it"),
        ("plain", "plain"),
    ],
)
def test_filled(text: str, filled: str) -> None:
    assert fill(text, CLIENT) == filled


@pytest.mark.parametrize(("text", "name", "known"), [("%NAME%", "NAME", False), ("%orgnr%", "orgnr", False)])
def test_unknown_ones_are_named(text: str, name: str, known: bool) -> None:  # noqa: FBT001 - a row of the table
    with pytest.raises(PlaceholderError) as caught:
        fill(text, CLIENT)
    assert (caught.value.name, caught.value.known) == (name, known)


def test_a_client_without_the_value_is_told() -> None:
    with pytest.raises(PlaceholderError) as caught:
        fill("%ORGNR%", Client(number="78", country="NO"))
    assert (caught.value.name, caught.value.known) == ("ORGNR", True)


@pytest.mark.parametrize(
    ("text", "has"), [("%ORGNR%", True), ("a%X%b", True), ("50% of 100%", False), ("50%%", False), ("", False)]
)
def test_seen(text: str, has: bool) -> None:  # noqa: FBT001 - a row of the table
    assert has_placeholder(text) is has
