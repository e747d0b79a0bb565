"""Weak or missing encryption keys are told when Kontor starts."""

from typing import Any

import pytest
from django.conf import settings as loaded

from apps.core.checks import client_paths, encryption_keys, tenant_paths
from apps.organisations.checks import rights_are_told
from apps.organisations.rights import RIGHTS

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


def test_every_model_that_names_a_client_has_a_way_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(client_paths(None)) == []
    from apps.connectors.models import Exchange
    from apps.core.scope import client_path

    monkeypatch.setattr(Exchange, "CLIENT_PATH", None)
    client_path.cache_clear()

    assert [message.id for message in client_paths(None)] == ["kontor.E012"]
    client_path.cache_clear()


def test_the_admin_shows_no_model_without_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(rights_are_told(None)) == []
    monkeypatch.delitem(RIGHTS, "ledger.voucher")

    assert [message.id for message in rights_are_told(None)] == ["kontor.E013"]
