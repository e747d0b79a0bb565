"""The vendor's recorded answers through our own functions: shapes, lists, refusals, tokens."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from apps.connectors.providers.fortnox import registers, shapes
from apps.connectors.providers.fortnox.calls import pages
from apps.connectors.sdk.failures import Failure
from apps.connectors.sdk.ports import MemoryTokens, Tokens
from apps.connectors.sdk.sandbox import Answer as Said
from apps.connectors.sdk.session import parse_json
from apps.records.enums import PartyRole, Resource
from tests.connectors.bench import Bench, refusal
from tests.connectors.providers.fortnox.harness import CLIENT, SECRET
from tests.connectors.providers.fortnox.openapi import check_value, document
from tests.specs import count_sample, specs_folder

FOLDER = specs_folder()
pytestmark = pytest.mark.skipif(FOLDER is None, reason="this machine has no vendor specifications")

ERRORS = {
    "articles__find_failure": (Failure.RECORD, "fortnox.not_found"),
    "authentication__expired_token": (Failure.RECONNECT, "fortnox.access_refused"),
    "error_403_register_permission": (Failure.PERMISSION, "fortnox.register_closed"),
    "invoices__filter_invalid": (Failure.UNKNOWN, "fortnox.request_refused"),
    "orders__housework_othercoses_invalid": (Failure.RECORD, "fortnox.refused"),
}
TOKEN_ERRORS = {"authentication__invalid_refresh_token"}


def sample(name: str) -> Any:
    """A recorded file, decimals as in a session."""
    assert FOLDER is not None
    found, readable = parse_json((FOLDER / "fortnox" / "samples" / f"{name}.json").read_bytes())
    assert readable
    count_sample()
    return found


def said(name: str) -> Said:
    recorded = sample(name)["response"]
    body = json.dumps(recorded["body"], default=str).encode()
    return Said(status=recorded["status"], headers=recorded.get("headers", {}), body=body)


def listed(bench: Bench, name: str, key: str) -> list[dict[str, Any]]:
    answer = said(name)
    bench.mouth.speak("/3/projects", lambda _request, _n: answer)
    (part,) = list(pages(bench.session(), "/projects", key))
    bench.exchanges.clear()  # another list's rows
    return part.rows


def test_no_recorded_error_is_left_out() -> None:
    assert FOLDER is not None
    refused = set()
    for path in (FOLDER / "fortnox" / "samples").glob("*.json"):
        if json.loads(path.read_text(encoding="utf-8")).get("response", {}).get("status", 200) >= 400:
            refused.add(path.stem)
    assert refused == set(ERRORS) | TOKEN_ERRORS


@pytest.mark.parametrize("name", ERRORS)
def test_a_recorded_error_becomes_its_failure_and_remedy(bench: Bench, name: str) -> None:
    answer = said(name)
    bench.mouth.speak("/costcenters", lambda _request, _n: answer)

    error = refusal(lambda: bench.session().read("/costcenters"))

    assert (error.failure, error.remedy.code) == ERRORS[name]


@pytest.mark.parametrize(("days", "code"), [(-1, "fortnox.consent_expired"), (10, "fortnox.consent_withdrawn")])
def test_a_recorded_refusal_of_a_refresh_token(bench: Bench, days: int, code: str) -> None:
    answer = said("authentication__invalid_refresh_token")
    bench.mouth.speak("/oauth-v1/token", lambda _request, _n: answer)
    session = bench.session({"auth": "oauth_code", "client_id": CLIENT, "client_secret": SECRET})
    ends = datetime.now(UTC) + timedelta(days=days)
    session.tokens = MemoryTokens(Tokens(access_token="", refresh_token="canary-refresh", refresh_expires_at=ends))

    error = refusal(lambda: bench.provider.verify(session))

    assert (error.failure, error.remedy.code) == (Failure.RECONNECT, code)


@pytest.mark.parametrize("given", ["authentication__valid_request", "docs__oauth_token_and_revoke"])
def test_recorded_tokens_are_taken(bench: Bench, given: str) -> None:
    recorded = sample(given)
    body = recorded.get("token_response_200") or recorded["response"]["body"]
    bench.mouth.speak("/oauth-v1/token", lambda _request, _n: Said(status=200, body=json.dumps(body).encode()))
    session = bench.session({"auth": "oauth_code", "client_id": CLIENT, "client_secret": SECRET})
    session.tokens = MemoryTokens(Tokens(access_token="", refresh_token="canary-refresh-1"))

    found = session.tokens_in_use()

    assert (found.access_token, found.refresh_token) == (body["access_token"], body["refresh_token"])
    assert found.learnt == {"scope": body["scope"]}
    assert found.expires_at is not None
    assert timedelta(minutes=59) < found.expires_at - datetime.now(UTC) <= timedelta(hours=1)
    assert found.refresh_expires_at is not None
    assert timedelta(days=44) < found.refresh_expires_at - datetime.now(UTC) <= timedelta(days=45)


def test_the_recorded_customer(bench: Bench) -> None:
    found = registers.customer(sample("customers__find_id_1")["response"]["body"]["Customer"])

    assert (found.external_id, found.number, found.name, found.role) == ("1", "1", "Updated name", PartyRole.CUSTOMER)
    assert (found.is_company, found.active, found.currency, found.price_list) == (True, True, "SEK", "A")
    assert found.vat_treatment == "SEVAT"
    assert found.billing_address is not None
    assert (found.billing_address.city, found.billing_address.postal_code) == ("New York", "10001")
    assert found.delivery_address is None
    assert (found.email, found.phone, found.organisation_number, found.payment_term) == (None, None, None, None)
    assert found.url == "https://api.fortnox.se/3/customers/1"


def test_the_recorded_customer_that_was_just_saved() -> None:
    row = sample("customers__save_new")["response"]["body"]["Customer"]
    found = registers.customer(row)

    assert (found.name, found.number) == (row["Name"], row["CustomerNumber"])
    check_value({"$ref": "#/components/schemas/fortnox_Customer"}, json.loads(json.dumps(row, default=str)), "Customer")


def test_the_recorded_article() -> None:
    found = registers.article(sample("articles__save_new")["response"]["body"]["Article"])

    assert (found.sku, found.name, found.account) == ("102", "A value", "1250")
    assert (found.price, found.purchase_price, found.vat_rate) == (None, Decimal(0), Decimal(0))
    assert (found.unit, found.ean, found.stock_tracked, found.active) == (None, None, False, True)
    assert found.custom == {"type_raw": "STOCK", "purchase_account": "4000"}


def test_recorded_lists(bench: Bench) -> None:
    customers = listed(bench, "customers__all", "Customers")
    articles = listed(bench, "articles__all", "Articles")
    projects = [shapes.project(row) for row in listed(bench, "projects__all", "Projects")]

    assert [row["CustomerNumber"] for row in customers] == ["1", "2", "3", "4", "5", "6", "7"]
    assert len(articles) == 6
    assert [(item.code, item.name, item.active) for item in projects] == [
        ("1", "Some important project", True),
        ("2", "Some important project", True),
    ]
    assert listed(bench, "customers__search_miss", "Customers") == []


def test_documented_years_and_vouchers(bench: Bench) -> None:
    years = [shapes.fiscal_year(row) for row in listed(bench, "docs__financialyears_list", "FinancialYears")]
    keys = [shapes.short_key(row) for row in listed(bench, "docs__vouchers_list", "Vouchers")]

    assert [(item.external_id, item.start, item.end, item.closed) for item in years] == [
        ("5", date(2013, 1, 1), date(2013, 12, 31), None),
        ("1", date(2009, 1, 1), date(2009, 12, 31), None),
    ]
    assert keys == [("B", "25"), ("D", "6")]


@pytest.mark.parametrize("name", ["customers__all", "articles__all"])
def test_a_recorded_list_is_read_whole(bench: Bench, name: str) -> None:
    """The list as recorded, each row by itself as the whole forms are recorded."""
    resource, whole, key, single = {
        "customers__all": (Resource.CUSTOMERS, "customers__find_id_1", "CustomerNumber", "Customer"),
        "articles__all": (Resource.PRODUCTS, "articles__save_new", "ArticleNumber", "Article"),
    }[name]
    place = name.partition("__")[0]
    rows, one = said(name), sample(whole)["response"]["body"][single]

    def say(request: Any, _n: int) -> Said:
        number = request.path.removeprefix(f"/3/{place}").strip("/")
        return Said(status=200, body=json.dumps({single: {**one, key: number}}).encode()) if number else rows

    bench.mouth.speak(f"/3/{place}", say)

    (page,) = list(bench.read(resource))

    assert page.last
    assert page.vendor_count == len(page.records) == len(json.loads(rows.body)[place.title()])
    assert [item.external_id for item in page.records] == [row[key] for row in json.loads(rows.body)[place.title()]]


def test_the_document_knows_what_is_read() -> None:
    schemas = document()["components"]["schemas"]
    assert "BalanceCarriedForward" in schemas["fortnox_AccountSingleItem"]["properties"]
    assert "BalanceCarriedForward" not in schemas["fortnox_AccountListItem"]["properties"]  # spec_gaps, NOTES.md
