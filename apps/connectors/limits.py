"""Vendors' limits, shared by everything that uses the same key: one row per key, changed by compare-and-set.

The rows are in Redis or in the database (`buckets`); the rules here are the same. While they cannot be asked for, nothing
is sent: calls on a guess would be the vendor's 429.

A row says how many calls are left until `resets_at`. A published limit (`count` per `seconds`) opens a new window when
the last one has ended; a sliding one keeps the times of its last `count` calls. A learnt limit has a row only while the
vendor says that little is left, or answered 429. What is taken off a row counts calls under way too, so a row is only
ever lowered while its window lasts.
`RateLimit.concurrency`: a row per place; who holds it has a lease, so that a killed process gives it up in time.
"""

import re
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from django.conf import settings
from django.utils.crypto import salted_hmac

from apps.connectors.buckets import (
    Buckets,
    BucketsGoneError,
    DatabaseBuckets,
    Left,
    MemoryBuckets,
    RedisBuckets,
    shared_buckets,
)
from apps.connectors.sdk.declaration import Auth, FieldScope, LimitScope, OAuth2Code, Provider, RateLimit, Values
from apps.connectors.sdk.ports import LONGEST_TOLD, Entry, told

__all__ = [
    "Buckets", "DatabaseBuckets", "Left", "MemoryBuckets", "RedisBuckets", "SharedLimiter", "credential_of", "limiter",
]  # fmt: skip

LOW = 25  # with more calls left than this nothing is written: processes cannot use them up unseen between two answers
WHOLE_SECONDS = 1.0  # vendors cut the seconds left to whole ones
SAME_WINDOW = 2.0  # seconds by which two answers may disagree about the end of one window
UNTOLD = 5.0  # seconds to stay away after a 429 that does not say how long
SHORTEST = 0.01
OUTAGE = 5.0  # seconds after which rows that could not be asked for are asked for again
UNKNOWN = 10.0  # seconds waited at most for what may have been taken before rows were kept
SHORT_WINDOW = 60.0  # a window up to this is worth waiting for as a whole
ON_THE_WAY = 0.5  # seconds that a call may take longer to the vendor than another: a sliding window is so much wider


FREE = Left(0, 0.0)


