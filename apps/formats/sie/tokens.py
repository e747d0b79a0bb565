"""Lines of a SIE file into label, fields and object lists."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from apps.formats.sie.faults import FieldFault

Field = str | tuple[str, ...]  # a tuple is what stood in braces on the line

LABEL = re.compile(r"[ \t]*#([^\s{}\"]+)")
# Possessive: without it an unclosed quote would back up and close at an escaped one.
TOKEN = re.compile(r'[ \t]*(?:"((?:\\"|[^"])*+)"(?=[ \t{}]|$)|([{}])|([^ \t{}"]+)(?!"))')
CLOSING = re.compile(r'(?<!\\)"(?=[ \t}]|$)')
WORD = re.compile(r'[ \t]*([^ \t{}"][^ \t{}]*)')  # with a quote inside: taken as it stands
ENDS = re.compile(r"\r\n|\n|\r")
BLANKS = " \t\f\x1a"


@dataclass(frozen=True, slots=True)
class Line:
    """`label` is upper case without `#`; "{" and "}" for a brace of its own; "" for anything else."""

    number: int
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Fields:
    """What follows the label. `opens`: the line ends with an open brace.

    `repaired`: a text had stray quotes. `unclosed`: its quote was missing and it runs to the end of the line.
    """

    values: list[Field]
    opens: bool = False
    repaired: bool = False
    unclosed: bool = False


def split_lines(text: str) -> list[str]:
    """Not str.splitlines: it also splits at characters that are letters or noise in the encodings of SIE."""
    return ENDS.split(text)


def read_lines(raw: list[str]) -> Iterator[Line]:
    """Every line that is not blank."""
    for number, text in enumerate(raw, start=1):
        stripped = text.strip(BLANKS)
        if stripped in ("{", "}"):
            yield Line(number, stripped, stripped)
        elif stripped:
            found = LABEL.match(stripped)
            yield Line(number, found[1].upper() if found else "", stripped)


def read_fields(text: str) -> Fields:
    """The fields of a line. Raises FieldFault.

    Texts with quotes that are not escaped, or cut off with their closing quote, are common (both stand in the sample
    files); they are repaired, since the fields that carry money stand before them or are checked on their own.
    """
    found = LABEL.match(text)
    at, text = (found.end() if found else 0), text.rstrip(BLANKS)
    tokens: list[tuple[str, bool]] = []
    repaired = False
    while True:
        more, stopped = _tokens(text, at)
        tokens += more
        if stopped is None:
            return _grouped(tokens, repaired=repaired)
        if (word := WORD.match(text, stopped)) is None:
            return _repaired(text, tokens, stopped)
        tokens.append((word[1], False))
        at, repaired = word.end(), True


def _tokens(text: str, at: int) -> tuple[list[tuple[str, bool]], int | None]:
    """Tokens, true for a brace, and where the line stopped to make sense."""
    tokens: list[tuple[str, bool]] = []
    end = len(text)
    while at < end:
        token = TOKEN.match(text, at)
        if token is None:
            return tokens, at
        at = token.end()
        if token[2]:
            tokens.append((token[2], True))
        else:
            tokens.append((token[3] if token[1] is None else token[1].replace('\\"', '"'), False))
    return tokens, None


def _repaired(text: str, before: list[tuple[str, bool]], stopped: int) -> Fields:
    """The text closes at the first quote after which the rest of the line makes sense, else at the end of the line."""
    opening = text.index('"', stopped)
    for closing in CLOSING.finditer(text, opening + 1):
        rest, again = _tokens(text, closing.end())
        if again is None:
            inside = text[opening + 1 : closing.start()].replace('\\"', '"')
            return _grouped([*before, (inside, False), *rest], repaired=True)
    inside = text[opening + 1 :]
    if inside.endswith('\\"'):  # a path such as "C:\" closes after all
        return _grouped([*before, (inside[:-1], False)], repaired=True)
    return _grouped([*before, (inside.replace('\\"', '"'), False)], repaired=True, unclosed=True)


def _grouped(tokens: list[tuple[str, bool]], *, repaired: bool = False, unclosed: bool = False) -> Fields:
    values: list[Field] = []
    group: list[str] | None = None
    for word, is_brace in tokens:
        if not is_brace:
            (values if group is None else group).append(word)
        elif word == "{" and group is None:
            group = []
        elif word == "}" and group is not None:
            values.append(tuple(group))
            group = None
        else:
            raise FieldFault("sie.braces", "The braces of the line do not match.", "Correct them and import again.")
    if group:
        raise FieldFault("sie.braces", "The object list is not closed.", "The file may be cut off: export it again.")
    return Fields(values, group is not None, repaired, unclosed)
