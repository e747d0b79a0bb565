"""Answers in the vendor's form: XML of several encodings, decimal commas, several forms of a date, two Status elements.

The forms are those of the recorded samples in `shared/vendors/netvisor/samples`; what has no sample follows
`element_order.json` and the README there. Encodings: as recorded where there is a sample (`RECORDED`), else
ISO-8859-15 with its declaration. The setting `encoding` (a codec's name) turns all answers to it.
"""

from collections.abc import Iterable
from datetime import date, datetime
from xml.etree.ElementTree import Element, tostring

from apps.connectors.sdk.sandbox import Answer

BARE = "bare"  # UTF-8 without a declaration, as two samples were recorded
DECLARED = "utf-8"
LATIN = "iso-8859-15"
RECORDED = {
    "accountlist.nv": BARE,
    "accountingledger.nv": BARE,
    "customerlist.nv": DECLARED,
    "getcustomer.nv": DECLARED,
    "productlist.nv": DECLARED,
    "getproduct.nv": DECLARED,
    "dimensionlist.nv": DECLARED,
}
# The HTTP statuses are unconfirmed: the README knows only that there are some when the caller asks for them.
STATUSES = {
    "AUTHENTICATION_FAILED": 401,
    "SERVICE_ACCESS_ERROR": 403,
    "REQUEST_NOT_UNIQUE": 400,
    "INVALID_DATA": 400,
    "INVALID_DATA_SIZE": 400,
    "SYSTEM_MAINTANANCE": 503,
    "TECHNICAL_ERROR": 500,
}
LANGUAGES = ("EN", "FI", "SE")
YES_NO = {"EN": ("Yes", "No"), "FI": ("Kyllä", "Ei"), "SE": ("Ja", "Nej")}


class Refused(Exception):
    """A failure on its way out: its category, and its text in English, Finnish and Swedish."""

    def __init__(self, category: str, *texts: str) -> None:
        super().__init__(category)
        self.category, self.texts = category, texts

    def text(self, language: str) -> str:
        at = LANGUAGES.index(language) if language in LANGUAGES else 0
        return self.texts[at] if at < len(self.texts) else self.texts[0]


def invalid(text: str) -> Refused:
    """The recorded body has its text in English, with the doubled punctuation."""
    return Refused("INVALID_DATA", f"Data form incorrect:. {text}")


def too_many(name: str, limit: int) -> Refused:
    return Refused("INVALID_DATA_SIZE", f"Too many values in {name}: at most {limit}")


def node(name: str, content: str | int | Iterable[Element] = "", **attributes: str) -> Element:
    """An element with a text or with children."""
    made = Element(name, attributes)
    if isinstance(content, str | int):
        made.text = str(content) or None
    else:
        made.extend(content)
    return made


def number(hundredths: int, places: int = 2) -> str:
    """`-17,18`; `places` above two are filled with noughts."""
    whole, rest = divmod(abs(hundredths), 100)
    sign = "-" if hundredths < 0 else ""
    return f"{sign}{whole},{rest:02d}".ljust(len(f"{sign}{whole},") + places, "0")


def short(value: str) -> str:
    """A percentage without noughts at its end: `24`, `25,5`."""
    return (value.rstrip("0").rstrip(".") if "." in value else value).replace(".", ",")


def finnish(day: str) -> str:
    """`31.12.2015` of an ISO day; `` of none."""
    return f"{(found := date.fromisoformat(day[:10])).day}.{found.month}.{found.year}" if day else ""


def finnish_time(moment: datetime) -> str:
    return f"{moment.day}.{moment.month}.{moment.year} {moment.hour}:{moment:%M:%S}"


def status(moment: datetime, *lines: str) -> Element:
    return node("ResponseStatus", [*(node("Status", line) for line in lines), node("TimeStamp", finnish_time(moment))])


def document(root: Element, encoding: str) -> tuple[bytes, str]:
    """The bytes of an answer and its charset; characters that the encoding lacks become references."""
    text = tostring(root, encoding="unicode")
    if encoding == BARE:
        return text.encode(), "utf-8"
    head = f'<?xml version="1.0" encoding="{encoding}" standalone="yes"?>\n'
    return (head + text).encode(encoding, "xmlcharrefreplace"), encoding


def answer(body: bytes, charset: str, code: int = 200) -> Answer:
    return Answer(status=code, headers={"Content-Type": f"text/xml; charset={charset}"}, body=body)


def succeeded(contents: Iterable[Element], moment: datetime, encoding: str) -> Answer:
    return answer(*document(node("Root", [status(moment, "OK"), *contents]), encoding))


def failed(refused: Refused, language: str, moment: datetime, *, codes: bool, encoding: str) -> Answer:
    """Two Status elements; HTTP 200 unless the caller asked for status codes."""
    root = node("Root", [status(moment, "FAILED", f"{refused.category} :: {refused.text(language)}")])
    code = STATUSES.get(refused.category, 400) if codes else 200
    return answer(*document(root, encoding), code)
