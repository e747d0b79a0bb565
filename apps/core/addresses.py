"""The address guard: what this program may connect to. No Django here; the operator's exceptions are handed in.

HTTPS only, to a declared host, whose every address is public. `allow_private` lists `host:port` that the operator of
this installation opened (CONNECTOR_ALLOW_PRIVATE_HOSTS): plain HTTP and private addresses are fine there only.
"""

import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit


class AddressRefusedError(Exception):
    """The address may not be used; the text says why."""


def check_address(url: str, *, allow_private: Collection[str] = ()) -> None:
    """Raise AddressRefusedError unless `url` may be connected to."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise AddressRefusedError(f"{url!r} has no valid port") from error
    if parts.username or parts.password:
        raise AddressRefusedError("an address must not carry a user name or password")
    if f"{host}:{port}" in allow_private:
        return
    if parts.scheme != "https":
        raise AddressRefusedError(f"{host}: only https addresses are used")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return  # a name that cannot be looked up is a network failure, told by the connection attempt
    for entry in found:
        address = ipaddress.ip_address(str(entry[4][0]).split("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        if not (mapped or address).is_global:
            raise AddressRefusedError(f"{host} leads to the private address {address}")
