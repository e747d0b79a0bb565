"""Answers that the vendor's pages allow and its sandbox does not give: other cases, encodings, forms, and less of everything."""

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from apps.connectors.providers.netvisor import chart, forms, parties, shapes
from apps.connectors.providers.netvisor.calls import decode
from apps.connectors.sdk.failures import Failure
from apps.connectors.sdk.queries import Full, Gone, Since, Window
from apps.connectors.sdk.sandbox import Answer, Request
from apps.records.enums import AccountType, Basis, Counts, LockKind, Resource, VoucherKind
from apps.records.ledger import ControlBalance, Voucher
from tests.connectors.bench import Bench, bench_of, refusal
from tests.connectors.providers.netvisor.harness import HARNESS, failed, ok, xml
from tests.specs import specs_folder

JANUARY = Window(date(2024, 1, 1), date(2024, 1, 31))
STATUS = "<ResponseStatus><Status>OK</Status><TimeStamp>2024-02-01T03:00:00</TimeStamp></ResponseStatus>"
PERIODS = (
    "<AccountingPeriodList><PeriodLockInformation>{locks}</PeriodLockInformation>"
    "<Period><NetvisorKey>1</NetvisorKey><Name>2024</Name><BeginDate>2024-1-1</BeginDate>"
    "<EndDate format='ansi'>31.12.2024</EndDate></Period></AccountingPeriodList>"
)
ACCOUNTS = (
    "<AccountList><Accounts><Account><NetvisorKey>9</NetvisorKey><Number>1910</Number><Name>Pankki</Name></Account>"
    "<Account><NetvisorKey>8</NetvisorKey><Number>3000</Number><Name>Myynti</Name></Account></Accounts></AccountList>"
)


@pytest.fixture
def bench() -> Any:
    """Without the check against the vendor's list: what is said here is odd on purpose."""
    with bench_of(HARNESS) as made:
        yield made


def answers(bench: Bench, **told: Answer) -> None:
    """What each resource answers, by its name without `.nv`; the others are not found."""

    def say(request: Request, _n: int) -> Answer:
        return told.get(request.path.strip("/").removesuffix(".nv"), Answer(status=404, body=b"<html/>"))

    bench.mouth.speak("/", say)


def read(bench: Bench, resource: Resource = Resource.VOUCHERS, query: Any = JANUARY) -> list[Any]:
    return [record for page in bench.read(resource, query) for record in page.records]


def voucher(inside: str = "", key: str = "7") -> str:
    line = (
        "<VoucherLine><NetvisorKey>{}</NetvisorKey><LineSum>{}</LineSum><AccountNumber>{}</AccountNumber></VoucherLine>"
    )
    return (
        f"<Voucher><NetvisorKey>{key}</NetvisorKey><VoucherDate>5.1.2024</VoucherDate>{inside}"
        f"{line.format(1, '10,50', 1910)}{line.format(2, '-10.50', 3000)}</Voucher>"
    )


def test_names_are_compared_without_case_and_both_marks_are_read(bench: Bench) -> None:
    body = f"<root>{STATUS}<VOUCHERS>{voucher('<VoucherDescription>Ä</VoucherDescription>').upper()}</VOUCHERS></root>"
    answers(bench, accountingledger=xml(body))

    (found,) = read(bench)

    assert (found.external_id, found.text, found.number, found.series) == ("7", "Ä", "", "")
    assert [line.amount for line in found.postings] == [Decimal("10.50"), Decimal("-10.50")]
    assert [line.vat_rate for line in found.postings] == [None, None]


@pytest.mark.parametrize(
    ("head", "encoding", "charset"),
    [
        ("", "utf-8", ""),
        ("", "iso-8859-15", ""),
        ("", "iso-8859-15", "; charset=utf-8"),
        ("", "iso-8859-15", "; charset=ISO-8859-15"),
        ('<?xml version="1.0" encoding="iso-8859-15"?>', "iso-8859-15", "; charset=utf-8"),
        ('<?xml version="1.0" encoding="utf-8"?>', "iso-8859-15", ""),
        ('<?xml version="1.0" encoding="windows-1252"?>', "windows-1252", ""),
        ("", "utf-8-sig", ""),
    ],
)
def test_every_encoding_is_read(bench: Bench, head: str, encoding: str, charset: str) -> None:
    text = f"{head}<Root>{STATUS}<Vouchers>{voucher('<VoucherDescription>Äiti 5 €</VoucherDescription>')}</Vouchers></Root>"
    headers = {"Content-Type": f"text/xml{charset}"}
    answers(bench, accountingledger=Answer(status=200, headers=headers, body=text.encode(encoding)))

    assert [found.text for found in read(bench)] == ["Äiti 5 €"]


