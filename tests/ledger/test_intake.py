"""Taking vouchers into the books: what is new, unchanged, changed, moved, back-dated, void, deleted, kept out."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from apps.clients.models import Client
from apps.core.scope import system_scope
from apps.ledger.balances import recalculate_all, recalculate_touched
from apps.ledger.enums import KeptOut, Move, SourceKind
from apps.ledger.intake import Intake
from apps.ledger.models import Account, Balance, FiscalYear, Lock, Posting, Source, Voucher, VoucherVersion
from apps.ledger.registers import take_fiscal_years
from apps.records.enums import AccountType, Counts, VoucherKind
from apps.records.ledger import Allocation
from apps.records.ledger import FiscalYear as Year
from apps.records.ledger import Posting as Line
from apps.records.ledger import Voucher as Record
from tests.factories import AccountFactory, FiscalYearFactory, SourceFactory

pytestmark = pytest.mark.django_db

READ = date(2026, 6, 20)


@pytest.fixture
def source() -> Iterator[Source]:
    with system_scope("tests"):
        source = SourceFactory()
        FiscalYearFactory(client=source.client)
        for number, kind in (("1920", "asset"), ("2400", "liability"), ("3000", "income"), ("6300", "expense")):
            AccountFactory(client=source.client, number=number, type=kind)
        yield source


def record(key: str, day: date, lines: dict[str, str], **fields: Any) -> Record:
    postings = tuple(
        Line(row=row, date=day, account=account, amount=Decimal(amount))
        for row, (account, amount) in enumerate(lines.items(), start=1)
    )
    return Record(external_id=key, date=day, number=key, postings=postings, **fields)


def intake(source: Source, *, first_load: bool = False) -> Intake:
    return Intake(client=source.client, source=source, run_id=7, last_reading=READ, first_load=first_load)


def balances(client: Client) -> dict[tuple[str, int], Decimal]:
    recalculate_touched(client)
    rows = Balance.objects.filter(client=client, postings__gt=0).select_related("account")
    return {(row.account.number, row.period): row.debit - row.credit for row in rows}


RENT = record("1", date(2026, 6, 3), {"6300": "1000.00", "1920": "-1000.00"})


def test_a_new_voucher_reaches_its_accounts(source: Source) -> None:
    tally = intake(source).take([RENT])

    assert (tally.new, tally.postings, tally.backdated) == (1, 2, 0)
    assert balances(source.client) == {("6300", 202606): Decimal("1000.00"), ("1920", 202606): Decimal("-1000.00")}


def test_the_same_page_again_changes_nothing(source: Source) -> None:
    intake(source).take([RENT])
    balances(source.client)
    ids = set(Posting.objects.values_list("pk", flat=True))

    tally = intake(source).take([RENT])

    assert (tally.unchanged, tally.new, tally.postings) == (1, 0, 0)
    assert set(Posting.objects.values_list("pk", flat=True)) == ids
    assert VoucherVersion.objects.count() == 0


def test_a_changed_line_keeps_the_earlier_ones_and_tells_the_effect_on_the_result(source: Source) -> None:
    intake(source).take([RENT])
    changed = record("1", date(2026, 6, 3), {"6300": "1250.50", "1920": "-1250.50"})

    tally = intake(source).take([changed])

    version = VoucherVersion.objects.get()
    assert (tally.changed, version.move, version.effect) == (1, Move.CHANGED, Decimal("-250.50"))
    assert [line["amount"] for line in version.before["postings"]] == ["1000.00", "-1000.00"]
    assert [line["amount"] for line in version.after["postings"]] == ["1250.50", "-1250.50"]
    assert balances(source.client)["6300", 202606] == Decimal("1250.50")


def test_a_dropped_line_is_gone(source: Source) -> None:
    three = record("1", date(2026, 6, 3), {"6300": "600.00", "2400": "400.00", "1920": "-1000.00"})
    intake(source).take([three])

    intake(source).take([RENT])

    assert balances(source.client) == {("6300", 202606): Decimal("1000.00"), ("1920", 202606): Decimal("-1000.00")}


def test_another_date_is_moved_and_not_changed(source: Source) -> None:
    intake(source).take([RENT])

    tally = intake(source).take([record("1", date(2026, 2, 3), {"6300": "1000.00", "1920": "-1000.00"})])

    assert (tally.moved, tally.changed, tally.backdated) == (1, 0, 0)
    assert VoucherVersion.objects.get().move == Move.MOVED
    assert ("6300", 202606) not in balances(source.client)
    assert balances(source.client)["6300", 202602] == Decimal("1000.00")


@pytest.mark.parametrize(
    ("day", "backdated"), [(date(2026, 6, 1), 0), (date(2026, 5, 31), 1), (date(2026, 1, 1), 1), (date(2026, 7, 1), 0)]
)
def test_a_new_voucher_of_an_earlier_month_than_the_last_reading_is_backdated(
    source: Source, day: date, backdated: int
) -> None:
    tally = intake(source).take([record("1", day, {"6300": "10.00", "1920": "-10.00"})])

    assert tally.backdated == backdated
    assert VoucherVersion.objects.filter(move=Move.BACKDATED, before={}).count() == backdated


def test_a_new_voucher_in_a_closed_period_is_backdated_and_marked_closed(source: Source) -> None:
    Lock.objects.create(client=source.client, kind="period", until=date(2026, 6, 10))

    intake(source).take([RENT])

    version = VoucherVersion.objects.get()
    assert (version.move, version.in_closed) == (Move.BACKDATED, True)


def test_the_first_load_moves_nothing(source: Source) -> None:
    tally = intake(source, first_load=True).take([record("1", date(2026, 1, 5), {"6300": "1.00", "1920": "-1.00"})])

    assert (tally.new, tally.backdated) == (1, 0)


def test_a_text_alone_is_no_news(source: Source) -> None:
    intake(source).take([RENT])

    tally = intake(source).take([replace(RENT, text="Husleie", reversed_by="9")])

    assert (tally.meta, tally.changed) == (1, 0)
    assert VoucherVersion.objects.count() == 0
    assert Voucher.objects.get().text == "Husleie"


def test_the_same_lines_in_another_order_are_no_news(source: Source) -> None:
    """A voucher that is reversed comes again with the other's id, its lines perhaps turned about."""
    lines = RENT.postings
    rows = (replace(lines[0], row=2), replace(lines[1], row=1))
    intake(source).take([replace(RENT, postings=rows)])
    tally = intake(source).take([replace(RENT, postings=rows, reversed_by="9")])

    assert (tally.meta, tally.changed) == (1, 0)
    assert not VoucherVersion.objects.exists()


