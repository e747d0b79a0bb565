"""The address guard: what this program may connect to. No Django here; the operator's exceptions are handed in.

`check_address` judges an address as it is written: HTTPS, the usual port, a plain host name or a public IP address in
its one usual form. `connect` judges what the name leads to and connects to exactly that: the name is looked up once,
so a name server that answers differently the next time (DNS rebinding) changes nothing.

`allow_private` lists `host:port` that the operator of this installation opened (CONNECTOR_ALLOW_PRIVATE_HOSTS): plain
HTTP, other ports and private addresses are fine there only.
"""

import ipaddress
import re
import socket
from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import urlsplit

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

HTTPS_PORT = 443
LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
# What some parser somewhere reads as a number: 2130706433, 0x7f000001, 0177, 127.1. The usual form is tried before.
NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
# No TLD of the Internet: names of this machine, of the network it stands in, or of a cloud's inside.
INSIDE = frozenset(
    ["localhost", "localdomain", "local", "internal", "intranet", "lan", "home", "corp", "private", "arpa", "onion"]
)

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
ISATAP = (0x5EFE, 0x02005EFE)
# Not for us, although Python's tables of 3.11 call them global (IANA's special-purpose registries, RFC 6890 and later).
NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",  # protocols; one cloud keeps its metadata here
        "192.88.99.0/24",  # 6to4 relays
        "168.63.129.16/32",  # a cloud's own metadata, at a public address
        "64:ff9b:1::/48",  # NAT64 inside a network
        "2001::/23",  # Teredo and other protocols
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fec0::/10",  # site-local, of old
        "::/96",  # IPv4-compatible, of old
    )
)


def _(text: str) -> str:
    """Marks what a form shows: it is translated there."""
    return text


class AddressRefusedError(Exception):
    """The address may not be used; the text says why, and `facts` fill it."""

    def __init__(self, text: str, **facts: str) -> None:
        self.text, self.facts = text, facts
        super().__init__(text.format_map(facts))


def check_address(url: str, *, allow_private: Collection[str] = ()) -> None:
    """Raise AddressRefusedError unless `url` may be connected to, as far as it says where it leads."""
    if not url.isascii() or any(sign <= " " or sign in "\\\x7f" for sign in url):
        raise AddressRefusedError(_("an address has only ASCII letters, and no blanks or backslashes"))
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise AddressRefusedError(
            _("{url} is not an address: {error}"), url=repr(url[:200]), error=str(error)
        ) from error
    if "@" in parts.netloc:
        raise AddressRefusedError(_("an address must not carry a user name or password"))
    if named(host, port or (HTTPS_PORT if parts.scheme == "https" else 80)) in allow_private:
        return
    if parts.scheme != "https":
        raise AddressRefusedError(_("{host}: only https addresses are used"), host=host)
    if parts.netloc.endswith(":") or port not in (None, HTTPS_PORT):
        raise AddressRefusedError(_("{host}: only port {port} is used"), host=host, port=str(HTTPS_PORT))
    _check_host(host, bracketed=parts.netloc.startswith("["))


def named(host: str, port: int) -> str:
    """`host:port` as the operator writes it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def connect(
    host: str,
    port: int,
    *,
    timeout: Any,
    options: Sequence[tuple[int, int, int | bytes]] = (),
    allow_private: Collection[str] = (),
) -> socket.socket:
    """A connection to one of the addresses that `host` has now, all of them checked first.

    One private address among public ones refuses the host. Raises AddressRefusedError and OSError.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if named(host, port) not in allow_private:
        for entry in found:
            refuse_private(host, str(entry[4][0]))
    error: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _name, where in found:
        one = socket.socket(family, kind, protocol)
        try:
            for option in options:
                one.setsockopt(*option)
            one.settimeout(timeout)
            one.connect(where)
        except OSError as failed:
            one.close()
            error = failed
        else:
            return one
    raise error


def refuse_private(host: str, text: str) -> None:
    """Raise AddressRefusedError unless the address, written out, is public."""
    if "%" in text:
        raise AddressRefusedError(
            _("{host} leads to {address}, which is good in one network only"), host=host, address=text
        )
    address = ipaddress.ip_address(text)
    if not _is_public(address):
        raise AddressRefusedError(_("{host} leads to the private address {address}"), host=host, address=str(address))


def _check_host(host: str, *, bracketed: bool) -> None:
    if bracketed or ":" in host:
        try:
            refuse_private(host, str(ipaddress.IPv6Address(host)))
        except ipaddress.AddressValueError as error:
            raise AddressRefusedError(_("{host} is not an IPv6 address"), host=host) from error
        return
    try:
        four = ipaddress.IPv4Address(host)
    except ipaddress.AddressValueError:
        _check_name(host)
    else:
        refuse_private(host, str(four))


def _check_name(host: str) -> None:
    labels = host.split(".")
    if len(host) > 253 or not all(LABEL.fullmatch(label) for label in labels):
        raise AddressRefusedError(_("{host} is not a host name"), host=repr(host[:200]))
    if NUMERIC.fullmatch(labels[-1]):
        raise AddressRefusedError(_("{host} is a number in disguise, not a host name"), host=host)
    if len(labels) == 1 or labels[-1] in INSIDE:
        raise AddressRefusedError(_("{host} is a name of this machine or network"), host=host)


def _is_public(address: IPAddress) -> bool:
    """Also for the IPv4 address that an IPv6 one stands for: mapped, 6to4, NAT64, ISATAP."""
    if any(address.version == network.version and address in network for network in NEVER):
        return False
    if isinstance(address, ipaddress.IPv6Address):
        last = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        inner = address.ipv4_mapped or address.sixtofour or (last if address in NAT64 else None)
        if inner is not None:
            return _is_public(inner)
        if (int(address) >> 32) & 0xFFFFFFFF in ISATAP and not _is_public(last):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved
