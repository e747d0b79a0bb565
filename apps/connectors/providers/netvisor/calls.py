"""What every call to Netvisor goes through: XML of several encodings, the vendor's clock, the reason behind a refusal."""

import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from apps.connectors.providers.netvisor import forms, refusals
from apps.connectors.sdk import remedies, xml
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.session import Session
from apps.connectors.sdk.xml import Element, text

T = TypeVar("T")
PERIODS, ACCOUNTS = "accountingperiodlist.nv", "accountlist.nv"
LATIN = "iso-8859-15"  # the vendor's encoding where none is declared [nv:766841]
_CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9._-]+)", re.IGNORECASE)
_DECLARATION = re.compile(rb"^(?:\xef\xbb\xbf)?\s*<\?xml.*?\?>", re.DOTALL)
_SAID = re.compile(r"<status>\s*(?:<!\[CDATA\[)?\s*(?!failed\s*[<\]])([^<\]]+)", re.IGNORECASE)


def decode(body: bytes, headers: Mapping[str, str]) -> tuple[Any, bool]:
    """The root element of a document of the web service, and whether it is one.

    The encoding is the declared one; where there is none, or it does not fit: the content type's, UTF-8 (as two samples
    were recorded), ISO-8859-15, the first that fits.
    """
    told = _CHARSET.search(headers.get("content-type", ""))
    bare = _DECLARATION.sub(b"", body)
    tries = [(body, told.group(1) if told else "utf-8"), (bare, "utf-8"), (bare, LATIN)]
    for content, encoding in tries:
        try:
            root = xml.parse(content, default_encoding=encoding)
        except xml.XmlError:
            continue
        if xml.name_of(root) == "root":
            return root, True
    return body[:2000].decode(LATIN, "replace"), False


def ask(session: Session, resource: str, params: Mapping[str, Any] | None = None) -> Element:
    """The answer's root. A refusal tells the resource and what the vendor said.

    What a missing right to a resource answers is unconfirmed: AUTHENTICATION_FAILED is taken for one where the same
    keys open another resource.
    """
    try:
        found = session.read(f"/{resource}", params).data
    except ConnectorError as error:
        said = _SAID.search(error.detail)
        error.facts |= {"resource": resource, "said": html.unescape(said.group(1)).strip() if said else ""}
        if error.remedy is refusals.BAD_KEYS and _opens_another(session, resource):
            raise ConnectorError(
                Failure.PERMISSION, refusals.RESOURCE_MISSING, detail=error.detail, facts=error.facts
            ) from error
        raise
    if not isinstance(found, Element):
        raise bad_page(f"{resource}: no document")
    return found


def _opens_another(session: Session, resource: str) -> bool:
    for other in (PERIODS, ACCOUNTS):
        if other == resource:
            continue
        try:
            session.read(f"/{other}")
        except ConnectorError:
            continue  # whatever the trouble: the refusal that led here is the one to be told
        return True
    return False


def clock(root: Element) -> datetime:
    """The vendor's clock as the answer tells it; ours where it does not."""
    try:
        told = forms.moment(text(root, "ResponseStatus", "TimeStamp"))
    except ValueError:
        told = None
    return told or datetime.now(UTC)


def items(root: Element, name: str) -> list[Element]:
    """The elements of a list, wherever it stands. One that holds nothing at all is empty, whatever it is called.

    Raises TRANSIENT for an answer that holds something else: it was none to this question.
    """
    found = [element for element in xml.descendants(root, name) if len(element)]
    held = [row for row in xml.children(root) if xml.name_of(row) != "responsestatus" and (len(row) or xml.text(row))]
    others = sorted({xml.name_of(row) for row in held if name.lower() not in xml.name_of(row)})
    if not found and others:
        raise bad_page(f"no {name} in the answer, but {', '.join(others)}")
    return found


def bad_page(detail: str) -> ConnectorError:
    return ConnectorError(Failure.TRANSIENT, remedies.BAD_PAGE, detail=detail)


def shaped(shape: Callable[[Element], T], found: Iterable[Element]) -> list[T]:
    """The elements as records. Raises TRANSIENT for one that lacks what makes it one, or holds something else there."""
    try:
        return [shape(element) for element in found]
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise bad_page(repr(error)) from error


def chunks(keys: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), size):
        yield keys[start : start + size]
