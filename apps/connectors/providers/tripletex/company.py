"""Which company a key means: a single company's key, or a bureau's key with an organisation number (OrgNr)."""

from collections.abc import Iterator
from typing import Any

from apps.connectors.providers.tripletex import refusals, shapes
from apps.connectors.providers.tripletex.auth import CLIENTS, OWNER, WHO_AM_I, as_owner, check_values, org_nr
from apps.connectors.providers.tripletex.calls import ask, bad_page, everything, value
from apps.connectors.sdk.failures import ConnectorError, Failure, Remedy
from apps.connectors.sdk.queries import Digests, Page, Query
from apps.connectors.sdk.session import Session
from apps.records.ledger import Identity

CLIENT_FIELDS = "id,name,displayName,organizationNumber"
COMPANY_FIELDS = "id,version,url,name,displayName,organizationNumber,currency(code)"
WHO_FIELDS = "*,company(id,name,organizationNumber)"


def verify(session: Session) -> Identity:
    """The company behind the connection, as Tripletex names it. Changes nothing."""
    check_values(session.values)
    return _client(session) if org_nr(session.values) else _own(session)


def discover(session: Session) -> Iterator[Identity]:
    """Every company that a bureau's key opens; the one company of a single key."""
    check_values(session.values)
    found = clients(session)
    if found:
        yield from (shapes.identity(row) for row in found)
        return
    with as_owner(session):
        try:
            yield _own(session)
        except ConnectorError as error:
            if error.remedy is not refusals.BUREAU_KEY_WITHOUT_ORGNR:
                raise  # else a bureau's key to which no client is open yet


def read_company(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    yield Page(records=(verify(session),), last=True)


def resolve(session: Session) -> str:
    """The client id whose organisation number is the one given: the user name of every call for that company.

    "0", the company of the key's owner, where none is given.
    """
    number = org_nr(session.values)
    if not number:
        return OWNER
    listed = clients(session)
    matches = {str(row["id"]): row for row in listed if shapes.digits(row.get("organizationNumber")) == number}
    if len(matches) == 1:
        return next(iter(matches))
    facts = {"org_nr": number}
    if matches:
        names = ", ".join(sorted(str(row.get("name")) for row in matches.values()))
        raise _setup(refusals.COMPANY_AMBIGUOUS, {**facts, "companies": names})
    if session.former_company is not None:
        raise ConnectorError(Failure.RECONNECT, refusals.ACCESS_WITHDRAWN, "org_nr", facts=facts)
    if not listed and (single := _single_company(session)) is not None:
        raise _setup(refusals.ORGNR_ON_SINGLE_KEY, {**facts, "company": single})
    raise _setup(refusals.COMPANY_NOT_OPENED, facts)


def clients(session: Session) -> list[dict[str, Any]]:
    """The companies opened to the key; none where it may not ask. There is no filter: all pages are read."""
    try:
        with as_owner(session):
            found = everything(session, CLIENTS, {"fields": CLIENT_FIELDS})
    except ConnectorError as error:
        if error.failure is not Failure.PERMISSION:
            raise
        found = []
    session.memory["clients"] = [row for row in found if row.get("id") is not None]
    kept: list[dict[str, Any]] = session.memory["clients"]
    return kept


def _own(session: Session) -> Identity:
    who = value(ask(session, WHO_AM_I, {"fields": WHO_FIELDS}))
    short: dict[str, Any] = who["company"] if isinstance(who.get("company"), dict) else {}
    company_id = who.get("companyId") or short.get("id")
    if not company_id:
        raise bad_page("whoAmI names no company")
    short = {**short, "id": company_id}
    try:
        return shapes.identity({**short, **_company(session, shapes.code(company_id))})
    except ConnectorError as error:
        # a bureau's key may ask nothing of its own company, and has clients [Bureau mode]
        if error.failure is Failure.PERMISSION and "clients" not in session.memory and clients(session):
            raise _setup(refusals.BUREAU_KEY_WITHOUT_ORGNR, {}) from error
        if error.facts.get("status") == "404" and short.get("name"):
            return shapes.identity(short)
        raise


def _client(session: Session) -> Identity:
    number = org_nr(session.values)
    found = _as_client(session)
    if found.organisation_number != number and not session.resolved_here:
        session.forget_company()  # the kept client id is not the one meant (any more)
        found = _as_client(session)
    return found


def _as_client(session: Session) -> Identity:
    """The company itself, or the row of the list where the key may not read the company's own page."""
    client = session.resolved_company() or ""
    try:
        row = _company(session, client)
    except ConnectorError as error:
        if error.remedy is refusals.API_ADDON_MISSING or error.facts.get("status") not in ("403", "404"):
            raise
        client = session.resolved_company() or ""
        row = {}
    listed = [item for item in session.memory.get("clients", ()) if str(item["id"]) == client]
    return shapes.identity({**(listed[0] if listed else {}), **row, "id": client})


def _company(session: Session, company_id: str) -> dict[str, Any]:
    return value(ask(session, f"/company/{company_id}", {"fields": COMPANY_FIELDS}))


def _single_company(session: Session) -> str | None:
    """The name of the company of a single key; None for a bureau's key, which may not read its own company."""
    try:
        with as_owner(session):
            return _own(session).name
    except ConnectorError as error:
        if error.failure in (Failure.PERMISSION, Failure.SETUP):
            return None
        raise


def _setup(remedy: Remedy, facts: dict[str, str]) -> ConnectorError:
    return ConnectorError(Failure.SETUP, remedy, "org_nr", facts=facts)
