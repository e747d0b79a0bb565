"""`/oauth-v1/auth`, `/token` and `/revoke` as README "Authorisation" and the recorded answers have them.

The consent page is answered at once when the setting `auto_approve` is on (it is, unless set to false): the person is
`approve` {"tenant": ..., "system_admin": true, "deny": false}; without it, the company of the latest seed. With
`auto_approve` false, GET shows a page whose form posts `tenant` and `approve` (yes, no) back to the same address.
"""

import base64
import binascii
import hmac
import json
import secrets
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlencode

from apps.connectors.providers.fortnox.sandbox import grants
from apps.connectors.providers.fortnox.sandbox.grants import Obj
from apps.connectors.sdk.sandbox import Answer, Request, Row, Store

FORM = "application/x-www-form-urlencoded"
STYLE = (
    "body{font:16px/1.5 sans-serif;background:#f3f4f6;margin:0;padding:1rem}main{max-width:30rem;margin:5vh auto;"
    "background:#fff;padding:1.5rem;border:1px solid #d1d5db;border-radius:8px}h1{font-size:1.25rem;margin-top:0}"
    "select,button{font:inherit;padding:.5rem .75rem}select{display:block;width:100%;margin:.25rem 0 1rem}"
    "ul{columns:2;padding-left:1.2rem}"
)


def handle(store: Store, request: Request) -> Answer:
    """Answer a request under /oauth-v1/; the caller holds the sandbox's lock, so one at a time."""
    what = request.path.removeprefix("/oauth-v1/").rstrip("/")
    if what == "auth" and request.method in ("GET", "POST"):
        return _authorize(store, request)
    if what in ("token", "revoke") and request.method == "POST":
        client = _client(store, request)
        if client is None:
            return _refused(401, "invalid_client", "The client credentials are invalid", "text/plain;charset=UTF-8")
        given = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        if not request.headers.get("content-type", "").lower().startswith(FORM):
            return _refused(400, "invalid_request", "The request body must be form encoded")
        return _token(store, request, client, given) if what == "token" else _revoke(store, client, given)
    return Answer(status=404, headers={"Content-Type": "text/html; charset=UTF-8"}, body=b"<h1>404 Not Found</h1>")


def _refused(status: int, error: str, text: str, kind: str = "text/html; charset=UTF-8") -> Answer:
    """JSON under another content type, as recorded."""
    body = json.dumps({"error": error, "error_description": text}).encode()
    return Answer(status=status, headers={"Content-Type": kind}, body=body)


def _given(value: Mapping[str, Any]) -> Answer:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return Answer(status=200, headers=headers, body=json.dumps(value).encode())


