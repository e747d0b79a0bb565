"""The vendor's recorded answers and signatures through our own functions."""

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from apps.connectors.providers.netvisor import chart, forms, parties, shapes
from apps.connectors.providers.netvisor.calls import clock, decode, items
from apps.connectors.providers.netvisor.refusals import error_codes, succeeded
from apps.connectors.providers.netvisor.sign import Signable, mac
from apps.connectors.sdk.failures import Failure
from apps.connectors.sdk.queries import Gone, Window
from apps.connectors.sdk.sandbox import Answer
from apps.connectors.sdk.xml import Element
from apps.records.enums import Counts, PartyRole, Resource, TaxRole, VoucherKind
from apps.records.ledger import Voucher
from apps.records.parties import Address, Contact, EInvoice
from tests.connectors.bench import Bench, bench_of, refusal
from tests.connectors.providers.netvisor.harness import HARNESS, always
from tests.specs import count_sample, specs_folder

FOLDER = specs_folder()
pytestmark = pytest.mark.skipif(FOLDER is None, reason="this machine has no vendor specifications")
# recorded for resources that are not read here
NOT_READ = {
    "AccountingCreateVoucher", "CustomerCreate", "SalesInvoiceCreate", "SalesInvoiceList", "GetSalesInvoice",
    "GetSalesInvoiceNotFound", "PurchaseInvoiceList",
}  # fmt: skip
READ = {
    "AccountList", "AccountingLedger", "AuthenticationFailed", "CustomerList", "DimensionList", "GetCustomer",
    "GetCustomerNotFound", "GetProduct", "ProductList",
}  # fmt: skip


@pytest.fixture
def bench() -> Any:
    """Without the check against the vendor's list: recorded answers stand in the sandbox's mouth."""
    with bench_of(HARNESS) as made:
        yield made


def body(name: str) -> bytes:
    assert FOLDER is not None
    count_sample()
    return (FOLDER / "netvisor" / "samples" / f"response_{name}.xml").read_bytes()


def sample(name: str) -> Element:
    found, readable = decode(body(name), {})
    assert readable
    root: Element = found
    return root


def said(name: str, status: int = 200) -> Answer:
    return Answer(status=status, headers={"Content-Type": "text/xml"}, body=body(name))


def test_no_recorded_answer_is_left_out() -> None:
    assert FOLDER is not None
    found = {path.stem.removeprefix("response_") for path in Path(FOLDER, "netvisor", "samples").glob("response_*.xml")}
    assert found == READ | NOT_READ


@pytest.mark.parametrize("name", sorted(READ | NOT_READ))
def test_every_recorded_answer_tells_whether_it_succeeded(name: str) -> None:
    assert succeeded(sample(name)) is (name not in ("AuthenticationFailed", "GetCustomerNotFound"))


@pytest.mark.parametrize("algorithm", ["HMACSHA256", "SHA256"])
def test_the_signature_is_the_vectors(algorithm: str) -> None:
    assert FOLDER is not None
    vector = json.loads((FOLDER / "netvisor" / "auth_vectors.json").read_text(encoding="utf-8"))
    count_sample()
    names = (
        "sender", "customer_id", "timestamp", "language", "organisation_id", "transaction_id", "customer_key", "partner_key",
    )  # fmt: skip

    made = mac(vector["url"], Signable(unix=vector["timestamp_unix"], **{n: vector[n] for n in names}), algorithm)

    assert made == vector[algorithm]


def test_the_recorded_ledger() -> None:
    root = sample("AccountingLedger")
    invoice, void, placeholder, blank = map(shapes.voucher, items(root, "Voucher"))

    assert clock(root) == datetime(2009, 10, 1, 16, 3, 24, tzinfo=forms.HELSINKI)
    assert (invoice.external_id, invoice.date, invoice.number, invoice.text) == (
        "12",
        date(2000, 1, 1),
        "13",
        "Invoice 14",
    )
    assert (invoice.series, invoice.counts, invoice.kind) == ("PI", Counts.POSTED, VoucherKind.ORDINARY)
    assert (invoice.source_document, invoice.custom) == (
        "15",
        {"voucher_class": "PI Purchase Invoice", "source_type": "purchaseinvoice"},
    )
    assert invoice.url == "https:/netvisor.com/voucher/16"
    assert [
        (p.external_id, p.row, p.account, p.amount, p.vat_code, p.vat_rate, p.tax_role, p.text)
        for p in invoice.postings
    ] == [
        ("121", 1, "100", Decimal("-17.18"), None, Decimal(20), TaxRole.NONE, "Invoice 19"),
        ("122", 2, "200", Decimal("-21.22"), "KOMY", Decimal(24), TaxRole.BASE, "Invoice 23"),
    ]
    assert (void.external_id, void.counts, void.date) == ("25", Counts.VOID, date(2000, 1, 2))
    assert void.postings[0].dimensions == {"Sales": "Mike", "Purchase": "Matt"}
    assert (placeholder.counts, placeholder.series, placeholder.postings) == (Counts.POSTED, "Placeholder", ())
    assert (blank.postings[0].dimensions, blank.postings[0].amount) == ({}, Decimal("-30.31"))


def test_the_recorded_ledger_over_http(bench: Bench) -> None:
    bench.mouth.speak("/accountingledger.nv", lambda _r, _n: said("AccountingLedger"))
    window = Window(date(2000, 1, 2), date(2000, 1, 3))

    found = [r for page in bench.read(Resource.VOUCHERS, window) for r in page.records]
    getter = bench.provider.resources[Resource.VOUCHERS].get
    assert getter is not None
    looked_up = list(getter(bench.session(), ["36", "999", "x"]))

    assert [record.external_id for record in found] == ["25", "36", "38"]
    assert [getattr(item, "external_id", "") for item in looked_up] == ["36", "999", "x"]
    assert [isinstance(item, Voucher) for item in looked_up] == [True, False, False]


