"""The only way out: a session opened on one connection. Retries, limits, masking, recording and the guard live here.

`read` may be repeated. What a session may lean on (state kept between sessions, shared limits, kept exchanges) is
handed in, so that `connector ...` works without a database.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

from apps.connectors.sdk import remedies
from apps.connectors.sdk.declaration import Auth, Provider, RateLimit, Values
from apps.connectors.sdk.failures import ConnectorError, Failure, Remedy, Seen
from apps.connectors.sdk.masking import Masker
from apps.connectors.sdk.transport import NetworkError, Reply, Transport

ATTEMPTS = 4
LONGEST_WAIT = 8.0  # seconds slept inside one call; longer waits go back to the engine as `retry_after`
FIRST_WAIT = 0.5
LONGEST_DETAIL = 500


class Vault(Protocol):
    """What the vendor issued for a credential (session tokens ...), kept encrypted between sessions."""

    def get(self, name: str) -> dict[str, Any] | None: ...
    def put(self, name: str, value: dict[str, Any] | None) -> None: ...


class Limiter(Protocol):
    """Limits shared by everything that uses the same key."""

    def wait_for(self, limits: tuple[RateLimit, ...]) -> float: ...
    def learn(self, limits: tuple[RateLimit, ...], headers: Mapping[str, str], status: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One HTTP call as it is kept: everything masked already. `body` is the answer's."""

    at: datetime
    method: str
    url: str
    status: int | None
    seconds: float
    request_headers: dict[str, str]
    request_body: bytes
    headers: dict[str, str]
    body: bytes
    error: str = ""


Recorder = Callable[[Exchange], None]


@dataclass(slots=True, kw_only=True)
class Prepared:
    """A request on its way out; `sign` of the provider's auth adds what proves who asks."""

    method: str
    path: str
    params: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that was not refused. `data` reads the body as JSON with decimals as Decimal."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    data: Any = None


