"""What every call to Tripletex goes through: envelopes, pages, and the reason behind a refused right."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from apps.connectors.providers.tripletex import refusals
from apps.connectors.sdk import remedies
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.session import Answer, Session

PAGE = 1000
MODULES = "/company/salesmodules"


def ask(
    session: Session,
    path: str,
    params: Mapping[str, Any] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    accept: tuple[int, ...] = (),
) -> Answer:
    """`session.read`; a refused right (403 code 9000 does not tell why) is looked into."""
    try:
        return session.read(path, params, headers=headers, accept=accept)
    except ConnectorError as error:
        if error.remedy is refusals.ENTITLEMENT_MISSING and _lacks_api(session):
            raise ConnectorError(
                error.failure, refusals.API_ADDON_MISSING, detail=error.detail, facts=error.facts
            ) from error
        raise


def _lacks_api(session: Session) -> bool:
    """Whether the company is known to lack module API_V2. An empty list can mean "not allowed": it proves nothing."""
    if "modules" not in session.memory:
        try:
            found = rows(session.read(MODULES, {"count": PAGE, "fields": "name"}))
        except ConnectorError as error:
            if error.failure is Failure.TRANSIENT:
                raise
            found = []
        session.memory["modules"] = {row.get("name") for row in found}
    names = session.memory["modules"]
    return bool(names) and "API_V2" not in names


def value(answer: Answer) -> dict[str, Any]:
    """The object in an answer. Raises TRANSIENT where there is none."""
    found = answer.data.get("value") if isinstance(answer.data, dict) else None
    if not isinstance(found, dict):
        raise bad_page("no value in the answer")
    return found


def rows(answer: Answer) -> list[dict[str, Any]]:
    """The rows of a list. Raises TRANSIENT where it is not one."""
    found = answer.data.get("values") if isinstance(answer.data, dict) else None
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise bad_page("no list of values in the answer")
    return found


def bad_page(detail: str) -> ConnectorError:
    return ConnectorError(Failure.TRANSIENT, remedies.BAD_PAGE, detail=detail)


def pages(session: Session, path: str, params: Mapping[str, Any], count: int = PAGE) -> Iterator[list[dict[str, Any]]]:
    """Pages to the end, which is a page with fewer rows than asked for (`fullResultSize` is wrong)."""
    start = 0
    while True:
        found = rows(ask(session, path, {**params, "from": start, "count": count}))
        yield found
        if len(found) < count:
            return
        start += len(found)


def everything(session: Session, path: str, params: Mapping[str, Any], count: int = PAGE) -> list[dict[str, Any]]:
    return [row for page in pages(session, path, params, count) for row in page]


def by_id(
    session: Session, path: str, fields: str, params: Mapping[str, Any] | None = None
) -> dict[str, dict[str, Any]]:
    """The rows of a list by id, read once per session: for references that came unexpanded."""
    kept: dict[str, dict[str, dict[str, Any]]] = session.memory.setdefault("by_id", {})
    if path not in kept:
        kept[path] = {str(row["id"]): row for row in everything(session, path, {**(params or {}), "fields": fields})}
    return kept[path]


def digest_of(answer: Answer) -> str | None:
    """The page's checksum. Where there is none the field is null or a sentence ("'If-None-Match' header not ...")."""
    found = answer.data.get("versionDigest") if isinstance(answer.data, dict) else None
    return found if isinstance(found, str) and re.fullmatch(r"[^\s]+", found) else None
