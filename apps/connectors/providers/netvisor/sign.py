"""Signed headers: no token, no session; every attempt is signed anew (vendors/netvisor/README.md, Authentication).

The message is text in ISO-8859-1. HMACSHA256 is what current clients use; SHA256 is the older, plain hash of the
vendor's page.
"""

import hashlib
import hmac
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from apps.connectors.sdk import remedies
from apps.connectors.sdk.declaration import Values
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.session import Prepared, Session

HMACSHA256, SHA256 = "HMACSHA256", "SHA256"
ALGORITHMS = (HMACSHA256, SHA256)
LANGUAGE = "EN"  # else flags and texts come in the user's language [README, Messages: Booleans]
BUSINESS_ID = re.compile(r"(?:FI)?(\d{7})-?(\d)", re.IGNORECASE)
PREFIX = "X-Netvisor-Authentication-"
MAC = f"{PREFIX}MAC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signable:
    """What is signed besides the address. `unix` is the same moment as `timestamp`, in seconds."""

    sender: str
    customer_id: str
    timestamp: str
    language: str
    organisation_id: str
    transaction_id: str
    unix: str
    customer_key: str
    partner_key: str


def mac(url: str, of: Signable, algorithm: str = HMACSHA256) -> str:
    """The digest in lower case hex. The address must be the one sent, to the letter."""
    start = [url, of.sender, of.customer_id, of.timestamp, of.language, of.organisation_id, of.transaction_id]
    keys = [of.customer_key, of.partner_key]
    if algorithm == SHA256:
        return hashlib.sha256(_bytes("&".join([*start, *keys]))).hexdigest()
    message = "&".join([*start, of.unix, *keys])
    return hmac.new(_bytes("&".join(keys)), _bytes(message), hashlib.sha256).hexdigest()


def sign(session: Session, request: Prepared) -> None:
    """Put the headers on a request that is about to be sent, with a TransactionId that was never used."""
    now = datetime.now(UTC)
    values = {name: value.strip() for name, value in session.values.items()}
    algorithm = algorithm_of(values)
    of = Signable(
        sender=values.get("sender", ""),
        customer_id=values.get("customer_id", ""),
        timestamp=f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000:03d}",
        language=LANGUAGE,
        organisation_id=organisation_id(values),
        transaction_id=uuid.uuid4().hex,
        unix=str(int(now.timestamp())),
        customer_key=values.get("customer_key", ""),
        partner_key=values.get("partner_key", ""),
    )
    request.headers |= {
        f"{PREFIX}Sender": of.sender,
        f"{PREFIX}CustomerId": of.customer_id,
        f"{PREFIX}PartnerId": values.get("partner_id", ""),
        f"{PREFIX}Timestamp": of.timestamp,
        f"{PREFIX}TransactionId": of.transaction_id,
        "X-Netvisor-Interface-Language": of.language,
        "X-Netvisor-Organisation-ID": of.organisation_id,
        MAC: mac(request.address, of, algorithm),
        f"{PREFIX}MACHashCalculationAlgorithm": algorithm,
        f"{PREFIX}UseHTTPResponseStatusCodes": "1",
    }
    if algorithm == HMACSHA256:
        request.headers[f"{PREFIX}TimestampUnix"] = of.unix


def algorithm_of(values: Mapping[str, str]) -> str:
    return values.get("algorithm", "").strip().upper() or HMACSHA256


def organisation_id(values: Values) -> str:
    """The business id as the vendor writes it, `1234567-8`."""
    given = re.sub(r"\s", "", values.get("organisation_id", ""))
    match = BUSINESS_ID.fullmatch(given)
    return f"{match.group(1)}-{match.group(2)}" if match else given


def check_values(values: Values) -> None:
    """Raise ConnectorError for what can be seen to be wrong before anything is sent."""
    if not BUSINESS_ID.fullmatch(organisation_id(values)):
        raise _form("organisation_id", "a Finnish business id is written 1234567-8")
    if algorithm_of(values) not in ALGORITHMS:
        raise _form("algorithm", f"it is one of {', '.join(ALGORITHMS)}")
    for name in ("sender", "customer_id", "customer_key", "partner_id", "partner_key"):
        try:
            _bytes(values.get(name, ""))
        except UnicodeEncodeError:
            raise _form(name, "it holds a character that ISO-8859-1 lacks") from None


def _form(field: str, detail: str) -> ConnectorError:
    return ConnectorError(Failure.SETUP, remedies.FIELD_FORM, field, f"{field}: {detail}", sent=False)


def _bytes(text: str) -> bytes:
    return text.encode("iso-8859-1")
