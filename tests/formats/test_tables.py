"""Delimited files as they come from offices."""

import pytest

from apps.formats.tables import TableError, plain_cell, read_table, safe_cell, write_table

WORDS = {"navn", "name", "orgnr", "namn", "yritys", "nr"}
ROWS = [("Ærlig Åpning AS", "987463104"), ("Nord; Sør, AS", "974760673")]


def read(data: bytes) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    table = read_table(data, is_header=lambda cell: cell.strip().lower() in WORDS)
    return table.header, [row.cells for row in table.rows]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_every_encoding_and_delimiter_gives_the_same_cells(encoding: str, delimiter: str, end: str) -> None:
    lines = [delimiter.join(("Navn", "Orgnr"))]
    lines += [delimiter.join(f'"{cell}"' for cell in row) for row in ROWS]

    assert read(end.join(lines).encode(encoding)) == (("Navn", "Orgnr"), ROWS)


def test_the_delimiter_is_the_one_that_shows_the_known_columns() -> None:
    assert read(b"navn;orgnr;a,b,c,d,e\nX;1234;,,,,\n") == (("navn", "orgnr", "a,b,c,d,e"), [("X", "1234", ",,,,")])


def test_a_file_may_name_its_delimiter_and_lines_are_counted_as_they_stand() -> None:
    table = read_table(b'sep=,\r\nnavn,orgnr\r\n"A\nB",1\r\n\r\nC,2\r\n', is_header=lambda cell: cell in WORDS)

    assert [(row.line, row.cells) for row in table.rows] == [(3, ("A\nB", "1")), (6, ("C", "2"))]


def test_numbers_alone_need_no_header() -> None:
    assert read("\ufeff987463104\r\n974 760 673\r\n".encode()) == ((), [("987463104",), ("974 760 673",)])


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u202f", "\u2009"])
def test_numbers_alone_may_be_written_with_blanks(blank: str) -> None:
    numbers = ["987 654 321", "974 760 673"]

    header, rows = read("\r\n".join(numbers).replace(" ", blank).encode())

    assert (header, [" ".join(cells[0].split()) for cells in rows]) == ((), numbers)


def test_blanks_of_typesetters_are_blanks() -> None:
    assert read("navn;orgnr\nA;987\u00a0463\u202f104 \n".encode())[1] == [("A", "987 463 104")]


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b"", "empty", 0),
        (b"\r\n ; \r\n", "empty", 0),
        (b"navn;orgnr\nA;1\nB\x81;2\n", "encoding", 3),
        (b"navn;orgnr\nA\x00;1\n", "encoding", 2),
        ('\ufeffnavn;orgnr\n"A;1\nB;2\n'.encode(), "quotes", 2),
        (b'navn;orgnr\nA;1\n"B"x;2\n', "quotes", 3),
        (b"\xef\xbb\xbfnavn;orgnr\nA\xff;1\n", "encoding", 2),
        (b"\n" + b"a" * 140_000 + b";b\n1;2\n", "quotes", 2),
        (b"navn;orgnr\nA;1\n" + b"a" * 140_000 + b";b\n", "quotes", 3),
        (b"foo;bar\n1;2\n", "no_header", 1),
        (b"Nordlys AS\nHavbris AS\n", "no_header", 1),
        (b"navn;orgnr\n" + b"A;1\n" * 10_001, "too_many", 10_002),
        (b"a" * (5 * 2**20 + 1), "too_large", 0),
        (b"PK\x03\x04\x14\x00\x00\x00", "encoding", 1),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(data: bytes, code: str, line: int) -> None:
    with pytest.raises(TableError) as told:
        read(data)

    assert (told.value.code, told.value.line) == (code, line)


FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "'=1",
    "''+x",
    "\uff1d1",
    "|calc",
    '=HYPERLINK("x")',
]


@pytest.mark.parametrize("text", [*FORMULAS, "plain", "'quoted'", "", "a=b", "O'Neil", "'"])
def test_a_cell_comes_back_as_it_was_and_never_calculates(text: str) -> None:
    safe = safe_cell(text)

    assert plain_cell(safe) == text
    assert safe == text if text not in FORMULAS else safe == f"'{text}"


def test_a_file_for_a_spreadsheet_has_its_mark_and_semicolons() -> None:
    assert write_table([("navn", "orgnr"), ("=A;B", "1")]) == '\ufeffnavn;orgnr\r\n"\'=A;B";1\r\n'.encode()
    assert write_table([("navn", "=A,B")], spreadsheet=False) == b'navn,"\'=A,B"\r\n'
