"""A broken provider is told when Kontor starts."""

import dataclasses
from typing import Any

import pytest

from apps.connectors import registry
from apps.connectors.checks import faults, providers
from apps.connectors.sdk.declaration import Field, FieldScope, HostRule, LimitScope, RateLimit
from tests.connectors.fake import SLUG, Vendor, vendor

__all__ = ["vendor"]


def told(**changes: Any) -> list[str]:
    return list(faults(dataclasses.replace(registry.provider(SLUG), **changes)))


def with_field(**field: Any) -> list[str]:
    auth = registry.provider(SLUG).auth[0]
    added = Field(name="added", label="Added", **field)
    return told(auth=(dataclasses.replace(auth, fields=(*auth.fields, added)),))


def test_every_provider_is_whole() -> None:
    assert [message for message in providers(None) if message.is_serious()] == []


def test_a_right_declaration_has_no_faults(vendor: Vendor) -> None:
    assert told() == []


def test_patterns_that_do_not_compile(vendor: Vendor) -> None:
    assert with_field(pattern="[a-")[0].startswith("the pattern of field added does not compile")
    assert told(hosts=(HostRule(pattern="(", sends_credentials=True),))[0].startswith("the pattern of host")
    assert told(secret_paths=("path:[",))[0].startswith("the pattern of secret path")


def test_secrets_that_nothing_masks(vendor: Vendor) -> None:
    assert told(secret_paths=()) == [
        "api_key has secret fields, and no secret_paths say where they stand in requests and answers"
    ]
    assert told(secret_paths=("cookie:x",))[0].startswith("the secret path 'cookie:x' is none of")
    assert told(secret_paths=("path:/token/x",))[0].startswith("the pattern of secret path has no group to hide")


def test_other_faults(vendor: Vendor) -> None:
    assert with_field(secret=True, templated=True) != []
    assert with_field(pattern="[a-z]+", example="1") == ["the example of field added does not fit its pattern"]
    assert told(auth=()) == ["it has no way to sign in"]
    assert told(auth=registry.provider(SLUG).auth * 2)[0] == "two ways to sign in have the same name"
    assert told(hosts=(HostRule(pattern="x"),)) == ["no host may have the credentials"]
    assert told(identity_fields=("api_key",)) != []
    assert told(limits=(RateLimit(scope=LimitScope.CREDENTIAL, count=1),)) != []
    assert told(slug="Fake Provider") != []
    assert with_field(scope=FieldScope.CONNECTION) == []


@pytest.mark.parametrize("package", ["tests.connectors.nowhere", "tests.connectors.fake"])
def test_a_provider_that_cannot_be_loaded_is_named(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setenv("KONTOR_PROVIDER_PACKAGES", package)
    registry.all_providers.cache_clear()

    messages = providers(None)

    assert [message.id for message in messages] == ["kontor.E020"]
    assert package in messages[0].msg
