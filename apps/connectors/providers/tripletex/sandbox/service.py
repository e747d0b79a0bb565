"""The sandbox itself: one request in, one answer out."""

import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

from apps.connectors.providers.tripletex.sandbox import answers, auth, edits, faults, reads
from apps.connectors.providers.tripletex.sandbox.answers import Refused
from apps.connectors.providers.tripletex.sandbox.auth import OWN_COMPANY_ONLY, Caller
from apps.connectors.providers.tripletex.sandbox.company import Company, load
from apps.connectors.providers.tripletex.sandbox.query import Query
from apps.connectors.providers.tripletex.sandbox.rows import KINDS, block_of, make_rows
from apps.connectors.sdk.sandbox import Answer, Books, Edit, Request, Store

RESULT_LIMIT = 10_000
RATE_SECONDS = 10
RATE_SHOWN = 1000  # the vendor publishes no number; shown, and not enforced unless `rate_limit` is set
STAMP = "%Y-%m-%dT%H:%M:%S"


class TripletexSandbox:
    """State is in the store; what is worked out of it stays in memory until the store's stamp moves.

    Settings of the store: `result_limit` (10000), `rate_limit` {"limit", "seconds"}, `refused_status` (403 or 401:
    a client not opened to the key), `opening_listed` (the opening balance is an ordinary voucher), `shift` (days).
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._lock = threading.RLock()
        self._loaded: dict[str, tuple[tuple[int, bool], Company]] = {}
        self._windows: dict[str, tuple[float, int]] = {}  # token -> start of the window, requests in it

    def seed(self, books: Books, access: Mapping[str, Any]) -> None:
        """Take in a company, from scratch when it was there before. `access`: see `auth`."""
        with self._lock:
            known = self.store.get("", "company", books.company)
            taken = {row["block"] for row in self.store.rows("", "company")}
            block = known["block"] if known else block_of(books.company, taken)
            maker = make_rows(books, block, auth.now(self.store).strftime(STAMP))
            for kind in KINDS:
                self.store.drop(books.company, kind)
            maker.doc["modules"] = list(access.get("modules", ("BASIS", "API_V2")))
            maker.doc["opened_to"] = list(access.get("opened_to", ()))
            edits.save(self.store, books.company, maker)
            auth.take_access(self.store, books.company, access)

    def edit(self, company: str, change: Edit) -> None:
        with self._lock:
            edits.apply(self.store, company, change, auth.now(self.store).strftime(STAMP))

    def fault(self, company: str, switch: str, settings: Mapping[str, Any] | None) -> None:
        """Turn a fault on or off; see `faults` for names and settings."""
        name = faults.switch_name(switch)
        with self._lock:
            doc = self.store.get("", "company", company)
            if doc is None:
                raise ValueError(f"no company {company!r}")
            if settings is not None and name in faults.BOOKS:
                books = self.company(doc)
                books.today = auth.now(self.store).date().isoformat()
                settings = faults.resolve(name, settings, books)
            self.store.set_fault(company, name, settings)

    def company(self, doc: dict[str, Any]) -> Company:
        key = doc["key"]
        with self._lock:
            listed = bool(self.store.setting("opening_listed", False))
            mark = (self.store.stamp(key), listed)
            found = self._loaded.get(key)
            if found is None or found[0] != mark:
                found = (mark, load(self.store, key, doc, listed=listed))
                self._loaded[key] = found
            return found[1]

    def handle(self, request: Request) -> Answer:
        """Answer as the vendor does: every answer carries a request id."""
        request_id = str(uuid.uuid4())
        try:
            answer = self._answer(request)
        except Refused as refused:
            answer = refused.answer(request_id)
        answer.headers.setdefault("x-tlx-request-id", request_id)
        return answer

    def _answer(self, request: Request) -> Answer:
        if not request.path.startswith("/v2/"):
            raise not_there()
        path = request.path.removeprefix("/v2").rstrip("/") or "/"
        if path == "/token/session/:create" and request.method in ("POST", "PUT"):
            return auth.create_session(self.store, request)
        if path.startswith("/token/session/") and request.method == "DELETE":
            return auth.delete_session(self.store, path.rsplit("/", 1)[-1])
        caller = auth.identify(self.store, request, path)
        limits, full = self._rate(caller.token)
        answer = faults.too_many(None) if full else self._guarded(request, path, caller)
        answer.headers |= limits
        return answer

    def _guarded(self, request: Request, path: str, caller: Caller) -> Answer:
        key = caller.company["key"]
        switched = self.store.faults(key)
        try:
            struck = faults.before(self.store, key, switched, path) if switched else None
            if struck is not None:
                return struck
            if "API_V2" not in caller.company["modules"] and path not in faults.OPEN_PATHS:
                raise answers.forbidden()
            answer = (
                self._read(request, path, caller, switched)
                if request.method == "GET"
                else self._write(request, path, caller)
            )
        except Refused as refused:
            answer = refused.answer(request_id := str(uuid.uuid4()))
            answer.headers["x-tlx-request-id"] = request_id
        if switched:
            faults.after(self.store, key, switched, request, answer)
        return answer

    def _query(self, request: Request, path: str, caller: Caller, switched: dict[str, Any]) -> Query:
        return Query(
            path=path,
            values=dict(request.query),
            if_none_match=request.headers.get("if-none-match", "").strip(),
            company=self.company(caller.company),
            caller=caller,
            limit=int(self.store.setting("result_limit", RESULT_LIMIT)),
            hidden=reads.is_hidden(path, caller.key["hidden_rights"], switched),
        )

    def _read(self, request: Request, path: str, caller: Caller, switched: dict[str, Any]) -> Answer:
        query = self._query(request, path, caller, switched)
        if path == OWN_COMPANY_ONLY[0]:
            return query.one("LoggedInUserInfo", auth.who_am_i(caller))
        if path == OWN_COMPANY_ONLY[1]:
            return query.many("Client", [client(row) for row in auth.clients(self.store, caller.key)])
        for pattern, read in reads.ROUTES:
            found = pattern.fullmatch(path)
            if found:
                return read(query, *found.groups())
        raise not_there()

    def _write(self, request: Request, path: str, caller: Caller) -> Answer:
        parts = path.strip("/").split("/")
        if len(parts) < 3 or parts[:2] != ["ledger", "voucher"] or not parts[2].isdigit():
            raise not_there()
        doc, id = caller.company, int(parts[2])
        with self._lock:
            query = self._query(request, path, caller, {})
            if query.company.find("Voucher", id) is None:  # hidden by a fault, or not there
                raise answers.not_found()
            if request.method == "DELETE" and len(parts) == 3:
                edits.delete_voucher(self.store, doc["key"], doc, id)
                self.store.count("changes")
                return answers.nothing()
            if request.method == "PUT" and parts[3:] == [":reverse"]:
                now = auth.now(self.store).strftime(STAMP)
                new = edits.reverse_voucher(self.store, doc, id, query.text("date"), now)
                self.store.count("changes")
                query.company = self.company(doc)
                return query.by_id("Voucher", str(new))
        raise not_there()

    def _rate(self, token: str) -> tuple[dict[str, str], bool]:
        """The three headers of the key's window, and whether the window is used up."""
        told = self.store.setting("rate_limit") or {}
        limit, seconds = int(told.get("limit", RATE_SHOWN)), int(told.get("seconds", RATE_SECONDS))
        with self._lock:
            start, used = self._windows.get(token, (0.0, 0))
            if time.monotonic() - start >= seconds:
                start, used = time.monotonic(), 0
            self._windows[token] = (start, used + 1)
        left = max(limit - used - 1, 0 if told else 1)
        reset = max(1, round(seconds - (time.monotonic() - start)))
        headers = {
            "X-Rate-Limit-Limit": str(limit),
            "X-Rate-Limit-Remaining": str(left),
            "X-Rate-Limit-Reset": str(reset),
        }
        return headers, bool(told) and used >= limit


def not_there() -> Refused:
    """A path that the API does not have."""
    return Refused(404, 6000, "HTTP 404 Not Found")


def client(row: dict[str, Any]) -> dict[str, Any]:
    """A company as its bureau sees it in the client list."""
    start = row["years"][0]["start"] if row["years"] else None
    out = {name: row[name] for name in ("id", "name", "organizationNumber")}
    return out | {"displayName": row["name"], "startDate": start, "customerCompanyId": row["id"]}


def make_sandbox(store: Store) -> TripletexSandbox:
    return TripletexSandbox(store)
