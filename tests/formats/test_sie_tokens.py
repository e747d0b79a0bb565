"""Lines, fields and object lists."""

import pytest

from apps.formats.sie.faults import FieldFault
from apps.formats.sie.tokens import read_fields, read_lines, split_lines


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('#KONTO 1930 "Bank och giro"', ["1930", "Bank och giro"]),
        ("#KONTO\t1930\tBank", ["1930", "Bank"]),
        ('#KONTO 1930 "Kallad \\"stora\\" kassan"', ["1930", 'Kallad "stora" kassan']),
        ('#VER "" "" 20260131 ""', ["", "", "20260131", ""]),
        ("#VER # 1 20260131", ["#", "1", "20260131"]),
        ("#TRANS 1930 {} -1.50", ["1930", (), "-1.50"]),
        ("#TRANS 1930 { } -1.50  ", ["1930", (), "-1.50"]),
        ('#TRANS 1930 {1 "A B" "6" 47} 5', ["1930", ("1", "A B", "6", "47"), "5"]),
        ('#TRANS 1930{"1" "A"}5', ["1930", ("1", "A"), "5"]),
        ('#TRANS 1930 {} 5 20260131 "1820\\A012 Cykel"', ["1930", (), "5", "20260131", "1820\\A012 Cykel"]),
        ('#KONTO 1 "a{b}#c"', ["1", "a{b}#c"]),
    ],
)
def test_fields_of_a_line(line: str, expected: list[object]) -> None:
    found = read_fields(line)
    assert found.values == expected
    assert not found.repaired


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('#KONTO 1288 "F"rskott till Lind" Park"', ["1288", 'F"rskott till Lind" Park']),
        ('#KONTO 2990 l"neskatt', ["2990", 'l"neskatt']),
        ('#TRANS 1 {} 5 20260131 "Bank "SEB" AB" 7 "me"', ["1", (), "5", "20260131", 'Bank "SEB" AB', "7", "me"]),
        ('#TRANS 1 {} 5 20260131 "cut off', ["1", (), "5", "20260131", "cut off"]),
        ('#TRANS 1 {} 5 20260131 "C:\\books\\"', ["1", (), "5", "20260131", "C:\\books\\"]),
    ],
)
def test_stray_quotes_are_repaired_and_said_so(line: str, expected: list[object]) -> None:
    found = read_fields(line)
    assert found.values == expected
    assert found.repaired


def test_open_brace_at_the_end_of_a_line() -> None:
    assert read_fields("#VER A 1 20260131 {").opens


@pytest.mark.parametrize("line", ["#TRANS 1 } 5", "#TRANS 1 {{}} 5", '#TRANS 1 {1 "A" 5'])
def test_braces_that_do_not_match(line: str) -> None:
    with pytest.raises(FieldFault):
        read_fields(line)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_numbers(end: str) -> None:
    raw = split_lines(end.join(["#flagga 0", "", "{", "\t#Trans 1", "}", "text"]))
    assert [(line.number, line.label) for line in read_lines(raw)] == [
        (1, "FLAGGA"),
        (3, "{"),
        (4, "TRANS"),
        (5, "}"),
        (6, ""),
    ]


def test_letters_that_other_splitters_take_for_line_ends() -> None:
    assert split_lines("a\x85b\x1cc\u2028d") == ["a\x85b\x1cc\u2028d"]
