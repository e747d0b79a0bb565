"""Registered applications, consents and tokens: what they are and how long they live.

Access as a story gives it to `seed` (everything may be left out):

    {"tenant": 29302,                        # DatabaseNumber; made from the company's key when left out
     "clients": [{"client_id": "...", "client_secret": "...", "redirect_uri": "..." | "redirect_uris": [...],
                  "scopes": "companyinformation bookkeeping ...",   # registered; default all
                  "service_accounts": true}],
     "consents": [{"client_id": "...",       # what the company granted to that application
                   "service": true,          # a service account: client_credentials with the header TenantId
                   "scopes": "...",          # default the client's
                   "state": "active" | "expired" | "revoked",       # default active; without a consent: never given
                   "refresh_token": "...", "access_token": "..."}],  # fixed ones, for a person's consent too
     "licences": ["api", "bookkeeping", ...],   # default all: see LICENCES
     "no_right": ["suppliers", ...],         # registers that the user behind the consent may not see
     "system_admin": true}                   # of the person who consents

A client may be told again in every company; the last telling counts. Expired: every token of the consent has run out,
and a service account's consent answers as a revoked one (the vendor documents no expiry of those; unconfirmed).
"""

import base64
import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apps.connectors.sdk.sandbox import Row, Store

STOCKHOLM = ZoneInfo("Europe/Stockholm")
SCOPES = (
    "companyinformation", "settings", "bookkeeping", "customer", "article", "order", "offer", "invoice", "payment",
    "supplier", "supplierinvoice", "costcenter", "project", "currency", "price", "print", "archive", "inbox",
    "connectfile", "salary", "noxfinansinvoice", "profile",
)  # fmt: skip
LICENCES = ("api", *SCOPES)
STATES = ("active", "expired", "revoked")
ACCESS_SECONDS, CODE_SECONDS, REFRESH_DAYS = 3600, 600, 45
Obj = dict[str, Any]


def now(store: Store) -> datetime:
    """Swedish time, moved by what the control API shifted."""
    return datetime.now(STOCKHOLM) + timedelta(days=int(store.setting("shift", 0)))


def take_access(store: Store, company: Obj, access: Mapping[str, Any]) -> None:
    """Keep what `access` says of clients and consents. Raises ValueError for what does not fit."""
    for told in access.get("clients", ()):
        uris = [*told.get("redirect_uris", ()), *([told["redirect_uri"]] if told.get("redirect_uri") else [])]
        row = {
            "client_id": told["client_id"],
            "client_secret": told["client_secret"],
            "redirect_uris": uris,
            "scopes": str(told.get("scopes", " ".join(SCOPES))).split(),
            "service_accounts": bool(told.get("service_accounts", True)),
        }
        store.put("", "client", [Row(id=row["client_id"], data=row)])
    for told in access.get("consents", ()):
        client = store.get("", "client", told["client_id"])
        if client is None:
            raise ValueError(f"client_id: {told['client_id']!r} is not among the clients")
        state = told.get("state", "active")
        if state not in STATES:
            raise ValueError(f"state: {state!r} is none of {', '.join(STATES)}")
        scopes = str(told.get("scopes", " ".join(client["scopes"]))).split()
        service = bool(told.get("service", False))
        consent = give_consent(store, told["client_id"], company, scopes, service=service, state=state)
        _fixed_tokens(store, consent, told)


def _fixed_tokens(store: Store, consent: Obj, told: Mapping[str, Any]) -> None:
    expired = consent["state"] == "expired"
    if told.get("refresh_token"):
        days = -1 if expired else REFRESH_DAYS
        put_token(store, "refresh", told["refresh_token"], consent, seconds=days * 86_400)
    if told.get("access_token"):
        put_token(store, "access", told["access_token"], consent, seconds=-1 if expired else access_seconds(store))


def give_consent(
    store: Store, client_id: str, company: Obj, scopes: Iterable[str], *, service: bool, state: str = "active"
) -> Obj:
    """One consent per application, company and kind; a new one replaces the old one's scopes."""
    row = {
        "id": f"{client_id}/{company['tenant']}/{'service' if service else 'person'}",
        "client_id": client_id,
        "tenant": company["tenant"],
        "company": company["key"],
        "scopes": list(scopes),
        "service": service,
        "state": state,
    }
    store.put("", "consent", [Row(id=row["id"], data=row)])
    return row


def access_seconds(store: Store) -> int:
    """Setting `access_seconds`: how long an access token lives (3600)."""
    return int(store.setting("access_seconds", ACCESS_SECONDS))


def put_token(store: Store, kind: str, token: str, consent: Obj, *, seconds: float) -> None:
    """Keep an access or refresh token that lives for `seconds`."""
    ends = now(store) + timedelta(seconds=seconds)
    row = {"token": token, "consent": consent["id"], "scopes": consent["scopes"], "ends": ends.timestamp()}
    store.put("", kind, [Row(id=token, data=row)])


def new_access(store: Store, consent: Obj, scopes: list[str]) -> Obj:
    """A token answer without a refresh token."""
    seconds = access_seconds(store)
    token = _jwt(consent, scopes, int((now(store) + timedelta(seconds=seconds)).timestamp()))
    put_token(store, "access", token, consent | {"scopes": scopes}, seconds=seconds)
    store.count("tokens")
    return {
        "access_token": token,
        "expires_in": seconds,
        "token_type": "bearer",
        "scope": " ".join(scopes),
    }


def new_refresh(store: Store, consent: Obj, scopes: list[str]) -> str:
    """Of the vendor's documented shape: a version 4 UUID in one example, 40 hexadecimal digits here."""
    token = secrets.token_hex(20)
    days = int(store.setting("refresh_days", REFRESH_DAYS))
    put_token(store, "refresh", token, consent | {"scopes": scopes}, seconds=days * 86_400)
    return token


def _jwt(consent: Obj, scopes: list[str], ends: int) -> str:
    """A JWT to look at; nobody can check the signature, the vendor publishes no key."""
    claims = {
        "userid": 1,
        "tenantId": consent["tenant"],
        "clientId": consent["client_id"],
        "scope": scopes,
        "jti": secrets.token_hex(8),
        "exp": ends,
    }
    parts = (
        base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).rstrip(b"=").decode()
        for part in ({"alg": "RS256", "typ": "JWT"}, claims)
    )
    return ".".join((*parts, secrets.token_urlsafe(32)))


def live(store: Store, kind: str, token: str) -> tuple[Obj, Obj] | None:
    """The token's row and its consent, when both hold."""
    row = store.get("", kind, token) if token else None
    if row is None or row["ends"] <= now(store).timestamp():
        return None
    consent = store.get("", "consent", row["consent"])
    if consent is None or not holds(store, consent):
        return None
    return row, consent


def holds(store: Store, consent: Obj) -> bool:
    return consent["state"] == "active" and "withdrawn" not in store.faults(consent["company"])


def company_of(store: Store, tenant: str) -> Obj | None:
    """The company with that DatabaseNumber."""
    return next((row for row in store.rows("", "company") if str(row["tenant"]) == tenant), None)
