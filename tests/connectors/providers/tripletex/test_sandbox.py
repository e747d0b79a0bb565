"""The sandbox answers as the vendor's specification and recorded samples say; real requests to a real server."""

import json
import os
import time
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator

from apps.connectors.providers.tripletex.sandbox import make_sandbox
from apps.connectors.providers.tripletex.sandbox.models import MODELS
from apps.connectors.sdk.sandbox import Books, Edit, Sandbox
from apps.records.enums import AccountType, Counts, TaxRole
from apps.records.ledger import Account, Dimension, FiscalYear, Posting, Voucher
from apps.sandbox.server import running
from apps.sandbox.store import Store
from tests import specs

CONSUMER, SINGLE, BUREAU = "sandbox-consumer-token", "single-key", "bureau-key"
YEAR = {"dateFrom": "2026-01-01", "dateTo": "2027-01-01"}
ERRORS = {"status", "code", "message", "link", "developerMessage", "validationMessages", "requestId"}


def line(row: int, day: date, account: str, amount: str, **more: Any) -> Posting:
    return Posting(row=row, date=day, account=account, amount=Decimal(amount), **more)


def sale(n: int, day: date, net: str = "1000.50", tax: str = "250.13") -> Voucher:
    vat = {"vat_code": "3", "vat_rate": Decimal(25)}
    lines = (
        line(1, day, "1500", str(Decimal(net) + Decimal(tax)), party="Kunde AS"),
        line(2, day, "3000", f"-{net}", tax_role=TaxRole.BASE, dimensions={"department": "1"}, **vat),
        line(3, day, "2700", f"-{tax}", tax_role=TaxRole.TAX, system_made=True, tax_base_amount=-Decimal(net), **vat),
    )
    return Voucher(external_id=f"v{n}", date=day, postings=lines, text=f"Salg {n}")


def make_books(company: str = "c1", name: str = "Nordlys AS", vouchers: int = 40) -> Books:
    days = [date(2026, 1, 5) + timedelta(days=7 * n % 300) for n in range(vouchers)]
    draft = sale(999, date(2026, 10, 1))
    draft = Voucher(external_id="draft", date=draft.date, postings=draft.postings, counts=Counts.PROVISIONAL)
    accounts = (
        Account(number="1500", name="Kundefordringer", type=AccountType.ASSET),
        Account(number="1920", name="Bankinnskudd", type=AccountType.ASSET),
        Account(number="2050", name="Annen egenkapital", type=AccountType.EQUITY),
        Account(number="2700", name="Utgående merverdiavgift", type=AccountType.LIABILITY),
        Account(number="3000", name="Salgsinntekt", type=AccountType.INCOME, vat_code="3"),
    )
    return Books(
        company=company,
        name=name,
        organisation_number="987463104",
        country="NO",
        currency="NOK",
        fiscal_years=(FiscalYear(start=date(2026, 1, 1), end=date(2026, 12, 31)),),
        accounts=accounts,
        dimensions=(Dimension(kind="department", code="1", name="Salg"),),
        openings={"1920": Decimal("500.00"), "2050": Decimal("-500.00")},
        vouchers=(*(sale(n, day) for n, day in enumerate(days, 1)), draft),
        locked_until=date(2026, 1, 31),
    )


class Client:
    """A small client of the vendor's API."""

    def __init__(self, base: str, sandbox: Sandbox) -> None:
        self.base, self.sandbox, self.http, self.user, self.token = base, sandbox, requests.Session(), "0", ""

    def log_in(self, key: str, user: str = "0") -> "Client":
        body = {"consumerToken": CONSUMER, "employeeToken": key, "expirationDate": "2099-01-01"}
        answer = self.http.post(f"{self.base}/v2/token/session/:create", json=body, timeout=10)
        self.token, self.user = answer.json()["value"]["token"], user
        return self

    def get(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> requests.Response:
        url = f"{self.base}/tripletex/v2{path}"
        return self.http.get(url, params=query, headers=headers, auth=(self.user, self.token), timeout=10)

    def values(self, path: str, **query: Any) -> list[dict[str, Any]]:
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["values"])

    def change(self, path: str, balance: str = "balanceChange", **query: Any) -> dict[int, Decimal]:
        text = self.get(path, fields="*,account(number)", **query).text
        rows = json.loads(text, parse_float=Decimal, parse_int=Decimal)["values"]
        return {int(row["account"]["number"]): row[balance] for row in rows}


