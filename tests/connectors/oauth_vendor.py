"""A token endpoint whose refresh tokens are good once, and an API that counts who asks how often."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import pytest

from apps.connectors import registry
from apps.connectors.sdk.sandbox import Answer, Request
from apps.sandbox.server import running

SLUG = "fake_oauth"
NUMBER = "923609016"
CLIENT_ID, CLIENT_SECRET = "kontor-app", "canary-client-secret-4242"
CODE = "canary-code-1234567890"


class _Counts:
    def count(self, name: str, by: int = 1) -> None: ...


@dataclass
class OAuthVendor:
    """`uses`: after so many calls an access token has expired, `expiries` times at most."""

    number: str = NUMBER
    uses: int = 0
    expiries: int = 0
    limit: tuple[int, float] | None = None
    refuse: str = ""  # the error of every token request
    expired: int = 0
    refreshes: int = 0
    refused: int = 0
    too_many: int = 0
    at_once: int = 0
    most_at_once: int = 0
    issued: int = 0
    access: str = ""
    refresh: str = ""
    left: int = 0
    codes: set[str] = field(default_factory=lambda: {CODE})
    heard: list[Request] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    store: Any = field(default_factory=_Counts)
    url: str = ""

    def handle(self, request: Request) -> Answer:
        with self.lock:
            self.heard.append(request)
            if request.path == "/token":
                return self._token(request)
            if request.path == "/revoke":
                return _json(200, {"revoked": True})
            if request.headers.get("authorization") != f"Bearer {self.access}":
                return _json(401, {"message": "unauthorized"})
            if request.path != "/api/alone":
                return self._used()  # in the same lock: who is let in by a token's last use must not end it again
        return self._alone()

    def issue(self) -> dict[str, Any]:
        self.issued += 1
        self.access, self.refresh = f"access-canary-{self.issued:06}", f"refresh-canary-{self.issued:06}"
        self.left = self.uses
        return {"access_token": self.access, "refresh_token": self.refresh, "expires_in": 3600, "tenant": "77"}

    def _token(self, request: Request) -> Answer:
        wanted = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {wanted}":
            return _json(401, {"error": "invalid_client", "error_description": "no such client"})
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if self.refuse:
            return _json(400, {"error": self.refuse})
        if form["grant_type"] == "client_credentials":
            return _json(200, {**self.issue(), "refresh_token": None} | {"tenant": request.headers.get("tenantid")})
        if form["grant_type"] == "authorization_code" and form["code"] in self.codes:
            self.codes.remove(form["code"])
            return _json(200, self.issue())
        if form["grant_type"] == "refresh_token" and form["refresh_token"] == self.refresh:
            self.refreshes += 1
            return _json(200, self.issue())
        self.refused += 1
        return _json(400, {"error": "invalid_grant", "error_description": "Invalid refresh token"})

    def _used(self) -> Answer:
        if self.limit is not None:
            count, seconds = self.limit
            now = time.monotonic()
            self.times = [at for at in self.times if at > now - seconds]
            if len(self.times) >= count:
                self.too_many += 1
                return _json(429, {"error": "too many"})
            self.times.append(now)
        if self.uses and self.expired < self.expiries:
            self.left -= 1
            if self.left <= 0:
                self.expired += 1
                self.access = "-"
        done = self.expired >= self.expiries
        return _json(200, {"id": "7", "name": "Fjord AS", "number": self.number, "done": done})

    def _alone(self) -> Answer:
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(0.02)
        with self.lock:
            self.at_once -= 1
        return _json(200, {})

    @property
    def environment(self) -> dict[str, str]:
        return {
            "KONTOR_PROVIDER_PACKAGES": f"tests.connectors.{SLUG}",
            f"CONNECTOR_{SLUG.upper()}_BASE_URL": self.url,
            "CONNECTOR_ALLOW_PRIVATE_HOSTS": self.url.removeprefix("http://"),
        }


def _json(status: int, value: Any) -> Answer:
    # a content type that tells nothing, as some vendors' token endpoints have it
    return Answer(status=status, headers={"Content-Type": "text/html"}, body=json.dumps(value).encode())


@contextmanager
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[OAuthVendor]:
    vendor = OAuthVendor()
    with running({"other": vendor}) as url:  # type: ignore[dict-item]
        vendor.url = url
        for name, value in vendor.environment.items():
            monkeypatch.setenv(name, value)
        registry.all_providers.cache_clear()
        yield vendor
    monkeypatch.undo()
    registry.all_providers.cache_clear()


@pytest.fixture
def oauth_vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[OAuthVendor]:
    with served(monkeypatch) as made:
        yield made
