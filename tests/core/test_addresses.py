"""What this program may connect to: more than sixty addresses that an attacker would try, and every vendor's own."""

import re
import socket
from typing import Any

import pytest

from apps.connectors.registry import all_providers
from apps.core.addresses import AddressRefusedError, check_address, connect

# Refused as written: nobody is asked where they lead.
WRITTEN = {
    "not https": [
        "http://93.184.216.34/", "ftp://93.184.216.34/", "file:///etc/passwd", "gopher://93.184.216.34/",
        "javascript:alert(1)", "data:text/plain,x", "//93.184.216.34/", "93.184.216.34", "", "https:", "https://",
        "https:///etc/passwd", "http://api.vendor.se/",
    ],
    "this machine": [
        "https://localhost/", "https://LOCALHOST/", "https://localhost./", "https://a.localhost/",
        "https://localhost.localdomain/", "https://127.0.0.1/", "https://127.255.255.254/", "https://0.0.0.0/",
        "https://[::1]/", "https://[::]/", "https://[0:0:0:0:0:0:0:1]/",
    ],
    "this network": [
        "https://10.0.0.8/", "https://172.16.0.1/", "https://172.31.255.255/", "https://192.168.1.1/",
        "https://100.64.0.1/", "https://198.18.0.1/", "https://240.0.0.1/", "https://255.255.255.255/",
        "https://224.0.0.1/", "https://192.88.99.1/", "https://[fd00::1]/", "https://[fc00::1]/",
        "https://[fe80::1]/", "https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/", "https://[fec0::1]/",
        "https://[ff02::1]/", "https://[2001:db8::1]/", "https://[3fff::1]/", "https://[5f00::1]/",
        "https://intranet/", "https://router.lan/", "https://printer.local/", "https://db.internal/",
        "https://files.corp/", "https://nas.home.arpa/",
    ],
    "metadata of clouds": [
        "https://169.254.169.254/latest/meta-data", "https://169.254.170.2/v2/credentials", "https://192.0.0.192/",
        "https://100.100.100.200/", "https://168.63.129.16/", "https://[fd00:ec2::254]/",
        "https://metadata.google.internal/", "https://metadata/", "https://[::ffff:169.254.169.254]/",
    ],
    "IPv4 inside IPv6": [
        "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[::ffff:0:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/", "https://[64:ff9b::10.0.0.1]/", "https://[64:ff9b:1::7f00:1]/",
        "https://[2002:7f00:1::]/", "https://[2002:a00:1::1]/", "https://[::127.0.0.1]/",
        "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/", "https://[2606:2800:220:1:0:5efe:7f00:1]/",
    ],
    "numbers in disguise": [
        "https://2130706433/", "https://0x7f000001/", "https://017700000001/", "https://0x7f.1/", "https://127.1/",
        "https://127.0.1/", "https://0/", "https://0177.0.0.1/", "https://0x7f.0.0.1/", "https://127.0.0.01/",
        "https://127.0.0.1./", "https://1.2.3.4.5/", "https://256.256.256.256/", "https://93.184.216.34./",
        "https://example.0x7f/", "https://93.184.216.034/",
    ],
    "names with tricks": [
        "https://user:password@93.184.216.34/", "https://api.vendor.se@127.0.0.1/", "https://@93.184.216.34/",
        "https://127.0.0.1#@api.vendor.se/", "https://api.vendor.se:443@127.0.0.1/",
        "https://api.vendor.se\\@127.0.0.1/", "https://127.0.0.1\\.api.vendor.se/", "https://api.vendor.se%2f@127.0.0.1/",
        "https://api%2evendor.se/", "https://api.vendor.se./", "https://.vendor.se/", "https://api..vendor.se/",
        "https://-api.vendor.se/", "https://api_.vendor.se/", "https://" + "a" * 64 + ".vendor.se/",
        "https://" + "a." * 130 + "se/", "https://api.vendor.se\t/", "https://api.ven\ndor.se/", " https://api.vendor.se/",
        "https://api.vendor.se /", "https://api.vendor.se\x00.evil.se/", "https://[::1", "https://[api.vendor.se]/",
        "https://[v1.api]/",
    ],
    "letters and digits of other scripts": [
        "https://①②⑦.⓪.⓪.①/", "https://１２７.０.０.１/", "https://١٢٧.٠.٠.١/", "https://127。0。0。1/",
        "https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "https://аpi.vendor.se/", "https://api.vendor．se/", "https://api.vendor.se/\u202e",
        "https://bücher.se/",
    ],
    "ports": [
        "https://93.184.216.34:notaport/", "https://93.184.216.34:22/", "https://93.184.216.34:8443/",
        "https://93.184.216.34:80/", "https://93.184.216.34:0/", "https://93.184.216.34:65536/",
        "https://93.184.216.34:-443/", "https://93.184.216.34:/", "https://api.vendor.se:6379/",
    ],
}  # fmt: skip
HOSTILE = [(kind, url) for kind, urls in WRITTEN.items() for url in urls]

