"""Lines of a SIE file into label, fields and object lists."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from apps.formats.sie.faults import FieldFault

Field = str | tuple[str, ...]  # a tuple is what stood in braces on the line

LABEL = re.compile(r"[ \t]*#([^\s{}\"]+)")
# Possessive: without it an unclosed quote would back up and close at an escaped one.
TOKEN = re.compile(r'[ \t]*(?:"((?:\\"|[^"])*+)"(?=[ \t{}]|$)|([{}])|([^ \t{}"][^ \t{}]*))')
ENDS = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Line:
    """`label` is upper case without `#`; "{" and "}" for a brace of its own; "" for anything else."""

    number: int
    label: str
    text: str


def split_lines(text: str) -> list[str]:
    """Not str.splitlines: it also splits at characters that are letters or noise in the encodings of SIE."""
    return ENDS.split(text)


def read_lines(raw: list[str]) -> Iterator[Line]:
    """Every line that is not blank."""
    for number, text in enumerate(raw, start=1):
        stripped = text.strip(" \t\f\x1a")
        if stripped in ("{", "}"):
            yield Line(number, stripped, stripped)
        elif stripped:
            found = LABEL.match(text)
            yield Line(number, found[1].upper() if found else "", stripped)


def read_fields(text: str) -> tuple[list[Field], bool]:
    """Fields after the label, and whether the line ends with an open brace. Raises FieldFault."""
    found = LABEL.match(text)
    at, end = (found.end() if found else 0), len(text.rstrip())
    fields: list[Field] = []
    group: list[str] | None = None
    while at < end:
        token = TOKEN.match(text, at, end)
        if token is None:
            if text.endswith('\\"') and '"' not in text[text.index('"', at) + 1 : -1]:
                token_text, at = text[text.index('"', at) + 1 : -1], end  # a path such as "C:\" closes after all
                _add(fields, group, token_text)
                continue
            raise _bad_quote(text, at)
        at = token.end()
        if token[2] is None:
            _add(fields, group, token[3] if token[1] is None else token[1].replace('\\"', '"'))
        elif token[2] == "{":
            if group is not None:
                raise FieldFault("sie.braces", "A brace opens inside an object list.", "Correct the braces of the line.")
            group = []
        elif group is None:
            raise FieldFault("sie.braces", "A brace closes that was not opened.", "Correct the braces of the line.")
        else:
            fields.append(tuple(group))
            group = None
    if group:
        raise FieldFault("sie.braces", "The object list is not closed.", "The file may be cut off: export it again.")
    return fields, group is not None


def _add(fields: list[Field], group: list[str] | None, token: str) -> None:
    if group is None:
        fields.append(token)
    else:
        group.append(token)


def _bad_quote(text: str, at: int) -> FieldFault:
    shown = text[at : at + 40].strip()
    return FieldFault(
        "sie.quote", f"The text {shown} is not closed by a quote, or has one inside.", 'Write a quote inside a text as \\".'
    )
