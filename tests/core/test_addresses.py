"""What this program may connect to."""

import pytest

from apps.core.addresses import AddressRefusedError, check_address


@pytest.mark.parametrize(
    "url",
    [
        "http://93.184.216.34/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://10.0.0.8/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fd00::1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[::127.0.0.1]/",
        "https://224.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://127.1/",
        "https://0/",
        "https://user:password@93.184.216.34/",
        "https://93.184.216.34:notaport/",
        "ftp://93.184.216.34/",
    ],
)
def test_refused(url: str) -> None:
    with pytest.raises(AddressRefusedError):
        check_address(url)


def test_a_public_address_over_https_is_fine() -> None:
    check_address("https://93.184.216.34/v2")
    check_address("https://[2606:2800:220:1:248:1893:25c8:1946]/v2")


def test_the_operator_opens_one_host_and_port_and_no_other() -> None:
    opened = frozenset({"127.0.0.1:8001"})
    check_address("http://127.0.0.1:8001/api", allow_private=opened)
    for url in ("http://127.0.0.1:8002/", "http://127.0.0.1/", "https://localhost:8001/"):
        with pytest.raises(AddressRefusedError):
            check_address(url, allow_private=opened)


def test_an_opened_ipv6_address_stands_in_brackets() -> None:
    check_address("http://[::1]:8001/api", allow_private={"[::1]:8001"})
