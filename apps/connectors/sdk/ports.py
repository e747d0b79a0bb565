"""What a session leans on and is handed: kept state, tokens, shared limits. Here with forms that live in one process."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from apps.connectors.sdk.declaration import RateLimit

EARLY = timedelta(seconds=30)  # an access token is renewed so long before its end
LONGEST_TOLD = 25 * 3600.0  # seconds that a vendor may tell to wait: a day's quota, on the longest day


class Vault(Protocol):
    """What the vendor issued for a credential (session tokens ...), kept encrypted between sessions."""

    def get(self, name: str) -> dict[str, Any] | None: ...
    def put(self, name: str, value: dict[str, Any] | None) -> None: ...


class Limiter(Protocol):
    """Limits shared by everything that uses the same key."""

    def wait_for(self, limits: tuple[RateLimit, ...]) -> float: ...
    def pause(self, limits: tuple[RateLimit, ...]) -> float: ...
    def learn(self, limits: tuple[RateLimit, ...], headers: Mapping[str, str], status: int) -> None: ...
    def enter(self, limits: tuple[RateLimit, ...], seconds: float) -> "Entry | None": ...
    def leave(self, entry: "Entry") -> None: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """The places that a call holds while it is under way, by key."""

    places: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What OAuth issued. `learnt`: what the provider's `learn` took from the answer."""

    access_token: str = field(repr=False)
    expires_at: datetime | None = None
    refresh_token: str | None = field(default=None, repr=False)
    refresh_expires_at: datetime | None = None
    learnt: Mapping[str, str] = field(default_factory=dict, repr=False)

    def good(self, at: datetime | None = None) -> bool:
        return bool(self.access_token) and (
            self.expires_at is None or (at or datetime.now(UTC)) < self.expires_at - EARLY
        )


# (the tokens held, whether an earlier renewal was sent and its answer never kept) -> new ones; raises ConnectorError
Refresh = Callable[[Tokens | None, bool], Tokens]


class TokenStore(Protocol):
    """Where a grant's tokens are kept, for all processes that use it."""

    def load(self) -> Tokens | None: ...

    def renewed(self, used: Tokens | None, refresh: Refresh) -> Tokens:
        """Tokens other than `used`: what somebody else got meanwhile, else what `refresh` brings.

        It is called by one at a time over all processes, and what it brings is kept before it is returned.
        """
        ...


class NoVault:
    """State for the life of one process."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}

    def get(self, name: str) -> dict[str, Any] | None:
        return self.held.get(name)

    def put(self, name: str, value: dict[str, Any] | None) -> None:
        if value is None:
            self.held.pop(name, None)
        else:
            self.held[name] = value


class NoLimiter:
    def wait_for(self, limits: tuple[RateLimit, ...]) -> float:  # noqa: ARG002 - nothing is shared here
        return 0.0

    def pause(self, limits: tuple[RateLimit, ...]) -> float:  # noqa: ARG002 - as above
        return 0.0

    def learn(self, limits: tuple[RateLimit, ...], headers: Mapping[str, str], status: int) -> None: ...

    def enter(self, limits: tuple[RateLimit, ...], seconds: float) -> Entry | None:  # noqa: ARG002 - as above
        return Entry()

    def leave(self, entry: Entry) -> None: ...


class MemoryTokens:
    """Tokens for the life of one process."""

    def __init__(self, tokens: Tokens | None = None) -> None:
        self.held = tokens
        self.lock = threading.Lock()

    def load(self) -> Tokens | None:
        return self.held

    def renewed(self, used: Tokens | None, refresh: Refresh) -> Tokens:
        with self.lock:
            if not newer(self.held, used):
                self.held = refresh(self.held, False)
            assert self.held is not None  # noqa: S101 - newer, or just brought
            return self.held


def told(text: str | None, most: float = LONGEST_TOLD) -> float | None:
    """The number in a header. What is none, or beyond `most` (a moment, milliseconds), counts as not told."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return max(0.0, number) if number <= most else None


def newer(held: Tokens | None, used: Tokens | None) -> bool:
    """Whether the tokens held may be used in the place of those that were refused or have ended."""
    return held is not None and held.good() and (used is None or held.access_token != used.access_token)