# Names that anybody can register, and what they lead to.
LEADING = {
    "127.0.0.1.nip.io": ["127.0.0.1"], "one.of.two": ["93.184.216.34", "10.0.0.1"], "six.se": ["::1"],
    "mapped.se": ["::ffff:10.0.0.1"], "nat.se": ["64:ff9b::7f00:1"], "zone.se": ["fe80::1%2"],
    "link.se": ["169.254.169.254"], "ula.se": ["fd00::1"], "any.se": ["0.0.0.0"], "cgn.se": ["100.64.0.1"],  # noqa: S104
}  # fmt: skip


def test_there_are_more_than_sixty() -> None:
    assert len({url for _kind, url in HOSTILE}) + len(LEADING) >= 60


@pytest.fixture
def no_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: Any, **_options: Any) -> Any:
        raise AssertionError("a refused address was looked up")

    monkeypatch.setattr(socket, "getaddrinfo", fail)


@pytest.mark.usefixtures("no_look_up")
@pytest.mark.parametrize(("kind", "url"), HOSTILE)
def test_refused_as_written(kind: str, url: str) -> None:
    with pytest.raises(AddressRefusedError):
        check_address(url)


@pytest.mark.parametrize("host", LEADING)
def test_refused_for_where_it_leads_and_nothing_is_connected(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    opened: list[Any] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: [_entry(text) for text in LEADING[host]])
    monkeypatch.setattr(socket.socket, "connect", lambda _socket, where: opened.append(where))
    check_address(f"https://{host}/")  # the name itself says nothing

    with pytest.raises(AddressRefusedError):
        connect(host, 443, timeout=1)

    assert not opened


def _entry(text: str) -> tuple[Any, ...]:
    if ":" in text:
        return (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (text, 443, 0, 0))
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, 443))


def test_public_addresses_over_https_are_fine() -> None:
    for url in (
        "https://93.184.216.34/v2",
        "https://93.184.216.34:443/v2",
        "https://[2606:2800:220:1:248:1893:25c8:1946]/v2",
        "https://[64:ff9b::5db8:d822]/",
        "https://API.Vendor.se/v2/%3E?a=b%20c",
        "https://xn--bcher-kva.se/",
    ):
        check_address(url)


def test_every_providers_own_hosts_are_fine() -> None:
    """What each declares, written out: its patterns name hosts, with escaped dots."""
    hosts = {rule.pattern.replace("\\", "") for provider in all_providers().values() for rule in provider.hosts}
    bases = {provider.base_url({}) for provider in all_providers().values() if provider.slug != "fake_provider"}

    assert len(hosts) >= 5
    assert not [host for host in hosts if not re.fullmatch(r"[a-z0-9.-]+", host)], "a pattern: write an example of it"
    for url in (*bases, *(f"https://{host}/" for host in hosts)):
        check_address(url)


def test_the_operator_opens_one_host_and_port_and_no_other() -> None:
    opened = frozenset({"127.0.0.1:8001"})
    check_address("http://127.0.0.1:8001/api", allow_private=opened)
    for url in ("http://127.0.0.1:8002/", "http://127.0.0.1/", "https://localhost:8001/", "http://a@127.0.0.1:8001/"):
        with pytest.raises(AddressRefusedError):
            check_address(url, allow_private=opened)


def test_an_opened_ipv6_address_stands_in_brackets() -> None:
    check_address("http://[::1]:8001/api", allow_private={"[::1]:8001"})
