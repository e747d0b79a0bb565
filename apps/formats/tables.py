"""Delimited text files as offices make them: encoding and delimiter are found, cells are text, rows know their line.

`=`, `+`, `-`, `@` and `|` at the start of a cell make a spreadsheet calculate it, so `safe_cell` puts an apostrophe
before them and `plain_cell` takes it away again: what was written by us is read back as it was. It is the one rule for
texts that leave Kontor in a table.
"""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

DELIMITERS = (";", ",", "\t")
MOST_BYTES = 5 * 2**20
MOST_ROWS = 10_000
# A tab or line end before a formula is skipped by spreadsheets; the wide signs are read as the narrow ones.
_CALCULATED = re.compile(r"'*[\s]*[=+\-@|\t\r\n\uff1d\uff0b\uff0d\uff20]")
_BLANKS = re.compile("[\u00a0\u2007\u202f]")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


class TableError(ValueError):
    """The file cannot be read as a table; `line` is where, 0 where it is the whole file."""

    def __init__(self, code: str, line: int = 0, **facts: str) -> None:
        super().__init__(code)
        self.code = code
        self.line = line
        self.facts = {"line": str(line), **facts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    line: int  # as an editor counts, from 1
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    encoding: str
    delimiter: str


def read_table(data: bytes, *, is_header: Callable[[str], bool]) -> Table:
    """The table of a file with a header, or of one column without. Raises TableError.

    `is_header` knows the names of columns: the delimiter is the one that shows most of them.
    """
    if len(data) > MOST_BYTES:
        raise TableError("too_large", most=str(MOST_BYTES // 2**20))
    text, encoding = _decoded(data)
    text, delimiter = _delimited(text, is_header)
    rows = list(_rows(text, delimiter))
    if not rows:
        raise TableError("empty")
    first = rows[0]
    if any(is_header(cell) for cell in first.cells):
        return Table(header=first.cells, rows=tuple(rows[1:]), encoding=encoding, delimiter=delimiter)
    if max(len(row.cells) for row in rows) == 1 and re.search(r"\d(\s?\d){3}", first.cells[0]):
        return Table(header=(), rows=tuple(rows), encoding=encoding, delimiter=delimiter)
    raise TableError("no_header", first.line)


def _decoded(data: bytes) -> tuple[str, str]:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _whole(_text(data[len(mark) :], encoding)), encoding
    try:
        return _whole(data.decode("utf-8")), "utf-8"
    except UnicodeDecodeError:
        return _whole(_text(data, "cp1252")), "cp1252"


def _text(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise TableError("encoding", data.count(b"\n", 0, error.start) + 1) from error


def _whole(text: str) -> str:
    if "\x00" in text:
        raise TableError("encoding", text.count("\n", 0, text.index("\x00")) + 1)
    return text


def _delimited(text: str, is_header: Callable[[str], bool]) -> tuple[str, str]:
    """The text and its delimiter. A first line `sep=;`, as spreadsheets write it, says so itself."""
    told = re.match(r"sep=(.)\r?\n", text)
    if told and told.group(1) in DELIMITERS:
        return "\n" + text[told.end() :], told.group(1)  # an empty line, so that lines are counted as they stand
    first = next((line for line in text.splitlines() if line.strip()), "")
    known = {mark: sum(is_header(cell) for cell in _split(first, mark)) for mark in DELIMITERS}
    return text, max(DELIMITERS, key=lambda mark: (known[mark], first.count(mark)))


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:  # a cell of more than 128 KiB: told by _rows, unless another delimiter cuts it
        return []


def _rows(text: str, delimiter: str) -> Iterable[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line, count = 1, 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise TableError("quotes", line) from error
        if any(cell.strip() for cell in cells):
            count += 1
            if count > MOST_ROWS + 1:  # the header is one
                raise TableError("too_many", line, most=str(MOST_ROWS))
            yield Row(line=line, cells=tuple(_BLANKS.sub(" ", plain_cell(cell)).strip() for cell in cells))
        line = reader.line_num + 1


def safe_cell(text: str) -> str:
    """The text so that no spreadsheet calculates it."""
    return f"'{text}" if _CALCULATED.match(text) else text


def plain_cell(text: str) -> str:
    return text[1:] if text.startswith("'") and _CALCULATED.match(text) else text


def write_table(rows: Iterable[Sequence[str]], *, spreadsheet: bool = True) -> bytes:
    """A file for people. `spreadsheet`: as Excel opens it at once (UTF-8 with its mark, semicolons), else with commas."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";" if spreadsheet else ",", lineterminator="\r\n")
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8-sig" if spreadsheet else "utf-8")