@pytest.fixture
def client() -> Iterator[Client]:
    sandbox = make_sandbox(Store())
    keys = [{"employee_token": SINGLE}, {"employee_token": BUREAU, "kind": "bureau", "owner": "bureau"}]
    sandbox.seed(make_books(), {"keys": keys, "opened_to": [BUREAU]})
    sandbox.seed(make_books("c2", "Sørvind AS", 3), {})
    with running({"tripletex": sandbox}) as base:
        yield Client(base, sandbox).log_in(SINGLE)


def refused(answer: requests.Response, status: int, code: int) -> dict[str, Any]:
    body = dict(answer.json())
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert set(body) == ERRORS
    assert body["requestId"] == answer.headers["x-tlx-request-id"]
    return body


# What the vendor wrote down


@cache
def spec() -> dict[str, Any]:
    folder = specs.specs_folder()
    path = folder / "tripletex" / "openapi.json" if folder else None
    if path is None or not path.is_file():
        if os.environ.get("KONTOR_REQUIRE_SPECS") == "1":
            pytest.fail("vendor specs: NOT CHECKED")
        pytest.skip("vendor specs: NOT CHECKED")
    return dict(json.loads(path.read_text(encoding="utf-8")))


def strict(node: Any) -> Any:
    """The document's schemas with no property beyond those named, and null where recorded answers have null."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {"anyOf": [{"$ref": node["$ref"]}, {"type": "null"}]}
    out = {key: strict(value) for key, value in node.items() if key not in ("enum", "properties")}
    if "properties" in node:
        out["properties"] = {name: strict(value) for name, value in node["properties"].items()}
        out["additionalProperties"] = False
    if "enum" in node:
        out["enum"] = [*node["enum"], None]
    if isinstance(node.get("type"), str):
        out["type"] = [node["type"], "null"]
    return out


@cache
def components() -> dict[str, Any]:
    return {"schemas": strict(spec()["components"]["schemas"])}


def conforms(answer: requests.Response, path: str, method: str = "get") -> None:
    schema = spec()["paths"][path][method]["responses"][str(answer.status_code)]["content"]["application/json"][
        "schema"
    ]
    Draft202012Validator({"$ref": schema["$ref"], "components": components()}).validate(answer.json())
    specs.count_answer()


READS: list[tuple[str, str]] = [
    ("/token/session/>whoAmI", ""),
    ("/token/session/>whoAmI", "fields=*,company(id,name,organizationNumber)"),
    ("/company/>withLoginAccess", ""),
    ("/company/salesmodules", ""),
    ("/ledger/account", ""),
    ("/ledger/account", "fields=*,vatType(*),currency(*),bankAccountCountry(*),changes"),
    ("/ledger/accountingPeriod", ""),
    ("/ledger/annualAccount", ""),
    ("/ledger/vatType", ""),
    ("/ledger/voucherType", ""),
    ("/ledger/voucher", "dateFrom=2026-01-01&dateTo=2027-01-01"),
    ("/ledger/voucher", "dateFrom=2026-01-01&dateTo=2027-01-01&fields=*,changes,displayName,postings(*,account(*))"),
    ("/ledger/voucher/>nonPosted", "includeNonApproved=true&fields=*,postings(*)"),
    ("/ledger/voucher/openingBalance", "fields=*,postings(*,account(*))"),
    ("/ledger/posting", "dateFrom=2026-01-01&dateTo=2027-01-01&fields=*,customer(*),department(*),vatType(*)"),
    ("/ledger/postingByDate", "dateFrom=2026-01-01&dateTo=2027-01-01"),
    ("/balanceSheet", "dateFrom=2026-03-01&dateTo=2026-04-01&fields=*,account(id,number)"),
    ("/department", ""),
    ("/project", ""),
    ("/customer", ""),
    ("/supplier", ""),
    ("/currency", ""),
]


@pytest.mark.parametrize(("path", "query"), READS)
def test_answer_of_every_read_is_in_the_specification(client: Client, path: str, query: str) -> None:
    spec()
    if path == "/company/>withLoginAccess":
        client.log_in(BUREAU)
    answer = client.get(f"{path}?{query}")
    conforms(answer, path)


@pytest.mark.parametrize("path", ["/ledger/account", "/ledger/voucher", "/ledger/posting", "/department", "/customer"])
def test_answer_by_id_is_in_the_specification_and_equals_the_list_row(client: Client, path: str) -> None:
    spec()
    row = client.values(path, **YEAR)[0]
    answer = client.get(f"{path}/{row['id']}")
    if f"{path}/{{id}}" in spec()["paths"]:
        conforms(answer, f"{path}/{{id}}")
    assert answer.json()["value"] == row


def test_every_name_of_a_model_is_in_the_specification() -> None:
    schemas = spec()["components"]["schemas"]
    for model, props in MODELS.items():
        assert set(props) == set(schemas[model]["properties"]), model


def sample(name: str) -> dict[str, Any]:
    spec()
    folder = specs.specs_folder()
    assert folder is not None
    return dict(json.loads((folder / "tripletex" / "samples" / f"{name}.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (
            "error_400_fields_filter",
            "/ledger/voucher?dateFrom=2026-01-01&dateTo=2026-12-31&fields=id,date,description,amount",
        ),
        ("error_404_bad_enum_query", "/ledger/vatType?typeOfVat=outgoing"),
        ("error_404_object", "/ledger/voucher/2147541394"),
        ("error_422_missing_dates_voucher", "/ledger/voucher?count=1&fields=id"),
        ("error_422_sorting", "/ledger/accountingPeriod?count=1&sorting=end:desc&fields=id,start,end"),
    ],
)
def test_refusal_is_the_recorded_one(client: Client, name: str, path: str) -> None:
    recorded = sample(name)["response"]
    answer = client.get(path)
    assert answer.status_code == recorded["status"]
    assert answer.json() | {"requestId": ""} == recorded["body"] | {"requestId": ""}


def test_refused_session_is_the_recorded_one(client: Client) -> None:
    client.token = "nonsense"
    answer = client.get("/customer")
    assert answer.json() | {"requestId": ""} == sample("error_401_bad_session")["response"]["body"] | {"requestId": ""}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("get_voucher", "/ledger/voucher/{voucher}"),
        ("list_voucher_past_end", "/ledger/voucher?dateFrom=2026-01-01&dateTo=2026-02-29&from=100&count=100"),
        ("list_accountingPeriod", "/ledger/accountingPeriod?startTo=2026-03-21&endFrom=2026-03-21&fields=id,start,end"),
        ("list_customer_full", "/customer"),
        ("list_vatType_outgoing", "/ledger/vatType?fields=id,number,percentage&typeOfVat=OUTGOING"),
        ("list_voucherType", "/ledger/voucherType?name=Leverand%C3%B8rfaktura&count=10&fields=id,name"),
        ("list_ledger_account_1920", "/ledger/account?number=1920&fields=id,version,bankAccountNumber,isBankAccount"),
        ("whoAmI", "/token/session/%3EwhoAmI"),
        ("list_postings_fields", "/ledger/posting?dateFrom=2026-01-01&dateTo=2027-01-01&fields=amount"),
    ],
)
def test_answer_has_the_shape_of_the_recorded_one(client: Client, name: str, path: str) -> None:
    recorded = sample(name)["response"]
    voucher = client.values("/ledger/voucher", **YEAR)[0]["id"]
    answer = client.get(path.format(voucher=voucher))
    assert answer.status_code == recorded["status"]
    ours, theirs = answer.json(), recorded["body"]
    assert list(ours) == list(theirs)
    assert ours.get("versionDigest") == theirs.get("versionDigest")
    if "value" in theirs:
        assert list(ours["value"]) == list(theirs["value"])
    elif theirs["values"]:
        assert list(ours["values"][0]) == list(theirs["values"][0])
    if name == "list_vatType_outgoing":
        assert [row["number"] for row in ours["values"]] == [row["number"] for row in theirs["values"]]


def test_vat_stands_in_the_gross_of_its_base_and_on_a_row_of_the_system(client: Client) -> None:
    theirs = sample("voucher_postings_vat_split_excerpt")["postings"]
    rows = client.values("/ledger/voucher", **YEAR, fields="postings(*)")[0]["postings"]
    assert list(rows[0]) == list(theirs[0])
    base, tax = rows[1], rows[2]
    assert (base["amount"], base["amountGross"], base["row"], base["vatType"]["id"]) == (-1000.5, -1250.63, 2, 3)
    assert (tax["amount"], tax["amountGross"], tax["row"], tax["systemGenerated"]) == (-250.13, -250.13, 0, True)
    assert sum(Decimal(str(row["amountGross"])) for row in rows if row["row"]) == 0


# Sessions and companies


def test_session_by_put_with_a_query_answers_200(client: Client) -> None:
    query = {"consumerToken": CONSUMER, "employeeToken": SINGLE, "expirationDate": "2099-01-01"}
    answer = requests.put(f"{client.base}/v2/token/session/:create", params=query, timeout=10)
    assert (answer.status_code, set(answer.json())) == (200, {"value"})


@pytest.mark.parametrize("field", ["consumerToken", "employeeToken", "expirationDate"])
def test_wrong_token_or_day_is_a_refusal_naming_it(client: Client, field: str) -> None:
    body = {"consumerToken": CONSUMER, "employeeToken": SINGLE, "expirationDate": "2099-01-01"}
    body[field] = date.today().isoformat() if field == "expirationDate" else "wrong"  # noqa: DTZ011 - either day is not later
    answer = requests.post(f"{client.base}/v2/token/session/:create", json=body, timeout=10)
    assert refused(answer, 422, 18000)["validationMessages"][0]["field"] == f"arg:{field}"


def test_session_ends_with_delete_and_on_its_day(client: Client) -> None:
    requests.delete(f"{client.base}/v2/token/session/{client.token}", timeout=10).raise_for_status()
    refused(client.get("/ledger/account"), 401, 3000)
    client.log_in(SINGLE)
    requests.post(
        f"{client.base}/__sandbox__/tripletex/shift", json={"days": 40_000 - 10_000}, timeout=10
    ).raise_for_status()
    refused(client.get("/ledger/account"), 401, 3000)


def test_bureau_key_lists_the_opened_company_only_and_reaches_no_other(client: Client) -> None:
    single = client.get("/token/session/>whoAmI").json()["value"]["companyId"]
    client.log_in(BUREAU)
    found = client.values("/company/>withLoginAccess")
    assert [(row["id"], row["name"], row["organizationNumber"]) for row in found] == [
        (single, "Nordlys AS", "987463104")
    ]
    assert "Company owned users(employeeToken)" in refused(client.get("/ledger/account"), 403, 9000)["message"]
    client.user = str(single)
    assert client.get("/ledger/account").status_code == 200
    other = client.sandbox.store.get("", "company", "c2")
    assert other is not None
    client.user = str(other["id"])
    refused(client.get("/ledger/account"), 403, 9000)
    client.user = str(single)
    client.sandbox.fault("c1", "withdrawn", {})
    refused(client.get("/ledger/account"), 403, 9000)
    client.user = "0"
    assert client.values("/company/>withLoginAccess") == []


# Books


def test_balance_sheet_is_the_sum_of_booked_vouchers_and_openings(client: Client) -> None:
    month = {"dateFrom": "2026-03-01", "dateTo": "2026-04-01"}
    opening, change, closing = (
        client.change("/balanceSheet", name, **month) for name in ("balanceIn", "balanceChange", "balanceOut")
    )
    assert opening[1920] == Decimal(500)
    march = client.values("/ledger/voucher", **month)
    before = client.values("/ledger/voucher", dateFrom="2026-01-01", dateTo="2026-03-01")
    assert change[3000] == Decimal("-1000.50") * len(march)
    assert opening[3000] == Decimal("-1000.50") * len(before)
    assert all(closing[number] == opening[number] + change[number] for number in closing)


def test_pages_and_end_of_range_are_the_vendors(client: Client) -> None:
    everything = client.values("/ledger/voucher", **YEAR)
    assert len(everything) == 40
    pages = [client.values("/ledger/voucher", **YEAR, **{"from": n, "count": 15}) for n in (0, 15, 30)]
    assert [row for page in pages for row in page] == everything
    last = everything[-1]["date"]
    assert not [
        row for row in client.values("/ledger/voucher", dateFrom="2026-01-01", dateTo=last) if row["date"] == last
    ]
    assert sorted(row["number"] for row in everything) == list(range(1, 41))


def test_too_many_hits_are_refused_whatever_the_count(client: Client) -> None:
    client.sandbox.store.set("result_limit", 39)
    refused(client.get("/ledger/voucher", **YEAR, count=1), 422, 23000)


def test_digest_answers_304_until_something_changes(client: Client) -> None:
    first = client.get("/ledger/voucher", {"If-None-Match": "any"}, **YEAR).json()["versionDigest"]
    again = client.get("/ledger/voucher", {"If-None-Match": first}, **YEAR)
    assert (again.status_code, again.content) == (304, b"")
    client.sandbox.edit("c1", Edit(action="delete", external_id="v3"))
    assert client.get("/ledger/voucher", {"If-None-Match": first}, **YEAR).status_code == 200


def test_edits_reach_lists_look_ups_and_balances(client: Client) -> None:
    ids = {row["description"]: row["id"] for row in client.values("/ledger/voucher", **YEAR)}
    day = date(2026, 11, 1)
    for change in (
        Edit(action="post", external_id="v41", voucher=sale(41, day)),
        Edit(action="change", external_id="v2", voucher=sale(2, date(2026, 1, 12), "10.00", "2.50")),
        Edit(action="delete", external_id="v3"),
        Edit(action="redate", external_id="v4", day=day),
        Edit(action="reverse", external_id="v5", day=day, new_id="r5"),
    ):
        client.sandbox.edit("c1", change)
    rows = {row["description"]: row for row in client.values("/ledger/voucher", **YEAR)}
    assert rows["Salg 41"]["number"] == 41
    assert (rows["Salg 2"]["id"], rows["Salg 2"]["version"]) == (ids["Salg 2"], 2)
    refused(client.get(f"/ledger/voucher/{ids['Salg 3']}"), 404, 6000)
    assert rows["Salg 4"]["date"] == "2026-11-01"
    reversal = rows[f"Reversering av bilag {rows['Salg 5']['numberAsString']}"]
    assert reversal["reverseVoucher"]["id"] == ids["Salg 5"]
    assert rows["Salg 5"]["reverseVoucher"]["id"] == reversal["id"]
    assert client.change("/balanceSheet", "balanceOut", **YEAR)[3000] == Decimal("-1000.50") * 38 - 10


def test_drafts_are_kept_apart(client: Client) -> None:
    (draft,) = client.values("/ledger/voucher/>nonPosted", includeNonApproved="true")
    assert (draft["number"], draft["tempNumber"], draft["numberAsString"]) == (0, 1, "<Ikke bokført 1>")
    refused(client.get("/ledger/voucher/>nonPosted"), 422, 15000)


def test_reverse_and_delete_over_the_api_count_as_changes(client: Client) -> None:
    rows = client.values("/ledger/voucher", dateFrom="2026-02-01", dateTo="2027-01-01")
    url = f"{client.base}/v2/ledger/voucher/{rows[0]['id']}"
    auth = (client.user, client.token)
    made = requests.put(f"{url}/:reverse?date=2026-11-01", auth=auth, timeout=10)
    assert made.json()["value"]["reverseVoucher"]["id"] == rows[0]["id"]
    url = f"{client.base}/v2/ledger/voucher/{rows[1]['id']}"
    assert requests.delete(url, auth=auth, timeout=10).status_code == 204
    assert client.sandbox.store.counters()["changes"] == 2


# Faults


@pytest.mark.parametrize("switch", ["drop-voucher", "drop_page", "hide_account", "drop_line"])
def test_what_is_left_out_stays_in_the_balances(client: Client, switch: str) -> None:
    before = client.change("/balanceSheet", **YEAR)
    shown = client.values("/ledger/posting", **YEAR, fields="id,voucher(id)")
    client.sandbox.fault("c1", switch, {})
    left = client.values("/ledger/posting", **YEAR, fields="id,voucher(id)")
    gone = {row["id"] for row in shown} - {row["id"] for row in left}
    assert gone
    assert client.change("/balanceSheet", **YEAR) == before
    for id in list(gone)[:2]:
        refused(client.get(f"/ledger/posting/{id}"), 404, 6000)
    if switch != "drop_line":
        voucher = next(row["voucher"]["id"] for row in shown if row["id"] in gone)
        refused(client.get(f"/ledger/voucher/{voucher}"), 404, 6000)
    client.sandbox.fault("c1", switch, None)
    assert client.values("/ledger/posting", **YEAR, fields="id,voucher(id)") == shown


def test_one_cent_is_there_from_its_month_on(client: Client) -> None:
    before = {
        month: client.change(
            "/balanceSheet", "balanceOut", dateFrom=f"2026-0{month}-01", dateTo=f"2026-0{month + 1}-01"
        )
        for month in (4, 5, 6)
    }
    client.sandbox.fault("c1", "one-cent", {"account": "1500", "from": "2026-05"})
    for month, old in before.items():
        new = client.change("/balanceSheet", "balanceOut", dateFrom=f"2026-0{month}-01", dateTo=f"2026-0{month + 1}-01")
        assert {n: new[n] - old[n] for n in old if new[n] != old[n]} == ({1500: Decimal("0.01")} if month >= 5 else {})


@pytest.mark.parametrize(
    ("switch", "status"),
    [("too_many", 429), ("server_error", 500), ("html_error", 500), ("html_200", 200), ("session_expired", 401)],
)
def test_fault_strikes_as_often_as_told(client: Client, switch: str, status: int) -> None:
    client.sandbox.fault("c1", switch, {"nth": 2, "times": 1})
    answers = [client.get("/ledger/voucher", **YEAR, count=1) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, status, 200]
    if switch == "too_many":
        assert answers[1].headers["Retry-After"] == "1"
    if switch.startswith("html"):
        assert "Feilsituasjon - Tripletex" in answers[1].text


def test_cut_resets_the_connection_once(client: Client) -> None:
    client.sandbox.fault("c1", "cut", {"page": 1})
    with pytest.raises(requests.exceptions.RequestException):
        client.get("/ledger/voucher", **YEAR)
    assert len(client.values("/ledger/voucher", **YEAR)) == 40


def test_malformed_page_is_no_json(client: Client) -> None:
    client.sandbox.fault("c1", "malformed", {})
    with pytest.raises(ValueError, match="line 1"):
        client.get("/ledger/voucher", **YEAR).json()


@pytest.mark.parametrize("switch", ["right_withdrawn", "hidden_rows"])
def test_hidden_rows_are_an_empty_list(client: Client, switch: str) -> None:
    client.sandbox.fault("c1", switch, {})
    assert client.values("/ledger/voucher", **YEAR) == []
    assert bool(client.values("/balanceSheet", **YEAR)) == (switch == "hidden_rows")


@pytest.mark.parametrize("switch", ["no_api_module", "no_entitlement"])
def test_missing_module_and_right_look_the_same(client: Client, switch: str) -> None:
    client.sandbox.fault("c1", switch, {})
    refused(client.get("/ledger/voucher", **YEAR), 403, 9000)
    assert client.get("/company/salesmodules").status_code == 200


def test_duplicate_number_shows_one_number_twice(client: Client) -> None:
    client.sandbox.fault("c1", "duplicate_number", {})
    numbers = [row["number"] for row in client.values("/ledger/voucher", **YEAR)]
    assert len(numbers) - len(set(numbers)) == 1


def test_unknown_fault_names_the_known_ones(client: Client) -> None:
    with pytest.raises(ValueError, match="drop_voucher"):
        client.sandbox.fault("c1", "no-such", {})


def test_rate_limit_is_told_and_kept(client: Client) -> None:
    client.sandbox.store.set("rate_limit", {"limit": 2, "seconds": 30})
    answers = [client.get("/ledger/account", count=1) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["X-Rate-Limit-Remaining"] for answer in answers] == ["1", "0", "0"]


def test_page_of_a_thousand_vouchers_is_answered_in_time(client: Client) -> None:
    client.sandbox.seed(make_books(vouchers=1000), {"keys": [{"employee_token": SINGLE}]})
    client.values("/ledger/voucher", **YEAR, count=1)
    start = time.monotonic()
    client.values("/ledger/voucher", **YEAR, count=1000, fields="*,postings(*,account(id,number))")
    assert time.monotonic() - start < 2  # half a second on a quiet machine