def _client(store: Store, request: Request) -> Obj | None:
    """By HTTP Basic only: credentials in the body are not documented."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        id, _, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    client = store.get("", "client", id)
    return client if client and hmac.compare_digest(client["client_secret"].encode(), secret.encode()) else None


# -- The consent page


def _authorize(store: Store, request: Request) -> Answer:
    given = dict(request.query)
    client = store.get("", "client", given.get("client_id", ""))
    if client is None:
        return _page(400, "<h1>Ett fel inträffade</h1><p>Invalid client_id.</p>")
    uri = given.get("redirect_uri", "")
    if uri not in client["redirect_uris"]:
        return _page(400, "<h1>Ett fel inträffade</h1><p>redirect_uri does not match.</p>")
    wrong = _wrong_request(client, given)
    if wrong is not None:
        return _back(uri, given, error=wrong[0], error_description=wrong[1])
    person = _person(store, request)
    if person is None:
        return _page(200, _consent_form(store, request, given))
    return _approve(store, client, given, person)


def _wrong_request(client: Obj, given: Mapping[str, str]) -> tuple[str, str] | None:
    """What is refused before the login."""
    if given.get("response_type") != "code":
        return "unsupported_response_type", "The response type must be code"
    scopes = given.get("scope", "").split()
    if not scopes or not set(scopes) <= set(client["scopes"]):
        return "invalid_scope", "The requested scope is invalid, unknown, or malformed"
    if given.get("account_type") == "service" and not client["service_accounts"]:
        return "invalid_request", "Client does not allow service account"
    return None


def _person(store: Store, request: Request) -> Obj | None:
    """Who answered the consent page: {"tenant", "deny", "system_admin"}; None while the page is to be shown."""
    approve: Obj = store.setting("approve") or {}
    if request.method == "POST":
        posted = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        return approve | {"tenant": posted.get("tenant", ""), "deny": posted.get("approve") != "yes"}
    return {"tenant": store.setting("last_tenant", 0)} | approve if store.setting("auto_approve", True) else None


def _approve(store: Store, client: Obj, given: Mapping[str, str], person: Obj) -> Answer:
    uri, service = given["redirect_uri"], given.get("account_type") == "service"
    if person.get("deny"):
        return _back(uri, given, error="access_denied", error_description="The user denied the request")
    company = grants.company_of(store, str(person["tenant"]))
    if company is None:
        return _page(400, "<h1>Ett fel inträffade</h1><p>Okänd databas.</p>")
    scopes = given["scope"].split()
    missing = [scope for scope in scopes if scope not in company["licences"]]
    if ("api" not in company["licences"] or missing) and not service:
        return _back(uri, given, error="error_missing_license", error_description="The user lacks a licence")
    if service and not (company["system_admin"] and person.get("system_admin", True)):
        text = "Only a system administrator can approve a service account"
        return _back(uri, given, error="error_missing_system_admin_right", error_description=text)
    consent = grants.give_consent(store, client["client_id"], company, scopes, service=service)
    code = secrets.token_urlsafe(24)
    row = {
        "consent": consent["id"],
        "client_id": client["client_id"],
        "redirect_uri": uri,
        "scopes": scopes,
        "offline": given.get("access_type") == "offline",
        "ends": grants.now(store).timestamp() + float(store.setting("code_seconds", grants.CODE_SECONDS)),
    }
    store.put("", "code", [Row(id=code, data=row)])
    return _back(uri, given, code=code)


def _back(uri: str, given: Mapping[str, str], **values: str) -> Answer:
    if "state" in given:
        values["state"] = given["state"]
    return Answer(status=302, headers={"Location": f"{uri}{'&' if '?' in uri else '?'}{urlencode(values)}"})


def _page(status: int, inner: str) -> Answer:
    head = (
        "<meta charset='utf-8'><meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>Fortnox (sandbox)</title><style>{STYLE}</style>"
    )
    body = f"<!DOCTYPE html><html lang='sv'><head>{head}</head><body><main>{inner}</main></body></html>"
    return Answer(status=status, headers={"Content-Type": "text/html; charset=UTF-8"}, body=body.encode())


def _consent_form(store: Store, request: Request, given: Mapping[str, str]) -> str:
    companies = "".join(
        f"<option value='{row['tenant']}'>{escape(row['name'])}</option>" for row in store.rows("", "company")
    )
    scopes = "".join(f"<li>{escape(scope)}</li>" for scope in given.get("scope", "").split())
    return (
        f"<h1>Sandbox, inte Fortnox</h1><p>{escape(given['client_id'])} vill få åtkomst:</p><ul>{scopes}</ul>"
        f"<form method='post' action='?{escape(urlencode(request.query))}'>"
        f"<label>Företag<select name='tenant'>{companies}</select></label>"
        "<button name='approve' value='yes'>Godkänn</button> <button name='approve' value='no'>Avbryt</button></form>"
    )


# -- Tokens


def _token(store: Store, request: Request, client: Obj, given: Mapping[str, str]) -> Answer:
    kind = given.get("grant_type", "")
    if kind == "authorization_code":
        return _by_code(store, client, given)
    if kind == "refresh_token":
        return _by_refresh(store, client, given)
    if kind == "client_credentials":
        return _by_credentials(store, request, client, given)
    return _refused(400, "unsupported_grant_type", "The grant type is not supported")


def _by_code(store: Store, client: Obj, given: Mapping[str, str]) -> Answer:
    code = given.get("code", "")
    row = store.get("", "code", code) if code else None
    refused = _refused(400, "invalid_grant", "Invalid authorization code")
    if row is None or row["client_id"] != client["client_id"]:
        return refused
    store.drop("", "code", [code])  # single use, whatever comes of it
    if row["ends"] <= grants.now(store).timestamp() or row["redirect_uri"] != given.get("redirect_uri"):
        return refused
    consent = store.get("", "consent", row["consent"])
    if consent is None or not grants.holds(store, consent):
        return refused
    made = grants.new_access(store, consent, row["scopes"])
    if row["offline"]:
        made["refresh_token"] = grants.new_refresh(store, consent, row["scopes"])
    return _given(made)


def _by_refresh(store: Store, client: Obj, given: Mapping[str, str]) -> Answer:
    """The old token dies at once."""
    token = given.get("refresh_token", "")
    found = grants.live(store, "refresh", token)
    if found is None or found[1]["client_id"] != client["client_id"]:
        store.count("refresh.refused")
        return _refused(400, "invalid_grant", "Invalid refresh token")
    row, consent = found
    lacking = _missing_licence(store, consent)
    if lacking is not None:
        return lacking
    store.drop("", "refresh", [token])
    store.count("refresh.done")
    made = grants.new_access(store, consent, row["scopes"])
    made["refresh_token"] = grants.new_refresh(store, consent, row["scopes"])
    return _given(made)


def _by_credentials(store: Store, request: Request, client: Obj, given: Mapping[str, str]) -> Answer:
    """A service account: the company in the header TenantId, no refresh token."""
    tenant = request.headers.get("tenantid", "").strip()
    consent = store.get("", "consent", f"{client['client_id']}/{tenant}/service") if tenant else None
    if consent is None or not grants.holds(store, consent):
        text = "The tenant has not given its consent" if tenant else "The header TenantId is missing"
        return _refused(400, "invalid_grant" if tenant else "invalid_request", text)
    wanted = given.get("scope", "").split() or consent["scopes"]
    if not set(wanted) <= set(consent["scopes"]):
        return _refused(400, "invalid_scope", "The requested scope exceeds the consent")
    return _missing_licence(store, consent) or _given(grants.new_access(store, consent, list(wanted)))


def _missing_licence(store: Store, consent: Obj) -> Answer | None:
    """Setting `licence_at_token`: a company without a licence is refused here already (default: at the resource)."""
    company = grants.company_of(store, str(consent["tenant"]))
    if company is None or not store.setting("licence_at_token", False):
        return None
    if {"api", *consent["scopes"]} <= set(company["licences"]) and "no_licence" not in store.faults(company["key"]):
        return None
    return _refused(400, "error_missing_license", "The user lacks a licence")


def _revoke(store: Store, client: Obj, given: Mapping[str, str]) -> Answer:
    """Of a refresh token only: access tokens cannot be revoked, and the consent stays (unconfirmed)."""
    row = store.get("", "refresh", given.get("token", "")) if given.get("token") else None
    consent = store.get("", "consent", row["consent"]) if row else None
    if row and consent and consent["client_id"] == client["client_id"]:
        store.drop("", "refresh", [row["token"]])
        return _given({"revoked": True})
    return _given({"revoked": False})