def test_void_is_a_deletion(source: Source) -> None:
    intake(source).take([RENT])

    tally = intake(source).take([replace(RENT, counts=Counts.VOID)])

    assert (tally.deleted, balances(source.client)) == (1, {})
    assert Voucher.objects.get().deleted_at is not None


def test_a_deleted_voucher_keeps_its_lines_as_a_version_and_comes_back_as_it_was(source: Source) -> None:
    intake(source).take([RENT])

    tally = intake(source).delete(["1"])

    version = VoucherVersion.objects.get()
    assert (tally.deleted, version.effect, len(version.before["postings"])) == (1, Decimal("1000.00"), 2)
    assert balances(source.client) == {}
    intake(source).take([RENT])
    assert balances(source.client)["6300", 202606] == Decimal("1000.00")


def test_an_unbalanced_voucher_is_held_but_kept_out(source: Source) -> None:
    tally = intake(source).take([record("1", date(2026, 6, 3), {"6300": "10.00", "1920": "-9.00"})])

    voucher = Voucher.objects.get()
    assert (tally.kept_out, voucher.kept_out, voucher.difference) == (1, KeptOut.UNBALANCED, Decimal("1.00"))
    assert balances(source.client) == {}


def test_an_off_balance_account_may_be_one_sided(source: Source) -> None:
    AccountFactory(client=source.client, number="9000", type="off_balance")

    tally = intake(source).take([record("1", date(2026, 6, 3), {"9000": "10.00"})])

    assert tally.kept_out == 0


