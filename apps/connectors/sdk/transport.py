"""HTTP as a session needs it: persistent connections, the address guard on every call, capped answers, no redirects.

The guard looks at each address as written, and again at what a new connection would reach: see `core.addresses`.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import requests
import urllib3

from apps.connectors.sdk.declaration import Provider
from apps.core.addresses import HTTPS_PORT, AddressRefusedError, check_address
from apps.core.outgoing import GuardedAdapter

# At DEBUG it writes whole addresses, and a vendor's may hold a key in the query; we keep every call ourselves, masked.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)

CONNECT_SECONDS = 5
LARGEST_ANSWER = 64 * 1024 * 1024


class NetworkError(Exception):
    """No whole answer. `passing`: worth another try. `sent`: the vendor may have got the request."""

    def __init__(self, text: str, *, passing: bool = True, sent: bool = True) -> None:
        super().__init__(text)
        self.passing = passing
        self.sent = sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer of any status; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Calls of one provider. `override` (CONNECTOR_<SLUG>_BASE_URL) replaces scheme, host and port of every address."""

    def __init__(
        self, provider: Provider, *, override: str | None = None, allow_private: frozenset[str] = frozenset()
    ) -> None:
        self.provider = provider
        self.override = override.rstrip("/") if override else None
        self.allow_private = allow_private
        self.http = requests.Session()
        self.http.trust_env = False  # no proxies or .netrc from the machine's environment
        for scheme in ("https://", "http://"):
            self.http.mount(scheme, GuardedAdapter(allow_private))
        self.http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))  # none is kept, none is sent

    def close(self) -> None:
        self.http.close()

    def full_url(self, url: str, params: list[tuple[str, str]]) -> str:
        # `*`, `(`, `)`, `,`, `>` and `:` stay literal, as vendors document them
        if not params:
            return url
        return f"{url}{'&' if '?' in url else '?'}{urlencode(params, safe='*(),:>')}"

    def send(
        self, method: str, url: str, params: list[tuple[str, str]], headers: Mapping[str, str], body: bytes
    ) -> Reply:
        """One call, one answer; raises NetworkError. A redirect is answered as it is, never followed."""
        address, extra = self.address(url, params)
        try:
            check_address(address, allow_private=self.allow_private)
        except AddressRefusedError as error:
            raise NetworkError(str(error), passing=False, sent=False) from error
        request = requests.Request(method, address, headers={**headers, **extra}, data=body or None)
        prepared = self.http.prepare_request(request)
        prepared.url = address  # as it stands: requests would encode `>` and `:` its own way
        try:
            with self.http.send(
                prepared,
                timeout=(CONNECT_SECONDS, self.provider.timeout.total_seconds()),
                stream=True,
                allow_redirects=False,
            ) as response:
                content = _body(response)
                lowered = {name.lower(): value for name, value in response.headers.items()}
                return Reply(status=response.status_code, headers=lowered, body=content)
        except AddressRefusedError as error:
            raise NetworkError(str(error), passing=False, sent=False) from error
        except (requests.ConnectTimeout, requests.exceptions.SSLError) as error:
            raise NetworkError(_reason(error), sent=False) from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise NetworkError(_reason(error)) from error

    def address(self, url: str, params: list[tuple[str, str]]) -> tuple[str, dict[str, str]]:
        """The address exactly as it is sent, and the headers that say where it was meant to go."""
        aimed, extra = self._aim(self.full_url(url, params))
        try:
            return urllib3.util.parse_url(aimed).url, extra
        except urllib3.exceptions.LocationParseError as error:
            raise NetworkError(f"not an address: {aimed[:200]}", passing=False, sent=False) from error

    def _aim(self, url: str) -> tuple[str, dict[str, str]]:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise NetworkError(f"not an address: {url[:200]}", passing=False, sent=False) from error
        if not any(rule.matches(host) for rule in self.provider.hosts):
            raise NetworkError(f"{host} is not a host of {self.provider.label}", passing=False, sent=False)
        if self.override is None:
            return url, {}
        if port not in (None, HTTPS_PORT) or "@" in parts.netloc:  # refused here as it would be at the vendor itself
            raise NetworkError(f"{parts.netloc} is no address of {self.provider.label}", passing=False, sent=False)
        target = urlsplit(self.override)
        path = target.path + parts.path
        aimed = urlunsplit((target.scheme, target.netloc, path, parts.query, ""))
        return aimed, {"X-Original-Host": host}


def _body(response: requests.Response) -> bytes:
    chunks: list[bytes] = []
    size = 0
    for chunk in response.iter_content(65536):
        size += len(chunk)
        if size > LARGEST_ANSWER:
            raise NetworkError(f"the answer is larger than {LARGEST_ANSWER // 2**20} MB", passing=False)
        chunks.append(chunk)
    return b"".join(chunks)


def _reason(error: Any) -> str:
    return re.sub(r"(object at 0x)[0-9a-f]+", r"\1..", f"{type(error).__name__}: {error}")
