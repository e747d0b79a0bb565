"""Ledger files into the books: the vendors' samples to the cent, and small files for what the samples do not show."""

import os
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps as installed

from apps.clients.models import Client
from apps.core.scope import system_scope
from apps.formats.sie import SieError, read_sie, voucher_difference
from apps.ledger.balances import recalculate_all
from apps.ledger.enums import Grade
from apps.ledger.files import FileRefusedError, Outcome, Owner, import_file
from apps.ledger.models import Balance, Figure, Finding, FiscalYear, LedgerState, Proof, Voucher, VoucherVersion
from apps.ledger.queries import Books
from apps.ledger.reports import balance_sheet, profit_and_loss, trial_balance
from apps.records.enums import VoucherKind
from tests import factories, specs

pytestmark = pytest.mark.django_db

XE = "XE_SIE_4_20151125095119.SE"
EXAMPLE, PRACTICE = "SIE_exempelfil.se", "transaktioner_ovnbolag.se"
# What the vendors' page counts: #KONTO, #VER, #TRANS.
COUNTS = {
    "BL0001_typ1.SE": (117, 0, 0),
    "BL0001_typ3.SE": (117, 0, 0),
    "BL0001_typ4.SE": (117, 84, 405),
    "BL0001_typ4I.SI": (0, 1, 10),
    EXAMPLE: (540, 26, 148),
    "Sie4.se": (291, 70, 260),
    "Sie4I1.SI": (2, 5, 12),
    XE: (373, 65, 248),
    "magenta_bokforing_SIE4E.se": (136, 19, 84),
    PRACTICE: (567, 163, 671),
}
DIFFERENCES = {
    "Sie4.se": {"2440": "-60000.00", "2640": "12000.00", "4010": "48000.00", "FEL": "-33125.72"},
    XE: {"1010": "12.00", "3520": "-10.00"},
}
GRADES = {"Sie4.se": 4, XE: 4, "BL0001_typ4I.SI": 3, "Sie4I1.SI": 3}


@pytest.fixture(autouse=True)
def scope() -> Iterator[None]:
    with system_scope("tests"):
        yield


@pytest.fixture
def client() -> Client:
    made: Client = factories.ClientFactory(country="SE")
    return made


def sample(name: str) -> bytes:
    folder = specs.specs_folder()
    path = folder / "ledger_files" / "samples" / "sie" / name if folder else Path(name)
    if not path.is_file():
        if os.environ.get("KONTOR_REQUIRE_SPECS") == "1":
            pytest.fail(f"vendor specs: NOT CHECKED ({name} is not there)")
        pytest.skip("vendor specs: NOT CHECKED")
    return path.read_bytes()


def take(client: Client, data: bytes | str, **options: Any) -> Outcome:
    raw = data if isinstance(data, bytes) else data.encode()
    return import_file(client=client, name="file.se", data=raw, actor=None, **options)


def grade(client: Client) -> int:
    proof = LedgerState.objects.get(client=client).proof
    assert proof is not None
    return proof.grade


def everything() -> dict[str, list[Any]]:
    """Every row of the books and of the audit, as it stands."""
    names = ("ledger", "audit")
    return {
        model._meta.label: list(model._default_manager.order_by("pk").values())
        for name in names
        for model in installed.get_app_config(name).get_models()
    }


def file_of(
    *vouchers: str,
    year: str = "20260101 20261231",
    number: str = "",
    kind: str = "4",
    extra: str = "",
) -> str:
    """A small file of one company; each voucher `series number date account:amount ...`."""
    lines = ["#FLAGGA 0", f"#SIETYP {kind}", "#FNAMN Liten", f"#RAR 0 {year}"]
    if number:
        lines.append(f"#ORGNR {number}")
    lines += [f'#KONTO {account} "{account}"' for account in ("1930", "2081", "3010", "5010")]
    lines += [line.strip() for line in extra.splitlines() if line.strip()]
    for voucher in vouchers:
        series, serial, day, *rows = voucher.split()
        lines += [f"#VER {series} {serial} {day}", "{"]
        lines += ["#TRANS {} {{}} {}".format(*row.split(":")) for row in rows]
        lines.append("}")
    return "\r\n".join(lines) + "\r\n"


SALE = "A 1 20260110 1930:100.00 3010:-100.00"
RENT = "A 2 20260205 5010:40.00 1930:-40.00"
CLOSING = """
    #UB 0 1930 60.00
    #RES 0 3010 -100.00
    #RES 0 5010 40.00
"""


