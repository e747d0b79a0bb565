"""Signed headers: who calls, for which company, and whether the signature holds.

The address signed is the address sent, to the letter. A client reaches us at another host than the vendor's and may
sign either (`addresses`).

Access, one per company, as `seed` takes it: {"partner_id", "partner_key", "customer_id", "customer_key"} and,
optional, "organisation_id" (else the books' number), "resources" (names like "accountlist.nv" that an administrator
switched on for the integration; absent = all). One customer id may open several companies.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from apps.connectors.providers.netvisor.sandbox.wire import LANGUAGES, Refused
from apps.connectors.sdk.sandbox import Request, Row, Store

HOSTS = ("integration.netvisor.fi", "isvapi.netvisor.fi")
PREFIX = "x-netvisor-authentication-"
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}")
SKEW_SECONDS = 600  # unconfirmed; setting `skew_seconds`, 0 = not looked at
PLAIN = {"SHA256": "sha256", "MD5": "md5"}  # hashes without a key; MD5 is being dropped: setting `md5` false drops it
NEEDED = ("sender", "customerid", "partnerid", "timestamp", "transactionid", "mac")

NO_KEYS = (
    "AUTHENTICATION_FAILED",
    "Integration keys are not valid. Please check the keys specific to the user and partner.",
    "Integraatioavaimet eivät ole voimassa. Tarkista käyttäjä- ja kumppanikohtaiset avaimet.",
    "Integrationsnycklarna är inte giltiga. Kontrollera nycklarna för användaren och partnern.",
)
NO_PARTNER = (
    "AUTHENTICATION_FAILED",
    "Integration partner not found, see documentation",
    "Integraatiokumppania ei löydy, katso dokumentaatio",
    "Integrationspartnern hittades inte, se dokumentationen",
)
BAD_MAC = (
    "AUTHENTICATION_FAILED",
    "MAC hash is not valid",
    "MAC-tiiviste ei ole oikea",
    "MAC-summan är inte giltig",
)
NOT_UNIQUE = (
    "REQUEST_NOT_UNIQUE",
    "Request is not unique: the transaction identifier has been used",
    "Pyyntö ei ole yksilöllinen: tapahtumatunniste on jo käytetty",
    "Begäran är inte unik: transaktionsidentifieraren har redan använts",
)


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller whose signature holds, and the company it asks for."""

    company: str
    resources: tuple[str, ...] | None  # None: every one

    def may(self, resource: str) -> bool:
        return self.resources is None or resource in self.resources


def digits(organisation: str) -> str:
    return re.sub(r"\D", "", organisation)


def take_access(store: Store, company: str, organisation: str, access: Mapping[str, Any]) -> None:
    """Keep the keys of a company; without any it can be reached by nobody."""
    store.drop("", "access", [row["id"] for row in store.rows("", "access") if row["company"] == company])
    if not access.get("customer_id"):
        return
    number = digits(str(access.get("organisation_id") or organisation))
    kept = {name: str(access[name]) for name in ("customer_id", "customer_key", "partner_id", "partner_key")}
    resources = access.get("resources")
    row = kept | {"id": f"{kept['customer_id']}/{number}", "company": company, "organisation": number}
    listed = None if resources is None else [str(name).lower() for name in resources]
    store.put("", "access", [Row(id=row["id"], data=row | {"resources": listed})])


def identify(store: Store, request: Request) -> Caller:
    """The caller of a signed request. Raises Refused as the vendor refuses; uses up the TransactionId."""
    given = _headers(request)
    rows = store.rows("", "access")
    if not any(row["partner_id"] == given["partnerid"] for row in rows):
        raise Refused(*NO_PARTNER)
    own = [row for row in rows if (row["partner_id"], row["customer_id"]) == (given["partnerid"], given["customerid"])]
    if not own:
        raise Refused(*NO_KEYS)
    _check_time(store, given)
    if not _signed(store, request, given, own[0]):
        raise Refused(*BAD_MAC)
    number = digits(given["organisation"])
    found = next((row for row in own if row["organisation"] == number), None)
    if found is None or {"bad_keys", "withdrawn"} & set(store.faults(found["company"])):
        raise Refused(*NO_KEYS)
    used = f"{given['partnerid']}/{given['transactionid']}"
    if store.get("", "transaction", used) is not None:
        store.count("repeated_transactions")
        raise Refused(*NOT_UNIQUE)
    store.put("", "transaction", [Row(id=used, data={})])
    resources = found["resources"]
    return Caller(found["company"], None if resources is None else tuple(resources))


