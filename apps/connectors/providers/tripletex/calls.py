"""What every call to Tripletex goes through: envelopes, pages, and the reason behind a refused right."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from apps.connectors.providers.tripletex import refusals
from apps.connectors.sdk import remedies
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.session import Answer, Session

T = TypeVar("T")
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
        except ConnectorError:
            found = []  # whatever the trouble: the refusal that led here is the one to be told
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


def by_id(session: Session, path: str, fields: str) -> dict[str, dict[str, Any]]:
    """The rows of a list by id, asked for once per session, refused or not: for references that came unexpanded."""
    kept: dict[str, dict[str, dict[str, Any]] | ConnectorError] = session.memory.setdefault("by_id", {})
    if path not in kept:
        try:
            found = everything(session, path, {"fields": fields})
        except ConnectorError as error:
            if error.failure is Failure.TRANSIENT:
                raise
            kept[path] = error
        else:
            kept[path] = {str(row.get("id")): row for row in found}
    known = kept[path]
    if isinstance(known, ConnectorError):
        raise known
    return known


def shaped(shape: Callable[[dict[str, Any]], T], found: Iterable[dict[str, Any]]) -> list[T]:
    """The rows as records. Raises TRANSIENT for a row that lacks what makes it one, or holds something else there."""
    try:
        return [shape(row) for row in found]
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise bad_page(repr(error)) from error


def digest_of(answer: Answer) -> str | None:
    """The page's checksum. Where there is none the field is null or a sentence ("'If-None-Match' header not ...")."""
    found = answer.data.get("versionDigest") if isinstance(answer.data, dict) else None
    return found if isinstance(found, str) and re.fullmatch(r"[^\s]+", found) else None