def test_a_voucher_kept_out_is_taken_in_once_the_type_of_its_account_is_known(source: Source) -> None:
    late = record("5", date(2026, 6, 10), {"9010": "75.00"})
    intake(source).take([late])
    assert Voucher.objects.get().kept_out == KeptOut.UNBALANCED

    Account.objects.filter(number="9010").update(type=AccountType.OFF_BALANCE)
    tally = intake(source).take([late])

    assert (tally.new, tally.unchanged, Voucher.objects.get().kept_out) == (1, 0, KeptOut.NO)
    assert balances(source.client) == {("9010", 202606): Decimal("75.00")}


def test_a_draft_outside_every_fiscal_year_is_held_and_not_kept_out(source: Source) -> None:
    draft = record("8", date(2031, 1, 2), {"6300": "10.00", "1920": "-10.00"}, counts=Counts.PROVISIONAL)

    tally = intake(source).take([draft])

    assert (tally.kept_out, Voucher.objects.get().kept_out) == (0, KeptOut.NO)


def test_more_than_four_places_are_refused_and_never_rounded(source: Source) -> None:
    intake(source).take([record("1", date(2026, 6, 3), {"6300": "0.00001", "1920": "-0.00001"})])

    assert Voucher.objects.get().kept_out == KeptOut.AMOUNT
    assert Posting.objects.count() == 0


def test_a_date_outside_every_fiscal_year_is_kept_out_and_named(source: Source) -> None:
    intake(source).take([record("1", date(2031, 6, 3), {"6300": "1.00", "1920": "-1.00"})])

    assert Voucher.objects.get().kept_out == KeptOut.NO_FISCAL_YEAR


def test_a_draft_stands_beside_the_balances_until_it_is_booked(source: Source) -> None:
    intake(source).take([replace(RENT, counts=Counts.PROVISIONAL, number="")])
    assert balances(source.client) == {}
    assert Balance.objects.get(account__number="6300").provisional == Decimal("1000.00")

    tally = intake(source).take([RENT])

    assert (tally.new, tally.changed, tally.backdated) == (1, 0, 0)
    assert balances(source.client)["6300", 202606] == Decimal("1000.00")


def test_the_year_end_stands_in_period_13_of_the_year_it_ends(source: Source) -> None:
    FiscalYear.objects.all().delete()
    FiscalYearFactory(client=source.client, start=date(2025, 7, 1), end=date(2026, 6, 30))
    lines = {"6300": "5.00", "2400": "-5.00"}

    intake(source).take([record("1", date(2026, 6, 30), lines, kind=VoucherKind.RESULT_TRANSFER)])

    assert set(balances(source.client)) == {("6300", 202613), ("2400", 202613)}


def test_a_year_made_longer_takes_its_period_13_along(source: Source) -> None:
    last = record("9", date(2026, 12, 31), {"3000": "500.00", "2400": "-500.00"}, kind=VoucherKind.CLOSING)
    intake(source).take([last])
    recalculate_touched(source.client)

    take_fiscal_years(
        source.client,
        [Year(start=date(2026, 1, 1), end=date(2027, 6, 30))],
        origin=SourceKind.CONNECTION,
        currency="NOK",
    )
    tally = intake(source).take([last])

    assert tally.unchanged == 1
    assert balances(source.client) == {("3000", 202713): Decimal(500), ("2400", 202713): Decimal(-500)}


def test_a_posting_spread_over_departments_keeps_the_accounts_total(source: Source) -> None:
    spread = Line(
        row=1,
        date=date(2026, 6, 3),
        account="6300",
        amount=Decimal("100.00"),
        allocations=(
            Allocation(kind="department", code="1", amount=Decimal("33.33")),
            Allocation(kind="department", code="2", amount=Decimal("33.33")),
        ),
    )
    other = Line(row=2, date=date(2026, 6, 3), account="1920", amount=Decimal("-100.00"))
    intake(source).take([Record(external_id="1", date=date(2026, 6, 3), postings=(spread, other))])

    recalculate_touched(source.client)

    rows = Balance.objects.filter(account__number="6300").values_list("dimension_set__key", "debit")
    assert dict(rows) == {
        "department=1": Decimal("33.33"), "department=2": Decimal("33.33"), "": Decimal("33.34"),
    }  # fmt: skip


