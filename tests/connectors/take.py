"""A process of its own that uses up a limit, or writes into a vault: started by tests, prints what it got."""

import sys
import time

import django

django.setup()

from apps.connectors.limits import SharedLimiter  # noqa: E402 - Django first
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


def keep(connector_id: int, name: str) -> int:
    for turn in range(10):
        ConnectorVault(connector_id).put(f"{name}.{turn}", {"n": turn})
    return 10


if __name__ == "__main__":
    print(take(20) if sys.argv[1] == "take" else keep(int(sys.argv[2]), sys.argv[3]))  # noqa: T201
