"""25 requests per 5 seconds for each client id and tenant, counted over a window that slides (README, [R])."""

import threading
import time
from collections import deque

LIMIT, SECONDS = 25, 5.0


class Window:
    """Requests let through, per key. A refused one takes no place (unconfirmed)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, deque[float]] = {}

    def take(self, key: str, limit: int = LIMIT, seconds: float = SECONDS) -> float:
        """0 when the request may pass, else the seconds until one may."""
        now = time.monotonic()
        with self._lock:
            seen = self._seen.setdefault(key, deque())
            while seen and seen[0] <= now - seconds:
                seen.popleft()
            if len(seen) >= limit:
                return seen[0] + seconds - now
            seen.append(now)
            return 0.0
