"""A process of its own that uses up a limit, or writes into a vault: started by tests, prints what it got."""

import json
import sys
import time

import django

django.setup()

from apps.connectors.limits import SharedLimiter, limiter  # noqa: E402 - Django first
from apps.connectors.sdk.declaration import LimitScope, RateLimit  # noqa: E402
from apps.connectors.vault import ConnectorVault  # noqa: E402


def take(seconds: float) -> int:
    """How many calls the limit of 20 per hour allowed until it said wait."""
    limiter = SharedLimiter({LimitScope.CREDENTIAL: "shared"})
    limits = (RateLimit(scope=LimitScope.CREDENTIAL, count=20, seconds=3600),)
    taken = 0
    end = time.monotonic() + seconds
    while limiter.wait_for(limits) == 0 and time.monotonic() < end:
        taken += 1
        time.sleep(0.01)
    return taken


def slide(seconds: float) -> str:
    """When the calls of a sliding limit of 25 in 5 seconds were allowed."""
    limiter = SharedLimiter({LimitScope.CREDENTIAL: "shared"})
    limits = (RateLimit(scope=LimitScope.CREDENTIAL, count=25, seconds=5, sliding=True),)
    taken: list[str] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if wait := limiter.wait_for(limits):
            time.sleep(min(wait, 0.05))
        else:
            taken.append(repr(time.time()))
    return " ".join(taken)


def learn(headers: str, status: str) -> str:
    limits = (RateLimit(scope=LimitScope.CREDENTIAL, remaining_header="x-left", reset_header="x-reset"),)
    SharedLimiter({LimitScope.CREDENTIAL: "shared"}).learn(limits, json.loads(headers), int(status))
    return "learnt"


def keep(connector_id: int, name: str) -> int:
    for turn in range(10):
        ConnectorVault(connector_id).put(f"{name}.{turn}", {"n": turn})
    return 10


def place(key: str, company: str) -> str:
    """When a company's one place was taken and given up, asked for with this key."""
    from tests.connectors.fake_provider.provider import PROVIDER

    own = limiter(PROVIDER, PROVIDER.auth[0], {"api_key": key, "app_token": key, "company": company})
    alone = (RateLimit(scope=LimitScope.COMPANY, concurrency=1),)
    while (entry := own.enter(alone, 60)) is None:
        time.sleep(0.02)
    taken = time.time()
    time.sleep(0.5)
    given_up = time.time()
    own.leave(entry)
    return f"{taken} {given_up}"


if __name__ == "__main__":
    what, *given = sys.argv[1:]
    told = {
        "take": lambda: take(20),
        "slide": lambda: slide(float(given[0])),
        "learn": lambda: learn(*given),
        "place": lambda: place(*given),
    }.get(what, lambda: keep(int(given[0]), given[1]))()
    print(told)  # noqa: T201
