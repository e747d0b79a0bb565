"""Formats other than JSON, and requests that are signed."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from apps.connectors.sdk import xml
from apps.connectors.sdk.auths import Signed
from apps.connectors.sdk.declaration import Field, HostRule, Provider
from apps.connectors.sdk.failures import ConnectorError, Failure, Refusal, Remedy, Seen, Who
from apps.connectors.sdk.session import Body, Prepared, Session
from apps.connectors.sdk.transport import Transport

FAILED = Remedy(code="plain.failed", who=Who.BUREAU, title="Failed")


def status(seen: Seen) -> list[str]:
    return [text or "" for one in xml.children(xml.child(seen.body, "ResponseStatus"), "Status") if (text := xml.text(one))]  # fmt: skip


def provider(signed: list[Prepared]) -> Provider:
    return Provider(
        slug="plain", label="Plain", countries=(), guide=(), secret_paths=("header:X-Mac",),
        auth=(Signed(fields=(Field(name="key", label="Key", secret=True),), sign=lambda _session, out: signed.append(out)),),
        base_url=lambda _values: "https://plain.example",
        hosts=(HostRule(pattern=r"plain\.example", sends_credentials=True),),
        verify=lambda _session: None, resources={},  # type: ignore[arg-type,return-value]
        decode=xml.decoder("iso-8859-15"), media_type="text/xml",
        refused=lambda seen: "FAILED" in status(seen),
        refusals=(Refusal(failure=Failure.SETUP, remedy=FAILED, when=lambda seen: "FAILED" in status(seen)),),
    )  # fmt: skip


@contextmanager
def answering(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server of bare bytes: what was asked is seen exactly as it came."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for answer in answers:
                caller, _address = listening.accept()
                with caller:
                    heard.append(_whole(caller))
                    caller.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}", heard


def _whole(caller: socket.socket) -> bytes:
    """A request with its body, which may come in a segment of its own."""
    got = caller.recv(65536)
    length = re.search(rb"(?i)\r\nContent-Length: (\d+)", got)
    while length and len(got.partition(b"\r\n\r\n")[2]) < int(length[1]):
        got += caller.recv(65536)
    return got


def ok(body: bytes, line: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (line, len(body), body)


def session_of(place: str, signed: list[Prepared]) -> Session:
    plain = provider(signed)
    transport = Transport(plain, override=f"http://{place}/stand-in", allow_private=frozenset({place}))
    return Session(
        provider=plain, auth=plain.auth[0], values={"key": "secret-key-1"}, transport=transport, sleep=lambda _s: None
    )


def test_the_address_signed_is_the_address_sent_and_every_try_is_signed_anew() -> None:
    signed: list[Prepared] = []
    with answering(ok(b"", b"503 Busy"), ok(b"<Root/>")) as (place, heard):
        session_of(place, signed).read("/a b.nv", {"from": "2024-01-01", "q": "é &+>:%", "dates": "1,2"})

    lines = [one.split(b" ")[1].decode() for one in heard]
    assert [one.address for one in signed] == [f"http://{place}{line}" for line in lines]
    assert len({id(one) for one in signed}) == 2
    assert lines[0].startswith("/stand-in/a%20b.nv?from=2024-01-01&q=%C3%A9")
    assert b"X-Original-Host: plain.example" in heard[0]


def test_a_refusal_in_a_200_is_a_refusal() -> None:
    body = b"<root><RESPONSESTATUS><status>FAILED</status><Status>X :: v\xe4\xe4r\xe4</Status></RESPONSESTATUS></root>"
    with answering(ok(body)) as (place, _heard), pytest.raises(ConnectorError) as caught:
        session_of(place, []).read("/x.nv")

    assert caught.value.remedy is FAILED


def test_a_body_goes_out_as_it_is_and_a_file_comes_in_as_it_is() -> None:
    with answering(ok(b"#FLAGGA 0\r\n\x86")) as (place, heard):
        answer = session_of(place, []).read(
            "/x.nv", method="POST", payload=Body("text/plain", "<root>é</root>".encode("iso-8859-15")), raw=True
        )

    assert answer.body == b"#FLAGGA 0\r\n\x86"
    assert answer.data is None
    assert heard[0].endswith(b"<root>\xe9</root>")
    assert b"Content-Type: text/plain" in heard[0]


def test_xml_is_read_as_declared_or_in_the_default() -> None:
    assert xml.text(xml.parse(b"<a>\xa4</a>", default_encoding="iso-8859-15")) == "€"
    assert (
        xml.text(xml.parse("<?xml version='1.0' encoding='utf-8'?><a>ä</a>".encode(), default_encoding="ascii")) == "ä"
    )
    assert xml.text(xml.parse(b"\xef\xbb\xbf<a>\xc3\xa4</a>")) == "ä"
    assert xml.text(xml.parse("<?xml version='1.0'?><a>ä</a>".encode("utf-16")), "b") is None


def test_names_are_compared_without_case_and_namespace() -> None:
    root = xml.parse(
        b'<Root xmlns="urn:x"><NetvisorKey TYPE="k"> 5 </NetvisorKey><List><netvisorkey>6</netvisorkey></List></Root>'
    )

    assert xml.text(root, "netvisorKEY") == "5"
    assert xml.attribute(xml.child(root, "NetvisorKey"), "type") == "k"
    assert [xml.text(one) for one in xml.descendants(root, "NetvisorKey")] == ["5", "6"]
    assert xml.text(root, "list", "none") is None


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<?xml version="1.0"?><!-- c --><!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>&undefined;</a>",
        b"<a><b></a>",
        b"not xml",
        b"",
        b"<?xml version='1.0' encoding='none-such'?><a/>",
        b"<a>" + b"x" * 2000 + b"</a>",
    ],
)
def test_what_is_not_plain_xml_is_refused(body: bytes) -> None:
    with pytest.raises(xml.XmlError):
        xml.parse(body, largest=1000)
