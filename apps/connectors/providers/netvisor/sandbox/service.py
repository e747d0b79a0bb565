"""The sandbox itself: one request in, one answer out."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apps.connectors.providers.netvisor.sandbox import auth, edits, faults, ledger, registers, wire
from apps.connectors.providers.netvisor.sandbox.company import Company, load
from apps.connectors.providers.netvisor.sandbox.query import Query
from apps.connectors.providers.netvisor.sandbox.rows import KINDS, STAMP, make_rows, save
from apps.connectors.providers.netvisor.sandbox.wire import Refused
from apps.connectors.sdk.sandbox import Answer, Books, Edit, Request, Store

HELSINKI = ZoneInfo("Europe/Helsinki")
READS = {**ledger.READS, **registers.READS}
NOT_THERE = "<!DOCTYPE html><html><head><title>404</title></head><body><h1>404 - Not Found</h1></body></html>"


class NetvisorSandbox:
    """State is in the store; what is worked out of it stays in memory until the store's stamp moves.

    Settings of the store: `skew_seconds` (600; 0 = not looked at), `md5` (true; false: the dying algorithm is refused),
    `encoding` (of every answer: "utf-8", "iso-8859-15", "bare"), `periods_inside`, `deleted_form`, `vendor_page`,
    `shift` (days). Counters: `overlaps` (two requests of one company at a time), `repeated_transactions`.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._lock = threading.RLock()
        self._loaded: dict[str, tuple[int, Company]] = {}
        self._busy: dict[str, float] = {}  # company -> until when, by the monotonic clock

    def now(self) -> datetime:
        """Finnish time, moved by what the control API shifted."""
        return datetime.now(HELSINKI) + timedelta(days=int(self.store.setting("shift", 0)))

    def seed(self, books: Books, access: Mapping[str, Any]) -> None:
        """Take in a company, from scratch when it was there before. `access`: see `auth`."""
        with self._lock:
            for kind in KINDS:
                self.store.drop(books.company, kind)
            save(self.store, make_rows(books, self.now().strftime(STAMP)))
            auth.take_access(self.store, books.company, books.organisation_number, access)

    def edit(self, company: str, change: Edit) -> None:
        with self._lock:
            edits.apply(self.store, company, change, self.now().strftime(STAMP))

    def fault(self, company: str, switch: str, settings: Mapping[str, Any] | None) -> None:
        """Turn a fault on or off; see `faults` for names and settings."""
        name = faults.switch_name(switch)
        with self._lock:
            if self.store.get("", "company", company) is None:
                raise ValueError(f"no company {company!r}")
            if settings is not None and name in faults.BOOKS:
                books = self.company(company)
                books.today = self.now().date().isoformat()
                settings = faults.resolve(name, settings, books)
            self.store.set_fault(company, name, settings)

    def company(self, key: str) -> Company:
        with self._lock:
            stamp, found = self.store.stamp(key), self._loaded.get(key)
            if found is None or found[0] != stamp:
                doc = self.store.get("", "company", key) or {}
                found = (stamp, load(self.store, key, doc))
                self._loaded[key] = found
            return found[1]

    def handle(self, request: Request) -> Answer:
        """Answer as the vendor does. A path that is no resource is not the web service's, and gets a page."""
        resource = request.path.strip("/").lower()
        if resource not in READS:
            page = {"Content-Type": "text/html; charset=utf-8"}
            return Answer(status=404, headers=page, body=NOT_THERE.encode())
        encoding = str(self.store.setting("encoding") or wire.RECORDED.get(resource, wire.LATIN))
        try:
            with self._lock:
                caller = auth.identify(self.store, request)
            with self._alone(caller.company) as held:
                answer = self._answer(request, resource, caller, encoding)
                held.append(answer.delay)
            return answer
        except Refused as refused:
            codes = auth.wants_codes(request)
            told = str(self.store.setting("encoding") or wire.DECLARED)
            return wire.failed(refused, auth.language(request), self.now(), codes=codes, encoding=told)

    def _answer(self, request: Request, resource: str, caller: auth.Caller, encoding: str) -> Answer:
        key, switched = caller.company, self.store.faults(caller.company)
        if request.method != "GET":
            raise Refused("INVALID_DATA", f"Data form incorrect:. {resource} is read with GET")
        struck = faults.before(self.store, key, switched, resource) if switched else None
        if struck is not None:
            return struck
        if not caller.may(resource):
            raise Refused(*faults.NO_RIGHT)
        query = Query(
            values={name.lower(): value for name, value in request.query},
            company=self.company(key),
            store=self.store,
            language=auth.language(request),
            now=self.now(),
            hidden=_hidden(request, resource, switched),
        )
        answer = wire.succeeded(READS[resource](query), self.now(), encoding)
        if switched:
            faults.after(self.store, key, switched, request, answer)
        return answer

    @contextmanager
    def _alone(self, company: str) -> Iterator[list[float]]:
        """One request at a time per company, until its answer is sent; a second one is an error, and counted.

        The vendor says only that overlap causes errors: the category is unconfirmed.
        """
        held: list[float] = []
        with self._lock:
            if self._busy.get(company, 0.0) > time.monotonic():
                self.store.count("overlaps")
                raise Refused(*faults.OVERLAP)
            self._busy[company] = float("inf")
        try:
            yield held
        finally:
            with self._lock:
                self._busy[company] = time.monotonic() + sum(held) if sum(held) else 0.0


def _hidden(request: Request, resource: str, switched: Mapping[str, Any]) -> bool:
    by_key = any(name.lower().startswith("netvisorkey") for name, _ in request.query)
    rows = "hidden_rows" in switched and resource == "accountingledger.nv" and not by_key
    return rows or "right_withdrawn" in switched


def make_sandbox(store: Store) -> NetvisorSandbox:
    return NetvisorSandbox(store)