def test_an_account_the_source_never_listed_is_made_with_an_unknown_type(source: Source) -> None:
    intake(source).take([record("1", date(2026, 6, 3), {"FEL": "1.00", "1920": "-1.00"})])

    assert source.client.account_set.get(number="FEL").type == "unknown"


def test_full_recalculation_of_a_right_ledger_changes_no_figure(source: Source) -> None:
    intake(source).take([RENT])
    before = balances(source.client)

    recalculate_all(source.client)

    assert balances(source.client) == before


EXACT = record("1", date(2026, 6, 3), {"6300": "5.00", "1920": "-5.00"}, text="Kaffe – 5 €")
EXACT = replace(EXACT, postings=tuple(replace(line, text=f"Rad {line.row} – \u201cå\u201d") for line in EXACT.postings))


def through(record: Record, mark: str = "?", **more: Any) -> Record:
    """As it comes through code page 437, with the vendor's sign for what that lacks."""

    def lossy(text: str) -> str:
        return "".join(sign if sign.encode("cp437", "ignore") else mark for sign in text)

    rows = tuple(replace(line, text=lossy(line.text)) for line in record.postings)
    return replace(record, text=lossy(record.text), postings=rows, texts_through="cp437", **more)


def texts() -> list[str]:
    return [Voucher.objects.get().text, *Posting.objects.order_by("row").values_list("text", flat=True)]


@pytest.mark.parametrize("mark", ["?", "", "-"])
def test_a_reading_that_lost_signs_is_the_same_voucher_and_overwrites_nothing(source: Source, mark: str) -> None:
    intake(source).take([EXACT])

    tally = intake(source).take([through(EXACT, mark)])

    assert (tally.unchanged, tally.changed, tally.meta) == (1, 0, 0)
    assert texts() == ["Kaffe – 5 €", "Rad 1 – \u201cå\u201d", "Rad 2 – \u201cå\u201d"]


def test_an_exact_reading_brings_the_signs_that_were_lost_and_is_no_news(source: Source) -> None:
    intake(source).take([through(EXACT)])
    assert texts()[0] == "Kaffe ? 5 ?"

    tally = intake(source).take([EXACT])

    assert (tally.unchanged, tally.changed, tally.meta) == (0, 0, 1)
    assert VoucherVersion.objects.count() == 0
    assert texts()[0] == "Kaffe – 5 €"
    assert intake(source).take([through(EXACT)]).unchanged == 1
    assert intake(source).take([EXACT]).unchanged == 1


def test_a_change_read_with_losses_keeps_the_exact_texts_of_the_other_lines(source: Source) -> None:
    intake(source).take([EXACT])
    first, second = EXACT.postings
    inserted = replace(first, row=1, amount=Decimal("-5.00"), text="Ny € rad")
    changed = replace(
        EXACT, postings=(inserted, replace(first, row=2, amount=Decimal("10.00")), replace(second, row=3))
    )

    tally = intake(source).take([through(changed)])

    assert tally.changed == 1
    assert texts() == ["Kaffe – 5 €", "Ny ? rad", "Rad 1 – \u201cå\u201d", "Rad 2 – \u201cå\u201d"]


@pytest.mark.parametrize("told", ["Te ? 5 ?", "", "Kaffe - 5"])
def test_another_text_read_with_losses_is_taken(source: Source, told: str) -> None:
    held = replace(EXACT, text="Kaffe – 5 €" if told != "Kaffe - 5" else "Kaffe + 5")
    intake(source).take([held])

    intake(source).take([through(replace(held, text=told))])

    assert texts()[0] == told


def test_empty_texts_stay_empty_beside_one_that_is_nothing_but_lost_signs(source: Source) -> None:
    dash = replace(EXACT, text="–", postings=tuple(replace(line, text="") for line in EXACT.postings))
    intake(source).take([dash])

    assert intake(source).take([through(dash)]).unchanged == 1
    assert texts() == ["–", "", ""]
