"""The vendor's recorded answers through our own functions: shapes, refusals."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from apps.connectors.providers.tripletex import shapes
from apps.connectors.providers.tripletex.auth import check_values, org_nr
from apps.connectors.providers.tripletex.calls import rows, value
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.sandbox import Answer as Said
from apps.connectors.sdk.session import Answer, parse_json
from apps.records.enums import AccountType, Counts, TaxRole
from apps.records.ledger import Voucher
from tests.connectors.bench import Bench, refusal
from tests.specs import count_sample, specs_folder

FOLDER = specs_folder()
pytestmark = pytest.mark.skipif(FOLDER is None, reason="this machine has no vendor specifications")


def sample(name: str) -> Any:
    """A recorded file, decimals as in a session."""
    assert FOLDER is not None
    found, readable = parse_json((FOLDER / "tripletex" / "samples" / f"{name}.json").read_bytes())
    assert readable
    count_sample()
    return found


def answer(name: str) -> Answer:
    recorded = sample(name)["response"]
    return Answer(status=recorded["status"], headers={}, body=b"", data=recorded["body"])


ERRORS = {
    "error_400_fields_filter": (Failure.UNKNOWN, "tripletex.request_refused"),
    "error_401_bad_session": (Failure.RECONNECT, "tripletex.bad_key"),
    "error_403_no_permission": (Failure.PERMISSION, "tripletex.entitlement_missing"),
    "error_404_bad_enum_query": (Failure.UNKNOWN, "tripletex.request_refused"),
    "error_404_object": (Failure.RECORD, "tripletex.not_found"),
    "error_422_bad_consumer_token": (Failure.SETUP, "tripletex.wrong_environment"),
    "error_422_mapping": (Failure.UNKNOWN, "tripletex.request_refused"),
    "error_422_missing_dates_voucher": (Failure.UNKNOWN, "tripletex.request_refused"),
    "error_422_product_duplicate_number": (Failure.RECORD, "tripletex.refused"),
    "error_422_sorting": (Failure.UNKNOWN, "tripletex.request_refused"),
    "error_422_voucher_row0": (Failure.RECORD, "tripletex.refused"),
}


def test_no_recorded_error_is_left_out() -> None:
    assert FOLDER is not None
    assert {path.stem for path in Path(FOLDER, "tripletex", "samples").glob("error_*.json")} == set(ERRORS)


@pytest.mark.parametrize("name", ERRORS)
def test_a_recorded_error_becomes_its_failure_and_remedy(bench: Bench, name: str) -> None:
    recorded = sample(name)["response"]
    said = Said(status=recorded["status"], body=json.dumps(recorded["body"]).encode())
    bench.mouth.speak("/department", lambda _request, _n: said)

    error = refusal(lambda: bench.session().read("/department"))

    assert (error.failure, error.remedy.code) == ERRORS[name]


def test_the_bureau_text_is_found_wherever_it_stands(bench: Bench) -> None:
    text = (
        "Company owned users(employeeToken) can only access /token/session/>whoAmI & /company/>withLoginAccess"
        " in their own company."
    )
    for place in ("message", "developerMessage"):
        body = {"status": 403, "code": 9000, "message": "x", "validationMessages": None} | {place: text}
        bench.mouth.speak("/department", lambda _r, _n, body=body: Said(status=403, body=json.dumps(body).encode()))
        assert refusal(lambda: bench.session().read("/department")).remedy.code == "tripletex.bureau_key_without_orgnr"


def test_recorded_postings_with_a_vat_row() -> None:
    postings = sample("voucher_postings_vat_split_excerpt")["postings"]
    numbers = {467356821: 6390, 467356643: 2710}
    for line in postings:
        line["account"]["number"] = numbers[line["account"]["id"]]
    row = {"id": 609083502, "date": "2026-02-28", "number": 7, "year": 2026, "postings": postings}

    base, tax = shapes.voucher(row, {}).postings

    assert (base.amount, base.tax_role, base.vat_code, base.row) == (Decimal(1960), TaxRole.BASE, "1", 2)
    assert (tax.amount, tax.tax_role, tax.system_made, tax.row) == (Decimal(490), TaxRole.TAX, True, 0)
    assert (base.currency, base.foreign_amount, base.quantity) == (None, None, None)


def test_the_recorded_voucher_is_read_with_its_postings_looked_up(bench: Bench) -> None:
    recorded = sample("get_voucher")["response"]["body"]
    lines = {line["id"]: sign for line, sign in zip(recorded["value"]["postings"], (-100, 80, 20), strict=True)}

    def say(request: Any, _n: int) -> Said:
        body: dict[str, Any] = recorded
        if "/posting/" in request.path:
            id = int(request.path.rsplit("/", 1)[-1])
            body = {"value": {"id": id, "account": {"id": 1, "number": 1920}, "amount": lines[id]}}
        return Said(status=200, body=json.dumps(body).encode())

    bench.mouth.speak("/ledger/", say)
    getter = bench.provider.resources[shapes_resource()].get
    assert getter is not None
    voucher = next(iter(getter(bench.session(), ["608859088"])))

    assert isinstance(voucher, Voucher)
    assert (voucher.number, voucher.text, voucher.counts) == ("46", "INV-2026-TEST", Counts.POSTED)
    assert [(p.row, p.amount, p.date) for p in voucher.postings] == [
        (1, Decimal(-100), date(2026, 3, 19)),
        (2, Decimal(80), date(2026, 3, 19)),
        (3, Decimal(20), date(2026, 3, 19)),
    ]


def shapes_resource() -> Any:
    from apps.records.enums import Resource

    return Resource.VOUCHERS


def test_the_recorded_account() -> None:
    account = shapes.account(value(answer("put_ledger_account_1920")))

    assert (account.number, account.name, account.type, account.active) == (
        "1920",
        "Bankinnskudd",
        AccountType.ASSET,
        True,
    )
    assert (account.vat_code, account.vat_locked, account.requires) == ("0", True, ())
    assert account.url == "https://kkpqfuj-amager.tripletex.dev/v2/ledger/account/372300019"


def test_the_recorded_department_free_dimension_and_company() -> None:
    department = shapes.department(value(answer("post_department_201")))
    free = shapes.free_item(value(answer("post_dimension_value_201")), "Marked")
    company = shapes.identity(value(answer("whoAmI"))["company"])

    assert (department.kind, department.code, department.name, department.active) == (
        "department",
        "501",
        "Produksjon",
        True,
    )
    assert (free.kind, free.code, free.name) == ("Marked", "16522", "Offentlig")
    assert (company.company_id, company.country) == ("108136045", "NO")


def test_a_recorded_period_ends_before_its_exclusive_end() -> None:
    (period,) = rows(answer("list_accountingPeriod"))

    assert shapes.last_day(period["end"]) == date(2026, 3, 31)
    assert shapes.lock([{**period, "isClosed": True}]) is not None
    assert shapes.lock([period]) is None


def test_recorded_lists_are_read_by_their_rows_not_their_counts() -> None:
    assert len(rows(answer("list_vatType_outgoing"))) == 6
    assert rows(answer("list_voucher_past_end")) == []
    assert [row["amount"] for row in rows(answer("list_postings_fields"))] == [
        Decimal("100.0"),
        Decimal("-74650.0"),
        Decimal("74650.0"),
    ]


def test_recorded_vat_types_are_coded_by_number() -> None:
    for kind in sample("ref_vatTypes")["response_values_excerpt"]:
        assert shapes.vat_code({"vatType": kind}) == kind["number"]


@pytest.mark.parametrize(
    ("given", "number"), [("", ""), (" 987463104 ", "987463104"), ("NO 987 463 104 MVA", "987463104"), ("abc", "abc")]
)
def test_organisation_numbers_are_taken_as_people_write_them(given: str, number: str) -> None:
    assert org_nr({"org_nr": given}) == number


@pytest.mark.parametrize("given", ["12345678", "1234567890", "abc", "SE556677889901"])
def test_other_organisation_numbers_are_refused_with_their_field(given: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        check_values({"api_key": "x" * 40, "org_nr": given})

    assert (caught.value.field, caught.value.sent) == ("org_nr", False)
