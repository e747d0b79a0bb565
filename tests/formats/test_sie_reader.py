"""What the reader makes of small files, and what it refuses."""

import zlib
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.formats.sie import SieError, SieFile, read_sie, voucher_difference
from apps.records.enums import AccountType

HEAD = [
    "#FLAGGA 0",
    "#FORMAT PC8",
    "#SIETYP 4",
    '#FNAMN "Bolaget AB"',
    "#RAR 0 20260101 20261231",
    "#RAR -1 20250101 20251231",
]
VOUCHER = ["#VER A 12 20260131 Porto", "{", "#TRANS 1910 {} -100.00", "#TRANS 6250 {} 100.00", "}"]


def text_of(*lines: str, head: list[str] = HEAD) -> bytes:
    return ("\r\n".join([*head, *lines]) + "\r\n").encode("cp437")


def read(*lines: str) -> SieFile:
    return read_sie(text_of(*lines))


def refused(data: bytes, **options: object) -> list[tuple[str, int]]:
    with pytest.raises(SieError) as caught:
        read_sie(data, **options)  # type: ignore[arg-type]
    assert all(problem.text and problem.remedy for problem in caught.value.problems)
    return [(problem.code, problem.line) for problem in caught.value.problems]


def test_voucher_with_all_its_fields() -> None:
    file = read(
        "#DIM 20 Avdelning",
        '#VER A 12 20260131 "Porto och frakt" 20260202 "Eva"',
        "{",
        '#TRANS 1910 {} -100.5 20260130 "rad 1" 2.5 "Ulf"',
        '#TRANS 6250 {1 "N" 20 "X" 1 "S"} 100.50',
        "}",
    )
    (voucher,) = file.vouchers
    assert (voucher.external_id, voucher.series, voucher.number) == ("2026|A|12|2026-01-31|1", "A", "12")
    assert (voucher.date, voucher.text) == (date(2026, 1, 31), "Porto och frakt")
    assert voucher.fiscal_year_start == date(2026, 1, 1)
    assert voucher.custom == {"line": 8, "registered": "2026-02-02", "sign": "Eva"}
    first, second = voucher.postings
    assert (first.row, first.date, first.account, first.amount) == (1, date(2026, 1, 30), "1910", Decimal("-100.5"))
    assert (first.text, first.quantity, first.custom) == ("rad 1", Decimal("2.5"), {"sign": "Ulf"})
    assert (second.date, second.dimensions) == (date(2026, 1, 31), {"cost_centre": "N", "Avdelning": "X"})
    assert second.custom == {"more_objects": {"cost_centre": ["S"]}}
    assert voucher_difference(voucher) == 0


def test_equal_vouchers_are_told_apart_by_their_order() -> None:
    file = read(*VOUCHER, *VOUCHER)
    assert [voucher.external_id[-2:] for voucher in file.vouchers] == ["|1", "|2"]


def test_series_with_the_separator_is_not_taken_for_another() -> None:
    rows = ["{", "}"]
    file = read('#VER "A|1" 2 20260131', *rows, '#VER A "1|2" 20260131', *rows)
    assert len({voucher.external_id for voucher in file.vouchers}) == 2


def test_number_that_is_missing() -> None:
    file = read('#VER "" "" 20260131', "{", "}", "#VER A 0 20260131", "{", "}")
    assert [voucher.external_id for voucher in file.vouchers] == ["2026|||2026-01-31|1", "2026|A|0|2026-01-31|1"]


def test_lower_case_labels_and_brace_on_the_line_of_the_voucher() -> None:
    file = read("#ver A 1 20260131 {", "#trans 1910 {} 5", "}")
    assert file.vouchers[0].postings[0].amount == 5


def test_unbalanced_voucher_is_kept_with_its_difference() -> None:
    file = read("#VER A 1 20260131", "{", "#TRANS 1910 {} 5", "#TRANS 3010 {} -3", "}")
    assert voucher_difference(file.vouchers[0]) == Decimal(2)


def test_unknown_records_are_skipped_with_what_they_open() -> None:
    file = read(
        "#NYTT a b", "{", "#TRANS 1 {} 1", "#INRE", "{", "}", "}", "#ANNAT {", "junk", "}",
        "#VER A 1 20260131", "{", "#XTRA 1", "{", "#TRANS 1 {} 1", "}", "#TRANS 1910 {} 5", "}", *VOUCHER,
    )  # fmt: skip
    assert [len(voucher.postings) for voucher in file.vouchers] == [1, 2]
    assert file.warnings == ()


def test_added_row_without_its_double_is_named() -> None:
    file = read("#VER A 1 20260131", "{", "#RTRANS 1910 {} 5", "#TRANS 1910 {} 7", "}")
    assert [(warning.line, "#RTRANS" in warning.text) for warning in file.warnings] == [(9, True)]


