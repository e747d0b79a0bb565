"""Vendors' limits, shared by everything that uses the same key: one row per key, changed by compare-and-set.

A row says how many calls are left until `resets_at`. A published limit (`count` per `seconds`) opens a new window when
the last one has ended; a sliding one keeps the times of its last `count` calls. A learnt limit has a row only while the
vendor says that little is left, or answered 429. What is taken off a row counts calls under way too, so a row is only
ever lowered while its window lasts.
`RateLimit.concurrency`: a row per place; who holds it has a lease, so that a killed process gives it up in time.
"""

import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Protocol

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.crypto import salted_hmac

from apps.connectors.models import RateBucket
from apps.connectors.sdk.declaration import Auth, FieldScope, LimitScope, Provider, RateLimit, Values
from apps.connectors.sdk.ports import Entry

LOW = 25  # with more calls left than this nothing is written: processes cannot use them up unseen between two answers
WHOLE_SECONDS = 1.0  # vendors cut the seconds left to whole ones
SAME_WINDOW = 2.0  # seconds by which two answers may disagree about the end of one window
UNTOLD = 5.0  # seconds to stay away after a 429 that does not say how long
SHORTEST = 0.01
ON_THE_WAY = 0.5  # seconds that a call may take longer to the vendor than another: a sliding window is so much wider


@dataclass(frozen=True, slots=True)
class Left:
    """`times`: of a sliding window's calls, oldest first. `holder`: who has the place, until `resets_at`."""

    remaining: int
    resets_at: float
    times: str = ""
    holder: str = ""


FREE = Left(0, 0.0)


class Buckets(Protocol):
    """Rows by key. `swap` puts `new` in the place of `old` and tells whether `old` was still there."""

    def read(self, key: str) -> Left | None: ...
    def swap(self, key: str, old: Left | None, new: Left) -> bool: ...


class DatabaseBuckets:
    def read(self, key: str) -> Left | None:
        row = RateBucket.objects.filter(pk=key).values_list("remaining", "resets_at", "times", "holder").first()
        return None if row is None else Left(*row)

    def swap(self, key: str, old: Left | None, new: Left) -> bool:
        if old is None:
            # Not by reading it back: another may have taken a turn off our row by then.
            try:
                with transaction.atomic():
                    RateBucket.objects.create(key=key, **asdict(new))
            except IntegrityError:
                return False
            return True
        return RateBucket.objects.filter(pk=key, **asdict(old)).update(**asdict(new)) == 1


@dataclass
class MemoryBuckets:
    """For one process without a database."""

    rows: dict[str, Left] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, key: str) -> Left | None:
        return self.rows.get(key)

    def swap(self, key: str, old: Left | None, new: Left) -> bool:
        with self.lock:
            if self.rows.get(key) != old:
                return False
            self.rows[key] = new
            return True