def test_entities_are_refused(bench: Bench) -> None:
    bomb = '<!DOCTYPE r [<!ENTITY a "aaaa">]>' + f"<Root>{STATUS}<Vouchers>&a;</Vouchers></Root>"
    answers(bench, accountingledger=xml(bomb))

    assert refusal(lambda: read(bench)).failure is Failure.TRANSIENT
    assert decode(bomb.encode(), {})[1] is False


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("1.1.2000", date(2000, 1, 1)),
        ("31.12.2015", date(2015, 12, 31)),
        ("2012-01-27", date(2012, 1, 27)),
        ("2018-5-29", date(2018, 5, 29)),
        ("1.10.2009 16:03:24", date(2009, 10, 1)),
        ("2009-10-01T16:03:24", date(2009, 10, 1)),
        ("2009-10-01 16:03:24.000", date(2009, 10, 1)),
        (" 1.10.2009 16.03 ", date(2009, 10, 1)),
        ("1.1.1900", None),
        ("0001-01-01", None),
        ("", None),
        (None, None),
    ],
)
def test_days_in_every_form(told: str | None, meant: date | None) -> None:
    assert forms.day(told) == meant


@pytest.mark.parametrize("told", ["2012/01/27", "27.1.12", "yesterday", "2012-13-01", "1.1.2000x"])
def test_what_is_no_day_is_refused(told: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        forms.day(told)


def test_times_are_finnish_unless_they_tell() -> None:
    assert forms.moment("1.7.2009 16:03:24") == datetime.fromisoformat("2009-07-01T16:03:24+03:00")
    assert forms.moment("2009-12-01T16:03:24Z") == datetime.fromisoformat("2009-12-01T16:03:24+00:00")


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("-17,18", "-17.18"),
        ("244.12", "244.12"),
        ("6,9000", "6.9000"),
        ("1\u00a0234,50", "1234.50"),
        ("1.234,50", "1234.50"),
        ("-5000", "-5000"),
        ("\u22121,5", "-1.5"),
        (",5", "0.5"),
    ],
)
def test_numbers_in_every_form(told: str, meant: str) -> None:
    found = forms.decimal(told)

    assert (found, format(found, "f") if found is not None else None) == (Decimal(meant), meant)