# -- The vendors' samples ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COUNTS)
def test_sample_is_taken_in_whole(client: Client, name: str) -> None:
    accounts, vouchers, rows = COUNTS[name]
    outcome = take(client, sample(name))
    specs.count_sample()
    unbalanced = name == XE
    assert (outcome.accounts, outcome.vouchers) == (accounts, vouchers - unbalanced)
    assert outcome.kept_out == (
        [{"series": "1", "number": "1", "date": "2015-09-12", "difference": "2.00"}] if unbalanced else []
    )
    assert outcome.postings == rows - 2 * unbalanced
    assert {one["account"]: one["amount"] for one in outcome.differences} == DIFFERENCES.get(name, {})
    assert (outcome.grade, grade(client)) == (GRADES.get(name, 2), GRADES.get(name, 2))


@pytest.mark.parametrize("name", [name for name, counts in COUNTS.items() if counts[1]])
def test_movement_of_each_account_is_the_sum_of_the_rows_taken_in(client: Client, name: str) -> None:
    take(client, sample(name))
    expected: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    file = read_sie(sample(name))
    for voucher in file.vouchers:
        for posting in voucher.postings if not voucher_difference(voucher) else ():
            expected[posting.account, posting.date.year * 100 + posting.date.month] += posting.amount
    first, last = min(period for _, period in expected), max(period for _, period in expected)
    start = FiscalYear.objects.filter(client=client).order_by("-start").values_list("start", flat=True)[0]
    found = {
        (row.account, row.period): row.movement
        for row in trial_balance(client, start.year * 100 + start.month, last)
        if row.movement and row.period >= first
    }
    assert found == {key: amount for key, amount in expected.items() if amount}


@pytest.mark.parametrize("name", ["BL0001_typ1.SE", "BL0001_typ3.SE", "BL0001_typ4.SE", EXAMPLE, PRACTICE])
def test_closing_of_each_account_is_the_files(client: Client, name: str) -> None:
    take(client, sample(name))
    file, books = read_sie(sample(name)), Books(client)
    for number, year in enumerate(reversed(books.years)):
        rows = [row for row in (*file.results, *file.closings) if row.year == -number]
        assert {key[0]: amount for key, amount in books.closing(year).items() if amount} == {
            row.account: row.amount for row in rows if row.amount
        }


@pytest.mark.parametrize("name", COUNTS)
def test_sample_taken_in_twice_changes_nothing(client: Client, name: str) -> None:
    first = take(client, sample(name))
    before = everything()
    again = take(client, sample(name))
    assert everything() == before
    kept = ("accounts", "vouchers", "postings", "kept_out", "differences")
    assert [again.as_json()[what] for what in kept] == [first.as_json()[what] for what in kept]


@pytest.mark.parametrize("name", ["BL0001_typ1.SE", "BL0001_typ3.SE"])
def test_types_1_to_3_give_balances_and_no_vouchers(client: Client, name: str) -> None:
    take(client, sample(name))
    assert set(Voucher.objects.values_list("kind", flat=True)) == {VoucherKind.BALANCE_IMPORT}
    months = {"BL0001_typ1.SE": 1, "BL0001_typ3.SE": 12}[name]
    assert Balance.objects.filter(fiscal_year__start="2009-07-01").values("period").distinct().count() == months
    assert set(Balance.objects.filter(fiscal_year__start="2008-07-01").values_list("period", flat=True)) == {200906}


@pytest.mark.parametrize(
    ("name", "earlier", "result"), [(EXAMPLE, "-63532.92", "-1033931.27"), (PRACTICE, "-1151678.15", "-277798.46")]
)
def test_balance_sheet_balances_where_openings_leave_the_earlier_result_out(
    client: Client, name: str, earlier: str, result: str
) -> None:
    take(client, sample(name))
    sheet = balance_sheet(client, date(2011, 12, 31))
    assert (str(sheet.earlier_result), str(sheet.result_of_year), str(sheet.rest)) == (earlier, result, "0.00")
    assert str(balance_sheet(client, date(2010, 12, 31)).rest) == "0.00"
    assert str(profit_and_loss(client, sheet.fiscal_year).result) == result
    assert Finding.objects.filter(client=client, resolved_at=None).count() == 0


def test_twelve_vouchers_with_one_number_are_twelve(client: Client) -> None:
    take(client, sample("BL0001_typ4.SE"))
    equals = Voucher.objects.filter(client=client, series="#", number="1")
    assert (equals.count(), len(set(equals.values_list("external_id", flat=True)))) == (12, 12)


def test_budgets_become_figures(client: Client) -> None:
    take(client, sample("BL0001_typ4.SE"))
    figures = Figure.objects.filter(client=client)
    assert (figures.count(), set(figures.values_list("series", "unit"))) == (24, {("budget", "SEK")})
    assert Balance.objects.filter(client=client, postings=0).count() == 0


