"""One POST to an address that a bureau entered: through the address guard, and over at its deadline.

The timeouts of requests are for each read: whoever drips an answer would hold a worker as long as he likes, and looking
up a name has none. So the call has a thread of its own, which is left at the deadline and ends when its connection is
shut.
"""

import socket
import threading
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

import requests

from apps.core.outgoing import GuardedAdapter

CONNECT_SECONDS = 5.0


class Call:
    def __init__(self, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> None:
        self.url, self.body, self.headers, self.seconds = url, body, headers, seconds
        self.status = 0
        self.error: Exception | None = None
        self.lock = threading.Lock()
        self.over = False
        self.held: list[socket.socket] = []

    def run(self, allow_private: Collection[str]) -> None:
        try:
            with requests.Session() as http:
                http.trust_env = False
                for scheme in ("https://", "http://"):
                    http.mount(scheme, _Adapter(allow_private, self))
                with http.post(
                    self.url, data=self.body, headers=dict(self.headers), allow_redirects=False, stream=True,
                    timeout=(min(CONNECT_SECONDS, self.seconds), self.seconds),
                ) as answer:  # fmt: skip
                    self.status = answer.status_code
        except Exception as error:  # noqa: BLE001 - raised where the call is waited for
            self.error = error

    def hold(self, opened: socket.socket) -> socket.socket:
        """A second hand on the connection: TLS takes the first for itself."""
        with self.lock:
            if self.over:
                opened.close()
                raise TimeoutError("the deadline is over")
            self.held.append(opened.dup())
        return opened

    def end(self) -> None:
        with self.lock:
            self.over = True
            for one in self.held:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()


class _Adapter(GuardedAdapter):
    def __init__(self, allow_private: Collection[str], call: Call) -> None:
        self.call = call
        super().__init__(allow_private)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        for pool in self.poolmanager.pool_classes_by_scheme.values():
            pool.ConnectionCls = _held(pool.ConnectionCls, self.call)


def _held(kind: Any, call: Call) -> Any:
    class Held(kind):
        def _new_conn(self) -> socket.socket:
            return call.hold(super()._new_conn())

    return Held


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, seconds: float, allow_private: Collection[str] = ()
) -> int:
    """The answer's status. Raises TimeoutError at the deadline, AddressRefusedError, RequestException, OSError."""
    call = Call(url, body, headers, seconds)
    thread = threading.Thread(target=call.run, args=(allow_private,), name="webhook", daemon=True)
    thread.start()
    thread.join(seconds)
    late = thread.is_alive()
    call.end()
    if late:
        raise TimeoutError(f"no answer within {seconds:g} s")
    if call.error is not None:
        raise call.error
    return call.status
