"""The sample files against the counts of vendors/ledger_files/README.md and their own balances."""

import os
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from apps.formats.sie import SieFile, read_sie, voucher_difference
from tests import specs

CENT = Decimal("0.01")

# Type, import, and how many #KONTO, #VER and #TRANS.
COUNTS = {
    "BL0001_typ1.SE": (1, False, 117, 0, 0),
    "BL0001_typ3.SE": (3, False, 117, 0, 0),
    "BL0001_typ4.SE": (4, False, 117, 84, 405),
    "BL0001_typ4I.SI": (4, True, 0, 1, 10),
    "SIE_exempelfil.se": (4, False, 540, 26, 148),
    "Sie4.se": (4, False, 291, 70, 260),
    "Sie4I1.SI": (4, True, 2, 5, 12),
    "XE_SIE_4_20151125095119.SE": (4, False, 373, 65, 248),
    "magenta_bokforing_SIE4E.se": (4, False, 136, 19, 84),
    "transaktioner_ovnbolag.se": (4, False, 567, 163, 671),
}
XE = "XE_SIE_4_20151125095119.SE"


def sample(name: str) -> SieFile:
    folder = specs.specs_folder()
    path = folder / "ledger_files" / "samples" / "sie" / name if folder else Path(name)
    if not path.is_file():
        if os.environ.get("KONTOR_REQUIRE_SPECS") == "1":
            pytest.fail(f"vendor specs: NOT CHECKED ({name} is not there)")
        pytest.skip("vendor specs: NOT CHECKED")
    found = read_sie(path.read_bytes())
    specs.count_sample()
    return found


def differences(file: SieFile) -> dict[str, Decimal]:
    """The file's closing minus ours by account, unbalanced vouchers kept out."""
    ours: dict[str, Decimal] = defaultdict(Decimal)
    for opening in file.openings:
        if opening.year == 0:
            ours[opening.account] += opening.amount
    for voucher in file.vouchers:
        if not voucher_difference(voucher):
            for posting in voucher.postings:
                ours[posting.account] += posting.amount
    theirs = {row.account: row.amount for row in (*file.results, *file.closings) if row.year == 0}
    found = {account: theirs.get(account, Decimal(0)) - ours[account] for account in {*ours, *theirs}}
    return {account: amount for account, amount in found.items() if amount}


@pytest.mark.parametrize("name", COUNTS)
def test_sample_has_the_counts_of_the_vendors_page(name: str) -> None:
    file = sample(name)
    rows = sum(len(voucher.postings) for voucher in file.vouchers)
    assert (file.sie_type, file.is_import, len(file.accounts), len(file.vouchers), rows) == COUNTS[name]


@pytest.mark.parametrize("name", COUNTS)
def test_every_voucher_has_an_identity_of_its_own(name: str) -> None:
    file = sample(name)
    assert len({voucher.external_id for voucher in file.vouchers}) == len(file.vouchers)


@pytest.mark.parametrize("name", COUNTS)
def test_only_one_voucher_of_all_samples_does_not_balance(name: str) -> None:
    unbalanced = [
        (voucher.series, voucher.number, difference)
        for voucher in sample(name).vouchers
        if (difference := voucher_difference(voucher))
    ]
    assert unbalanced == ([("1", "1", Decimal("2.00"))] if name == XE else [])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("BL0001_typ4.SE", {}),
        ("SIE_exempelfil.se", {}),
        ("magenta_bokforing_SIE4E.se", {}),
        ("transaktioner_ovnbolag.se", {}),
        ("Sie4.se", {"2440": "-60000.00", "2640": "12000.00", "4010": "48000.00", "FEL": "-33125.72"}),
        (XE, {"1010": "12.00", "3520": "-10.00"}),
    ],
)
def test_closings_are_openings_and_movements_but_for_known_differences(name: str, expected: dict[str, str]) -> None:
    assert differences(sample(name)) == {account: Decimal(amount) for account, amount in expected.items()}


def test_other_rows_of_type_1() -> None:
    file = sample("BL0001_typ1.SE")
    assert (len(file.openings), len(file.closings), len(file.results)) == (54, 54, 26)


def test_other_rows_of_type_3() -> None:
    file = sample("BL0001_typ3.SE")
    assert (len(file.period_balances), len(file.budgets), len(file.budget_parts)) == (116, 24, 0)
    assert (len(file.dimension_kinds), len(file.dimensions), len(file.opening_parts)) == (3, 23, 6)


def test_period_rows_that_are_not_parts_add_up_to_the_year() -> None:
    file = sample("BL0001_typ3.SE")
    changes: dict[str, Decimal] = defaultdict(Decimal)
    for row in file.period_balances:
        if row.year == 0 and not row.part:
            changes[row.account] += row.amount
    openings = {row.account: row.amount for row in file.openings if row.year == 0}
    closings = {row.account: row.amount for row in (*file.closings, *file.results) if row.year == 0}
    zero = Decimal(0)
    assert {
        account for account, closing in closings.items() if closing != openings.get(account, zero) + changes[account]
    } == set()


@pytest.mark.parametrize("name", ["magenta_bokforing_SIE4E.se", "transaktioner_ovnbolag.se"])
def test_period_rows_agree_with_vouchers(name: str) -> None:
    file = sample(name)
    months: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in file.period_balances:
        if row.year == 0 and not row.part:
            months[row.account, row.period] += row.amount
    for voucher in file.vouchers:
        for posting in voucher.postings:
            months[posting.account, f"{posting.date:%Y-%m}"] -= posting.amount
    assert {key: amount for key, amount in months.items() if amount} == {}


def test_other_rows_of_transaktioner_ovnbolag() -> None:
    file = sample("transaktioner_ovnbolag.se")
    assert (len(file.period_balances), len(file.budgets) + len(file.budget_parts)) == (705, 1248)


def test_removed_and_added_rows_are_counted_and_do_not_count() -> None:
    vouchers = sample("BL0001_typ4.SE").vouchers
    assert sum(voucher.custom.get("removed_rows", 0) for voucher in vouchers) == 3
    assert sum(voucher.custom.get("added_rows", 0) for voucher in vouchers) == 6


def test_twelve_vouchers_with_one_number_are_twelve() -> None:
    equals = [
        voucher for voucher in sample("BL0001_typ4.SE").vouchers if (voucher.series, voucher.number) == ("#", "1")
    ]
    assert len(equals) == 12
    assert equals[0].external_id == "2010|#|1|2009-07-31|1"


def test_account_that_is_not_declared_is_named() -> None:
    file = sample("Sie4.se")
    assert [(account.number, account.type.value) for account in file.undeclared_accounts] == [("FEL", "unknown")]


def test_letters_are_those_of_code_page_437() -> None:
    file = sample("BL0001_typ4.SE")
    assert file.encoding == "cp437"
    assert file.dimension_kinds[0].name == "Kostnadsställe"


def test_mislabelled_utf_8_is_read_and_named() -> None:
    file = sample("Sie4I1.SI")
    assert file.encoding == "utf-8"
    assert file.company == "Målerifirman Axelsson & Johnsson AB"
    assert ["UTF-8" in str(warning) for warning in file.warnings] == [True]


def test_fiscal_year_of_26_months() -> None:
    year = sample(XE).year(-1)
    assert year is not None
    assert (str(year.start), str(year.end)) == ("2013-07-01", "2015-08-31")
