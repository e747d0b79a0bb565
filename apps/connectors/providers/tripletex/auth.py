"""Session tokens: made of the customer's key and the operator's token, kept in the vault, used by all clients of a key.

vendors/tripletex/README.md, "Authentication" and "Bureau mode".
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apps.connectors.providers.tripletex import refusals
from apps.connectors.sdk import remedies
from apps.connectors.sdk.declaration import Values
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.session import Prepared, Session

BASE_URL = "https://tripletex.no/v2"
WHO_AM_I = "/token/session/>whoAmI"
CLIENTS = "/company/>withLoginAccess"
OWNER = "0"  # the Basic user name that means the company of the key's owner
OSLO = ZoneInfo("Europe/Oslo")
NO_POST = (404, 405, 501)
EARLY = timedelta(hours=1)  # a session is made again so long before its end
KEY_ID = re.compile(r"\d{1,15}")
ORG_NR = re.compile(r"(?:NO)?[\s.]*((?:\d[\s.]*){9})(?:MVA)?", re.IGNORECASE)


def org_nr(values: Values) -> str:
    """The organisation number meant, as nine digits; "" where the key is a single company's."""
    given = values.get("org_nr", "").strip()
    match = ORG_NR.fullmatch(given)
    return re.sub(r"\D", "", match.group(1)) if match else given


def check_values(values: Values) -> None:
    """Raise ConnectorError for what can be seen to be wrong before anything is sent."""
    if KEY_ID.fullmatch(values.get("api_key", "").strip()):
        raise ConnectorError(Failure.SETUP, refusals.KEY_IS_ID, "api_key", sent=False)
    number = org_nr(values)
    if number and not re.fullmatch(r"\d{9}", number):
        raise ConnectorError(
            Failure.SETUP, remedies.FIELD_FORM, "org_nr", "an organisation number has nine digits", sent=False
        )


def sign(session: Session, request: Prepared) -> None:
    """Basic authentication: the company's id at Tripletex, and the session token."""
    owner = request.path in (WHO_AM_I, CLIENTS) or session.memory.get("as_owner") or not org_nr(session.values)
    user = OWNER if owner else session.resolved_company()
    request.headers["Authorization"] = "Basic " + b64encode(f"{user}:{session_token(session)}".encode()).decode()


@contextmanager
def as_owner(session: Session) -> Iterator[None]:
    """Calls inside are made as the company of the key's owner, although an organisation number is given."""
    session.memory["as_owner"] = True
    try:
        yield
    finally:
        session.memory["as_owner"] = False


def renew(session: Session) -> bool:
    """After a 401: drop the token, unless somebody else has put a newer one into the vault meanwhile."""
    used = session.memory.pop("session", None)
    kept = session.vault.get("session")
    if used is not None and kept is not None and kept.get("token") == used["token"]:
        session.vault.put("session", None)
    return used is not None


def session_token(session: Session) -> str:
    """The token in use: of this session, else of the vault, else a new one."""
    held = session.memory.get("session")
    if held is None or not _good(session, held):
        held = session.vault.get("session")
        if held is None or not _good(session, held):
            held = _make(session)
            session.vault.put("session", held)
        session.masker.know(held["token"])
        session.memory["session"] = held
    token: str = held["token"]
    return token


def _good(session: Session, held: dict[str, Any]) -> bool:
    return held.get("of") == _fingerprint(session) and datetime.now(UTC) < datetime.fromisoformat(held["until"]) - EARLY


def _fingerprint(session: Session) -> str:
    """What a token was made of: another key, consumer token or address never gets to use it."""
    parts = (*_tokens(session), session.provider.base_url(session.values), session.transport.override or "")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _tokens(session: Session) -> tuple[str, str]:
    return session.values.get("api_key", "").strip(), session.values.get("consumer_token", "").strip()


def _make(session: Session) -> dict[str, Any]:
    employee, consumer = _tokens(session)
    # presumed to end as its date begins, Norwegian time: with the day after tomorrow it holds a day at least
    asked = datetime.now(OSLO).date() + timedelta(days=2)
    wanted = {"consumerToken": consumer, "employeeToken": employee, "expirationDate": asked.isoformat()}
    path = refusals.SESSION_PATH
    answer = session.read(path, method="POST", payload=wanted, signed=False, accept=NO_POST)
    if answer.status in NO_POST:  # the older form, with its parameters in the query
        answer = session.read(path, wanted, method="PUT", signed=False)
    value = answer.data.get("value") if isinstance(answer.data, dict) else None
    if not isinstance(value, dict) or not value.get("token"):
        raise ConnectorError(Failure.TRANSIENT, remedies.BAD_PAGE, detail="no session token in the answer")
    session.masker.know(value["token"])
    ends = _day(value.get("expirationDate"))
    if ends is None or ends <= datetime.now(OSLO).date():
        ends = asked  # a token just given is good; one that is not is refused and made again
    until = datetime.combine(ends, time.min, OSLO).astimezone(UTC)
    return {"token": value["token"], "until": until.isoformat(), "of": _fingerprint(session)}


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None