@pytest.mark.parametrize(
    ("number", "ktyp", "expected"),
    [
        ("1910", "", AccountType.ASSET),
        ("2010", "", AccountType.EQUITY),
        ("2099", "S", AccountType.EQUITY),
        ("2440", "S", AccountType.LIABILITY),
        ("3010", "", AccountType.INCOME),
        ("7010", "", AccountType.EXPENSE),
        ("8310", "", AccountType.INCOME),
        ("8410", "", AccountType.EXPENSE),
        ("8999", "I", AccountType.INCOME),
        ("9999", "", AccountType.UNKNOWN),
        ("FEL", "", AccountType.UNKNOWN),
        ("FEL", "K", AccountType.EXPENSE),
    ],
)
def test_type_of_an_account(number: str, ktyp: str, expected: AccountType) -> None:
    (account,) = read(f"#KONTO {number} Namn", *([f"#KTYP {number} {ktyp}"] if ktyp else [])).accounts
    assert account.type is expected


def test_balances_become_records() -> None:
    file = read("#IB 0 1910 100.25", "#UB 0 1910 90", "#RES 0 3010 -5", '#OIB 0 1910 {1 "N"} 40', "#IB -1 1910 7")
    assert [(row.account, row.fiscal_year_start, row.amount) for row in file.opening_records()] == [
        ("1910", date(2026, 1, 1), Decimal("100.25")),
        ("1910", date(2025, 1, 1), Decimal(7)),
    ]
    assert [row.dimensions for row in file.opening_records(parts=True)] == [{"cost_centre": "N"}]
    assert [(row.account, row.closing, row.movement) for row in file.control_records()] == [
        ("1910", Decimal(90), None),
        ("3010", None, Decimal(-5)),
    ]
    assert not file.is_import


def test_rows_by_object_are_part_of_the_row_without() -> None:
    file = read(
        "#PBUDGET 0 202601 3010 {} -100", '#PBUDGET 0 202601 3010 {1 "N"} -60', '#PBUDGET 0 202602 3010 {1 "N"} -5',
        '#PBUDGET 0 202602 3010 {1 "S"} -6', "#PSALDO 0 202601 3010 {} -1", '#PSALDO 0 202601 3010 {6 "P"} -1',
    )  # fmt: skip
    assert [(figure.period, figure.key, figure.value) for figure in file.budgets] == [
        ("2026-01", "3010", Decimal(-100)),
        ("2026-02", "3010", Decimal(-5)),
        ("2026-02", "3010", Decimal(-6)),
    ]
    assert [figure.value for figure in file.budget_parts] == [Decimal(-60)]
    assert [row.part for row in file.period_balances] == [False, True]


def test_rows_by_object_that_overlap_without_a_row_of_the_whole_are_named() -> None:
    file = read('#PSALDO 0 202601 3010 {1 "N"} -5', '#PSALDO 0 202601 3010 {6 "P"} -5')
    assert sum(row.amount for row in file.period_balances if not row.part) == -5
    assert [warning.line for warning in file.warnings] == [7]


def test_dimension_below_another() -> None:
    file = read("#DIM 6 Projekt", "#UNDERDIM 21 Fas 6", '#OBJEKT 21 "F1" "Fas ett"')
    assert [(kind.kind, kind.parent) for kind in file.dimension_kinds] == [("project", None), ("Fas", "6")]
    (item,) = file.dimensions
    assert (item.kind, item.code, item.name, item.custom["parent_kind"]) == ("Fas", "F1", "Fas ett", "project")


@pytest.mark.parametrize("amount", ["1.2345", "-0.0001", "1.23450000", "99999999999999.9999", ".5", "+3", "-0.00"])
def test_amounts_that_are_taken(amount: str) -> None:
    (row,) = read(f"#IB 0 1910 {amount}").openings
    assert row.amount == Decimal(amount)
    assert str(row.amount) != "-0.00"


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        ("1.23456", "sie.places"),
        ("1,50", "sie.number"),
        ("1e5", "sie.number"),
        ("NaN", "sie.number"),
        ('"1 000"', "sie.number"),
        ("999999999999999", "sie.number"),
        ("", "sie.missing"),
    ],
)
def test_amounts_that_are_refused_with_their_line(amount: str, code: str) -> None:
    assert refused(text_of(f"#IB 0 1910 {amount}", "#UB 0 1910 x")) == [(code, 7), ("sie.number", 8)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (VOUCHER[:-1], ("sie.structure", 7)),
        (VOUCHER[:-3], ("sie.structure", 7)),
        (VOUCHER[:1], ("sie.structure", 7)),
        ([*VOUCHER[:3], "#TRANS 62"], ("sie.missing", 10)),
        ([*VOUCHER[:-1], "#VER A 13 20260131"], ("sie.structure", 7)),
        ([*VOUCHER, "}"], ("sie.structure", 12)),
        (["{"], ("sie.structure", 7)),
        (["#NYTT", "{"], ("sie.structure", 9)),
        (["#TRANS 1910 {} 5"], ("sie.outside", 7)),
        (["#VER A 1 20260230", "{", "}"], ("sie.date", 7)),
        (["#VER A 1", "{", "}"], ("sie.missing", 7)),
        (["#VER A 1 20260131", "{", "#TRANS 1910 {1} 5", "}"], ("sie.objects", 9)),
        (["#PSALDO 0 202613 1910 {} 5"], ("sie.period", 7)),
        (["#RAR 0 20250101 20251231"], ("sie.year", 7)),
        (["#IB 0 1910 5", "#IB 0 1910 6"], ("sie.twice", 8)),
        (["what is this"], ("sie.line", 7)),
        (["#SIETYP 5"], ("sie.type", 7)),
    ],
)
def test_files_that_are_refused_with_their_line(lines: list[str], expected: tuple[str, int]) -> None:
    assert refused(text_of(*lines))[0] == expected


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "sie.empty"),
        (b" \r\n\x1a", "sie.empty"),
        (b"\x00\x01\x02", "sie.binary"),
        (b"#FLAGGA 0\n#KONTO 1 a\x00b\n", "sie.binary"),
        (b"PK\x03\x04rest", "sie.zip"),
        (b"<?xml version='1.0'?><Sie/>", "sie.xml"),
        ("#FLAGGA 0".encode("utf-16"), "sie.utf16"),
        (b"Date;Account;Amount\n", "sie.line"),
        (b"#HELLO 1\n", "sie.no_records"),
    ],
)
def test_what_is_no_sie_file(data: bytes, code: str) -> None:
    assert refused(data)[0][0] == code


