"""OAuth 2 from the declaration: consent addresses, token requests, renewal, and what a refusal of a token means.

Authlib makes the requests (RFC 6749, 7636); they go out through the session, so that they are guarded and kept, masked.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from apps.connectors.sdk import remedies
from apps.connectors.sdk.auths import OAuth, OAuth2Client, OAuth2Code, address_of
from apps.connectors.sdk.decoding import parse_json
from apps.connectors.sdk.failures import ConnectorError, Failure, Remedy, Seen
from apps.connectors.sdk.ports import Tokens
from apps.connectors.sdk.transport import NetworkError

if TYPE_CHECKING:
    from apps.connectors.sdk.session import Prepared, Session

LONGEST_DETAIL = 300
FORM = "application/x-www-form-urlencoded"
OTHER_REFUSALS: Mapping[str, tuple[Failure, Remedy]] = {
    "invalid_client": (Failure.SETUP, remedies.CLIENT_REFUSED),
    "unauthorized_client": (Failure.SETUP, remedies.CLIENT_REFUSED),
    "invalid_scope": (Failure.SETUP, remedies.SCOPE_REFUSED),
    "access_denied": (Failure.RECONNECT, remedies.CONSENT_DENIED),
    "temporarily_unavailable": (Failure.TRANSIENT, remedies.VENDOR_FAULT),
    "server_error": (Failure.TRANSIENT, remedies.VENDOR_FAULT),
}


def bearer(session: "Session", out: "Prepared") -> None:
    out.headers["Authorization"] = f"Bearer {current(session).access_token}"


def current(session: "Session") -> Tokens:
    """The tokens in use, renewed before they end. Raises ConnectorError (RECONNECT) where there is no consent."""
    held = session.held_tokens
    if held is None or not held.good():
        held = session.tokens.load()
        if held is None or not held.good():
            held = session.tokens.renewed(held, lambda found, lost: _refreshed(session, found, lost=lost))
        _use(session, held)
    return held


def renew(session: "Session") -> bool:
    """After a 401: other tokens. False where there is nothing to renew with: then the refusal stands."""
    used = session.held_tokens
    if isinstance(session.auth, OAuth2Code):
        kept = session.tokens.load()
        if kept is None or (not kept.refresh_token and (used is None or kept.access_token == used.access_token)):
            return False
    _use(session, session.tokens.renewed(used, lambda found, lost: _refreshed(session, found, lost=lost)))
    return True


def authorize_address(
    session: "Session", *, redirect_uri: str, state: str, verifier: str | None = None, **extra: str
) -> str:
    """Where the browser is sent for the consent; `verifier` is PKCE's, 43 to 128 characters."""
    auth = _code(session)
    pkce = {"code_challenge": create_s256_code_challenge(verifier), "code_challenge_method": "S256"} if verifier else {}
    address: str = prepare_grant_uri(
        address_of(auth.authorize_url, session.values),
        session.values[auth.client_id],
        "code",
        redirect_uri=redirect_uri,
        scope=" ".join(auth.scopes),
        state=state,
        **{**auth.authorize_params, **pkce, **extra},
    )
    try:
        return session.transport.address(address, [])[0]
    except NetworkError as error:  # fields put into the address led elsewhere
        raise ConnectorError(Failure.SETUP, remedies.ADDRESS_REFUSED, detail=str(error), sent=False) from error


def exchanged(session: "Session", *, code: str, redirect_uri: str, verifier: str | None = None) -> Tokens:
    """The tokens for a code; they are not kept. Raises ConnectorError."""
    form = {"code": code, "redirect_uri": redirect_uri, **({"code_verifier": verifier} if verifier else {})}
    session.masker.know(code, verifier or "")
    return _asked(session, "authorization_code", form)


def revoke(session: "Session", tokens: Tokens) -> bool:
    """Tell the vendor that the grant is no longer wanted; False where it has no place for that, or refused."""
    auth = _code(session)
    if auth.revoke_url is None or not tokens.refresh_token:
        return False
    session.masker.know(tokens.refresh_token)
    body = urlencode({"token": tokens.refresh_token, "token_type_hint": "refresh_token"})
    status, _data, _headers = _posted(session, auth, address_of(auth.revoke_url, session.values), body)
    return 200 <= status < 300


def refused_consent(session: "Session", error: str, description: str = "") -> ConnectorError:
    """What the vendor's consent page sent back in the place of a code."""
    return _refusal(session, Seen(status=400, headers={}, body={"error": error, "error_description": description}, path="consent"))  # fmt: skip


def claims(token: str) -> dict[str, Any]:
    """The claims of a JWT, unchecked: for what a vendor documents to be read there, never for proof."""
    try:
        part = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _use(session: "Session", tokens: Tokens) -> None:
    session.masker.know(tokens.access_token, tokens.refresh_token or "")
    session.held_tokens = tokens


def _code(session: "Session") -> OAuth2Code:
    if not isinstance(session.auth, OAuth2Code):
        raise TypeError(f"{session.auth.name} needs no consent")
    return session.auth


