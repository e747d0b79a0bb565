"""What a session reaches, and what may come back: name servers, certificates, redirects, links and answers that lie."""

import gzip
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from apps.connectors.sdk import xml
from apps.connectors.sdk.auths import Signed
from apps.connectors.sdk.declaration import Field, HostRule, Provider
from apps.connectors.sdk.decoding import parse_json
from apps.connectors.sdk.failures import ConnectorError
from apps.connectors.sdk.session import Prepared, Session
from apps.connectors.sdk.transport import LARGEST_ANSWER, NetworkError, Transport

NAME, FILES = "api.vendor.se", "files.vendor.se"
PUBLIC = "93.184.216.34"
KEY = "canary-key-0123456789"


def sign(_session: Session, out: Prepared) -> None:
    out.headers["Authorization"] = f"Bearer {KEY}"


def provider(base: str = f"https://{NAME}", **changes: Any) -> Provider:
    return Provider(
        slug="vendor", label="Vendor", countries=(), guide=(), secret_paths=("header:authorization",),
        auth=(Signed(fields=(Field(name="key", label="Key", secret=True),), sign=sign),),
        base_url=lambda _values: base,
        hosts=(HostRule(pattern=r"api\.vendor\.se", sends_credentials=True), HostRule(pattern=r"files\.vendor\.se")),
        verify=lambda _session: None, resources={}, refusals=(), **changes,  # type: ignore[arg-type,return-value]
    )  # fmt: skip


@dataclass
class Served:
    """A local server; `heard` has (path, Host, Authorization) of each request, `names` the SNI of each connection."""

    port: int = 0
    heard: list[tuple[str, str, str]] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[Served]:
    served = Served()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            served.heard.append((self.path, self.headers["Host"], self.headers.get("Authorization", "")))
            self.send_response(served.status)
            for name, value in {"Content-Length": str(len(served.body)), **served.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(served.body)

        def log_message(self, *_arguments: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.sni_callback = lambda _socket, name, _context: served.names.append(name)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    served.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Network:
    """What names lead to, one answer after the other, the last for ever; and what was connected to.

    Addresses that are not this machine's refuse, as they would where nobody listens.
    """

    answers: dict[str, list[str]]
    port: int
    asked: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)

    def look_up(self, host: str, *_args: Any, **_options: Any) -> list[Any]:
        self.asked.append(host)
        left = self.answers[host]
        address = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, self.port))]

    def connect(self, one: socket.socket, where: Any) -> None:
        self.opened.append(where[0])
        if not where[0].startswith("127."):
            raise ConnectionRefusedError("nobody listens")
        _CONNECT(one, where)


_CONNECT = socket.socket.connect


@contextmanager
def network(monkeypatch: pytest.MonkeyPatch, port: int, **answers: list[str]) -> Iterator[Network]:
    made = Network({name.replace("_", "."): found for name, found in answers.items()}, port)
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", made.look_up)
        patch.setattr(socket.socket, "connect", lambda one, where: made.connect(one, where))  # noqa: PLW0108 - gets the socket
        yield made


