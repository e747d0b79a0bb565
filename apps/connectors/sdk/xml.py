"""XML of vendors, read safely: no DTD, no entities but the five of XML, no network, a size limit.

Element and attribute names are compared without case and without namespace: vendors write `Somekey` and `SomeKey`
in one document.
"""

import codecs
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lxml import etree

LARGEST = 64 * 1024 * 1024
_DECLARATION = re.compile(r"\s*<\?xml(.*?)\?>", re.DOTALL)
_ENCODING = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_DTD = re.compile(r"\s*(?:(?:<!--.*?-->|<\?.*?\?>)\s*)*<!DOCTYPE", re.DOTALL)
# Encodings of text, by Python's names. Not those that hide what stands there (UTF-7) or are none of text at all.
_ENCODINGS = re.compile(r"utf-8|utf-16(-[lb]e)?|ascii|iso8859-\d+|cp\d{3,4}|koi8-[ru]|mac-roman")
_CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9._-]+)", re.IGNORECASE)

Element = etree._Element  # noqa: SLF001 - lxml has no public name for it


class XmlError(ValueError):
    """The body is no XML that is read here; the text says why."""


def parse(body: bytes, *, default_encoding: str = "utf-8", largest: int = LARGEST) -> Element:
    """The root element. The encoding is the byte order mark's, else as declared, else the default."""
    if len(body) > largest:
        raise XmlError(f"the document is larger than {largest} bytes")
    text = decoded(body, default_encoding)
    match = _DECLARATION.match(text)
    text = text[match.end() :] if match else text
    if _DTD.match(text):
        raise XmlError("a document type declaration is not accepted")
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        return etree.fromstring(text.strip().encode(), parser)
    except etree.XMLSyntaxError as error:
        raise XmlError(str(error)) from error


def decoded(body: bytes, default_encoding: str) -> str:
    if body[:3] == b"\xef\xbb\xbf":
        return body[3:].decode("utf-8", "replace")
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return body.decode("utf-16", "replace")
    declared = _ENCODING.match(body[:200])
    name = declared.group(1).decode() if declared else default_encoding
    try:
        if not _ENCODINGS.fullmatch(codecs.lookup(name).name):
            raise XmlError(f"the encoding {name} is not read")
        return body.decode(name)
    except LookupError as error:
        raise XmlError(f"unknown encoding: {error}") from error
    except UnicodeDecodeError as error:
        raise XmlError(f"the bytes are not of the declared encoding: {error.reason} at {error.start}") from error


def decoder(default_encoding: str = "utf-8") -> Callable[[bytes, Mapping[str, str]], tuple[Any, bool]]:
    """`Provider.decode` for XML: (root element, True), or (the beginning of the body as text, False).

    A document without a declaration is read by the charset of its content type, where it has one.
    """

    def decode(body: bytes, headers: Mapping[str, str]) -> tuple[Any, bool]:
        told = _CHARSET.search(headers.get("content-type", ""))
        try:
            return parse(body, default_encoding=told.group(1) if told else default_encoding), True
        except XmlError:
            return body[:2000].decode(default_encoding, "replace"), False

    return decode


def name_of(element: Element) -> str:
    """The element's name in lower case, without namespace."""
    return str(element.tag).rpartition("}")[2].lower()


def children(element: Element | None, *names: str) -> Iterator[Element]:
    """The children of these names (any where none is given), in order; nothing of None."""
    wanted = {name.lower() for name in names}
    for child in element if element is not None else ():
        if not wanted or name_of(child) in wanted:
            yield child


def child(element: Element | None, *path: str) -> Element | None:
    """The first element down the path of names, or None."""
    for name in path:
        element = next(children(element, name), None)
        if element is None:
            return None
    return element


def descendants(element: Element | None, name: str) -> Iterator[Element]:
    """Every element of this name below, at any depth, in order."""
    for found in element.iterdescendants() if element is not None else ():
        if name_of(found) == name.lower():
            yield found


def text(element: Element | None, *path: str) -> str | None:
    """The stripped text of the element down the path; None where there is none, "" where it is empty."""
    found = child(element, *path)
    return None if found is None else "".join(str(part) for part in found.itertext()).strip()


def attribute(element: Element | None, name: str) -> str | None:
    """An attribute's value, its name compared without case."""
    for key, value in element.attrib.items() if element is not None else ():
        if str(key).rpartition("}")[2].lower() == name.lower():
            return str(value)
    return None


def plain(element: Element) -> str:
    """The document as text, for details and raw payloads."""
    return etree.tostring(element, encoding="unicode")