@dataclass
class SharedLimiter:
    """The limiter of one session; `prefixes` has the start of the key for each scope."""

    prefixes: Mapping[LimitScope, str]
    buckets: Buckets = field(default_factory=shared_buckets)
    now: Callable[[], float] = time.time

    def wait_for(self, limits: tuple[RateLimit, ...]) -> float:
        """Take one call off every limit. Seconds to wait first, after which it must be asked again; 0: go."""
        if not settings.KONTOR_LIMITER:
            return 0.0
        try:
            return max((self._turn(self._key(index, limit), limit) for index, limit in enumerate(limits)), default=0.0)
        except BucketsGoneError:
            return OUTAGE

    def pause(self, limits: tuple[RateLimit, ...]) -> float:
        """Seconds for which it is better to do something else, before a number of calls; takes nothing.

        Until there is a turn; and where most of a short window is used, until all of it may be used again.
        """
        if not settings.KONTOR_LIMITER:
            return 0.0
        try:
            return max((self._rest(self._key(index, limit), limit) for index, limit in enumerate(limits)), default=0.0)
        except BucketsGoneError:
            return OUTAGE

    def learn(self, limits: tuple[RateLimit, ...], headers: Mapping[str, str], status: int) -> None:
        with suppress(BucketsGoneError):  # nobody calls until they are back; then the next answer tells it again
            for index, limit in enumerate(limits):
                self._learn(self._key(index, limit), limit, headers, status)

    def _learn(self, key: str, limit: RateLimit, headers: Mapping[str, str], status: int) -> None:
        reset = told(headers.get(limit.reset_header or ""), _longest(limit))
        if status == 429:
            wait = reset if reset is not None else told(headers.get("retry-after"), _longest(limit))
            self._lower(key, limit, 0, UNTOLD if wait is None else wait + WHOLE_SECONDS)
            return
        remaining = told(headers.get(limit.remaining_header or ""))
        if remaining is not None and reset is not None and remaining <= LOW:
            self._lower(key, limit, int(remaining), reset + WHOLE_SECONDS)

    def enter(self, limits: tuple[RateLimit, ...], seconds: float) -> Entry | None:
        """Take a place of every limit that has places, for `seconds` at most; None: all are taken, ask again."""
        mine = uuid.uuid4().hex
        entry = Entry()
        for index, limit in enumerate(limits):
            if limit.concurrency is None:
                continue
            keys = [f"{self._key(index, limit)}:place{number}" for number in range(limit.concurrency)]
            try:
                taken = next((key for key in keys if self._occupy(key, mine, seconds)), None)
            except BucketsGoneError:
                taken = None
            if taken is None:
                self.leave(entry)
                return None
            entry = Entry((*entry.places, (taken, mine)))
        return entry

    def leave(self, entry: Entry) -> None:
        with suppress(BucketsGoneError):  # the lease ends by itself
            for key, mine in entry.places:
                held = self.buckets.read(key)
                if held is not None and held.holder == mine:
                    self.buckets.swap(key, held, FREE)

    def _occupy(self, key: str, mine: str, seconds: float) -> bool:
        now = self.now()
        held = self.buckets.read(key)
        if held is None and self._unknown(now, seconds):
            return False
        # Further ahead than a lease is long: by a clock that was wrong. Twice, for hosts whose clocks differ.
        if held is not None and held.holder and now < held.resets_at <= now + 2 * seconds:
            return False
        return self.buckets.swap(key, held, Left(0, now + seconds, holder=mine))

    def _unknown(self, now: float, seconds: float) -> float:
        """Seconds to wait where there is no row, and calls may have been made before rows were kept."""
        left = self.buckets.begun + min(seconds + ON_THE_WAY, UNKNOWN) - now
        return left if 0 < left <= 2 * UNKNOWN else 0.0  # begun in years to come: by a clock that was wrong

    def _turn(self, key: str, limit: RateLimit) -> float:
        """Take one call off the limit, or say how long to wait."""
        while True:
            now = self.now()
            held = self.buckets.read(key)
            wait, new = self._judged(limit, held, now)
            if wait or new is None or self.buckets.swap(key, held, new):
                return wait

    def _rest(self, key: str, limit: RateLimit) -> float:
        now = self.now()
        held = self.buckets.read(key)
        wait = self._judged(limit, held, now)[0]
        if wait or held is None or limit.count is None or limit.seconds is None or limit.seconds > SHORT_WINDOW:
            return wait
        times = _in_window(held, now, limit.seconds)
        used = len(times) if limit.sliding else limit.count - held.remaining if _runs(held, limit, now) else 0
        fresh = times[-1] + limit.seconds + ON_THE_WAY if times else held.resets_at
        return max(0.0, fresh - now) if used * 2 > limit.count else 0.0

    def _judged(self, limit: RateLimit, held: Left | None, now: float) -> tuple[float, Left | None]:
        """Seconds to wait, else what the row becomes by one call (None: nothing is counted now)."""
        if limit.count is None or limit.seconds is None:
            return _counted_down(held, limit, now, None)
        if held is None and (unknown := self._unknown(now, limit.seconds)):
            return unknown, None
        if limit.sliding:
            return _slid(held, limit, now, limit.count, limit.seconds)
        return _counted_down(held, limit, now, Left(limit.count - 1, now + limit.seconds))

    def _key(self, index: int, limit: RateLimit) -> str:
        return f"{self.prefixes[limit.scope]}:{index}"

    def _lower(self, key: str, limit: RateLimit, remaining: int, seconds: float) -> None:
        while True:
            now = self.now()
            held = self.buckets.read(key)
            new = Left(remaining, now + seconds, held.times if held else "")
            if held is not None and _runs(held, limit, now):
                if new.resets_at < held.resets_at - SAME_WINDOW:
                    return  # an answer of the window before
                if new.resets_at <= held.resets_at + SAME_WINDOW:
                    new = Left(min(held.remaining, remaining), max(held.resets_at, new.resets_at), held.times)
            if new == held or self.buckets.swap(key, held, new):
                return


