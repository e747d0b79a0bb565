"""Start-up checks: the encryption keys, proxies, and a tenant path on every model of ours."""

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004 - Django's name
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from fernet_fields import EncryptedField

from apps.core.fields import SafeEncryptedBytes, SafeEncryptedText
from apps.core.scope import client_path

SHORTEST_KEY = 32
# rows that belong to no organisation, each with the reason
GLOBAL_MODELS = {
    "organisations.User": "a person may work for several organisations",
    "sync.LaneProcess": "a process of a host, which works for all organisations",
    "organisations.SecondFactor": "belongs to a person, who may work for several organisations",
    "organisations.RecoveryCode": "as SecondFactor",
    "connectors.RateBucket": "a vendor's limit may be shared by organisations",
    "sync.Chore": "what is done once a day for all of them",
}


@register()
def encryption_keys(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:  # noqa: ARG001 - Django's signature
    keys = getattr(settings, "FERNET_KEYS", None)
    remedy = "Set FERNET_KEYS to a comma-separated list of random keys of at least 32 characters, the newest first."
    if not isinstance(keys, list | tuple) or not keys:
        return [Error("FERNET_KEYS is not a non-empty list.", hint=remedy, id="kontor.E001")]
    if any(not isinstance(key, str) or len(key) < SHORTEST_KEY for key in keys):
        return [
            Error(f"A key in FERNET_KEYS is shorter than {SHORTEST_KEY} characters.", hint=remedy, id="kontor.E002")
        ]
    if len(set(keys)) < len(keys):
        return [Error("FERNET_KEYS names a key twice.", hint=remedy, id="kontor.E004")]
    if not getattr(settings, "FERNET_USE_HKDF", True):
        return [Error("FERNET_USE_HKDF is off: Kontor derives its keys.", hint="Leave it out.", id="kontor.E005")]
    if {settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS} & set(keys):
        return [
            Error("FERNET_KEYS holds SECRET_KEY: changing that would lose every secret.", hint=remedy, id="kontor.E003")
        ]
    return []


@register(deploy=True)
def proxies_are_told(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:  # noqa: ARG001 - Django's signature
    """Behind a proxy that is not counted everybody comes from its address: one stranger would close the sign-in."""
    if not getattr(settings, "SECURE_PROXY_SSL_HEADER", None) or settings.KONTOR_PROXIES:
        return []
    told = "KONTOR_TLS_PROXY is on but KONTOR_PROXIES is 0: everybody would share the proxy's address."
    return [Warning(told, hint="Set KONTOR_PROXIES to the number of proxies before Kontor.", id="kontor.W002")]


@register()
def encrypted_fields(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:  # noqa: ARG001 - Django's signature
    """The library's own fields lose data in bulk_update and `F()` (STACK 2); rotation knows the safe ones only."""
    return [
        Error(f"{model._meta.label}.{field.name} is no SafeEncryptedText or SafeEncryptedBytes.", id="kontor.E011")
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.local_concrete_fields
        if isinstance(field, EncryptedField) and not isinstance(field, SafeEncryptedText | SafeEncryptedBytes)
    ]


@register()
def tenant_paths(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:  # noqa: ARG001 - Django's signature
    """A model of ours without a way to its organisation would show everybody's rows."""
    found: list[CheckMessage] = []
    for model in apps.get_models():
        if not model.__module__.startswith("apps.") or model._meta.label in GLOBAL_MODELS:
            continue
        path = getattr(model, "TENANT_PATH", None)
        if not path or not _leads_to_organisation(model, path):
            found.append(Error(f"{model._meta.label} has no TENANT_PATH to its organisation.", id="kontor.E010"))
    return found


@register()
def client_paths(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:  # noqa: ARG001 - Django's signature
    """A model of ours that names a client but has no way to it would show every client's rows to everybody."""
    return [
        Error(f"{model._meta.label} names a client but has no CLIENT_PATH.", id="kontor.E012")
        for model in apps.get_models()
        if model.__module__.startswith("apps.") and hasattr(model, "TENANT_PATH") and client_path(model) is None
        if any(_leads_to_client(field) for field in model._meta.fields)
    ]


def _leads_to_client(field: models.Field[Any, Any]) -> bool:
    if field.name == "client_id":
        return True
    related = field.related_model
    return field.is_relation and isinstance(related, type) and client_path(related) is not None


def _leads_to_organisation(model: type[models.Model], path: str) -> bool:
    for step in path.split("__"):
        if step == "pk":
            return model._meta.label == "organisations.Organisation"
        try:
            field = model._meta.get_field(step)
        except FieldDoesNotExist:
            return False
        if field.is_relation:
            model = field.related_model  # type: ignore[assignment]
        else:
            return step == "organisation_id"
    return model._meta.label == "organisations.Organisation"
