"""The sandboxes' server: where a path leads, control, compression, cut connections; and the store under it."""

import socket
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from apps.connectors.sdk.sandbox import Answer, Books, Edit, Request, Row
from apps.records.json import to_json
from apps.sandbox.server import running
from apps.sandbox.store import Store


class Echo:
    """A sandbox that answers with what it was asked."""

    def __init__(self) -> None:
        self.store = Store()
        self.edits: list[tuple[str, Edit]] = []
        self.cut: int | None = None

    def seed(self, books: Books, access: Mapping[str, Any]) -> None:
        self.store.set("seeded", [books.name, dict(access)])

    def edit(self, company: str, change: Edit) -> None:
        self.edits.append((company, change))

    def fault(self, company: str, switch: str, settings: Mapping[str, Any] | None) -> None:
        if switch != "slow":
            message = "known: slow"
            raise ValueError(message)
        self.store.set_fault(company, switch, settings)

    def handle(self, request: Request) -> Answer:
        body = f"{request.method} {request.path} {request.query} {request.body!r} ".encode() + b"." * 2000
        return Answer(status=200, body=body, cut_after=self.cut)


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def base(echo: Echo) -> Iterator[str]:
    with running({"one": echo}) as url:
        yield url


@pytest.mark.parametrize("path", ["/one/v2/a:b/>c", "/v2/a:b/%3Ec", "/one/v2/a%3Ab/%3Ec"])
def test_path_reaches_the_sandbox_as_the_vendor_sees_it(base: str, path: str) -> None:
    text = requests.get(base + path, params={"x": "1 2"}, timeout=5).text
    assert text.startswith("GET /v2/a:b/>c (('x', '1 2'),) b''")


def test_with_two_sandboxes_a_path_without_slug_is_unknown(echo: Echo) -> None:
    with running({"one": echo, "two": Echo()}) as url:
        assert requests.get(f"{url}/v2/a", timeout=5).status_code == 404
        assert requests.get(f"{url}/two/v2/a", timeout=5).status_code == 200


def test_big_answer_is_gzipped_when_accepted(base: str) -> None:
    plain = requests.get(base + "/a", headers={"Accept-Encoding": "identity"}, timeout=5)
    packed = requests.get(base + "/a", headers={"Accept-Encoding": "gzip"}, timeout=5)
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.text == plain.text


def drain(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def test_connection_is_kept_and_cut_when_told(base: str, echo: Echo) -> None:
    parts = urlsplit(base)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5) as connection:
        for _ in range(2):
            connection.sendall(b"GET /one/a HTTP/1.1\r\nHost: x\r\n\r\n")
            got = b""
            while not got.endswith(b"." * 2000):
                got += connection.recv(65536)
        echo.cut = 100
        connection.sendall(b"GET /one/a HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            drain(connection)


def test_control_reaches_edit_fault_and_counters(base: str, echo: Echo) -> None:
    edit = Edit(action="redate", external_id="v1", day=date(2026, 1, 2))
    control = f"{base}/__sandbox__/one"
    assert requests.post(f"{control}/c1/edit", json=to_json(edit), timeout=5).json() == {"done": True}
    assert echo.edits == [("c1", edit)]
    assert requests.post(f"{control}/c1/fault", json={"switch": "slow", "settings": {"a": 1}}, timeout=5).ok
    assert echo.store.faults("c1") == {"slow": {"a": 1}}
    refused = requests.post(f"{control}/c1/fault", json={"switch": "no"}, timeout=5)
    assert (refused.status_code, "known: slow" in refused.text) == (400, True)
    requests.post(f"{control}/c1/fault", json={"switch": "slow", "settings": None}, timeout=5)
    assert echo.store.faults("c1") == {}
    requests.get(base + "/one/a", timeout=5)
    assert requests.get(f"{control}/counters", timeout=5).json() == {"answers.200": 1, "requests": 1}


def test_store_gives_rows_by_day_in_pages() -> None:
    store = Store()
    store.put("c", "v", [Row(id=str(n), data={"n": n}, day=f"2026-01-{n:02d}") for n in range(1, 10)])
    assert [row["n"] for row in store.rows("c", "v", from_="2026-01-03", to="2026-01-06")] == [3, 4, 5]
    assert [row["n"] for row in store.rows("c", "v", offset=2, limit=2)] == [3, 4]
    stamp = store.stamp("c")
    store.drop("c", "v", ["3"])
    assert store.get("c", "v", "3") is None
    assert store.stamp("c") > stamp
    assert store.companies() == ["c"]


def test_store_counts_a_fault_from_when_it_was_turned_on() -> None:
    store = Store()
    store.set_fault("c", "slow", {})
    assert [store.hit("c", "slow"), store.hit("c", "slow")] == [1, 2]
    store.set_fault("c", "slow", {"times": 1})
    assert store.hit("c", "slow") == 1
    store.set_fault("c", "slow", None)
    assert store.hit("c", "slow") == 0