def language(request: Request) -> str:
    told = request.headers.get("x-netvisor-interface-language", "").upper()
    return told if told in LANGUAGES else "EN"


def wants_codes(request: Request) -> bool:
    return request.headers.get(PREFIX + "usehttpresponsestatuscodes", "").strip() == "1"


def _headers(request: Request) -> dict[str, str]:
    given = {name: request.headers.get(PREFIX + name, "").strip() for name in (*NEEDED, "timestampunix")}
    told = request.headers.get(PREFIX + "machashcalculationalgorithm", "").strip().upper()
    given["algorithm"] = told or "MD5"  # clients older than the header have no other (unconfirmed)
    given["organisation"] = request.headers.get("x-netvisor-organisation-id", "").strip()
    given["language"] = request.headers.get("x-netvisor-interface-language", "").strip()
    if not all(given[name] for name in (*NEEDED, "organisation")) or given["language"] not in LANGUAGES:
        raise Refused(*NO_KEYS)
    return given


def _check_time(store: Store, given: Mapping[str, str]) -> None:
    """The timestamp's exact form, and both times within the allowed skew of the real clock."""
    if not TIMESTAMP.fullmatch(given["timestamp"]):
        raise Refused(*BAD_MAC)
    try:
        told = [datetime.fromisoformat(given["timestamp"]).replace(tzinfo=UTC).timestamp()]
        told += [float(int(given["timestampunix"]))] if given["algorithm"] == "HMACSHA256" else []
    except ValueError:
        raise Refused(*BAD_MAC) from None
    skew = float(store.setting("skew_seconds", SKEW_SECONDS))
    now = datetime.now(UTC).timestamp()
    if skew and any(abs(now - moment) > skew for moment in told):
        raise Refused(*BAD_MAC)


def _signed(store: Store, request: Request, given: Mapping[str, str], keys: Mapping[str, str]) -> bool:
    if given["algorithm"] == "MD5" and not store.setting("md5", True):
        return False
    wanted = given["mac"]
    return any(
        hmac.compare_digest(made.encode(), wanted.encode())
        for url in addresses(request)
        for made in macs(url, given, keys["customer_key"], keys["partner_key"])
    )


def macs(url: str, given: Mapping[str, str], customer_key: str, partner_key: str) -> Iterator[str]:
    """The digests, lower case, that would be right for this address and these headers.

    HMACSHA256 is in ISO-8859-1; of the older ones the encoding is unconfirmed, MD5's clients took UTF-8.
    """
    start = [url, given["sender"], given["customerid"], given["timestamp"], given["language"]]
    start += [given["organisation"], given["transactionid"]]
    keys = [customer_key, partner_key]
    if given["algorithm"] == "HMACSHA256":
        message = "&".join([*start, given["timestampunix"], *keys])
        yield hmac.new(_latin("&".join(keys)), _latin(message), hashlib.sha256).hexdigest()
    elif given["algorithm"] in PLAIN:
        message = "&".join([*start, *keys])
        for written in dict.fromkeys((_latin(message), message.encode())):
            yield hashlib.new(PLAIN[given["algorithm"]], written, usedforsecurity=False).hexdigest()


def _latin(text: str) -> bytes:
    return text.encode("iso-8859-1", "replace")


def addresses(request: Request) -> Iterator[str]:
    """Every address that this request can have been sent to: ours as the client sees it, and the vendor's own."""
    if "://" in request.target:  # as a proxy is asked
        yield request.target
        return
    slug = __name__.split(".")[-3]
    host, original = request.headers.get("host", ""), request.headers.get("x-original-host", "")
    yield from (f"{scheme}://{host}{request.target}" for scheme in ("http", "https"))
    own = "/" + request.target.removeprefix(f"/{slug}").lstrip("/")
    yield from (f"https://{name}{own}" for name in dict.fromkeys((original, *HOSTS)) if name)
