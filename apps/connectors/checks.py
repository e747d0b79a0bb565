"""Start-up checks of the providers: a broken one is told here, not in the middle of a night."""

import re
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004 - Django's name

from apps.connectors import providers as our_folder
from apps.connectors import registry
from apps.connectors.sdk.auths import OAuth, consent_of
from apps.connectors.sdk.declaration import Auth, Deletes, Field, FieldScope, Provider

PATH_KINDS = frozenset({"header", "query", "json", "path"})
OUR_FILES = ("NOTES.md", "static")


@register()
def providers(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:  # noqa: ARG001 - Django's signature
    try:
        known = registry.all_providers()
    except Exception as error:  # noqa: BLE001 - whatever a provider's module raises
        return [Error(f"A provider is broken: {type(error).__name__}: {error}", id="kontor.E020")]
    found: list[CheckMessage] = []
    for slug, provider in sorted(known.items()):
        found += [Error(f"Provider {slug}: {text}.", id="kontor.E021") for text in faults(provider)]
        missing = [name for name in OUR_FILES if not _has_file(slug, name)]
        found += [Warning(f"Provider {slug}: its folder lacks {name}.", id="kontor.W020") for name in missing]
    return found


def faults(provider: Provider) -> Iterator[str]:
    """What is wrong with a declaration, each in a few words."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", provider.slug):
        yield f"the slug {provider.slug!r} is not lower case letters, digits and _"
    if not provider.auth:
        yield "it has no way to sign in"
    if len({auth.name for auth in provider.auth}) < len(provider.auth):
        yield "two ways to sign in have the same name"
    for auth in provider.auth:
        yield from _auth_faults(provider, auth)
    for rule in provider.hosts:
        yield from _pattern_fault(rule.pattern, "host")
    if not any(rule.sends_credentials for rule in provider.hosts):
        yield "no host may have the credentials"
    for path in provider.secret_paths:
        yield from _secret_path_fault(path)
    for name, endpoint in provider.resources.items():
        if endpoint.deletes is Deletes.BY_LIST and endpoint.overlap is None:
            yield f"{name} learns deletions from a list, and does not read changes since"
    if any((limit.count is None) != (limit.seconds is None) for limit in provider.limits):
        yield "a limit has a count without seconds, or seconds without a count"


def _auth_faults(provider: Provider, auth: Auth) -> Iterator[str]:
    for field in auth.fields:
        yield from _field_faults(field)
    consent = consent_of(auth)
    if consent is not None and not {field.name for field in consent.fields} <= {field.name for field in auth.fields}:
        yield f"the consent of {auth.name} has fields that {auth.name} has not"
    if len({field.name for field in auth.fields}) < len(auth.fields):
        yield f"{auth.name} has two fields of the same name"
    if any(field.secret for field in auth.fields) and not provider.secret_paths:
        yield f"{auth.name} has secret fields, and no secret_paths say where they stand in requests and answers"
    fields = {field.name: field for field in auth.fields}
    if isinstance(auth, OAuth) and auth.client_id not in fields:
        yield f"{auth.name} has no field {auth.client_id}"
    for name in provider.identity_fields:
        told = fields.get(name)
        if told is not None and (told.secret or told.scope is FieldScope.OPERATOR):
            yield f"the identity field {name} is not one that tells which company is meant"


def _secret_path_fault(path: str) -> Iterator[str]:
    kind, _colon, rest = path.partition(":")
    if kind not in PATH_KINDS or not rest:
        yield f"the secret path {path!r} is none of {', '.join(sorted(PATH_KINDS))}"
    elif kind == "path":
        yield from _pattern_fault(rest, "secret path", groups=1)


def _field_faults(field: Field) -> Iterator[str]:
    if field.pattern is not None:
        yield from _pattern_fault(field.pattern, f"field {field.name}")
    if field.secret and field.scope is FieldScope.CONNECTION:
        yield f"the secret field {field.name} is a connection's: those are kept in clear"
    if field.secret and field.templated:
        yield f"the secret field {field.name} may hold placeholders: it would be asked for in clear"
    if field.example and not field.templated and not field.secret and not field.fits(field.example):
        yield f"the example of field {field.name} does not fit its pattern"


def _pattern_fault(pattern: str, where: str, *, groups: int = 0) -> Iterator[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        yield f"the pattern of {where} does not compile ({error}): {pattern!r}"
        return
    if compiled.groups < groups:
        yield f"the pattern of {where} has no group to hide: {pattern!r}"


def _has_file(slug: str, name: str) -> bool:
    """Of our own folders only: what others ship is theirs."""
    spec = find_spec(f"{our_folder.__name__}.{slug}")
    return spec is None or spec.origin is None or (Path(spec.origin).parent / name).exists()
