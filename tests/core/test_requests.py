"""Numbers as they stand in addresses and forms."""

import pytest

from apps.core.requests import number_in


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("17", 17), ("017", 17), ("9" * 18, 10**18 - 1)])
def test_a_number_is_read(text: str, number: int) -> None:
    assert number_in(text) == number


@pytest.mark.parametrize("text", ["", "²", "१२", "１", "-1", "+1", " 1", "1_0", "1.0", "x", "9" * 19, "9" * 5000])
def test_what_is_no_number_is_none(text: str) -> None:
    assert number_in(text) is None
