"""Connections that requests opens through the address guard. No Django here."""

import socket
from collections.abc import Collection
from typing import Any

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from apps.core.addresses import connect


class GuardedAdapter(HTTPAdapter):
    """Connections of this adapter are opened by the guard. Names, SNI and certificates stay those of the address."""

    def __init__(self, allow_private: Collection[str]) -> None:
        self.allow_private = allow_private
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        plain, secure = _guarded(HTTPConnection, self.allow_private), _guarded(HTTPSConnection, self.allow_private)
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("GuardedPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("GuardedSecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }


def _guarded(kind: type[HTTPConnection], allow_private: Collection[str]) -> type[HTTPConnection]:
    class Guarded(kind):  # type: ignore[valid-type, misc]
        def _new_conn(self) -> socket.socket:
            try:
                return connect(
                    self.host.strip("[]"), self.port, timeout=self.timeout, options=self.socket_options or (),
                    allow_private=allow_private,
                )  # fmt: skip
            except socket.gaierror as error:
                raise urllib3.exceptions.NameResolutionError(self.host, self, error) from error
            except TimeoutError as error:
                raise urllib3.exceptions.ConnectTimeoutError(self, f"{self.host} does not answer") from error
            except OSError as error:
                raise urllib3.exceptions.NewConnectionError(self, f"{self.host}: {error}") from error

    return Guarded
