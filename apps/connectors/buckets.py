"""Where the rows of vendors' limits are kept, for all processes: in Redis where there is one, else in the database."""

import json
import logging
import threading
import time
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, Protocol

import redis
from django.conf import settings
from django.db import IntegrityError, transaction
from redis.backoff import NoBackoff
from redis.retry import Retry

from apps.connectors.models import RateBucket

logger = logging.getLogger(__name__)

ANSWER = 2.0  # seconds that Redis may take
KEPT = 2 * 24 * 60 * 60.0  # seconds that a row stays there after its window: longer than any vendor's window
PREFIX = "{kontor}:limits:"  # the braces keep them together on a cluster
MARK = f"{PREFIX}begun"


@dataclass(frozen=True, slots=True)
class Left:
    """`times`: of a sliding window's calls, oldest first. `holder`: who has the place, until `resets_at`."""

    remaining: int
    resets_at: float
    times: str = ""
    holder: str = ""


class BucketsGoneError(Exception):
    """The rows cannot be asked for now: nobody knows what is left."""


class Buckets(Protocol):
    """Rows by key. `swap` puts `new` in the place of `old` and tells whether `old` was still there.

    `begun`: since when rows are kept, as far as the last `read` told; what was taken before is in none of them.
    Both may raise BucketsGoneError.
    """

    begun: float

    def read(self, key: str) -> Left | None: ...
    def swap(self, key: str, old: Left | None, new: Left) -> bool: ...


class DatabaseBuckets:
    begun = 0.0

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

    begun: float = 0.0
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


# The mark names the server's run and when it was first asked: another run may have forgotten what was taken before.
READ = """
local server = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local mark = redis.call('GET', KEYS[2])
if not mark or string.sub(mark, 1, #server) ~= server then
  mark = server .. ' ' .. ARGV[1]
  redis.call('SET', KEYS[2], mark)
end
return {redis.call('GET', KEYS[1]) or '', string.sub(mark, #server + 2)}
"""
SWAP = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""


class RedisBuckets:
    """Rows as JSON texts, compared and set by a script. A call that may have got through is not sent twice."""

    def __init__(self, url: str) -> None:
        self.begun = 0.0
        self.client = redis.Redis.from_url(
            url,
            socket_timeout=ANSWER,
            socket_connect_timeout=ANSWER,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
        self._read = self.client.register_script(READ)
        self._swap = self.client.register_script(SWAP)
        self._gone = False  # told already

    def read(self, key: str) -> Left | None:
        held, begun = self._asked(self._read, [PREFIX + key, MARK], [repr(time.time())])
        self.begun = float(begun)
        return Left(**json.loads(held)) if held else None

    def swap(self, key: str, old: Left | None, new: Left) -> bool:
        kept = max(0.0, new.resets_at - time.time()) + KEPT
        texts = ["" if old is None else _text(old), _text(new), int(kept * 1000)]
        return bool(self._asked(self._swap, [PREFIX + key], texts))

    def _asked(self, script: Any, keys: list[str], values: list[Any]) -> Any:
        try:
            answer = script(keys=keys, args=values)
        except redis.RedisError as error:
            if not self._gone:
                logger.error("Redis does not answer, vendors are not called until it does: %s", error)  # noqa: TRY400 - no news in the traceback
            self._gone = True
            raise BucketsGoneError from error
        if self._gone:
            logger.warning("Redis answers again")
            self._gone = False
        return answer


def _text(row: Left) -> str:
    return json.dumps(asdict(row))


@cache
def _redis(url: str) -> RedisBuckets:
    return RedisBuckets(url)


def shared_buckets() -> Buckets:
    """The rows that all processes of this Kontor share, as REDIS_URL says."""
    return _redis(settings.REDIS_URL) if settings.REDIS_URL else DatabaseBuckets()