def test_a_name_that_leads_elsewhere_the_second_time_never_reaches_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name server answers with a public address when asked first, and with 127.0.0.1 from then on."""
    with serving() as local:
        with network(monkeypatch, local.port, api_vendor_se=[PUBLIC, "127.0.0.1"]) as net:
            socket.getaddrinfo(NAME, 443)  # what a guard does that checks first and connects by name afterwards
            assert requests.get(f"http://{NAME}/", timeout=5).ok, "so it would be reached"
        local.heard.clear()
        with network(monkeypatch, local.port, api_vendor_se=[PUBLIC, "127.0.0.1"]) as net:
            transport = Transport(provider())
            with pytest.raises(NetworkError) as first:
                transport.send("GET", f"https://{NAME}/", [], {}, b"")
            with pytest.raises(NetworkError) as second:
                transport.send("GET", f"https://{NAME}/", [], {}, b"")

        assert first.value.passing, "a vendor that is down is asked again later"
        assert not second.value.passing
        assert "private address 127.0.0.1" in str(second.value)
        assert (net.asked, net.opened) == ([NAME, NAME], [PUBLIC])
        assert not local.heard


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of NAME, by its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = tmp_path_factory.mktemp("tls") / "vendor.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_the_certificate_is_checked_for_the_name_although_an_address_is_connected_to(
    monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    with serving(certificate) as local:
        opened = frozenset({f"{NAME}:443", f"{FILES}:443"})
        with network(monkeypatch, local.port, api_vendor_se=["127.0.0.1"], files_vendor_se=["127.0.0.1"]):
            transport = Transport(provider(), allow_private=opened)
            transport.http.verify = str(certificate)
            reply = transport.send("GET", f"https://{NAME}/a", [], {}, b"")
            with pytest.raises(NetworkError, match=r"(?i)certificate|hostname"):
                transport.send("GET", f"https://{FILES}/a", [], {}, b"")

        assert reply.status == 200
        assert local.heard == [("/a", NAME, "")]
        assert local.names == [NAME, FILES]


def test_a_certificate_of_nobody_known_is_refused(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
    with serving(certificate) as local, network(monkeypatch, local.port, api_vendor_se=["127.0.0.1"]):
        transport = Transport(provider(), allow_private=frozenset({f"{NAME}:443"}))
        with pytest.raises(NetworkError, match=r"(?i)certificate"):
            transport.send("GET", f"https://{NAME}/a", [], {}, b"")

        assert not local.heard


# -- What the vendor says ---------------------------------------------------------------------------------------------


@contextmanager
def session_to(local: Served, **changes: Any) -> Iterator[Session]:
    base = f"http://127.0.0.1:{local.port}"
    declared = provider(**changes)
    transport = Transport(declared, override=base, allow_private=frozenset({base.removeprefix("http://")}))
    yield Session(
        provider=declared, auth=declared.auth[0], values={"key": KEY}, transport=transport, sleep=lambda _seconds: None
    )
    transport.close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with serving() as local, serving() as inside, session_to(local) as session:
        local.status, local.headers = status, {"Location": f"http://127.0.0.1:{inside.port}/latest/meta-data"}
        with pytest.raises(ConnectorError):
            session.read("/a")

        assert len(local.heard) == 1
        assert not inside.heard


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.se/next", "https://api.vendor.se.evil.se/next", "https://evil.se/api.vendor.se",
        "https://api.vendor.se@evil.se/next", "https://127.0.0.1/next", "https://2130706433/next",
        "https://localhost/next", "https://[::1]/next", "https://169.254.169.254/latest/meta-data",
        "https://apixvendor.se/next", "https://api.vendor.se\\@evil.se/next", "https://api.vendor.se%00.evil.se/",
        ".evil.se/next", "@evil.se/next", ":8443/next", "https://аpi.vendor.se/next", "https:///next", "https://",
    ],
)  # fmt: skip
def test_a_link_of_the_vendors_to_another_host_is_not_asked(link: str) -> None:
    """Also where no other address of the operator stands in: nothing is looked up, nothing is connected to."""
    with serving() as local, session_to(local) as session:
        with pytest.raises(ConnectorError) as caught:
            session.read(link)

        assert caught.value.sent is False
        assert not local.heard


def test_a_link_to_a_declared_host_gets_credentials_only_where_it_may_have_them() -> None:
    with serving() as local, session_to(local) as session:
        session.read(f"https://{NAME}/next")
        session.read(f"https://{FILES}/file")

        assert [(path, bool(held)) for path, _host, held in local.heard] == [("/next", True), ("/file", False)]


def test_an_answer_that_unpacks_to_more_than_is_read_is_refused_in_little_memory() -> None:
    with serving() as local, session_to(local) as session:
        local.headers = {"Content-Encoding": "gzip"}
        local.body = gzip.compress(b"[" + b" " * (LARGEST_ANSWER + 2**20) + b"]", 9)
        assert len(local.body) < 2**18
        tracemalloc.start()
        with pytest.raises(ConnectorError) as caught:
            session.read("/a")
        _now, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert "larger than 64 MB" in str(caught.value.detail)
        assert most < 3 * LARGEST_ANSWER


NESTED = 200_000
JSON_BOMBS = [
    b"[" * NESTED + b"]" * NESTED, b'{"a":' * NESTED + b"1" + b"}" * NESTED, b"[1e999999999]", b"[1e-999999999]",
    b"[NaN]", b"[Infinity]", b"[" + b"9" * 100_000 + b"]", b'{"a": "\xff"}', b"\xff\xfe[\x00",
]  # fmt: skip


@pytest.mark.parametrize("body", JSON_BOMBS, ids=lambda body: repr(body[:12]))
def test_json_that_would_break_a_reader_is_no_json(body: bytes) -> None:
    began = time.monotonic()
    data, readable = parse_json(body)

    assert (isinstance(data, str), readable) == (True, False)
    assert time.monotonic() - began < 5
    with serving() as local, session_to(local) as session:
        local.body = body
        with pytest.raises(ConnectorError):
            session.read("/a")


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
XML_BOMBS = {
    "entities in entities": f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><a>&l9;</a>',
    "a file of ours": '<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><a>&f;</a>',
    "an address": '<!DOCTYPE a [<!ENTITY f SYSTEM "http://127.0.0.1:{port}/">]><a>&f;</a>',
    "a parameter": '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:{port}/x.dtd"> %p;]><a/>',
    "a document type": '<!DOCTYPE a SYSTEM "http://127.0.0.1:{port}/x.dtd"><a/>',
    "behind comments": '<!-- a --><?b c?>\n<!-- d --><!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
    "behind a declaration": '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
    "in lower case": '<!doctype a [<!entity e "x">]><a>&e;</a>',
    "unknown entity": "<a>&e;</a>",
    "deep": "<a>" * 100_000 + "</a>" * 100_000,
    "cut": "<a><b>",
    "two roots": "<a/><b/>",
    "nothing": "",
    "nul": "<a>\x00</a>",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-15"])
@pytest.mark.parametrize("kind", XML_BOMBS)
def test_xml_with_entities_or_document_types_is_refused(kind: str, encoding: str) -> None:
    with serving() as local:
        body = XML_BOMBS[kind].replace("{port}", str(local.port)).encode(encoding)
        began = time.monotonic()
        with pytest.raises(xml.XmlError):
            xml.parse(body)

        assert time.monotonic() - began < 5
        assert not local.heard


@pytest.mark.parametrize("encoding", ["utf-7", "rot13", "zip", "idna", "undefined", "unicode_escape", "no-such"])
def test_xml_in_an_encoding_that_hides_something_is_refused(encoding: str) -> None:
    hidden = b"+ADwAIQ-DOCTYPE a +AFs-" if encoding == "utf-7" else b""
    with pytest.raises(xml.XmlError):
        xml.parse(b'<?xml version="1.0" encoding="%s"?>%s<a/>' % (encoding.encode(), hidden))
