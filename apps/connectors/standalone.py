"""Providers without a database: what `manage.py connector ...` does, for developers, support and other programs."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from apps.connectors import environment, registry
from apps.connectors.grants import FileTokens, from_text, moment
from apps.connectors.limits import MemoryBuckets, limiter
from apps.connectors.sdk.declaration import Auth, Endpoint, FieldScope, OAuth2Code, Provider
from apps.connectors.sdk.failures import ConnectorError
from apps.connectors.sdk.ports import MemoryTokens, TokenStore
from apps.connectors.sdk.queries import Full, Gone, Page, Query, Since, Window, rewound
from apps.connectors.sdk.session import Session
from apps.connectors.values import ready_values
from apps.records.enums import Resource
from apps.records.ledger import Record

# what a file may hold besides fields: tokens of the OAuth ways to sign in
TOKENS = frozenset({"access_token", "refresh_token", "expires_at"})


class WrongUseError(Exception):
    """The command was asked for something that there is not; the text says what there is."""


class NoDigests:
    def get(self, key: str) -> str | None:  # noqa: ARG002 - nothing was read before
        return None


@dataclass(slots=True, kw_only=True)
class Summary:
    """What the last line of stderr tells."""

    complete: bool = False
    records: int = 0
    pages: int = 0
    vendor_count: int | None = None
    requests: int = 0
    gone: list[dict[str, str]] = field(default_factory=list)
    cursor: str | None = None
    warnings: list[str] = field(default_factory=list)  # told before the last line, not in it

    def take(self, page: Page, overlap: timedelta) -> None:
        """The cursor is the first page's, moved back by the declared overlap: `--since` takes it as it is."""
        self.pages += 1
        self.complete = page.last
        if page.vendor_count is not None:
            self.vendor_count = (self.vendor_count or 0) + page.vendor_count
        for gone in page.gone:
            self.take_gone(gone)
        if page.watermark and self.cursor is None:
            self.cursor = rewound(page.watermark, overlap)
        self.warnings += page.warnings

    def take_gone(self, gone: Gone) -> None:
        self.gone.append({"resource": gone.resource.value, "external_id": gone.external_id})


def failure(error: ConnectorError) -> dict[str, Any]:
    return {
        "failure": error.failure.value,
        "remedy": error.remedy.code,
        "field": error.field,
        "detail": error.detail,
        "retry_after": error.retry_after,
    }


def listing() -> Iterator[dict[str, Any]]:
    """A line per provider. A field that several ways to sign in have is listed once."""
    for _slug, known in sorted(registry.all_providers().items()):
        fields = {spec.name: spec for auth in reversed(known.auth) for spec in auth.fields}
        yield {
            "slug": known.slug,
            "label": known.label,
            "countries": list(known.countries),
            "auth": [auth.name for auth in known.auth],
            "fields": [
                {
                    "name": spec.name,
                    "secret": spec.secret,
                    "required": spec.required,
                    "templated": spec.templated,
                    "scope": spec.scope.value,
                }
                for spec in fields.values()
            ],
            "resources": {name.value: list(endpoint.abilities) for name, endpoint in known.resources.items()},
        }


def provider_named(slug: str) -> Provider:
    try:
        return registry.provider(slug)
    except KeyError as error:
        raise WrongUseError(str(error.args[0])) from error


def endpoint_of(provider: Provider, resource: str, ability: str) -> tuple[Resource, Endpoint]:
    able = [name.value for name, endpoint in provider.resources.items() if ability in endpoint.abilities]
    if resource not in able:
        raise WrongUseError(f"{provider.slug} has no {ability} of {resource!r}; it has: {', '.join(able) or 'none'}")
    return Resource(resource), provider.resources[Resource(resource)]


