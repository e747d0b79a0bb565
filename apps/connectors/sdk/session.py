"""The only way out: a session opened on one connection. Retries, limits, masking, recording and the guard live here.

`read` may be repeated. What a session may lean on (state kept between sessions, shared limits, kept exchanges) is
handed in, so that `connector ...` works without a database.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from apps.connectors.sdk import oauth, remedies
from apps.connectors.sdk.declaration import Auth, Provider, Values
from apps.connectors.sdk.decoding import parse_json
from apps.connectors.sdk.failures import ConnectorError, Failure, NotYetError, Remedy, Seen
from apps.connectors.sdk.masking import Masker
from apps.connectors.sdk.ports import (
    Entry,
    Limiter,
    MemoryTokens,
    NoLimiter,
    NoVault,
    Tokens,
    TokenStore,
    Vault,
    told,
)
from apps.connectors.sdk.transport import NetworkError, Reply, Transport

__all__ = [
    "Answer", "Body", "Exchange", "Limiter", "NoLimiter", "NoVault", "Prepared", "Recorder", "Session", "Vault", "parse_json",
]  # fmt: skip

ATTEMPTS = 4
LONGEST_WAIT = 8.0  # seconds slept inside one call; longer waits go back to the engine as `retry_after`
FIRST_WAIT = 0.5
LONGEST_DETAIL = 500
A_BIT = 1.0  # seconds waited for a turn or a place even where others could use the time
PLACE_WAIT = 2.0  # seconds after which a place is asked for again
LONGEST_QUEUE = 30.0  # seconds waited for a place where the vendor takes so many calls at once
STALE_TURN = 0.25  # seconds after which a turn of a limit, not yet used, is asked for again


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
    """A request on its way out; `sign` of the provider's auth adds what proves who asks.

    `address` is where it goes exactly as it is sent: the operator's other address applied, the query encoded.
    """

    method: str
    path: str
    params: list[tuple[str, str]] = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    address: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Body:
    """A payload that is sent as it is."""

    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that was not refused. `data` is what the provider's `decode` made of the body (None: asked for raw)."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    data: Any = None


@dataclass(kw_only=True)
class Session:
    """Opened on one connection. `company_key` is made by the provider's `resolve` when first needed."""

    provider: Provider
    auth: Auth
    values: Values = field(repr=False)
    transport: Transport
    company_key: str | None = None
    vault: Vault = field(default_factory=NoVault, repr=False)
    tokens: TokenStore = field(default_factory=MemoryTokens, repr=False)
    held_tokens: Tokens | None = field(default=None, repr=False)  # the ones in use
    limiter: Limiter = field(default_factory=NoLimiter)
    record: Recorder = lambda _exchange: None
    keep_company_key: Callable[[str | None], None] = lambda _key: None
    is_in_the_way: Callable[[], bool] = lambda: False  # whether whoever waits here keeps others from their work
    saw: Callable[[str, Any], None] = lambda _place, _data: None  # an answer of the API proper
    sleep: Callable[[float], None] = time.sleep
    requests: int = 0
    former_company: str | None = None  # the key that was cached before the company was looked up again
    resolved_here: bool = False  # `resolve` ran in this session: its answer is fresh
    masker: Masker = field(init=False, repr=False)
    memory: dict[str, Any] = field(default_factory=dict, repr=False)

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
        raw: bool = False,
    ) -> Answer:
        """Ask for something without changing anything; it may be sent more than once.

        `path` is added to the provider's base address, or is a whole `https://` address of a declared host: a link
        that the vendor sent, which gets credentials only where its host may have them.
        `payload` is sent as JSON, a `Body` as it is. `raw`: a 2xx answer is a file, kept as bytes.
        Statuses in `accept` come back although they are no 2xx (304, say).
        Raises ConnectorError with the remedy for everything else.
        """
        request = self._prepared(method, path, params, headers, payload)
        signed = signed and self._may_sign(path)
        renewed = False
        waited, tries = 0.0, 0
        refused: ConnectorError | None = None
        while True:
            out = self._copied(request, signed=signed)  # what fails here has had its own further tries
            try:
                return self._once(out, signed=signed, accept=accept, raw=raw)
            except NotYetError as error:  # it has waited as long as it may
                if refused is None:
                    raise
                refused.retry_after = error.retry_after  # the vendor's own answer counts: it may go on for ever
                raise refused from error
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
                refused = error
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

    def tokens_in_use(self) -> Tokens:
        """OAuth's tokens, renewed where they have ended; raises ConnectorError (RECONNECT) without a consent."""
        return oauth.current(self)

    def call(self, method: str, address: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """One call outside the API proper (a token endpoint): recorded and guarded, not signed, judged by the caller."""
        return self._send(Prepared(method=method, path=address, params=[], headers=dict(headers), body=body))

    def _prepared(
        self, method: str, path: str, params: Mapping[str, Any] | None, headers: Mapping[str, str] | None, payload: Any
    ) -> Prepared:
        if payload is not None and not isinstance(payload, Body):
            payload = Body("application/json; charset=utf-8", json.dumps(payload).encode())
        return Prepared(
            method=method,
            path=path,
            params=[(name, str(value)) for name, value in (params or {}).items() if value is not None],
            headers={
                "Accept": self.provider.media_type,
                **(headers or {}),
                **({"Content-Type": payload.content_type} if payload is not None else {}),
            },
            body=b"" if payload is None else payload.content,
        )

    def _may_sign(self, path: str) -> bool:
        try:
            host = urlsplit(self._url(path)).hostname or ""
        except ValueError:
            return False  # no address at all: refused when its turn comes
        return any(rule.sends_credentials for rule in self.provider.hosts if rule.matches(host))

    def _url(self, path: str) -> str:
        return path if path.startswith("https://") else self.provider.base_url(self.values) + path

    def _copied(self, request: Prepared, *, signed: bool) -> Prepared:
        out = replace(request, params=list(request.params), headers=dict(request.headers))
        if signed and not self.auth.late:
            self.auth.sign(self, out)
        return out

    def _once(self, out: Prepared, *, signed: bool, accept: tuple[int, ...], raw: bool) -> Answer:
        reply = self._in_turn(out, signed=signed)
        if reply.status in accept or reply.status == 204:
            data = None if raw else self._decoded(reply)[0]
            return Answer(status=reply.status, headers=reply.headers, body=reply.body, data=data)
        fine = 200 <= reply.status < 300
        if fine and raw:
            return Answer(status=reply.status, headers=reply.headers, body=reply.body)
        data, readable = self._decoded(reply)
        seen = Seen(status=reply.status, headers=reply.headers, body=data, path=out.path)
        if fine and readable and not self.provider.refused(seen):
            if signed:
                self.saw(self._place(out), data)
            return Answer(status=reply.status, headers=reply.headers, body=reply.body, data=data)
        excerpt = _as_text(self.masker.body(reply.body))  # masked whole: half a secret is not found
        raise self._refused(seen, excerpt, readable=readable)

    def _place(self, out: Prepared) -> str:
        chosen = [f"{name}={value}" for name, value in out.params if name in self.provider.shape_params]
        return self.masker.text(f"{self.provider.place_of(out.path)}{'?' if chosen else ''}{'&'.join(chosen)}")

    def _decoded(self, reply: Reply) -> tuple[Any, bool]:
        return self.provider.decode(reply.body, reply.headers) if reply.body else (None, False)

    def _in_turn(self, out: Prepared, *, signed: bool) -> Reply:
        """Send when the limits allow it, signed last where the way to sign in needs that."""
        entry = self._entered()
        try:
            self._await_turn()
            try:
                out.address = self.transport.address(self._url(out.path), out.params)[0]
            except NetworkError as problem:
                raise self._no_answer(problem) from problem
            if signed and self.auth.late:
                self.auth.sign(self, out)
            reply = self._send(out)
        finally:
            self.limiter.leave(entry)
        self.limiter.learn(self.provider.limits, reply.headers, reply.status)
        return reply

    def _no_answer(self, problem: NetworkError) -> ConnectorError:
        return ConnectorError(
            Failure.TRANSIENT if problem.passing else Failure.SETUP,
            remedies.UNREACHABLE if problem.passing else remedies.ADDRESS_REFUSED,
            detail=self.masker.text(str(problem))[:LONGEST_DETAIL],
            sent=problem.sent,
        )

    def _await_turn(self) -> None:
        waited = 0.0
        while True:
            asked = time.monotonic()
            wait = self.limiter.wait_for(self.provider.limits)
            if not wait and time.monotonic() - asked < STALE_TURN:
                return
            waited += wait  # asked again: others may have been quicker
            if self._is_too_long(waited, LONGEST_WAIT):
                raise NotYetError(Failure.TRANSIENT, remedies.BUSY, retry_after=wait, sent=False)
            if wait:
                self.sleep(wait)

    def _is_too_long(self, waited: float, longest: float) -> bool:
        return waited > longest or (waited > A_BIT and self.is_in_the_way())

    def _entered(self) -> Entry:
        """A place among the calls that the vendor takes at once."""
        waited, wait = 0.0, 0.05
        lease = self.provider.timeout.total_seconds() + 2 * LONGEST_WAIT
        while (entry := self.limiter.enter(self.provider.limits, lease)) is None:
            if self._is_too_long(waited, LONGEST_QUEUE):
                raise NotYetError(Failure.TRANSIENT, remedies.BUSY, retry_after=PLACE_WAIT, sent=False)
            self.sleep(wait)
            waited, wait = waited + wait, min(1.0, wait * 1.5)
        return entry

    def _send(self, out: Prepared) -> Reply:
        url = self._url(out.path)
        self.requests += 1
        started = time.monotonic()
        at = datetime.now(UTC)
        reply: Reply | None = None
        error = ""
        self.masker.sending(out.headers)
        try:
            reply = self.transport.send(out.method, url, out.params, out.headers, out.body)
            return reply
        except NetworkError as problem:
            failed = self._no_answer(problem)
            error = failed.detail
            raise failed from problem
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
        retry_after = told(seen.headers.get("retry-after"))
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
            resets = [told(seen.headers.get(limit.reset_header or "")) for limit in self.provider.limits]
            retry_after = max((wait for wait in resets if wait is not None), default=None)
        return ConnectorError(failure, remedy, None, detail, retry_after, facts=facts)


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


def _as_text(body: bytes) -> str:
    """For people's eyes: what is no UTF-8 is taken for ISO-8859-1, in which every byte is a character."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body.decode("iso-8859-1")