def test_balances_of_a_year_without_dates() -> None:
    assert refused(text_of("#IB 0 1910 5", head=["#SIETYP 1", "#RAR 0"])) == [("sie.year", 3)]


def test_file_that_is_too_large() -> None:
    assert refused(text_of(*VOUCHER), max_bytes=50) == [("sie.too_large", 0)]


def test_file_that_ends_within_a_text() -> None:
    assert refused(text_of('#KONTO 1910 "Kas').rstrip()) == [("sie.structure", 7)]


def test_file_without_a_last_line_end_is_taken_with_a_warning() -> None:
    file = read_sie(text_of("#UB 0 1910 12").rstrip())
    assert [warning.line for warning in file.warnings] == [7]


@pytest.mark.parametrize("written", ["cp437", "iso-8859-1", "utf-8", "utf-8-sig"])
def test_encoding_is_found(written: str) -> None:
    data = text_of().decode("cp437") + '#KONTO 3010 "Försäljning Åre"\n'
    file = read_sie(data.encode(written))
    assert file.accounts[0].name == "Försäljning Åre"
    assert file.encoding == written.removesuffix("-sig")
    assert bool(file.warnings) == (written != "cp437")


def test_encoding_can_be_said() -> None:
    file = read_sie(text_of() + '#KONTO 1 "Ö"\n'.encode("iso-8859-1"), encoding="Latin-1")
    assert (file.accounts[0].name, file.encoding, file.warnings) == ("Ö", "iso-8859-1", ())


def test_encoding_that_does_not_fit_or_is_not_known() -> None:
    data = text_of() + '#KONTO 1 "Ö"\n'.encode("iso-8859-1")
    assert refused(data, encoding="utf-8") == [("sie.encoding", 7)]
    assert refused(data, encoding="klingon") == [("sie.encoding_unknown", 0)]


def test_checksum_that_agrees() -> None:
    value = zlib.crc32("#KONTO1910Kassa1öre".encode("cp437"))
    file = read("#KSUMMA", '#KONTO 1910 "Kassa 1 öre"', f"#KSUMMA {value}")
    assert file.checksum_verified


def test_checksum_that_does_not_agree() -> None:
    lines = ["#KSUMMA", "#KONTO 1910 Kassa", "#KSUMMA 4711"]
    assert refused(text_of(*lines)) == [("sie.checksum", 9)]
    file = read_sie(text_of(*lines), ignore_checksum=True)
    assert not file.checksum_verified
    assert [warning.line for warning in file.warnings] == [9]


def test_voucher_outside_the_years_of_the_file_is_named() -> None:
    file = read("#VER A 1 20270131", "{", "}")
    assert file.vouchers[0].external_id == "2027|A|1|2027-01-31|1"
    assert [warning.line for warning in file.warnings] == [7]


PIECES = st.sampled_from(
    [
        *HEAD,
        *VOUCHER,
        "#",
        '"',
        "{",
        "}",
        " ",
        "\t",
        "\n",
        "\r\n",
        "#KSUMMA",
        "#PSALDO 0 202601 1910 {1 a} 5",
        "-1.5",
        "\\",
        "Å",
        "#OIB",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(
        st.binary(max_size=200), st.lists(PIECES, max_size=40).map(lambda pieces: "\n".join(pieces).encode("cp437"))
    )
)
def test_anything_is_read_or_refused(data: bytes) -> None:
    problems = None
    try:
        read_sie(data)
    except SieError as error:
        problems = len(error.problems)
    assert problems is None or 0 < problems <= 50


@settings(max_examples=100, deadline=None)
@given(st.integers(min_value=1, max_value=200))
def test_cut_within_a_voucher_is_refused(at: int) -> None:
    data = text_of(*VOUCHER)
    start, end = data.index(b"#VER"), data.rindex(b"}")
    cut = start + 4 + at % (end - start - 4)
    assert refused(data[:cut])[0][1] >= 7
