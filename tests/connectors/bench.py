"""What the contract suite needs of a provider, and the bench it runs on.

`tests/connectors/providers/<slug>/harness.py` exports HARNESS. The bench is the provider's own sandbox behind real
HTTP, with a place to put other answers into its mouth.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from apps.connectors.registry import all_providers
from apps.connectors.sdk.declaration import Provider, Values
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.queries import NO_DIGESTS, Full, Page, Query
from apps.connectors.sdk.sandbox import Answer, Edit, Request, Sandbox, Store
from apps.connectors.sdk.session import Exchange, NoVault, Session
from apps.connectors.sdk.transport import Transport
from apps.records.enums import Resource
from apps.sandbox.server import running
from apps.sandbox.store import Store as FileStore


@dataclass(frozen=True, kw_only=True)
class Refused:
    """An answer of the vendor's and what must become of it."""

    name: str
    answer: Answer
    failure: Failure
    code: str | None = None  # of the remedy
    retry_after: float | None = None


@dataclass(frozen=True, kw_only=True)
class Harness:
    """How one provider's sandbox is filled and made to misbehave."""

    slug: str
    make: Callable[[Store], Sandbox]
    seed: Callable[[Sandbox], None]  # at least two companies; `long_window` of the first has three pages of vouchers
    values: Values  # of the first company
    bad_key: Values
    other_company: Values  # a right key that leads to another company
    company_id: Callable[[Sandbox], str]
    organisation_number: str
    companies: int  # that discover must find; 0 where the vendor has no such list
    missing_right: Callable[[Sandbox], None]
    long_window: Query
    long_ids: int
    edge: date  # a day in the first company with vouchers on the days before, at and after it
    page_path: str  # part of the path of a page of vouchers
    gone_id: str
    refusals: tuple[Refused, ...]
    drop_line: Callable[[Sandbox], None]
    canaries: tuple[str, ...]  # entered secrets of `values`
    travels: tuple[str, ...] | None = None  # those of them that are sent: all, unless they only sign
    issued: Callable[[NoVault], str]  # a secret that the vendor issued
    before_answer: tuple[str, ...] = ()  # paths left alone when an answer is replaced (making a session ...)


class Mouth:
    """Stands before a sandbox. `say` replaces answers to matching paths; every request is kept as it came."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.heard: list[Request] = []
        self.part, self.say = "", None  # type: tuple[str, Callable[[Request, int], Answer | None] | None]
        self.count = 0

    @property
    def store(self) -> Store:
        return self.sandbox.store

    def handle(self, request: Request) -> Answer:
        self.heard.append(request)
        if self.say is not None and self.part in request.path:
            self.count += 1
            said = self.say(request, self.count)
            if said is not None:
                return said
        return self.sandbox.handle(request)

    def speak(self, part: str, say: Callable[[Request, int], Answer | None] | None) -> None:
        """From now on answer paths that contain `part` with what `say` gives (None: the sandbox's own answer)."""
        self.part, self.say, self.count = part, say, 0


@dataclass
class Bench:
    harness: Harness
    provider: Provider
    mouth: Mouth
    address: str
    vault: NoVault = field(default_factory=NoVault)
    exchanges: list[Exchange] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    @property
    def sandbox(self) -> Sandbox:
        return self.mouth.sandbox

    @property
    def changes(self) -> int:
        return self.sandbox.store.counters().get("changes", 0)

    def session(self, values: Values | None = None, **more: Any) -> Session:
        transport = Transport(
            self.provider, override=self.address, allow_private=frozenset({urlsplit(self.address).netloc})
        )
        given = dict(self.harness.values if values is None else values)
        more.setdefault("vault", self.vault)
        return Session(
            provider=self.provider,
            auth=self.provider.auth_named(given.get("auth")),
            values=given,
            transport=transport,
            record=self.exchanges.append,
            sleep=self.slept.append,
            **more,
        )

    def read(
        self,
        resource: Resource,
        query: Query | None = None,
        *,
        session: Session | None = None,
        resume: str | None = None,
        digests: Mapping[str, str] = NO_DIGESTS,
    ) -> Iterator[Page]:
        reader = self.provider.resources[resource].read
        assert reader is not None
        return reader(session or self.session(), query=query or Full(), resume=resume, digests=digests)


def harnesses() -> list[Harness]:
    """One per provider; a provider without one fails the suite here."""
    return [importlib.import_module(f"tests.connectors.providers.{slug}.harness").HARNESS for slug in all_providers()]


@contextmanager
def bench_of(harness: Harness) -> Iterator[Bench]:
    mouth = Mouth(harness.make(FileStore()))
    harness.seed(mouth.sandbox)
    with running({harness.slug: mouth}) as address:  # type: ignore[dict-item]
        yield Bench(harness=harness, provider=all_providers()[harness.slug], mouth=mouth, address=address)


def refusal(act: Callable[[], Any]) -> ConnectorError:
    """The ConnectorError that `act` ends with."""
    try:
        act()
    except ConnectorError as error:
        return error
    raise AssertionError("nothing was refused")


__all__ = ["Bench", "Edit", "Harness", "Mouth", "Refused", "bench_of", "harnesses", "refusal"]
