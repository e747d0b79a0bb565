"""Keys, sessions, and who may reach which company.

Access as a story gives it to `seed` (everything may be left out):

    {"consumer_token": "...",                 # accepted from then on, beside earlier ones
     "keys": [{"employee_token": "...",       # what the client or the bureau types in
               "kind": "single" | "bureau",   # default single: this company's own key
               "owner": "<company key>",      # bureau: the bureau's own company, made when it was not seeded
               "owner_name": "...", "owner_number": "...",
               "hidden_rights": ["vouchers" | "accounts" | "balances" | "dimensions" | "parties"]}],
     "opened_to": ["<bureau token>", ...],    # bureau keys whose client list shows this company
     "modules": ["API_V2", ...]}              # default ["BASIS", "API_V2"]

A consumer token that nobody gave is CONSUMER. A key may be told again in every company; the last telling counts.
"""

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apps.connectors.providers.tripletex.sandbox import answers
from apps.connectors.providers.tripletex.sandbox.fields import reference
from apps.connectors.providers.tripletex.sandbox.rows import block_of, id_of
from apps.connectors.sdk.sandbox import Answer, Request, Row, Store

CONSUMER = "sandbox-consumer-token"
OSLO = ZoneInfo("Europe/Oslo")
OWN_COMPANY_ONLY = ("/token/session/>whoAmI", "/company/>withLoginAccess")


@dataclass(slots=True)
class Caller:
    """Whose session it is and which company it speaks to."""

    token: str
    key: dict[str, Any]
    company: dict[str, Any]  # its row
    own: bool  # user name 0 or empty


def now(store: Store) -> datetime:
    """Norwegian time, moved by what the control API shifted."""
    return datetime.now(OSLO) + timedelta(days=int(store.setting("shift", 0)))


def take_access(store: Store, company: str, access: Mapping[str, Any]) -> None:
    """Keep what `access` says; the company's row itself is written by the caller."""
    consumers = set(store.setting("consumers", [CONSUMER]))
    if access.get("consumer_token"):
        consumers.add(access["consumer_token"])
    store.set("consumers", sorted(consumers))
    for key in access.get("keys", ()):
        kind = key.get("kind", "single")
        if kind not in ("single", "bureau"):
            raise ValueError(f"kind: {kind!r} is neither single nor bureau")
        owner = key.get("owner") or (company if kind == "single" else "bureau")
        if store.get("", "company", owner) is None:
            make_owner(store, owner, key)
        row = {"token": key["employee_token"], "kind": kind, "owner": owner}
        row["hidden_rights"] = list(key.get("hidden_rights", ()))
        store.put("", "key", [Row(id=key["employee_token"], data=row)])


def make_owner(store: Store, owner: str, key: Mapping[str, Any]) -> None:
    """A bureau's own company, with nothing in it."""
    taken = {row["block"] for row in store.rows("", "company")}
    block = block_of(owner, taken)
    row: dict[str, Any] = {
        "key": owner,
        "id": id_of("company", block, 0),
        "block": block,
        "name": key.get("owner_name", "Regnskapsbyrået AS"),
        "organizationNumber": key.get("owner_number", "999999999"),
        "currency": "NOK",
        "years": [],
        "locked": "",
        "next": {},
        "numbers": {},
        "drafts": 0,
        "free": [],
        "openings": {},
        "bureau": True,
        "modules": ["ACCOUNTING_OFFICE", "API_V2"],
        "opened_to": [],
    }
    store.put("", "company", [Row(id=owner, data=row)])