def _longest(limit: RateLimit) -> float:
    return max(LONGEST_TOLD, limit.seconds or 0.0)


def _runs(held: Left, limit: RateLimit, now: float) -> bool:
    """Whether the row's window lasts. One that ends further ahead than any can was told, or dated, wrongly."""
    return now < held.resets_at <= now + _longest(limit) + SAME_WINDOW


def _counted_down(held: Left | None, limit: RateLimit, now: float, fresh: Left | None) -> tuple[float, Left | None]:
    """A turn of the window that runs, or of a fresh one."""
    if held is None or not _runs(held, limit, now):
        return 0.0, fresh
    if held.remaining <= 0:
        return max(held.resets_at - now, SHORTEST), None
    return 0.0, Left(held.remaining - 1, held.resets_at)


def _in_window(held: Left | None, now: float, seconds: float) -> list[float]:
    """The calls that count. Another process may have made some after `now`; a window ahead is by a clock gone wrong."""
    times = [float(text) for text in held.times.split()] if held else []
    return [at for at in times if abs(at - now) < seconds + ON_THE_WAY]


def _slid(held: Left | None, limit: RateLimit, now: float, count: int, seconds: float) -> tuple[float, Left | None]:
    """A turn in a sliding window: no more than `count` in any `seconds`, however the calls fall."""
    if held is not None and _runs(held, limit, now):  # the vendor said 429
        return max(held.resets_at - now, SHORTEST), None
    times = _in_window(held, now, seconds)
    if len(times) >= count:
        return max(times[-count] + seconds + ON_THE_WAY - now, SHORTEST), None
    return 0.0, Left(count - len(times) - 1, 0.0, " ".join(f"{at:.4f}" for at in [*times, now]))


def limiter(
    provider: Provider,
    auth: Auth,
    values: Values,
    *,
    override: str | None = None,
    buckets: Buckets | None = None,
    company: str = "",
) -> SharedLimiter:
    """The limiter for these values: same key, same rows, whoever asks. The rows do not tell the key.

    A company's limit is the vendor's for that company, with whatever keys it is asked. `company` tells companies apart
    where no field does: one consent reaches one company.
    """
    operator = [values.get(spec.name, "") for spec in auth.fields if spec.scope is FieldScope.OPERATOR]
    secret = [values.get(spec.name, "") for spec in auth.fields if spec.secret]
    fields = [values.get(name, "") for name in provider.identity_fields]
    company_told = fields if any(fields) else [company]
    who = {
        LimitScope.APPLICATION: operator,
        LimitScope.CREDENTIAL: operator + secret,
        LimitScope.COMPANY: [_plain(text) for text in company_told],
    }
    # an address of the operator's choice is another vendor, with limits of its own
    prefixes = {
        scope: f"{provider.slug}:{scope.value}:{_digest([override or '', *parts])}" for scope, parts in who.items()
    }
    return SharedLimiter(prefixes, buckets or shared_buckets())


def credential_of(provider: Provider, auth: Auth, entered: Mapping[str, str], connection_id: int) -> str:
    """What the vendor knows us by, as a digest: who enters one key at two places has one credential.

    A consent, or access without a secret of the customer's, is the connection's own.
    """
    secret = [entered.get(spec.name, "") for spec in auth.fields if spec.secret and spec.scope != FieldScope.OPERATOR]
    own = isinstance(auth, OAuth2Code) or not any(secret)
    return f"{provider.slug}:{_digest([f'connection {connection_id}'] if own else secret)}"


def _plain(text: str) -> str:
    """A company's number without the signs and the country's letters that some write it with: `FI 1234567-8`."""
    return re.sub(r"^[A-Z]{2}(?=\d+$)", "", re.sub(r"[\W_]", "", text.upper()))


def _digest(parts: list[str]) -> str:
    return salted_hmac("kontor.limits", "\n".join(parts), algorithm="sha256").hexdigest()[:40]
