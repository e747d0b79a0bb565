"""The sandbox itself: one request in, one answer out."""

import secrets
import threading
from collections.abc import Mapping
from typing import Any

from apps.connectors.providers.fortnox.sandbox import answers, edits, faults, grants, reads, rows, signin, xml
from apps.connectors.providers.fortnox.sandbox.answers import Refused, Unauthorized
from apps.connectors.providers.fortnox.sandbox.ledger import Ledger, load
from apps.connectors.providers.fortnox.sandbox.query import Query
from apps.connectors.providers.fortnox.sandbox.window import LIMIT, SECONDS, Window
from apps.connectors.sdk.sandbox import Answer, Books, Edit, Request, Row, Store

STAMP = "%Y-%m-%d %H:%M:%S"
BUILD = "16d854443d"
Obj = dict[str, Any]


class FortnoxSandbox:
    """State is in the store; what is worked out of it stays in memory until the store's stamp moves.

    Settings of the store, beside those of `signin` and `grants`: `rate_limit` {"limit", "seconds", "off",
    "retry_after"} (25 in 5 s are enforced without it), `error_case` ("upper", "lower"; else as recorded for each
    kind), `licence_status` (403 or 400), `loose_types` (numbers and booleans as texts), `delete_means` ("struck",
    "gone"), `access_seconds`, `refresh_days`, `code_seconds`, `shift` (days); per company `preselected` (Id of the year
    that counts where none is asked for; default the latest).
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._lock = threading.RLock()
        self._loaded: dict[str, tuple[tuple[int, int], Ledger]] = {}
        self._window = Window()

    def seed(self, books: Books, access: Mapping[str, Any]) -> None:
        """Take in a company, from scratch when it was there before. `access`: see `grants`."""
        with self._lock:
            known = self.store.get("", "company", books.company)
            tenant = int(access.get("tenant") or (known or {}).get("tenant") or rows.tenant_of(books.company))
            taken = grants.company_of(self.store, str(tenant))
            if taken is not None and taken["key"] != books.company:
                raise ValueError(f"tenant: {tenant} is {taken['key']}'s")
            doc = rows.company_row(books, tenant)
            doc["licences"] = list(access.get("licences", grants.LICENCES))
            doc["no_right"] = list(access.get("no_right", ()))
            doc["system_admin"] = bool(access.get("system_admin", True))
            made = rows.make_rows(books, doc, grants.now(self.store).date())
            for kind in rows.KINDS:
                self.store.drop(books.company, kind)
                self.store.put(books.company, kind, made[kind])
            self.store.put("", "company", [Row(id=books.company, data=doc)])
            self.store.set("last_tenant", tenant)
            grants.take_access(self.store, doc, access)

    def edit(self, company: str, change: Edit) -> None:
        with self._lock:
            edits.apply(self.store, self._doc(company), change, grants.now(self.store).strftime(STAMP))

    def fault(self, company: str, switch: str, settings: Mapping[str, Any] | None) -> None:
        """Turn a fault on or off; see `faults` for names and settings."""
        name = faults.switch_name(switch)
        with self._lock:
            doc = self._doc(company)
            if settings is not None and name in faults.BOOKS:
                today = grants.now(self.store).date().isoformat()
                settings = faults.resolve(name, settings, self.ledger(doc), today)
            self.store.set_fault(company, name, settings)

    def _doc(self, company: str) -> Obj:
        doc = self.store.get("", "company", company)
        if doc is None:
            raise ValueError(f"no company {company!r}")
        return doc

    def ledger(self, doc: Obj) -> Ledger:
        key = doc["key"]
        with self._lock:
            mark = (self.store.stamp(key), doc["made"])
            found = self._loaded.get(key)
            if found is None or found[0] != mark:
                found = (mark, load(self.store, doc))
                self._loaded[key] = found
            return found[1]

    def handle(self, request: Request) -> Answer:
        """Answer as the vendor does; both its hosts are served here, their paths do not clash."""
        if request.path.startswith("/oauth-v1/"):
            with self._lock:
                answer = signin.handle(self.store, request)
        elif request.path.startswith("/3/"):
            answer = self._resource(request)
        else:
            answer = Answer(status=404, headers={"Content-Type": "text/html; charset=UTF-8"}, body=b"<h1>404</h1>")
        answer.headers.setdefault("X-Uid", secrets.token_hex(4))
        return answer

    def _resource(self, request: Request) -> Answer:
        case = self.store.setting("error_case", "")
        try:
            answer = self._guarded(request)
        except Unauthorized as refused:
            return refused.answer()
        except Refused as refused:
            answer = refused.answer(case)
        answer.headers.setdefault("X-Build", BUILD)
        return xml.rendered(answer) if xml.wanted(request.headers.get("accept", "")) else answer

    def _guarded(self, request: Request) -> Answer:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        found = grants.live(self.store, "access", token.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            raise Unauthorized
        row, consent = found
        key = consent["company"]
        full = self._full(f"{consent['client_id']}/{consent['tenant']}")
        if full is not None:
            return full
        switched = self.store.faults(key)
        path = request.path.rstrip("/")
        if switched:
            struck = faults.before(self.store, key, token.strip(), path, switched)
            if struck is not None:
                return struck
        try:
            answer = self._read(request, path, self._doc(key), row["scopes"], switched)
        except Refused as refused:
            answer = refused.answer(self.store.setting("error_case", ""))
        if switched:
            faults.after(self.store, key, path, switched, answer)
        return answer

    def _full(self, key: str) -> Answer | None:
        """429 when the window of the client id and tenant is used up; counted as `limited`."""
        told = self.store.setting("rate_limit") or {}
        if told.get("off"):
            return None
        wait = self._window.take(key, int(told.get("limit", LIMIT)), float(told.get("seconds", SECONDS)))
        if not wait:
            return None
        self.store.count("limited")
        return faults.too_many(int(wait) + 1 if told.get("retry_after") else None)

    def _read(self, request: Request, path: str, doc: Obj, scopes: list[str], switched: dict[str, Obj]) -> Answer:
        route, parts = reads.find(path.removeprefix("/3/"))
        resource = path.removeprefix("/3/").split("/")[0]
        if request.method != "GET":
            raise Refused(405, *answers.NO_ROUTE)
        self._permitted(route.scope, resource, doc, scopes, switched)
        query = Query(
            values={name.lower(): value for name, value in request.query},
            ledger=self.ledger(doc),
            preselected=self.store.setting("preselected", company=doc["key"]) or doc["years"][-1]["id"],
            hidden="hidden_rows" in switched,
        )
        found = route.read(query, *parts)
        if isinstance(found, Answer):
            return found
        return answers.answer(answers.loose(found) if self.store.setting("loose_types", False) else found)

    def _permitted(self, scope: str, resource: str, doc: Obj, scopes: list[str], switched: dict[str, Obj]) -> None:
        """The API licence, the token's scope, the licence for the scope, the user's right, in that order."""
        status = int(self.store.setting("licence_status", 403))
        if "api" not in doc["licences"]:
            raise Refused(status, *answers.NO_API_LICENCE)
        if scope not in scopes:
            raise Refused(403, *answers.NO_SCOPE)
        if scope not in doc["licences"]:
            raise Refused(status, *answers.NO_SCOPE_LICENCE)
        faults.no_licence(switched, scope)
        if resource in doc["no_right"]:
            raise answers.no_right(resource)


def make_sandbox(store: Store) -> FortnoxSandbox:
    return FortnoxSandbox(store)