def _refreshed(session: "Session", held: Tokens | None, *, lost: bool) -> Tokens:
    if isinstance(session.auth, OAuth2Client):
        scope = " ".join(session.auth.scopes)
        return _asked(session, "client_credentials", {"scope": scope} if scope else {})
    if held is None or not held.refresh_token:
        raise ConnectorError(
            Failure.RECONNECT, _of(session, remedies.CONSENT_MISSING), detail="there is no refresh token", sent=False
        )
    session.masker.know(held.access_token, held.refresh_token)
    new = _asked(session, "refresh_token", {"refresh_token": held.refresh_token}, held=held, lost=lost)
    if not new.refresh_token:  # the vendor does not rotate: the old one stays, with its end
        new = replace(new, refresh_token=held.refresh_token, refresh_expires_at=held.refresh_expires_at)
    return replace(new, learnt={**held.learnt, **new.learnt})


def _asked(
    session: "Session", grant: str, form: Mapping[str, str], *, held: Tokens | None = None, lost: bool = False
) -> Tokens:
    """One request to the token endpoint, sent once: what it spends may be good once."""
    auth = session.auth
    assert isinstance(auth, OAuth)  # noqa: S101 - the callers are OAuth's
    body = prepare_token_request(grant, **{**form, **auth.token_params(session.values)})
    status, data, headers = _posted(session, auth, address_of(auth.token_url, session.values), body)
    if 200 <= status < 300 and isinstance(data, dict) and isinstance(data.get("access_token"), str):
        return _tokens(auth, data)
    raise _refusal(session, Seen(status=status, headers=headers, body=data, path="token"), grant, held, lost=lost)


def _posted(session: "Session", auth: OAuth, address: str, body: str) -> tuple[int, Any, Mapping[str, str]]:
    secret = session.values.get(auth.client_secret, "")
    client = ClientAuth(session.values[auth.client_id], secret, auth.client_auth.value)
    wanted = {"Content-Type": FORM, "Accept": "application/json", **auth.token_headers(session.values)}
    _uri, headers, sent = client.prepare("POST", address, wanted, body)
    session.masker.know(headers.get("Authorization", "").removeprefix("Basic "))
    reply = session.call("POST", address, headers, str(sent).encode())
    data, _readable = parse_json(reply.body)
    return reply.status, data, reply.headers


def _tokens(auth: OAuth, data: Mapping[str, Any]) -> Tokens:
    now = datetime.now(UTC)
    try:
        lifetime = timedelta(seconds=int(data["expires_in"]))
    except (KeyError, TypeError, ValueError):
        lifetime = auth.access_lifetime
    code = auth if isinstance(auth, OAuth2Code) else None
    given = data.get("refresh_token") if code else None
    return Tokens(
        access_token=str(data["access_token"]),
        expires_at=now + lifetime,
        refresh_token=str(given) if given else None,
        refresh_expires_at=now + code.refresh_lifetime if given and code and code.refresh_lifetime else None,
        learnt=dict(code.learn(data)) if code else {},
    )


def _refusal(
    session: "Session", seen: Seen, grant: str = "", held: Tokens | None = None, *, lost: bool = False
) -> ConnectorError:
    """What a refusal of the token endpoint means. A refresh token is told to be expired where its end is known."""
    body = seen.body if isinstance(seen.body, dict) else {}
    error = str(body.get("error", ""))
    field: str | None = None
    judged = _by_provider(session, seen, error)
    if error == "invalid_grant" and grant == "refresh_token" and lost:
        failure, remedy = Failure.RECONNECT, remedies.CONSENT_LOST
    elif judged is not None:
        failure, remedy, field = judged
    elif error == "invalid_grant":
        failure, remedy = Failure.RECONNECT, _ended(grant, held)
    elif error in OTHER_REFUSALS:
        failure, remedy = OTHER_REFUSALS[error]
    elif seen.status == 429:
        failure, remedy = Failure.TRANSIENT, remedies.BUSY
    elif seen.status >= 500 or 200 <= seen.status < 300:
        failure, remedy = Failure.TRANSIENT, remedies.VENDOR_FAULT
    else:
        failure, remedy = Failure.UNKNOWN, remedies.NOT_UNDERSTOOD
    if remedy is remedies.CLIENT_REFUSED and isinstance(session.auth, OAuth):
        field = session.auth.client_secret
    text = json.dumps(body, ensure_ascii=False) if body else str(seen.body)
    detail = session.masker.text(f"{seen.status} {seen.path}: {text}")[:LONGEST_DETAIL]  # half a secret is not found
    return ConnectorError(
        failure,
        _of(session, remedy),
        field,
        detail,
        sent=seen.status not in (401, 403, 429),
        facts={"vendor": session.provider.label, "error": error},
    )


def _by_provider(session: "Session", seen: Seen, error: str) -> tuple[Failure, Remedy, str | None] | None:
    for row in session.auth.refusals if isinstance(session.auth, OAuth) else ():
        fits = (not row.statuses or seen.status in row.statuses) and (not row.codes or error in row.codes)
        if fits and (row.when is None or row.when(seen)):
            return row.failure, row.remedy, row.field
    return None


def _ended(grant: str, held: Tokens | None) -> Remedy:
    if grant != "refresh_token":
        return remedies.CONSENT_CODE
    ends = held.refresh_expires_at if held else None
    return remedies.CONSENT_EXPIRED if ends is not None and ends <= datetime.now(UTC) else remedies.CONSENT_WITHDRAWN


def _of(session: "Session", remedy: Remedy) -> Remedy:
    """A remedy of consent under the provider's own code: `<slug>.consent_lost`."""
    kind, _dot, name = remedy.code.partition(".")
    return replace(remedy, code=f"{session.provider.slug}.{name}") if (kind, name[:8]) == ("connector", "consent_") else remedy  # fmt: skip
