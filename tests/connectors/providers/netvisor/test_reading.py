"""Books as they come over HTTP from the sandbox."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from apps.connectors.limits import MemoryBuckets, limiter
from apps.connectors.providers.netvisor.provider import PROVIDER
from apps.connectors.providers.netvisor.sign import Signable, mac
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.queries import Full, Gone, Since, Window
from apps.connectors.sdk.sandbox import Edit, Request
from apps.records.enums import AccountType, Basis, Counts, LockKind, Proof, Resource, TaxRole, VoucherKind
from apps.records.ledger import Account, ControlBalance, Dimension, FiscalYear, Lock, OpeningBalance, Voucher
from apps.records.parties import Party
from apps.records.products import Product
from tests.connectors.bench import Bench, refusal
from tests.connectors.providers.netvisor.harness import GOOD, MAIN_NR, always, failed, ok

YEAR = Window(date(2026, 1, 1), date(2026, 12, 31))


def records(bench: Bench, resource: Resource, query: Any = None) -> list[Any]:
    return [record for page in bench.read(resource, query) for record in page.records]


def by_text(bench: Bench) -> dict[str, Voucher]:
    return {voucher.text: voucher for voucher in records(bench, Resource.VOUCHERS, YEAR)}


def asked(bench: Bench, part: str = "/accountingledger.nv") -> list[dict[str, str]]:
    return [dict(request.query) for request in bench.mouth.heard if request.path.endswith(part)]


def header(request: Request, name: str) -> str:
    return request.headers[f"x-netvisor-authentication-{name}"]


def test_the_company_is_the_one_addressed(bench: Bench) -> None:
    found = PROVIDER.verify(bench.session({**GOOD, "organisation_id": "FI19675438"}))

    assert (found.company_id, found.name, found.proof) == (MAIN_NR, MAIN_NR, Proof.ADDRESSED)
    assert [request.headers["x-netvisor-organisation-id"] for request in bench.mouth.heard] == [MAIN_NR]


def test_a_company_that_may_not_read_the_periods_is_verified_by_its_accounts(bench: Bench) -> None:
    bench.sandbox.fault("main", "no_right", {"resources": ["accountingperiodlist.nv"]})

    assert PROVIDER.verify(bench.session()).company_id == MAIN_NR


@pytest.mark.parametrize("algorithm", ["", "SHA256", "hmacsha256"])
def test_both_signatures_are_taken(bench: Bench, algorithm: str) -> None:
    assert PROVIDER.verify(bench.session({**GOOD, "algorithm": algorithm})).company_id == MAIN_NR


@pytest.mark.parametrize(
    ("field", "value"), [("organisation_id", "12345"), ("algorithm", "MD5"), ("sender", "Kontor ✓"), ("customer_key", "€")]
)  # fmt: skip
def test_values_that_cannot_be_signed_are_refused_before_anything_is_sent(bench: Bench, field: str, value: str) -> None:
    error = refusal(lambda: PROVIDER.verify(bench.session({**GOOD, field: value})))

    assert (error.failure, error.field, error.sent, bench.mouth.heard) == (Failure.SETUP, field, False, [])


def test_every_attempt_has_its_own_number_time_and_signature_of_the_address_sent(bench: Bench) -> None:
    bench.mouth.speak("/accountingledger.nv", lambda _r, n: failed("REQUEST_NOT_UNIQUE :: x", 400) if n < 3 else None)

    list(bench.read(Resource.VOUCHERS, Window(date(2026, 3, 1), date(2026, 3, 31))))

    heard = bench.mouth.heard
    assert len({header(request, "transactionid") for request in heard}) == len(heard) == 3
    assert len({header(request, "mac") for request in heard}) == 3
    for request in heard:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", header(request, "timestamp"))
        told = datetime.fromisoformat(header(request, "timestamp")).replace(tzinfo=UTC)
        assert int(header(request, "timestampunix")) == int(told.timestamp())
        url = f"{bench.address}/netvisor/accountingledger.nv?startdate=2026-03-01&enddate=2026-03-31"
        of = Signable(
            sender=GOOD["sender"], customer_id=GOOD["customer_id"], timestamp=header(request, "timestamp"), language="EN",
            organisation_id=MAIN_NR, transaction_id=header(request, "transactionid"),
            unix=header(request, "timestampunix"), customer_key=GOOD["customer_key"], partner_key=GOOD["partner_key"],
        )  # fmt: skip
        expected = {mac(url, of), mac(url.replace("/netvisor", "", 1), of)}
        assert header(request, "mac") in expected
        assert header(request, "usehttpresponsestatuscodes") == "1"
    assert bench.sandbox.store.counters().get("repeated_transactions", 0) == 0


def test_the_signature_is_kept_nowhere(bench: Bench) -> None:
    PROVIDER.verify(bench.session())

    macs = [header(request, "mac") for request in bench.mouth.heard]
    assert macs
    assert not [mac for mac in macs for exchange in bench.exchanges if mac in repr(exchange)]


def test_a_sale_has_its_vat_on_a_line_of_its_own(bench: Bench) -> None:
    sale = by_text(bench)["Lasku €"]

    assert [(p.account, p.amount, p.tax_role, p.vat_code, p.vat_rate) for p in sale.postings] == [
        ("1702", Decimal("1255.00"), TaxRole.NONE, None, Decimal(0)),
        ("3010", Decimal("-1000.00"), TaxRole.BASE, "KOMY", Decimal("25.5")),
        ("2939", Decimal("-255.00"), TaxRole.NONE, None, Decimal(0)),
    ]
    assert sale.postings[1].dimensions == {"Osasto": "10 Myymälä", "Projekti": "P1 Uudisrakennus"}
    assert (sale.series, sale.number, sale.counts, sale.custom["source_type"]) == (
        "ML",
        "1",
        Counts.POSTED,
        "salesinvoice",
    )


def test_an_invalidated_voucher_is_void_and_the_automatic_closing_is_closing(bench: Bench) -> None:
    found = by_text(bench)

    assert (found["void"].counts, found["wrong"].counts) == (Counts.VOID, Counts.POSTED)
    assert (found["result"].kind, found["wrong"].kind) == (VoucherKind.CLOSING, VoucherKind.ORDINARY)


def test_a_window_is_asked_for_by_calendar_months(bench: Bench) -> None:
    pages = list(bench.read(Resource.VOUCHERS, Window(date(2026, 1, 15), date(2026, 3, 5))))

    assert [(query["startdate"], query["enddate"]) for query in asked(bench)] == [
        ("2026-01-15", "2026-01-31"),
        ("2026-02-01", "2026-02-28"),
        ("2026-03-01", "2026-03-05"),
    ]
    assert [page.last for page in pages] == [False, False, True]
    assert len({page.watermark for page in pages}) == 1


def test_the_clock_of_the_first_page_survives_a_cut(bench: Bench) -> None:
    first = next(iter(bench.read(Resource.VOUCHERS, YEAR)))
    bench.sandbox.store.set("shift", 3)

    rest = list(bench.read(Resource.VOUCHERS, YEAR, resume=first.resume))

    assert {page.watermark for page in rest} == {first.watermark}
    assert asked(bench)[1]["startdate"] == "2026-02-01"


def test_changes_since_bring_what_changed_and_what_was_deleted(bench: Bench) -> None:
    found = by_text(bench)
    whole = list(bench.read(Resource.VOUCHERS, YEAR))
    bench.sandbox.store.set("shift", 2)
    bench.sandbox.edit("main", Edit(action="redate", external_id="wrong", day=date(2026, 4, 9)))
    bench.sandbox.edit("main", Edit(action="delete", external_id="bill"))
    since = datetime.fromisoformat(str(whole[-1].watermark)) + timedelta(days=1)

    pages = list(bench.read(Resource.VOUCHERS, Since(since.isoformat())))

    assert [(r.text, r.date) for page in pages for r in page.records if isinstance(r, Voucher)] == [
        ("wrong", date(2026, 4, 9))
    ]
    assert [gone for page in pages for gone in page.gone] == [
        Gone(external_id=found["Sähkö"].external_id, resource=Resource.VOUCHERS)
    ]
    assert pages[-1].last
    assert datetime.fromisoformat(str(pages[-1].watermark)) > since


@pytest.mark.parametrize("form", ["keys", "vouchers"])
def test_deletions_are_read_in_either_form_seven_days_back_and_no_more(bench: Bench, form: str) -> None:
    bench.sandbox.store.set("deleted_form", form)
    bench.sandbox.edit("main", Edit(action="delete", external_id="bill"))
    now = datetime.now(UTC)

    week = list(bench.read(Resource.VOUCHERS, Since((now - timedelta(days=7)).isoformat())))
    missed = list(bench.read(Resource.VOUCHERS, Since((now - timedelta(days=9)).isoformat())))

    assert [len([gone for page in pages for gone in page.gone]) for pages in (week, missed)] == [1, 1]
    assert [pages[-1].last for pages in (week, missed)] == [True, False]
    assert missed[-1].warnings


def test_looking_up_tells_what_is_there_void_and_gone(bench: Bench) -> None:
    found = by_text(bench)
    bench.sandbox.edit("main", Edit(action="delete", external_id="bill"))
    keys = [found[text].external_id for text in ("wrong", "void", "Sähkö")]
    getter = PROVIDER.resources[Resource.VOUCHERS].get
    assert getter is not None

    there, void, gone = getter(bench.session(), keys)

    assert (there, void) == (found["wrong"], found["void"])
    assert gone == Gone(external_id=keys[2], resource=Resource.VOUCHERS)
    assert asked(bench)[-1] == {"netvisorkeylist": ",".join(keys)}


@pytest.mark.parametrize("inside", [True, False])
def test_fiscal_years_and_the_three_locks(bench: Bench, inside: bool) -> None:  # noqa: FBT001 - a parameter of the test
    bench.sandbox.store.set("periods_inside", inside)
    years: list[FiscalYear] = records(bench, Resource.FISCAL_YEARS)
    locks: list[Lock] = records(bench, Resource.LOCKS)

    assert [(year.start, year.end, year.closed) for year in years] == [
        (date(2025, 1, 1), date(2025, 12, 31), True),
        (date(2026, 1, 1), date(2026, 12, 31), False),
    ]
    assert [(lock.kind, lock.until) for lock in locks] == [
        (kind, date(2026, 2, 28)) for kind in (LockKind.BOOKS, LockKind.VAT, LockKind.PURCHASE)
    ]


def test_accounts_have_their_types_from_the_groups_above(bench: Bench) -> None:
    found: dict[str, Account] = {account.number: account for account in records(bench, Resource.ACCOUNTS)}

    assert {number: account.type for number, account in found.items()} == {
        "1702": AccountType.ASSET,
        "1910": AccountType.ASSET,
        "2251": AccountType.EQUITY,
        "2871": AccountType.LIABILITY,
        "2939": AccountType.LIABILITY,
        "3010": AccountType.INCOME,
        "7230": AccountType.EXPENSE,
        "9990": AccountType.EXPENSE,
    }
    assert found["2251"].group == "OMA PÄÄOMA"


def test_dimensions_are_coded_by_their_names_hidden_ones_too(bench: Bench) -> None:
    found: list[Dimension] = records(bench, Resource.DIMENSIONS)

    assert {(item.kind, item.code, item.active) for item in found} == {
        ("Osasto", "10 Myymälä", True),
        ("Projekti", "P1 Uudisrakennus", True),
        ("Projekti", "P0 Vanha", False),
    }


def test_control_balances_agree_with_the_vouchers_read(bench: Bench) -> None:
    vouchers = [v for v in records(bench, Resource.VOUCHERS, Full()) if v.counts is Counts.POSTED]

    for window in (YEAR, Window(date(2026, 3, 1), date(2026, 3, 31)), Window(date(2025, 1, 1), date(2025, 12, 31))):
        found: list[ControlBalance] = records(bench, Resource.CONTROL_BALANCES, window)
        sums: dict[str, Decimal] = {}
        for voucher in vouchers:
            for line in voucher.postings:
                if window.start <= line.date <= window.end:
                    sums[line.account] = sums.get(line.account, Decimal(0)) + line.amount

        assert {control.account: control.movement for control in found if control.movement} == {
            account: amount for account, amount in sums.items() if amount
        }
        assert {(control.basis, control.from_, control.to) for control in found} == {
            (Basis.INTERVAL, window.start, window.end)
        }
    assert asked(bench, "/accountbalance.nv")[1] == {"balancedates": "2026-02-28,2026-03-31"}


def test_controls_of_everything_are_one_per_fiscal_year(bench: Bench) -> None:
    found: list[ControlBalance] = records(bench, Resource.CONTROL_BALANCES)
    rent = {control.to.year: control for control in found if control.account == "7230"}

    assert (rent[2025].opening, rent[2025].closing) == (Decimal(0), Decimal("100.10"))
    assert (rent[2026].opening, rent[2026].from_) == (Decimal(0), date(2026, 1, 1))
    assert len(asked(bench, "/accountbalance.nv")) == 1


def test_a_hidden_account_still_stands_in_the_controls(bench: Bench) -> None:
    bench.sandbox.fault("main", "hide_account", {"account": "7230"})

    found: list[ControlBalance] = records(bench, Resource.CONTROL_BALANCES, YEAR)

    assert [control.account for control in found if control.account.startswith("netvisorkey ") and control.closing]


def test_openings_are_balances_of_the_day_before(bench: Bench) -> None:
    found: list[OpeningBalance] = records(bench, Resource.OPENING_BALANCES)

    assert {(item.fiscal_year_start.year, item.account): item.amount for item in found} == {
        (2025, "1910"): Decimal("10000.50"),
        (2025, "2251"): Decimal("-10000.50"),
        (2026, "1910"): Decimal("9900.40"),
        (2026, "2251"): Decimal("-10000.50"),
    }


def test_customers_suppliers_and_products_are_read_and_looked_up(bench: Bench) -> None:
    (customer,) = records(bench, Resource.CUSTOMERS)
    (supplier,) = records(bench, Resource.SUPPLIERS)
    (product,) = records(bench, Resource.PRODUCTS)

    assert isinstance(customer, Party)
    assert isinstance(supplier, Party)
    assert isinstance(product, Product)
    assert (customer.name, supplier.name) == ("Äyräpää & Öhman Oy", "Hämeen Sähkö Oy")
    assert (product.account, product.vat_rate, product.price) == ("3010", Decimal("25.5"), Decimal("12.50"))
    for resource, record in (
        (Resource.CUSTOMERS, customer),
        (Resource.SUPPLIERS, supplier),
        (Resource.PRODUCTS, product),
    ):
        getter = PROVIDER.resources[resource].get
        assert getter is not None
        assert list(getter(bench.session(), [record.external_id, "999999"])) == [
            record,
            Gone(external_id="999999", resource=resource),
        ]
        assert list(getter(bench.session(), ["999999"])) == [Gone(external_id="999999", resource=resource)]


def test_one_request_at_a_time_per_company(bench: Bench) -> None:
    values = bench.session().values
    mine = limiter(PROVIDER, PROVIDER.auth[0], values, buckets=(shared := MemoryBuckets()))
    other = limiter(PROVIDER, PROVIDER.auth[0], {**values, "organisation_id": "0112038-9"}, buckets=shared)

    held = mine.enter(PROVIDER.limits, 60)
    assert held is not None
    assert mine.enter(PROVIDER.limits, 60) is None
    assert other.enter(PROVIDER.limits, 60) is not None
    mine.leave(held)
    assert mine.enter(PROVIDER.limits, 60) is not None
    assert PROVIDER.timeout >= timedelta(seconds=120)


def test_a_missing_right_names_the_resource_to_tick(bench: Bench) -> None:
    for told in (failed("SERVICE_ACCESS_ERROR :: No"), failed("AUTHENTICATION_FAILED :: No", 403)):
        bench.mouth.speak("/accountbalance.nv", always(told))

        with pytest.raises(ConnectorError) as caught:
            records(bench, Resource.CONTROL_BALANCES, YEAR)

        assert caught.value.failure is Failure.PERMISSION
        assert caught.value.facts["resource"] == "accountbalance.nv"
        assert "accountbalance.nv" in caught.value.remedy.title.format(**caught.value.facts)


def test_an_empty_answer_is_an_empty_list(bench: Bench) -> None:
    for inside in ("", "<Vouchers/>", "<vouchers></vouchers>"):
        bench.mouth.speak("/accountingledger.nv", always(ok(inside)))

        pages = list(bench.read(Resource.VOUCHERS, Window(date(2026, 3, 1), date(2026, 3, 31))))

        assert [(page.records, page.last) for page in pages] == [((), True)]