def test_complete_file_takes_the_place_of_mere_balances(client: Client) -> None:
    for name in ("BL0001_typ1.SE", "BL0001_typ3.SE", "BL0001_typ4.SE", "BL0001_typ1.SE"):
        assert take(client, sample(name)).differences == []
    live = Voucher.objects.filter(client=client, deleted_at=None, fiscal_year__start="2009-07-01")
    assert set(live.values_list("kind", flat=True)) == {VoucherKind.ORDINARY}
    assert live.count() == 84


def test_full_recalculation_gives_the_same_balances(client: Client) -> None:
    take(client, sample(PRACTICE))
    columns = ("fiscal_year", "period", "account", "dimension_set", "debit", "credit", "provisional", "postings")
    before = sorted(Balance.objects.values_list(*columns))
    recalculate_all(client)
    assert sorted(Balance.objects.values_list(*columns)) == before


# -- What a file replaces and what it adds -----------------------------------------------------------------------------


def test_complete_file_replaces_its_period_with_the_earlier_lines_kept(client: Client) -> None:
    take(client, file_of(SALE, RENT, "A 3 20260301 5010:1.00 1930:-1.00", extra=CLOSING))
    outcome = take(client, file_of(SALE, RENT, extra=CLOSING))
    assert (outcome.vouchers, outcome.differences, outcome.grade) == (2, [], Grade.FILE_TOTALS)
    gone = Voucher.objects.get(number="3")
    assert gone.deleted_at is not None
    version = VoucherVersion.objects.get(voucher=gone)
    assert [line["amount"] for line in version.before["postings"]] == ["1.00", "-1.00"]


def test_earlier_file_taken_in_again_is_the_books_again(client: Client) -> None:
    first = file_of(SALE, RENT, extra=CLOSING)
    take(client, first)
    take(client, file_of(SALE, extra="#UB 0 1930 100.00\n#RES 0 3010 -100.00"))
    assert take(client, first).differences == []
    assert Voucher.objects.filter(client=client, deleted_at=None).count() == 2


def test_vouchers_after_the_day_that_the_file_covers_stay(client: Client) -> None:
    take(client, file_of(SALE, RENT, extra=CLOSING))
    part = "#OMFATTN 20260131\n#UB 0 1930 100.00\n#RES 0 3010 -100.00"
    outcome = take(client, file_of(SALE, extra=part))
    assert outcome.differences == []
    assert Voucher.objects.filter(client=client, deleted_at=None).count() == 2


def test_equal_among_equals_keeps_its_id_when_another_comes_before_it(client: Client) -> None:
    take(client, file_of("A 0 20260110 1930:1.00 3010:-1.00", "A 0 20260110 1930:2.00 3010:-2.00", extra=CLOSING))
    more = [f"A 0 20260110 1930:{amount}.00 3010:-{amount}.00" for amount in (3, 1, 2)]
    take(client, file_of(*more, extra=CLOSING))
    assert VoucherVersion.objects.count() == 0
    assert Voucher.objects.filter(deleted_at=None).count() == 3


def test_additional_file_only_adds_and_only_once(client: Client) -> None:
    take(client, file_of(SALE, RENT, extra=CLOSING))
    added = file_of("L 1 20260331 5010:7.00 1930:-7.00")
    assert (take(client, added).grade, take(client, added).vouchers) == (Grade.NOT_PROVABLE, 1)
    other = take(client, file_of("L 1 20260331 5010:8.00 1930:-8.00"))
    assert (other.vouchers, other.differences) == (1, [])
    assert Voucher.objects.filter(client=client, deleted_at=None).count() == 4
    assert VoucherVersion.objects.count() == 0


def test_additional_vouchers_that_a_complete_file_replaced_do_not_come_back(client: Client) -> None:
    added = file_of("L 1 20260331 5010:7.00 1930:-7.00")
    take(client, added)
    take(client, file_of(SALE, RENT, extra=CLOSING))
    outcome = take(client, added)
    assert (outcome.vouchers, Voucher.objects.filter(client=client, deleted_at=None).count()) == (1, 2)


def test_additional_file_beside_mere_balances_is_refused(client: Client) -> None:
    take(client, file_of(kind="1", extra=CLOSING))
    with pytest.raises(FileRefusedError) as refused:
        take(client, file_of(SALE))
    assert refused.value.code == "file.beside_balances"


def test_years_of_an_additional_file_go_on_from_those_held(client: Client) -> None:
    take(client, file_of("A 1 20250701 1930:1.00 3010:-1.00", year="20250701 20260630", extra="#UB 0 1930 1.00"))
    take(client, file_of("L 1 20261001 5010:7.00 1930:-7.00", year="").replace("#RAR 0 \r\n", ""))
    assert list(FiscalYear.objects.order_by("start").values_list("start", "end")) == [
        (date(2025, 7, 1), date(2026, 6, 30)),
        (date(2026, 7, 1), date(2027, 6, 30)),
    ]


