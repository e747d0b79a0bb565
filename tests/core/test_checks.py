"""Weak or missing encryption keys are told when Kontor starts."""

from typing import Any

import pytest
from django.conf import settings as loaded

from apps.core.checks import encryption_keys, tenant_paths

GOOD = "a-random-key-of-at-least-32-characters"


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ([GOOD], []),
        ([GOOD, GOOD[::-1]], []),
        (None, ["kontor.E001"]),
        ([], ["kontor.E001"]),
        (GOOD, ["kontor.E001"]),
        ([""], ["kontor.E002"]),
        ([GOOD, "short"], ["kontor.E002"]),
        ([GOOD, loaded.SECRET_KEY], ["kontor.E003"]),
    ],
)
def test_keys(settings: Any, keys: object, told: list[str]) -> None:
    settings.FERNET_KEYS = keys
    assert [message.id for message in encryption_keys(None)] == told


def test_every_model_has_a_way_to_its_organisation() -> None:
    assert list(tenant_paths(None)) == []