def create_session(store: Store, request: Request) -> Answer:
    """POST with a JSON body (201), or the older PUT with query parameters (200)."""
    names = ("consumerToken", "employeeToken", "expirationDate")
    if request.method == "POST":
        try:
            given = json.loads(request.body or b"{}")
        except ValueError:
            raise answers.Refused(422, 22000, "Invalid JSON") from None
        if not isinstance(given, dict):
            raise answers.Refused(422, 16000, "Request mapping failed", fields=[])
    else:
        given = dict(request.query)
    lacking = [name for name in names if not given.get(name)]
    if lacking:
        raise answers.missing(*lacking)
    _check_tokens(store, given)
    expires = str(given["expirationDate"])
    try:
        later = date.fromisoformat(expires) > now(store).date()
    except ValueError:
        raise answers.Refused(
            422,
            16000,
            "Request mapping failed",
            fields=[answers.field_message("expirationDate", answers.WRONG_TYPE, "expirationDate")],
        ) from None
    if not later:
        text = "The expiration date must be later than today."
        raise answers.invalid(answers.field_message("arg:expirationDate", text, "arg:expirationDate"), developer=None)
    id = int(store.setting("last_session", 20_000_000)) + 1
    store.set("last_session", id)
    token = new_token(id)
    row = {"id": id, "token": token, "expirationDate": expires, "employeeToken": given["employeeToken"]}
    store.put("", "session", [Row(id=token, data=row)])
    store.count("sessions")
    value = {
        "id": id,
        "version": 0,
        "url": reference("SessionToken", id)["url"],
        "consumerToken": reference("ConsumerToken", 1),
        "employeeToken": reference("EmployeeToken", 1),
        "expirationDate": expires,
        "token": token,
        "encryptionKey": None,
    }
    return answers.single(value, 201 if request.method == "POST" else 200)


def _check_tokens(store: Store, given: Mapping[str, Any]) -> None:
    for name, what, known in (
        ("consumerToken", "consumer", given["consumerToken"] in store.setting("consumers", [CONSUMER])),
        ("employeeToken", "employee", is_live(store, str(given["employeeToken"]))),
    ):
        if not known:
            text = f"The {what} token is invalid or does not exist."
            raise answers.invalid(answers.field_message(f"arg:{name}", text, f"arg:{name}"), developer=None)


def is_live(store: Store, token: str) -> bool:
    key = store.get("", "key", token)
    return key is not None and not is_deleted(store, key)


def is_deleted(store: Store, key: Mapping[str, Any]) -> bool:
    """A company that withdrew its access has deleted its own key."""
    return key["kind"] == "single" and "withdrawn" in store.faults(key["owner"])


def new_token(id: int) -> str:
    """Like the vendor's: Base64 of a small JSON, of a length that needs no padding."""
    start = f'{{"tokenId":{id},"token":"test-'
    filler = secrets.token_hex(20)
    text = start + filler[: 32 + (3 - (len(start) + 34) % 3) % 3] + '"}'
    return base64.b64encode(text.encode()).decode()


def delete_session(store: Store, token: str) -> Answer:
    store.drop("", "session", [token])
    return answers.nothing()


def identify(store: Store, request: Request, path: str) -> Caller:
    """The caller behind a Basic header. Raises 401 for a session that does not hold, 403 for a company not open to it."""
    user, token = _basic(request)
    session = store.get("", "session", token) if token else None
    if session is None or session["expirationDate"] <= now(store).date().isoformat():
        raise answers.unauthorized()
    key = store.get("", "key", session["employeeToken"])
    if key is None:
        raise answers.unauthorized()
    owner = store.get("", "company", key["owner"])
    if owner is None:
        raise answers.unauthorized()
    if is_deleted(store, key):
        raise answers.unauthorized()
    own = user in ("", "0") or user == str(owner["id"])
    if own:
        if key["kind"] == "bureau" and path not in OWN_COMPANY_ONLY:
            raise answers.forbidden(answers.BUREAU_KEY)
        return Caller(key["token"], key, owner, True)
    client = next((row for row in clients(store, key, user)), None)
    if client is None:
        raise answers.unauthorized() if store.setting("refused_status", 403) == 401 else answers.forbidden()
    return Caller(key["token"], key, client, False)


def _basic(request: Request) -> tuple[str, str]:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, token = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user.strip(), token


def clients(store: Store, key: Mapping[str, Any], id: str = "") -> list[dict[str, Any]]:
    """The companies opened to a bureau key (or the one with the id), less those that withdrew it."""
    if key["kind"] != "bureau":
        return []
    rows = [row for row in store.rows("", "company") if key["token"] in row.get("opened_to", ())]
    return [row for row in rows if id in ("", str(row["id"])) and "withdrawn" not in store.faults(row["key"])]


def who_am_i(caller: Caller) -> dict[str, Any]:
    employee = id_of("employee", caller.company["block"], 0)
    return {
        "employeeId": employee,
        "actualEmployeeId": employee + 1,
        "employee": employee,
        "companyId": caller.company["id"],
        "company": caller.company["id"],
        "language": "no",
        "loggedInWithConnect": False,
        "employeeIsProxy": not caller.own,
    }
