"""The address guard: what this program may connect to. No Django here; the operator's exceptions are handed in.

HTTPS only, to a declared host, whose every address is public. `allow_private` lists `host:port` that the operator of
this installation opened (CONNECTOR_ALLOW_PRIVATE_HOSTS): plain HTTP and private addresses are fine there only.
"""

import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


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
    named = f"[{host}]" if ":" in host else host
    if f"{named}:{port}" in allow_private:
        return
    if parts.scheme != "https":
        raise AddressRefusedError(f"{host}: only https addresses are used")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return  # a name that cannot be looked up is a network failure, told by the connection attempt
    for entry in found:
        address = ipaddress.ip_address(str(entry[4][0]).split("%")[0])
        if not _is_public(address):
            raise AddressRefusedError(f"{host} leads to the private address {address}")


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Also for the IPv4 address that an IPv6 one stands for: mapped, 6to4, NAT64."""
    inner: ipaddress.IPv4Address | None = None
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    of = inner or address
    return of.is_global and not of.is_multicast and not (inner is None and of.is_reserved)