@pytest.mark.parametrize("told", ["x", "-", "1e5", "1,2x", "12-"])
def test_what_is_no_number_is_refused(told: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        forms.decimal(told)


@pytest.mark.parametrize(
    "lacking", ["<NetvisorKey>7</NetvisorKey>", "<VoucherDate>5.1.2024</VoucherDate>", "<LineSum>10,50</LineSum>",
                "<AccountNumber>1910</AccountNumber>"]
)  # fmt: skip
def test_a_voucher_that_lacks_what_makes_it_one_is_no_page(bench: Bench, lacking: str) -> None:
    answers(bench, accountingledger=ok(f"<Vouchers>{voucher().replace(lacking, '')}</Vouchers>"))

    error = refusal(lambda: read(bench))

    assert (error.failure, error.remedy.code) == (Failure.TRANSIENT, "connector.bad_page")


def test_a_server_that_ignores_the_dates_gives_every_voucher_once(bench: Bench) -> None:
    answers(bench, accountingledger=ok(f"<Vouchers>{voucher()}{voucher()}</Vouchers>"))

    found = read(bench, query=Window(date(2023, 12, 1), date(2024, 3, 31)))

    assert [item.external_id for item in found] == ["7"]


def test_a_deleted_voucher_on_a_page_is_gone_and_a_new_status_is_kept_apart(bench: Bench) -> None:
    rows = voucher(key="7").replace("<Voucher>", "<Voucher status='Deleted'>")
    rows += voucher(key="8").replace("<Voucher>", "<Voucher Status='halffinished'>")
    answers(bench, accountingledger=ok(f"<Vouchers>{rows}</Vouchers>"))

    (page,) = list(bench.read(Resource.VOUCHERS, JANUARY))
    (other,) = page.records

    assert page.gone == (Gone(external_id="7", resource=Resource.VOUCHERS),)
    assert isinstance(other, Voucher)
    assert (other.counts, other.custom["counts_raw"]) == (Counts.PROVISIONAL, "halffinished")


def test_of_a_deleted_voucher_the_key_is_enough(bench: Bench) -> None:
    rows = "<Voucher Status='deleted'><NetvisorKey>5</NetvisorKey></Voucher>" + voucher(key="8")
    answers(bench, accountingledger=ok(f"<Vouchers>{rows}</Vouchers>"))

    (page,) = list(bench.read(Resource.VOUCHERS, JANUARY))

    assert [item.external_id for item in page.gone] == ["5"]
    assert [record.external_id for record in page.records] == ["8"]


def test_without_fiscal_years_everything_is_one_question(bench: Bench) -> None:
    ledger = ok(f"<Vouchers>{voucher()}</Vouchers>")
    answers(bench, accountingledger=ledger, accountingperiodlist=ok("<AccountingPeriodList/>"))

    assert [item.external_id for item in read(bench, query=Full())] == ["7"]


@pytest.mark.parametrize(
    ("told", "gone"),
    [
        ("", []),
        ("<DeletedVouchers/>", []),
        ("<DeletedVouchers><NetvisorKey>5</NetvisorKey><NetvisorKey>6</NetvisorKey></DeletedVouchers>", ["5", "6"]),
        ("<Vouchers><Voucher Status='deleted'><Netvisorkey>5</Netvisorkey></Voucher></Vouchers>", ["5"]),
        (f"<Vouchers>{voucher(key='5')}</Vouchers>", ["5"]),
        ("<DeletedVouchers><DeletedVoucher netvisorkey='5'/></DeletedVouchers>", ["5"]),
        ("<DeletedVouchers><Voucher>5</Voucher></DeletedVouchers>", ["5"]),
        ("<DeletedVouchers><DeletedVoucher><NetvisorKey>5</NetvisorKey></DeletedVoucher></DeletedVouchers>", ["5"]),
    ],
)
def test_deletions_are_read_in_every_form(bench: Bench, told: str, gone: list[str]) -> None:
    answers(bench, accountingledger=ok("<Vouchers/>"), deletedvouchers=ok(told))

    pages = list(bench.read(Resource.VOUCHERS, Since("2026-11-19T02:00:00+02:00")))

    assert [item.external_id for page in pages for item in page.gone] == gone
    assert [dict(request.query) for request in bench.mouth.heard] == [
        {"lastmodifiedstart": "2026-11-19"},
        {"deletedsince": "2026-11-19"},
    ]
    assert pages[-1].watermark == "2026-11-20T02:03:24+02:00"


@pytest.mark.parametrize(
    ("told", "closed", "kinds"),
    [
        ("", None, []),
        ("<AccountingPeriodLockDate/><VatPeriodLockDate>31.3.2024</VatPeriodLockDate>", False, [LockKind.VAT]),
        ("<accountingperiodlockdate format='ansi'>2024-12-31</accountingperiodlockdate>", True, [LockKind.BOOKS]),
    ],
)
def test_locks_may_be_absent_or_empty(bench: Bench, told: str, closed: bool | None, kinds: list[LockKind]) -> None:  # noqa: FBT001
    answers(bench, accountingperiodlist=ok(PERIODS.format(locks=told)))

    (year,) = read(bench, Resource.FISCAL_YEARS)

    assert (year.start, year.end, year.closed) == (date(2024, 1, 1), date(2024, 12, 31), closed)
    assert [lock.kind for lock in read(bench, Resource.LOCKS)] == kinds


def balances(*rows: str) -> Answer:
    accounts = "".join(rows)
    return ok(f"<AccountBalances>{accounts}</AccountBalances>")


def balance(day: str, amounts: tuple[str, str, str], key: int = 9) -> str:
    sums = "".join(f"<{n}>{a}</{n}>" for n, a in zip(("Debet", "Kredit", "Balance"), amounts, strict=True))
    return f"<Account netvisorkey='{key}'><AccountBalance date='{day}'>{sums}</AccountBalance></Account>"


@pytest.mark.parametrize(
    ("amounts", "closing"),
    [
        (("100,50", "40,00", "60,50"), "60.50"),
        (("100.50", "40.00", "-60.50"), "60.50"),  # a sign of the vendor's own
        (("40,00", "-100,50", "-60,50"), "-60.50"),
        (("", "", "-60,50"), "-60.50"),
        (("100,50", "40,00", ""), "60.50"),
    ],
)
def test_a_balance_without_its_day_before_is_a_closing_only(
    bench: Bench, amounts: tuple[str, str, str], closing: str
) -> None:
    answers(
        bench,
        accountingperiodlist=ok(PERIODS.format(locks="")),
        accountlist=ok(ACCOUNTS),
        accountbalance=balances(balance("31.1.2024", amounts)),
    )

    (found,) = read(bench, Resource.CONTROL_BALANCES)

    assert isinstance(found, ControlBalance)
    assert (found.account, found.basis, found.from_, found.to) == ("1910", Basis.AS_OF, None, date(2024, 1, 31))
    assert (found.opening, found.movement, found.closing) == (None, None, Decimal(closing))


def test_groups_balances_are_no_accounts(bench: Bench) -> None:
    rows = ACCOUNTS.replace("<Name>Myynti</Name>", "<Name>Myynti</Name><AccountType>AccountGroup</AccountType>")
    told = ("0", "5", "-5")
    answers(
        bench,
        accountingperiodlist=ok(PERIODS.format(locks="")),
        accountlist=ok(rows),
        accountbalance=balances(balance("2024-01-31", told, 8), balance("2024-01-31", told, 9)),
    )

    assert [control.account for control in read(bench, Resource.CONTROL_BALANCES)] == ["1910"]


@pytest.mark.parametrize(
    ("number", "above", "kind"),
    [
        ("1910", (), AccountType.ASSET),
        ("2001", (), AccountType.EQUITY),
        ("2621", (), AccountType.LIABILITY),
        ("2621", ("Vastattavaa",), AccountType.LIABILITY),
        ("3010", (), AccountType.INCOME),
        ("9000", (), AccountType.INCOME),
        ("9440", (), AccountType.EXPENSE),
        ("9440", ("RAHOITUSTUOTOT JA -KULUT", "Tuloslaskelma"), AccountType.EXPENSE),
        ("9000", ("RAHOITUSTUOTOT JA -KULUT", "Tuloslaskelma"), AccountType.INCOME),
        ("3500", ("MYYNNIN OIKAISUERÄT", "LIIKEVAIHTO", "Tuloslaskelma"), AccountType.INCOME),
        ("7230", ("LIIKETOIMINNAN MUUT KULUT", "Tuloslaskelma"), AccountType.EXPENSE),
        ("2871", ("LYHYTAIKAINEN", "VIERAS PÄÄOMA", "Vastattavaa"), AccountType.LIABILITY),
        ("1234", ("OMA PÄÄOMA", "Vastattavaa"), AccountType.EQUITY),
        ("X1", (), AccountType.UNKNOWN),
        ("X1", ("Vastaavaa",), AccountType.ASSET),
        ("X1", ("Eget kapital och skulder",), AccountType.UNKNOWN),
    ],
)
def test_account_types(number: str, above: tuple[str, ...], kind: AccountType) -> None:
    assert chart.type_of(number, above) is kind


def test_a_single_customer_and_a_vendor_list_that_never_ends(bench: Bench) -> None:
    vendor = "<NetvisorKey>3</NetvisorKey><VendorBaseInformation><Name>Oy</Name></VendorBaseInformation>"
    answers(
        bench,
        customerlist=ok("<CustomerList><Customer><NetvisorKey>5</NetvisorKey></Customer></CustomerList>"),
        getcustomer=ok("<Customer><CustomerBaseInformation><Netvisorkey>5</Netvisorkey><Name>A</Name></CustomerBaseInformation></Customer>"),
        getvendor=ok(f"<Vendors><Vendor>{vendor}</Vendor></Vendors>"),
    )  # fmt: skip

    assert [found.name for found in read(bench, Resource.CUSTOMERS, Full())] == ["A"]
    assert [found.name for found in read(bench, Resource.SUPPLIERS, Full())] == ["Oy"]


def test_a_dimension_named_twice_on_a_line_keeps_both() -> None:
    items = "".join(
        f"<Dimension><DimensionName>P</DimensionName><DimensionItem>{item}</DimensionItem></Dimension>" for item in "AB"
    )
    rows = voucher().replace("</VoucherLine></Voucher>", f"{items}</VoucherLine></Voucher>")
    root, _readable = decode(f"<Root>{rows}</Root>".encode(), {})

    line = shapes.voucher(root[0]).postings[1]

    assert (line.dimensions, line.custom) == ({"P": "A"}, {"more_dimensions": [["P", "B"]]})


def test_controls_without_a_period_list_take_calendar_years_and_the_days_that_came(bench: Bench) -> None:
    answers(
        bench, accountlist=ok(ACCOUNTS), accountbalance=balances(balance("30.1.2024", ("", "5", "-5"), 8))
    )  # fmt: skip

    (found,) = read(bench, Resource.CONTROL_BALANCES)

    assert (found.account, found.basis, found.to, found.closing) == (
        "3000",
        Basis.AS_OF,
        date(2024, 1, 30),
        Decimal(-5),
    )


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-15"])
@pytest.mark.parametrize("wrap", ["{}", "<![CDATA[{}]]>"])
def test_the_text_of_a_refusal_is_told_as_received(bench: Bench, encoding: str, wrap: str) -> None:
    told = "TECHNICAL_ERROR :: Tekninen virhe: tili & päivä"
    answer = failed(wrap.format(told if "CDATA" in wrap else told.replace("&", "&amp;")))
    declared = f'<?xml version="1.0" encoding="{encoding}"?>' + answer.body.decode()
    answers(bench, accountingledger=Answer(status=500, body=declared.encode(encoding)))

    assert refusal(lambda: read(bench)).facts["said"] == told


@pytest.mark.parametrize(
    "empty", ["<AccountingLedger/>", "<Replies></Replies>", "<Vouchers> </Vouchers>", "<Result />"]
)
def test_an_empty_element_of_any_name_is_an_empty_list(bench: Bench, empty: str) -> None:
    answers(bench, accountingledger=ok(empty))

    assert read(bench) == []


@pytest.mark.parametrize("other", ["<Accounts><Account/></Accounts>", "<Message>Nothing</Message>"])
def test_an_answer_to_another_question_is_no_empty_list(bench: Bench, other: str) -> None:
    answers(bench, accountingledger=ok(other))

    assert refusal(lambda: read(bench)).remedy.code == "connector.bad_page"


@pytest.mark.parametrize(("told", "rate"), [("-", None), ("24 %", Decimal(24)), ("25,5", Decimal("25.5")), ("", None)])
def test_a_rate_may_be_a_dash(bench: Bench, told: str, rate: Decimal | None) -> None:
    rows = voucher().replace("</AccountNumber>", f"</AccountNumber><VatPercent>{told}</VatPercent><VatCode>-</VatCode>")
    answers(bench, accountingledger=ok(f"<Vouchers>{rows}</Vouchers>"))

    (found,) = read(bench)

    assert [line.vat_rate for line in found.postings] == [rate, rate]


@pytest.mark.parametrize(
    "told", ["T Automatic financial statements", "T Automaattinen tilinpäätös", "Automatic financial statements"]
)
def test_automatic_financial_statements_are_closing_with_or_without_their_letter(bench: Bench, told: str) -> None:
    answers(bench, accountingledger=ok(f"<Vouchers>{voucher(f'<VoucherClass>{told}</VoucherClass>')}</Vouchers>"))

    assert [found.kind for found in read(bench)] == [VoucherKind.CLOSING]


@pytest.mark.parametrize(
    ("told", "closing"),
    [
        ("<Debet/><Kredit/><Balance/>", "0"),
        ("<Debet>5,00</Debet><Kredit/><Balance/>", "5.00"),
        ("<Kredit>5,00</Kredit>", "-5.00"),
        ("<Balance>-5.00</Balance>", "-5.00"),
    ],
)
def test_amounts_of_a_balance_may_be_empty(bench: Bench, told: str, closing: str) -> None:
    row = f"<Account NetvisorKey='9'><AccountBalances><AccountBalance Date='2024-01-31'>{told}</AccountBalance></AccountBalances></Account>"
    answers(
        bench,
        accountingperiodlist=ok(PERIODS.format(locks="")),
        accountlist=ok(ACCOUNTS),
        accountbalance=balances(row),
    )

    assert [found.closing for found in read(bench, Resource.CONTROL_BALANCES)] == [Decimal(closing)]


def test_a_balance_without_any_amount_is_no_page(bench: Bench) -> None:
    row = "<Account netvisorkey='9'><AccountBalance date='2024-01-31'><Other>1</Other></AccountBalance></Account>"
    answers(
        bench,
        accountingperiodlist=ok(PERIODS.format(locks="")),
        accountlist=ok(ACCOUNTS),
        accountbalance=balances(row),
    )

    assert refusal(lambda: read(bench, Resource.CONTROL_BALANCES)).remedy.code == "connector.bad_page"


SINCE = Since("2026-11-19T02:00:00+02:00")


def test_a_deletion_that_is_not_understood_is_not_lost(bench: Bench) -> None:
    told = "<DeletedVouchers><Deleted><Number>5</Number></Deleted></DeletedVouchers>"
    answers(bench, accountingledger=ok("<Vouchers/>"), deletedvouchers=ok(told))

    assert refusal(lambda: list(bench.read(Resource.VOUCHERS, SINCE))).remedy.code == "connector.bad_page"


def test_keys_of_a_deleted_vouchers_lines_and_their_links_are_no_vouchers(bench: Bench) -> None:
    links = "<TransactionAllocations><VoucherNetvisorKey>99</VoucherNetvisorKey></TransactionAllocations></VoucherLine>"
    told = voucher(key="5").replace("</VoucherLine>", links)
    answers(bench, accountingledger=ok("<Vouchers/>"), deletedvouchers=ok(f"<Vouchers>{told}</Vouchers>"))

    pages = list(bench.read(Resource.VOUCHERS, SINCE))

    assert [item.external_id for page in pages for item in page.gone] == ["5"]


def test_seven_days_may_be_counted_in_hours(bench: Bench) -> None:
    """The engine's cursor has a day of overlap: the day given up was asked for once already."""

    def say(request: Request, _n: int) -> Answer:
        if "accountingledger" in request.path:
            return ok("<Vouchers/>")
        if dict(request.query)["deletedsince"] == "2026-11-13":
            return failed("INVALID_DATA :: Data form incorrect:. deletedsince can be at most 7 days back", 400)
        return ok("<DeletedVouchers><NetvisorKey>5</NetvisorKey></DeletedVouchers>")

    bench.mouth.speak("/", say)

    pages = list(bench.read(Resource.VOUCHERS, Since("2026-11-13T12:00:00+02:00")))

    assert [item.external_id for page in pages for item in page.gone] == ["5"]
    assert pages[-1].last


def test_what_is_not_found_in_finnish_is_gone_and_one_of_many_costs_few_questions(bench: Bench) -> None:
    def say(request: Request, _n: int) -> Answer:
        keys = (dict(request.query).get("idlist") or dict(request.query)["id"]).split(",")
        if "77" in keys:
            return failed("INVALID_DATA :: Data form incorrect:. Asiakasta ei löydy: 77", 400)
        base = "<Customer><CustomerBaseInformation><NetvisorKey>{0}</NetvisorKey><Name>A{0}</Name></CustomerBaseInformation></Customer>"
        return ok(f"<Customers>{''.join(base.format(key) for key in keys)}</Customers>")

    bench.mouth.speak("/getcustomer.nv", say)
    getter = bench.provider.resources[Resource.CUSTOMERS].get
    assert getter is not None

    found = list(getter(bench.session(), [str(key) for key in range(100)]))

    assert [item.external_id for item in found if isinstance(item, Gone)] == ["77"]
    assert len(found) == 100
    assert len(bench.mouth.heard) <= 16


def test_a_page_after_the_last_may_be_refused(bench: Bench) -> None:
    one = "<Vendors><Vendor><VendorBaseInformation><NetvisorKey>3</NetvisorKey><Name>Oy</Name></VendorBaseInformation></Vendor></Vendors>"
    nothing = failed("INVALID_DATA :: Data form incorrect:. Page not found", 400)
    bench.mouth.speak("/getvendor.nv", lambda request, _n: ok(one) if dict(request.query)["page"] == "1" else nothing)

    pages = list(bench.read(Resource.SUPPLIERS, Full()))

    assert [item.external_id for page in pages for item in page.records] == ["3"]
    assert pages[-1].last


def test_an_item_without_a_name_and_contacts_in_either_form(bench: Bench) -> None:
    details = "".join(
        f"<DimensionDetail><NetvisorKey>{key}</NetvisorKey><Name>{name}</Name></DimensionDetail>"
        for key, name in ((1, " "), (2, "Mike"))
    )
    named = f"<DimensionName><NetvisorKey>9</NetvisorKey><Name>Sales</Name><DimensionDetails>{details}</DimensionDetails></DimensionName>"
    person = "<ContactPersonFirstName>A</ContactPersonFirstName><ContactPersonLastName>{}</ContactPersonLastName>"
    base = "<CustomerBaseInformation><NetvisorKey>5</NetvisorKey><Name>X</Name></CustomerBaseInformation>"
    nested = "".join(f"<CustomerContactPerson>{person.format(n)}</CustomerContactPerson>" for n in "BC")
    flat = "".join(f"<CustomerContactPersons>{person.format(n)}</CustomerContactPersons>" for n in "BC")
    answers(bench, dimensionlist=ok(f"<DimensionNameList>{named}</DimensionNameList>"))

    assert [item.code for item in read(bench, Resource.DIMENSIONS, Full())] == ["Mike"]
    for persons in (flat, f"<CustomerContactPersons>{nested}</CustomerContactPersons>"):
        root, _readable = decode(f"<Root><Customer>{base}{persons}</Customer></Root>".encode(), {})
        assert [contact.name for contact in parties.customer(root[0]).contacts] == ["A B", "A C"]


@pytest.mark.parametrize(
    ("status", "failure", "code"),
    [
        (200, Failure.UNKNOWN, "netvisor.unknown_category"),
        (400, Failure.UNKNOWN, "netvisor.unknown_category"),
        (401, Failure.RECONNECT, "netvisor.bad_keys"),
        (403, Failure.PERMISSION, "netvisor.resource_missing"),
        (429, Failure.TRANSIENT, "connector.busy"),
        (500, Failure.TRANSIENT, "netvisor.technical_error"),
        (503, Failure.TRANSIENT, "netvisor.technical_error"),
    ],
)
def test_beside_an_unknown_category_the_status_decides(bench: Bench, status: int, failure: Failure, code: str) -> None:
    bench.mouth.speak("/", lambda _request, _n: failed("MOON_PHASE :: Uusikuu", status))

    error = refusal(lambda: read(bench))

    assert (error.failure, error.remedy.code, error.facts["said"]) == (failure, code, "MOON_PHASE :: Uusikuu")


DOCUMENTED = {
    "AUTHENTICATION_FAILED": (Failure.RECONNECT, "netvisor.bad_keys"),
    "INVALID_DATA": (Failure.RECORD, "netvisor.invalid_data"),
    "INVALID_DATA_SIZE": (Failure.RECORD, "netvisor.invalid_data"),
    "DUPLICATE_DATA": (Failure.RECORD, "netvisor.duplicate"),
    "REQUEST_NOT_UNIQUE": (Failure.TRANSIENT, "netvisor.not_unique"),
    "PERIOD_LOCK": (Failure.RECORD, "netvisor.period_lock"),
    "SERVICE_ACCESS_ERROR": (Failure.PERMISSION, "netvisor.resource_missing"),
    "SYSTEM_MAINTANANCE": (Failure.TRANSIENT, "netvisor.maintenance"),
    "TECHNICAL_ERROR": (Failure.TRANSIENT, "netvisor.technical_error"),
}


@pytest.mark.parametrize("category", DOCUMENTED)
@pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
@pytest.mark.parametrize("form", ["{} :: Teksti", "{}::Teksti", "{}", "{} Teksti ilman merkkiä"])
def test_a_documented_category_decides_whatever_the_status(bench: Bench, category: str, status: int, form: str) -> None:
    bench.mouth.speak("/", lambda _request, _n: failed(form.format(category), status))

    error = refusal(lambda: read(bench))

    assert (error.failure, error.remedy.code) == DOCUMENTED[category]


def test_every_documented_category_is_tried() -> None:
    folder = specs_folder()
    if folder is None:
        pytest.skip("vendor specs: NOT CHECKED")
    told = json.loads((folder / "netvisor" / "resources.json").read_text(encoding="utf-8"))
    assert set(DOCUMENTED) == set(told["error_categories"])