@dataclass
class SharedLimiter:
    """The limiter of one session; `prefixes` has the start of the key for each scope."""

    prefixes: Mapping[LimitScope, str]
    buckets: Buckets = field(default_factory=DatabaseBuckets)
    now: Callable[[], float] = time.time

    def wait_for(self, limits: tuple[RateLimit, ...]) -> float:
        """Take one call off every limit. Seconds to wait first, after which it must be asked again; 0: go."""
        if not settings.KONTOR_LIMITER:
            return 0.0
        return max((self._turn(self._key(index, limit), limit) for index, limit in enumerate(limits)), default=0.0)

    def _turn(self, key: str, limit: RateLimit) -> float:
        if limit.sliding and limit.count is not None and limit.seconds is not None:
            return self._slide(key, limit.count, limit.seconds)
        return self._take(key, limit)

    def learn(self, limits: tuple[RateLimit, ...], headers: Mapping[str, str], status: int) -> None:
        for index, limit in enumerate(limits):
            reset = _number(headers.get(limit.reset_header or ""))
            if status == 429:
                told = reset if reset is not None else _number(headers.get("retry-after"))
                self._lower(self._key(index, limit), 0, UNTOLD if told is None else told + WHOLE_SECONDS)
                continue
            remaining = _number(headers.get(limit.remaining_header or ""))
            if remaining is not None and reset is not None and remaining <= LOW:
                self._lower(self._key(index, limit), int(remaining), reset + WHOLE_SECONDS)

    def enter(self, limits: tuple[RateLimit, ...], seconds: float) -> Entry | None:
        """Take a place of every limit that has places, for `seconds` at most; None: all are taken, ask again."""
        mine = uuid.uuid4().hex
        entry = Entry()
        for index, limit in enumerate(limits):
            if limit.concurrency is None:
                continue
            keys = [f"{self._key(index, limit)}:place{number}" for number in range(limit.concurrency)]
            taken = next((key for key in keys if self._occupy(key, mine, seconds)), None)
            if taken is None:
                self.leave(entry)
                return None
            entry = Entry((*entry.places, (taken, mine)))
        return entry

    def leave(self, entry: Entry) -> None:
        for key, mine in entry.places:
            held = self.buckets.read(key)
            if held is not None and held.holder == mine:
                self.buckets.swap(key, held, FREE)

    def _occupy(self, key: str, mine: str, seconds: float) -> bool:
        now = self.now()
        held = self.buckets.read(key)
        if held is not None and held.holder and held.resets_at > now:
            return False
        return self.buckets.swap(key, held, Left(0, now + seconds, holder=mine))

    def _slide(self, key: str, count: int, seconds: float) -> float:
        """A turn in a sliding window: no more than `count` in any `seconds`, however the calls fall."""
        while True:
            now = self.now()
            held = self.buckets.read(key)
            if held is not None and held.resets_at > now:  # the vendor said 429
                return max(held.resets_at - now, SHORTEST)
            times = [float(text) for text in held.times.split()] if held else []
            times = [at for at in times if at > now - seconds - ON_THE_WAY]
            if len(times) >= count:
                return max(times[-count] + seconds + ON_THE_WAY - now, SHORTEST)
            new = Left(count - len(times) - 1, 0.0, " ".join(f"{at:.4f}" for at in [*times, now]))
            if self.buckets.swap(key, held, new):
                return 0.0

    def _key(self, index: int, limit: RateLimit) -> str:
        return f"{self.prefixes[limit.scope]}:{index}"

    def _take(self, key: str, limit: RateLimit) -> float:
        while True:
            now = self.now()
            held = self.buckets.read(key)
            if held is not None and held.resets_at > now:
                if held.remaining <= 0:
                    return max(held.resets_at - now, SHORTEST)
                new = Left(held.remaining - 1, held.resets_at)
            elif limit.count is not None and limit.seconds is not None:
                new = Left(limit.count - 1, now + limit.seconds)
            else:
                return 0.0
            if self.buckets.swap(key, held, new):
                return 0.0

    def _lower(self, key: str, remaining: int, seconds: float) -> None:
        while True:
            now = self.now()
            held = self.buckets.read(key)
            new = Left(remaining, now + seconds, held.times if held else "")
            if held is not None and held.resets_at > now:
                if new.resets_at < held.resets_at - SAME_WINDOW:
                    return  # an answer of the window before
                if new.resets_at <= held.resets_at + SAME_WINDOW:
                    new = Left(min(held.remaining, remaining), max(held.resets_at, new.resets_at), held.times)
            if new == held or self.buckets.swap(key, held, new):
                return


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
    told = fields if any(fields) else [company]
    who = {
        LimitScope.APPLICATION: operator,
        LimitScope.CREDENTIAL: operator + secret,
        LimitScope.COMPANY: [_plain(text) for text in told],
    }
    # an address of the operator's choice is another vendor, with limits of its own
    prefixes = {
        scope: f"{provider.slug}:{scope.value}:{_digest([override or '', *parts])}" for scope, parts in who.items()
    }
    return SharedLimiter(prefixes, buckets or DatabaseBuckets())


def _plain(text: str) -> str:
    """A company's number without the signs and the country's letters that some write it with: `FI 1234567-8`."""
    return re.sub(r"^[A-Z]{2}(?=\d+$)", "", re.sub(r"[\W_]", "", text.upper()))


def _digest(parts: list[str]) -> str:
    return salted_hmac("kontor.limits", "\n".join(parts), algorithm="sha256").hexdigest()[:40]


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else max(0.0, float(text))
    except ValueError:
        return None