def test_the_recorded_account_list_has_groups_only() -> None:
    found = chart.chart(items(sample("AccountList"), "Account"))

    assert not found.accounts
    assert found.group_keys == {"1", "2"}


def test_the_recorded_dimensions() -> None:
    found = [item for row in items(sample("DimensionList"), "DimensionName") for item in shapes.dimension_items(row)]

    assert [(d.external_id, d.kind, d.code, d.name, d.active, d.parent) for d in found] == [
        ("17", "Hinnastoryhmä", "Opiskelijat", "Opiskelijat", True, None),
        ("23", "Hinnastoryhmä", "Eläkeläiset", "Eläkeläiset", True, None),
        ("12", "KP1", "PL100", "PL100", False, None),
    ]


def test_the_recorded_customers() -> None:
    short = [parties.listed_customer(row) for row in items(sample("CustomerList"), "Customer")]
    (whole,) = [parties.customer(row) for row in items(sample("GetCustomer"), "Customer")]

    assert [(c.external_id, c.name, c.number, c.organisation_number) for c in short] == [
        ("165", "Anni Asiakas", "AA", "12345678-9"),
        ("166", "Matti Mallikas", None, None),
    ]
    assert (whole.external_id, whole.role, whole.number, whole.name) == (
        "5",
        PartyRole.CUSTOMER,
        "MM",
        "Maija Mallikas",
    )
    assert (whole.organisation_number, whole.phone, whole.website) == ("1234567-8", "040 12157 988", "www.netvisor.fi")
    assert whole.email == "maija.mallikas@netvisor.fi"
    assert whole.billing_address == Address(street="Pajukuja 2", postal_code="53100", city="Lappeenranta", country="FI")
    assert whole.delivery_address == Address(
        name="Matti", street="Pajukuja 90", postal_code="53100", city="Lappeenranta"
    )
    assert whole.contacts == (Contact(name="Perttu", email="perttu@netvisor.fi", phone="040 21578 999"),)
    assert whole.einvoice == EInvoice(address="FI002316574613249", operator="PSPBFIHH")
    assert (whole.credit_limit, whole.tags, whole.active) == (Decimal("200.3"), ("Asiakasryhmä 1",), True)
    assert whole.custom == {
        "name_extension": "toimitusjohtaja",
        "email_invoicing_address": "matti.mallikas@netvisor.fi",
        "fax": "(015) 123 4567",
        "comment": "Great customer!",
        "reference_number": "1070",
        "your_default_reference": "Default reference",
    }


def test_the_recorded_products() -> None:
    (short,) = [parties.listed_product(row) for row in items(sample("ProductList"), "Product")]
    (whole,) = [parties.product(row) for row in items(sample("GetProduct"), "Product")]

    assert (short.external_id, short.sku, short.name, short.price) == ("165", "TT", "Testituote", Decimal("1.96"))
    assert (whole.external_id, whole.sku, whole.name, whole.description) == (
        "165",
        "CC",
        "Code Complete",
        "Toinen painos",
    )
    assert (whole.price, whole.price_incl_vat, whole.purchase_price) == (None, Decimal("42.5"), Decimal("25.0000"))
    assert (whole.vat_rate, whole.unit, whole.weight, whole.account) == (
        Decimal("22.0"),
        "kpl",
        Decimal("0.2"),
        "3000",
    )
    assert (whole.group, whole.active, whole.custom["is_sales_product"]) == ("Kirjat", True, False)


def test_the_recorded_refused_keys_ask_to_reconnect(bench: Bench) -> None:
    for status in (200, 401, 403):
        bench.mouth.speak("/", always(said("AuthenticationFailed", status)))

        error = refusal(lambda: bench.provider.verify(bench.session()))

        assert (error.failure, error.remedy.code, error.field) == (
            Failure.RECONNECT,
            "netvisor.bad_keys",
            "customer_key",
        )
        assert error.facts["said"] == "AUTHENTICATION_FAILED :: Integraatiokumppania ei löydy, katso dokumentaatio"


def test_the_recorded_missing_customer_is_gone(bench: Bench) -> None:
    assert error_codes(sample("GetCustomerNotFound")) == ("INVALID_DATA",)
    bench.mouth.speak("/getcustomer.nv", lambda _r, _n: said("GetCustomerNotFound", 400))
    getter = bench.provider.resources[Resource.CUSTOMERS].get
    assert getter is not None

    error = refusal(lambda: bench.session().read("/getcustomer.nv", {"id": 123}))
    found = list(getter(bench.session(), ["123", "124"]))

    assert (error.failure, error.remedy.code) == (Failure.RECORD, "netvisor.not_found")
    assert found == [Gone(external_id=key, resource=Resource.CUSTOMERS) for key in ("123", "124")]


def test_the_recorded_list_with_details_of_others_stays_short(bench: Bench) -> None:
    """The recorded details are of customer 5, whom the recorded list lacks."""
    answers = {"customerlist.nv": said("CustomerList"), "getcustomer.nv": said("GetCustomer")}
    bench.mouth.speak("customer", lambda request, _n: answers[request.path.strip("/")])

    found = [record for page in bench.read(Resource.CUSTOMERS) for record in page.records]

    assert [record.external_id for record in found] == ["165", "166"]