# -- What is refused ---------------------------------------------------------------------------------------------------


def test_file_that_does_not_end_is_refused_whole(client: Client) -> None:
    before = everything()
    with pytest.raises(SieError, match="line "):
        take(client, file_of(SALE, RENT)[:-6])
    assert everything() == before


def test_file_of_another_company_is_refused(client: Client) -> None:
    client.organisation_number = "5560360793"
    client.save()
    before = everything()
    with pytest.raises(FileRefusedError, match=r"Liten 556265-1892.*5560360793") as refused:
        take(client, file_of(SALE, number="556265-1892"))
    assert refused.value.code == "file.wrong_company"
    assert everything() == before


def test_number_written_in_another_way_is_the_same_company(client: Client) -> None:
    client.organisation_number = "5562651892"
    client.save()
    assert take(client, file_of(SALE, number="556265-1892", extra=CLOSING)).vouchers == 1


def test_days_of_another_source_are_taken_over_on_purpose_only(client: Client) -> None:
    year = factories.FiscalYearFactory(client=client)
    bank = factories.AccountFactory(client=client, number="1930")
    sales = factories.AccountFactory(client=client, number="3010", type="income")
    source = factories.SourceFactory(client=client)
    factories.voucher(year, date(2026, 5, 1), {bank: "5.00", sales: "-5.00"}, source_id=source.pk)
    before = everything()
    with pytest.raises(FileRefusedError, match="Tripletex"):
        take(client, file_of(SALE, RENT, extra=CLOSING))
    assert everything() == before
    outcome = take(client, file_of(SALE, RENT, extra=CLOSING), replace=True)
    assert (outcome.differences, outcome.grade) == ([], Grade.FILE_TOTALS)
    assert Voucher.objects.get(source_id=source.pk).deleted_at is not None


def test_days_that_a_feed_owns_are_refused_even_while_nothing_was_read(client: Client) -> None:
    owners = [Owner("Fortnox", date(2026, 6, 1), None)]
    with pytest.raises(FileRefusedError, match="Fortnox"):
        take(client, file_of(SALE, extra=CLOSING), owners=owners)
    assert take(client, file_of(SALE, year="20250101 20251231"), owners=owners).vouchers == 0


def test_fiscal_year_that_contradicts_the_held_one_is_refused(client: Client) -> None:
    take(client, file_of(SALE, extra=CLOSING))
    with pytest.raises(FileRefusedError) as refused:
        take(client, file_of("A 1 20260801 1930:1.00 3010:-1.00", year="20260701 20270630", extra="#UB 0 1930 1.00"))
    assert refused.value.code == "file.fiscal_year"


# -- Proof -------------------------------------------------------------------------------------------------------------


def test_proof_names_every_difference(client: Client) -> None:
    take(client, file_of(SALE, RENT, extra=CLOSING.replace("60.00", "61.50")))
    proof = Proof.objects.get(client=client)
    assert (proof.grade, proof.control_difference) == (Grade.NOT_COMPLETE, Decimal("1.50"))
    assert [(one["account"], one["period"], one["difference"]) for one in proof.differences] == [
        ("1930", "2026-12", "1.50")
    ]


def test_closing_of_an_earlier_year_that_differs_from_its_vouchers_is_named(client: Client) -> None:
    take(client, file_of(SALE, RENT, extra=CLOSING))
    extra = "#RAR -1 20260101 20261231\n#UB -1 1930 59.00\n#RES -1 3010 -100.00\n#RES -1 5010 40.00\n#IB 0 1930 59.00"
    outcome = take(client, file_of(year="20270101 20271231", extra=f"{extra}\n#UB 0 1930 59.00"))
    assert (outcome.differences, outcome.grade) == ([], Grade.NOT_COMPLETE)
    assert any("1930" in warning and "59.00" in warning and "60.00" in warning for warning in outcome.warnings)


def test_file_that_agrees_does_not_hide_that_the_live_source_does_not(client: Client) -> None:
    source = factories.SourceFactory(client=client)
    with system_scope("tests"):
        proof = Proof.objects.create(
            client=client, source_id=source.pk, grade=Grade.NOT_COMPLETE, source_label="x", at=factories.SEEN
        )
        LedgerState.objects.create(client=client, proof=proof)
    outcome = take(client, file_of(SALE, RENT, extra=CLOSING))
    assert (outcome.grade, grade(client)) == (Grade.FILE_TOTALS, Grade.NOT_COMPLETE)
