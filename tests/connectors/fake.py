"""The fake provider's vendor, served over real HTTP, and the environment that points at it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from apps.connectors import registry
from apps.connectors.sdk.sandbox import Answer, Request
from apps.sandbox.server import running

SLUG = "fake_provider"
KEY = "canary-key-entered-0123456789"
TOKEN = "canary-token-issued-987654321"
APP_TOKEN = "canary-operator-token-55555555"
NUMBER = "923609016"  # a valid Norwegian number, and another
OTHER_NUMBER = "974760673"


class _Counts:
    def count(self, name: str, by: int = 1) -> None: ...


@dataclass
class Vendor:
    """Tests change what it says; `heard` has every request."""

    company: dict[str, Any] = field(default_factory=lambda: {"id": "7", "name": "Fjord AS", "number": NUMBER})
    companies: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str] = field(default_factory=lambda: {KEY})
    pages: list[list[dict[str, str]]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    fail: dict[str, int] = field(default_factory=dict)  # path, or path?page=n -> status
    heard: list[Request] = field(default_factory=list)
    store: Any = field(default_factory=_Counts)
    url: str = ""

    def handle(self, request: Request) -> Answer:
        self.heard.append(request)
        path = request.path.removeprefix("/api")
        page = dict(request.query).get("page")
        status = self.fail.get(path) or self.fail.get(f"{path}?page={page}")
        if status:
            return self._answer(status, {"error": "told to fail"})
        if path == "/login":
            known = json.loads(request.body)["key"] in self.keys
            return self._answer(200 if known else 401, {"token": TOKEN} if known else {"error": "bad key"})
        if request.headers.get("x-token") != TOKEN:
            return self._answer(401, {"error": "no token"})
        if path == "/company":
            return self._answer(200, self.company)
        if path == "/companies":
            return self._answer(200, self.companies)
        if path.startswith("/vouchers/"):
            rows = [row for page in self.pages for row in page if row["id"] == path.rsplit("/", 1)[1]]
            return self._answer(200, rows[0]) if rows else self._answer(404, {})
        return self._page(int(dict(request.query)["page"]))

    def _page(self, number: int) -> Answer:
        last = number >= len(self.pages)
        rows = self.pages[number - 1] if self.pages else []
        return self._answer(200, {"rows": rows, "last": last, **(self.extra if last else {})})

    def _answer(self, status: int, value: Any) -> Answer:
        headers = {"Content-Type": "application/json", **self.headers}
        return Answer(status=status, headers=headers, body=json.dumps(value).encode())

    @property
    def environment(self) -> dict[str, str]:
        return {
            "KONTOR_PROVIDER_PACKAGES": f"tests.connectors.{SLUG}",
            f"CONNECTOR_{SLUG.upper()}_BASE_URL": self.url,
            f"CONNECTOR_{SLUG.upper()}_APP_TOKEN": APP_TOKEN,
            "CONNECTOR_ALLOW_PRIVATE_HOSTS": self.url.removeprefix("http://"),
        }


@contextmanager
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    vendor = Vendor()
    with running({SLUG: vendor}) as url:  # type: ignore[dict-item]
        vendor.url = url
        for name, value in vendor.environment.items():
            monkeypatch.setenv(name, value)
        registry.all_providers.cache_clear()
        try:
            yield vendor
        finally:
            registry.all_providers.cache_clear()


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    with served(monkeypatch) as made:
        yield made
    # the environment goes only after this; nothing may find the fake provider in a later test
    monkeypatch.undo()
    registry.all_providers.cache_clear()
