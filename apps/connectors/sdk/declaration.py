"""A provider's whole declaration on one screen. Forms, masking, guides, `connector list` and the API come from it."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from apps.connectors.sdk.auths import ApiKey, Auth, ClientAuth, OAuth2Client, OAuth2Code, Signed, consent_of
from apps.connectors.sdk.decoding import Decode, parse_json
from apps.connectors.sdk.failures import Refusal, Seen
from apps.connectors.sdk.fields import Field, FieldScope, Values
from apps.connectors.sdk.queries import Digests, Gone, Page, Query
from apps.connectors.sdk.shapes import placed
from apps.records.enums import Resource
from apps.records.ledger import Identity, Record

if TYPE_CHECKING:
    from apps.connectors.sdk.session import Session

__all__ = [
    "ApiKey", "Auth", "ClientAuth", "Deletes", "Endpoint", "Field", "FieldScope", "GuideStep", "HostRule", "LimitScope",
    "OAuth2Client", "OAuth2Code", "Provider", "RateLimit", "Signed", "SpecGap", "Values", "consent_of",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class GuideStep:
    """One step in the vendor's own pages, shown beside the form."""

    text: str
    link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRule:
    """A host the provider may talk to; credentials go only where `sends_credentials`."""

    pattern: str
    sends_credentials: bool = False

    def matches(self, host: str) -> bool:
        return re.fullmatch(self.pattern, host) is not None


class LimitScope(StrEnum):
    APPLICATION = "application"
    CREDENTIAL = "credential"
    COMPANY = "company"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """A limit of the vendor's. `count` per `seconds` where published, else learnt from the named headers.

    `reset` is the seconds left in the vendor's period. `sliding`: never more than `count` in any `seconds`, where the
    vendor counts back from each call; else its window begins with the first call. `concurrency`: calls at once per
    key, over all processes.
    """

    scope: LimitScope
    count: int | None = None
    seconds: float | None = None
    remaining_header: str | None = None
    reset_header: str | None = None
    concurrency: int | None = None
    sliding: bool = False


class Deletes(StrEnum):
    """How deletions are learnt: by look-up of what is missing, from the vendor's own list, by the absence alone."""

    BY_GET = "by_get"
    BY_LIST = "by_list"
    BY_WHOLE_PASS = "by_whole_pass"  # noqa: S105 - a way to delete, no secret


class Reader(Protocol):
    def __call__(self, session: "Session", *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]: ...


class Getter(Protocol):
    def __call__(self, session: "Session", ids: Iterable[str]) -> Iterator[Record | Gone]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What can be done with one resource. Capabilities are derived from the functions that exist.

    `overlap`: the reader takes a `Since`, and this much is asked for twice; its pages name a `watermark`, an ISO time
    by the vendor's clock from before the first page. The night is then the window, and the changes since for what is
    older. A `Since` read also tells what was deleted (`Page.gone`) where `deletes` is BY_LIST; `memory`: how long the
    vendor remembers that. A night that comes later reads everything.
    `by_month`: of control balances, that those of a month may be asked for, not only a fiscal year's.
    """

    read: Reader | None = None
    get: Getter | None = None
    deletes: Deletes = Deletes.BY_WHOLE_PASS
    overlap: timedelta | None = None
    memory: timedelta | None = None
    by_month: bool = True

    @property
    def abilities(self) -> tuple[str, ...]:
        return tuple(name for name in ("read", "get") if getattr(self, name) is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecGap:
    """A parameter or answer that the vendor's published spec lacks, with the place that proves it."""

    where: str
    what: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Provider:
    slug: str
    label: str
    countries: tuple[str, ...]
    auth: tuple[Auth, ...]
    guide: tuple[GuideStep, ...]
    base_url: Callable[[Values], str]
    hosts: tuple[HostRule, ...]
    secret_paths: tuple[str, ...]
    verify: Callable[["Session"], Identity]
    resources: Mapping[Resource, Endpoint]
    refusals: tuple[Refusal, ...]
    limits: tuple[RateLimit, ...] = ()
    error_codes: Callable[[Any], tuple[str, ...]] = lambda _body: ()
    decode: Decode = parse_json  # (body, headers) -> (data, whether it could be read)
    refused: Callable[[Seen], bool] = lambda _seen: False  # a 2xx answer that is a refusal by the vendor's own flag
    media_type: str = "application/json"  # the header Accept
    check_values: Callable[[Values], None] | None = None  # raises ConnectorError before anything is sent
    identity_fields: tuple[str, ...] = ()  # templated fields whose value says which company is meant
    resolve: Callable[["Session"], str] | None = None
    discover: Callable[["Session"], Iterable[Identity]] | None = None
    company_lost: tuple[int, ...] = (401, 403, 404)  # statuses after which a resolved company is resolved again
    concurrency: int = 4  # runs worked at once with one credential, over all workers
    place_of: Callable[[str], str] = placed  # one name for the addresses whose answers have one shape
    shape_params: tuple[str, ...] = ()  # of the query: those that choose which fields an answer has
    timeout: timedelta = timedelta(seconds=60)
    spec_gaps: tuple[SpecGap, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)

    def auth_named(self, name: str | None) -> Auth:
        """The way to sign in called `name`, or the first; ValueError naming the known ones."""
        for auth in self.auth:
            if name in (None, "", auth.name):
                return auth
        known = ", ".join(auth.name for auth in self.auth)
        raise ValueError(f"{self.slug} has no sign-in called {name!r}; it has: {known}")

    def fields(self, auth: str | None = None) -> tuple[Field, ...]:
        return self.auth_named(auth).fields