def values_of(path: str) -> dict[str, str]:
    """The file of --values. Numbers are taken as text; null as left out."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise WrongUseError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise WrongUseError(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise WrongUseError(f"{path} is not a JSON object")
    for name, value in found.items():
        if isinstance(value, bool | dict | list):
            raise WrongUseError(f"{path}: {name} is not a text")
    try:
        moment(found.get("expires_at"))
    except ValueError as error:
        raise WrongUseError(f"{path}: expires_at is no time: {error}") from error
    return {name: str(value) for name, value in found.items() if value is not None}


def session_for(provider: Provider, given: Mapping[str, str], *, path: str | None = None) -> Session:
    """A session that keeps nothing but rotated tokens, in their file. Raises WrongUseError for fields there are not, ConnectorError for bad values."""
    try:
        auth = provider.auth_named(given.get("auth"))
    except ValueError as error:
        raise WrongUseError(str(error)) from error
    fields = {name: value for name, value in given.items() if name != "auth" and name not in TOKENS}
    fields = _own_fields(provider, auth, fields)
    operator = {spec.name: fields.get(spec.name, "") for spec in auth.fields if spec.scope is FieldScope.OPERATOR}
    values = ready_values(provider, auth, fields, client=None, operator=operator)
    override = environment.base_url(provider.slug)
    return Session(
        provider=provider,
        auth=auth,
        values=values,
        transport=environment.transport(provider),
        limiter=limiter(provider, auth, values, override=override, buckets=MemoryBuckets()),
        tokens=_tokens(auth, given, path),
    )


def _tokens(auth: Auth, given: Mapping[str, str], path: str | None) -> TokenStore:
    if path is not None:
        return FileTokens(Path(path), rotates=isinstance(auth, OAuth2Code))
    try:
        return MemoryTokens(from_text(json.dumps({name: given.get(name) for name in TOKENS})))
    except ValueError as error:
        raise WrongUseError(f"expires_at: {error}") from error


def query_of(start: str | None, end: str | None, since: str | None) -> Query:
    """Everything, unless a window (both days inclusive) or a cursor is given."""
    if since is not None and (start or end):
        raise WrongUseError("--since and --from, --to exclude each other")
    if since is not None:
        return Since(since)
    if start is None and end is None:
        return Full()
    if start is None or end is None:
        raise WrongUseError("--from and --to belong together")
    first, last = _day("--from", start), _day("--to", end)
    if last < first:
        raise WrongUseError("--to lies before --from")
    return Window(first, last)


def read(
    session: Session, endpoint: Endpoint, query: Query, limit: int | None, show: Callable[[Record], None]
) -> Summary:
    """Show every record, page by page. What the limit cuts off is not complete."""
    assert endpoint.read is not None  # noqa: S101 - endpoint_of has looked
    summary = Summary()
    for page in endpoint.read(session, query=query, resume=None, digests=NoDigests()):
        summary.take(page, endpoint.overlap or timedelta(0))
        shown = page.records if limit is None else page.records[: limit - summary.records]
        for record in shown:
            show(record)
            summary.records += 1
        if len(shown) < len(page.records) or (limit is not None and summary.records >= limit):
            summary.complete = page.last and len(shown) == len(page.records)
            break
    summary.requests = session.requests
    return summary


def get(session: Session, endpoint: Endpoint, ids: list[str], show: Callable[[Record], None]) -> Summary:
    """Show what there is of these ids; the others are told as gone."""
    assert endpoint.get is not None  # noqa: S101 - endpoint_of has looked
    summary = Summary()
    for found in endpoint.get(session, ids):
        if isinstance(found, Gone):
            summary.take_gone(found)
        else:
            show(found)
            summary.records += 1
    summary.complete = True
    summary.requests = session.requests
    return summary


def _own_fields(provider: Provider, auth: Auth, fields: Mapping[str, str]) -> dict[str, str]:
    """The fields of this way to sign in; those of the provider's other ways may stand in the file too."""
    known = [spec.name for spec in auth.fields]
    others = {spec.name for way in provider.auth for spec in way.fields}
    unknown = sorted(set(fields) - others)
    if unknown:
        raise WrongUseError(
            f"{provider.slug} ({auth.name}) has no field {', '.join(unknown)}; it has: {', '.join(known)}"
        )
    return {name: value for name, value in fields.items() if name in known}


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise WrongUseError(f"{option}: {text!r} is not a day like 2026-01-31") from error