class NoVault:
    """State for the life of one process."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}

    def get(self, name: str) -> dict[str, Any] | None:
        return self.held.get(name)

    def put(self, name: str, value: dict[str, Any] | None) -> None:
        if value is None:
            self.held.pop(name, None)
        else:
            self.held[name] = value


class NoLimiter:
    def wait_for(self, limits: tuple[RateLimit, ...]) -> float:  # noqa: ARG002 - nothing is shared here
        return 0.0

    def learn(self, limits: tuple[RateLimit, ...], headers: Mapping[str, str], status: int) -> None: ...


@dataclass(kw_only=True)
class Session:
    """Opened on one connection. `company_key` is made by the provider's `resolve` when first needed."""

    provider: Provider
    auth: Auth
    values: Values
    transport: Transport
    company_key: str | None = None
    vault: Vault = field(default_factory=NoVault)
    limiter: Limiter = field(default_factory=NoLimiter)
    record: Recorder = lambda _exchange: None
    keep_company_key: Callable[[str | None], None] = lambda _key: None
    sleep: Callable[[float], None] = time.sleep
    requests: int = 0
    former_company: str | None = None  # the key that was cached before the company was looked up again
    resolved_here: bool = False  # `resolve` ran in this session: its answer is fresh
    masker: Masker = field(init=False)
    memory: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        secret = {spec.name for spec in self.auth.fields if spec.secret}
        values = [value for name, value in self.values.items() if name in secret and value]
        self.masker = Masker(self.provider.secret_paths, values)

    def read(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        method: str = "GET",
        payload: Any = None,
        headers: Mapping[str, str] | None = None,
        signed: bool = True,
        accept: tuple[int, ...] = (),
    ) -> Answer:
        """Ask for something without changing anything; it may be sent more than once.

        `payload` is sent as JSON. Statuses in `accept` come back although they are no 2xx (304, say).
        Raises ConnectorError with the remedy for everything else.
        """
        request = Prepared(
            method=method,
            path=path,
            params=[(name, str(value)) for name, value in (params or {}).items() if value is not None],
            headers={"Accept": "application/json", **(headers or {})},
            body=b"" if payload is None else json.dumps(payload).encode(),
        )
        if payload is not None:
            request.headers["Content-Type"] = "application/json; charset=utf-8"
        renewed = False
        waited, tries = 0.0, 0
        while True:
            out = self._prepared(request, signed=signed)  # what fails here has had its own further tries
            try:
                return self._once(out, accept=accept)
            except ConnectorError as error:
                if signed and not renewed and error.facts.get("status") == "401" and self._renew():
                    renewed = True
                    continue
                if signed and self._company_found_again(error):
                    continue
                tries += 1
                wait = error.retry_after if error.retry_after is not None else FIRST_WAIT * 2 ** (tries - 1)
                if error.failure is not Failure.TRANSIENT or tries == ATTEMPTS or waited + wait > LONGEST_WAIT:
                    raise
                waited += wait
                self.sleep(wait)

    def resolved_company(self) -> str | None:
        """The company's key at the vendor: cached, or looked up by the provider's `resolve`."""
        if self.company_key is None and self.provider.resolve is not None:
            self.resolved_here = True
            self.company_key = self.provider.resolve(self)
            self.keep_company_key(self.company_key)
        return self.company_key

    def forget_company(self) -> None:
        """The vendor no longer knows the resolved company: look it up again when next needed.

        What the connection keeps stays until another is found, so that it is known to have been open once.
        """
        self.former_company = self.company_key or self.former_company
        self.company_key = None

    def _company_found_again(self, error: ConnectorError) -> bool:
        """Resolve a company known from an earlier session again, once, after a refusal that may mean it is lost."""
        if self.company_key is None or self.provider.resolve is None or self.resolved_here:
            return False
        if int(error.facts.get("status", 0)) not in self.provider.company_lost:
            return False
        self.forget_company()
        self.resolved_company()
        return True

    def _renew(self) -> bool:
        return self.auth.renew is not None and self.auth.renew(self)

    def _prepared(self, request: Prepared, *, signed: bool) -> Prepared:
        out = replace(request, params=list(request.params), headers=dict(request.headers))
        if signed:
            self.auth.sign(self, out)
        return out

    def _once(self, out: Prepared, *, accept: tuple[int, ...]) -> Answer:
        waited = 0.0
        while wait := self.limiter.wait_for(self.provider.limits):  # asked again: others may have been quicker
            waited += wait
            if waited > LONGEST_WAIT:
                raise ConnectorError(Failure.TRANSIENT, remedies.BUSY, retry_after=wait, sent=False)
            self.sleep(wait)
        reply = self._send(out)
        self.limiter.learn(self.provider.limits, reply.headers, reply.status)
        if reply.status in accept or reply.status == 204:
            return Answer(status=reply.status, headers=reply.headers, body=reply.body)
        data, readable = parse_json(reply.body)
        if 200 <= reply.status < 300 and readable:
            return Answer(status=reply.status, headers=reply.headers, body=reply.body, data=data)
        excerpt = self.masker.body(reply.body).decode("utf-8", "replace")  # masked whole: half a secret is not found
        raise self._refused(
            Seen(status=reply.status, headers=reply.headers, body=data, path=out.path), excerpt, readable=readable
        )

    def _send(self, out: Prepared) -> Reply:
        url = self.provider.base_url(self.values) + out.path
        self.requests += 1
        started = time.monotonic()
        at = datetime.now(UTC)
        reply: Reply | None = None
        error = ""
        try:
            reply = self.transport.send(out.method, url, out.params, out.headers, out.body)
            return reply
        except NetworkError as problem:
            error = self.masker.text(str(problem))[:LONGEST_DETAIL]
            raise ConnectorError(
                Failure.TRANSIENT if problem.passing else Failure.SETUP,
                remedies.UNREACHABLE if problem.passing else remedies.ADDRESS_REFUSED,
                detail=error,
                sent=problem.sent,
            ) from problem
        finally:
            self.record(
                Exchange(
                    at=at,
                    method=out.method,
                    url=self.masker.url(self.transport.full_url(url, out.params)),
                    status=reply.status if reply else None,
                    seconds=time.monotonic() - started,
                    request_headers=self.masker.header_values(out.headers),
                    request_body=self.masker.body(out.body),
                    headers=self.masker.header_values(reply.headers) if reply else {},
                    body=self.masker.body(reply.body) if reply else b"",
                    error=error,
                )
            )

    def _refused(self, seen: Seen, excerpt: str, *, readable: bool) -> ConnectorError:
        detail = self.masker.text(f"{seen.status} {seen.path}: {' '.join(excerpt.split())}")[:LONGEST_DETAIL]
        retry_after = _seconds(seen.headers.get("retry-after"))
        facts = {"status": str(seen.status)}
        codes = self.provider.error_codes(seen.body)
        for row in self.provider.refusals:
            if row.statuses and seen.status not in row.statuses:
                continue
            if row.codes and not set(row.codes) & set(codes):
                continue
            if row.when is not None and not row.when(seen):
                continue
            return ConnectorError(row.failure, row.remedy, row.field, detail, retry_after, facts=facts)
        failure, remedy = _general(seen.status, readable=readable)
        if seen.status == 429 and retry_after is None:
            resets = [_seconds(seen.headers.get(limit.reset_header or "")) for limit in self.provider.limits]
            retry_after = max((wait for wait in resets if wait is not None), default=None)
        return ConnectorError(failure, remedy, None, detail, retry_after, facts=facts)


def parse_json(body: bytes) -> tuple[Any, bool]:
    """The body as JSON (decimals as Decimal), and whether it was JSON at all."""
    try:
        return json.loads(body, parse_float=Decimal), True
    except ValueError:
        return body[:2000].decode("utf-8", "replace"), False


def _general(status: int, *, readable: bool) -> tuple[Failure, Remedy]:
    if status == 429:
        return Failure.TRANSIENT, remedies.BUSY
    if status >= 500 or (status < 300 and not readable):
        return Failure.TRANSIENT, remedies.VENDOR_FAULT
    if status in (401, 403):
        return (Failure.RECONNECT, remedies.REFUSED) if status == 401 else (Failure.PERMISSION, remedies.NOT_ALLOWED)
    if status == 402:
        return Failure.PERMISSION, remedies.NOT_ALLOWED
    return Failure.UNKNOWN, remedies.NOT_UNDERSTOOD


def _seconds(value: str | None) -> float | None:
    try:
        return None if value is None else max(0.0, float(value))
    except ValueError:
        return None
