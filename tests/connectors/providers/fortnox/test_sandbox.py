"""The sandbox signs in, refuses and lists as the vendor does; real requests to a real server."""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import requests

from apps.connectors.sdk.sandbox import Edit
from tests.connectors.providers.fortnox.vendor import (
    BASIC,
    CLIENT,
    LAST,
    OTHER,
    TENANT,
    THIS,
    Client,
    pages,
    refused,
    sale,
    seed,
    told,
)

# Sign-in


def test_a_code_gives_a_pair_once_and_only_at_its_own_address(client: Client) -> None:
    redirect = told(client.authorize())
    assert redirect["state"] == "s1"
    answer = client.exchange(redirect["code"])
    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "refresh_token", "scope", "expires_in", "token_type"}
    assert (answer.json()["expires_in"], answer.json()["token_type"]) == (3600, "bearer")
    assert answer.json()["scope"] == "companyinformation bookkeeping"

    again = client.exchange(redirect["code"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    elsewhere = client.exchange(client.code(), "https://kontor.example/other")
    assert (elsewhere.status_code, elsewhere.json()["error"]) == (400, "invalid_grant")
    client.set("code_seconds", 0)
    assert client.exchange(client.code()).status_code == 400


def test_the_access_token_names_its_tenant_and_reads_its_company(client: Client) -> None:
    client.token = client.exchange(client.code()).json()["access_token"]
    middle = client.token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))

    assert claims["tenantId"] == TENANT
    assert client.body("companyinformation")["CompanyInformation"]["DatabaseNumber"] == TENANT


def test_without_offline_there_is_no_refresh_token(client: Client) -> None:
    assert "refresh_token" not in client.exchange(client.code(access_type="online")).json()


@pytest.mark.parametrize(
    ("access", "query", "error"),
    [
        ({"licences": ["api", "companyinformation"]}, {}, "error_missing_license"),
        ({"system_admin": False}, {"account_type": "service"}, "error_missing_system_admin_right"),
        ({}, {"scope": "bookkeeping nonsense"}, "invalid_scope"),
        ({"clients": [CLIENT | {"scopes": "bookkeeping"}]}, {}, "invalid_scope"),
        ({"clients": [CLIENT | {"service_accounts": False}]}, {"account_type": "service"}, "invalid_request"),
        ({}, {"response_type": "token"}, "unsupported_response_type"),
    ],
)
def test_errors_of_the_consent_come_in_the_redirect(
    client: Client, access: dict[str, Any], query: dict[str, str], error: str
) -> None:
    seed(client, **access)
    redirect = told(client.authorize(**query))

    assert (redirect["error"], redirect["state"]) == (error, "s1")
    assert "code" not in redirect


def test_a_wrong_client_or_address_gets_a_page_and_no_redirect(client: Client) -> None:
    for wrong in ({"client_id": "nobody"}, {"redirect_uri": "https://evil.example/"}):
        answer = client.authorize(**wrong)
        assert (answer.status_code, "Location" in answer.headers) == (400, False)


def test_the_consent_page_can_be_answered_by_hand(client: Client) -> None:
    client.set("auto_approve", value=False)
    page = client.authorize()
    assert page.status_code == 200
    assert "Mälarbo AB" in page.text
    client.sandbox.store.drop("", "consent", [f"app/{OTHER}/person"])

    given = {"data": {"tenant": str(OTHER), "approve": "yes"}, "timeout": 10, "allow_redirects": False}
    code = told(client.http.post(page.url, **given))["code"]
    client.token = client.exchange(code).json()["access_token"]
    assert client.body("companyinformation")["CompanyInformation"]["DatabaseNumber"] == OTHER
    given["data"] = {"tenant": str(OTHER), "approve": "no"}
    assert told(client.http.post(page.url, **given))["error"] == "access_denied"


def test_a_refresh_token_rotates_and_the_old_one_dies_at_once(client: Client) -> None:
    first = client.exchange(client.code()).json()["refresh_token"]
    second = client.refresh(first).json()["refresh_token"]
    assert second != first
    assert client.refresh(first).status_code == 400
    assert client.refresh(second).status_code == 200


def test_of_many_callers_with_one_refresh_token_exactly_one_is_served(client: Client) -> None:
    token = client.exchange(client.code()).json()["refresh_token"]

    def ask(_: int) -> int:
        body = {"grant_type": "refresh_token", "refresh_token": token}
        return requests.post(f"{client.base}/oauth-v1/token", data=body, auth=BASIC, timeout=20).status_code

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(48)))

    assert sorted(answers) == [200] + [400] * 47
    counters = client.sandbox.store.counters()
    assert (counters["refresh.done"], counters["refresh.refused"]) == (1, 47)


def test_a_service_account_needs_its_tenant_in_the_header(client: Client) -> None:
    answer = client.service()
    assert set(answer.json()) == {"access_token", "expires_in", "token_type", "scope"}
    assert client.service(scope="bookkeeping").json()["scope"] == "bookkeeping"
    assert client.service(11).json()["error"] == "invalid_grant"
    assert client.oauth(grant_type="client_credentials", TenantId=str(TENANT)).json()["error"] == "invalid_request"


@pytest.mark.parametrize("state", ["expired", "revoked"])
def test_a_consent_that_does_not_hold_gives_no_tokens(client: Client, state: str) -> None:
    consents = [
        {"client_id": "app", "service": service, "state": state, "refresh_token": f"r{service}", "access_token": "a"}
        for service in (True, False)
    ]
    seed(client, consents=consents)
    client.token = "a"

    assert client.service().json()["error"] == "invalid_grant"
    assert client.refresh("rFalse").json() == {"error": "invalid_grant", "error_description": "Invalid refresh token"}
    assert client.get("me").status_code == 401


def test_fixed_tokens_of_a_story_work(client: Client) -> None:
    seed(client, consents=[{"client_id": "app", "refresh_token": "r1", "access_token": "a1"}])
    client.token = "a1"
    assert client.get("me").status_code == 200
    assert client.refresh("r1").status_code == 200


def test_a_revoked_refresh_token_is_dead_and_lifetimes_end(client: Client) -> None:
    pair = client.exchange(client.code()).json()
    assert client.oauth("revoke", token_type_hint="refresh_token", token=pair["refresh_token"]).json() == {
        "revoked": True
    }
    assert client.refresh(pair["refresh_token"]).status_code == 400

    pair = client.exchange(client.code()).json()
    client.set("shift", 46)
    assert client.refresh(pair["refresh_token"]).status_code == 400
    client.set("shift", None)
    client.set("access_seconds", 0)
    assert client.log_in().get("me").status_code == 401


def test_wrong_client_credentials_are_told_as_recorded(client: Client) -> None:
    body = {"grant_type": "refresh_token", "refresh_token": "x"}
    for auth in (("app", "wrong"), ("nobody", "x"), None):
        answer = requests.post(f"{client.base}/oauth-v1/token", data=body, auth=auth, timeout=10)
        assert answer.status_code == 401
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert answer.json()["error"] == "invalid_client"


# Refusals


def test_a_token_that_does_not_hold_gets_the_gateways_answer(client: Client) -> None:
    for token in ("", "nonsense"):
        client.token = token
        answer = client.get("customers")
        assert (answer.status_code, answer.json()) == (401, {"message": "unauthorized"})


def test_scope_licence_and_right_are_told_apart(client: Client) -> None:
    client.token = client.service(scope="bookkeeping").json()["access_token"]
    refused(client.get("customers"), 403, 2000663)
    seed(client, licences=["api", "customer", "supplier"], no_right=["suppliers"])
    client.log_in()
    refused(client.get("vouchers"), 403, 2001101)
    refused(client.get("suppliers"), 403, 2003275)
    assert client.get("suppliers").json()["ErrorInformation"]["Message"] == "Saknar behörighet för leverantörsregister."
    assert client.get("customers").status_code == 200
    seed(client, licences=["customer"])
    client.set("licence_status", 400)
    refused(client.get("customers"), 400, 2001103)


def test_both_spellings_of_error_keys_can_be_had(client: Client) -> None:
    refused(client.get("articles/123456789"), 404, 2000428)
    refused(client.get("customers", filter="doesntexist"), 400, 2000587, lower=True)
    client.set("error_case", "lower")
    refused(client.get("articles/123456789"), 404, 2000428, lower=True)
    client.set("error_case", "upper")
    refused(client.get("customers", filter="doesntexist"), 400, 2000587)


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("customers/999", {}, 404, 2000433),
        ("projects/999", {}, 404, 2001161),
        ("vouchers/A/999", {}, 404, 2000431),
        ("accounts/9999", {}, 404, 2000430),
        ("vouchers", {"financialyear": "99"}, 404, 2000429),
        ("vouchers", {"financialyear": "2026x"}, 400, 2000108),
        ("vouchers", {"fromdate": "01.02.2026"}, 400, 2000588),
        ("vouchers", {"lastmodified": "yesterday"}, 400, 2000588),
        ("vouchers", {"limit": "501"}, 400, 2000588),
        ("vouchers", {"sortby": "nonsense"}, 400, 2000588),
        ("nonsense", {}, 404, 2000734),
        ("sie/5", {}, 400, 2000588),
    ],
)
def test_what_is_not_there_or_not_understood_has_its_code(
    client: Client, path: str, query: dict[str, str], status: int, code: int
) -> None:
    refused(client.get(path, **query), status, code, lower=code == 2000588)


def test_twenty_five_requests_in_five_seconds_pass_and_the_window_slides(limited: Client) -> None:
    start = time.monotonic()
    assert [limited.get("me").status_code for _ in range(10)] == [200] * 10
    time.sleep(1.5)
    assert [limited.get("me").status_code for _ in range(16)] == [200] * 15 + [429]
    assert "Retry-After" not in limited.get("me").headers
    assert limited.sandbox.store.counters()["limited"] == 2

    neighbour = Client(limited.base.removesuffix("/fortnox"), limited.sandbox).log_in(OTHER)
    assert neighbour.get("me").status_code == 200
    time.sleep(max(0.0, start + 5.1 - time.monotonic()))
    after = [limited.get("me").status_code for _ in range(11)]
    assert after == [200] * 10 + [429]  # the first ten left the window, the fifteen are still in it


# Lists


def test_pages_cover_a_list_and_its_counts_are_true(client: Client) -> None:
    body = client.body("vouchers", financialyear=THIS, limit=20)
    assert body["MetaInformation"] == {"@TotalResources": 50, "@TotalPages": 3, "@CurrentPage": 1}
    rows = pages(client, "vouchers", "Vouchers", financialyear=THIS, limit=20)
    keys = [(row["VoucherSeries"], row["VoucherNumber"]) for row in rows]
    assert keys == [("B", n) for n in range(1, 41)] + [("D", n) for n in range(1, 11)]
    assert "VoucherRows" not in rows[0]
    assert client.body("vouchers", financialyear=THIS, offset=45)["Vouchers"] == rows[45:]
    beyond = client.body("vouchers", financialyear=THIS, page=9)
    assert (beyond["Vouchers"], beyond["MetaInformation"]["@CurrentPage"]) == ([], 9)


def test_a_new_voucher_shifts_the_pages_that_follow(client: Client) -> None:
    first = client.body("vouchers", financialyear=THIS, limit=45)["Vouchers"]
    client.sandbox.edit("c1", Edit(action="post", external_id="e1", voucher=sale(41, date(2026, 3, 1))))
    second = client.body("vouchers", financialyear=THIS, limit=45, page=2)["Vouchers"]

    assert first[-1] == second[0]


def test_the_year_must_be_asked_for_and_dates_are_inclusive(client: Client) -> None:
    assert len(pages(client, "vouchers", "Vouchers", financialyear=LAST)) == 1
    assert len(pages(client, "vouchers", "Vouchers", financialyeardate="2025-06-01")) == 1
    assert client.body("vouchers")["MetaInformation"]["@TotalResources"] == 50
    client.sandbox.store.set("preselected", LAST, company="c1")
    assert client.body("vouchers")["MetaInformation"]["@TotalResources"] == 1
    days = {"fromdate": "2026-01-05", "todate": "2026-01-12", "financialyear": THIS}
    rows = pages(client, "vouchers", "Vouchers", **days)
    assert {row["TransactionDate"] for row in rows} == {"2026-01-05", "2026-01-12"}


def test_lists_sort_and_search_like_the_vendor(client: Client) -> None:
    rows = pages(
        client, "vouchers", "Vouchers", financialyear=THIS, sortby="transactiondate", sortorder="descending", limit=9
    )
    days = [row["TransactionDate"] for row in rows]
    assert days == sorted(days, reverse=True)
    hit = client.body("customers", name="UND")["Customers"]
    assert [row["Name"] for row in hit] == ["Kund AB"]
    for name in ("city", "email", "phone", "zipcode", "organisationnumber", "gln", "glndelivery"):
        assert client.body("customers", **{name: "x"})["Customers"] == []
    assert client.body("articles", ean="73")["Articles"] == []
    assert client.body("articles", sortby="stockvalue")["Articles"]
    sub = client.body("vouchers/sublist/D", financialyear=THIS)["Vouchers"]
    assert {row["VoucherSeries"] for row in sub} == {"D"}
    assert [row["ArticleNumber"] for row in client.body("articles", filter="inactive")["Articles"]] == ["LAG 10/25"]
    assert client.body("articles/LAG%2010%2F25")["Article"]["ArticleNumber"] == "LAG 10/25"
    assert client.body("financialyears", date="2031-01-01")["FinancialYears"] == []
    assert [row["Id"] for row in client.body("financialyears", Date="2025-02-01")["FinancialYears"]] == [LAST]


def test_lastmodified_finds_what_was_changed_since(client: Client) -> None:
    tomorrow = f"{date.today() + timedelta(days=1)} 00:00"  # noqa: DTZ011
    today = f"{date.today()} 00:00"  # noqa: DTZ011
    assert client.body("vouchers", financialyear=THIS, lastmodified=tomorrow)["Vouchers"] == []
    before = len(client.body("vouchers", financialyear=THIS, lastmodified=today)["Vouchers"])
    client.sandbox.edit("c1", Edit(action="post", external_id="e1", voucher=sale(41, date(2026, 3, 1))))
    assert len(client.body("vouchers", financialyear=THIS, lastmodified=today)["Vouchers"]) == before + 1


def test_numbers_and_booleans_can_come_as_texts(client: Client) -> None:
    client.set("loose_types", value=True)
    row = client.body("vouchers/B/1", financialyear=THIS)["Voucher"]["VoucherRows"][0]
    assert (row["Account"], row["Debit"], row["Removed"]) == ("1510", "1250.63", "false")
    assert client.body("accounts")["MetaInformation"]["@TotalResources"] == 7


# XML


def test_who_asks_for_xml_gets_it(client: Client) -> None:
    def xml(path: str, status: int = 200) -> Any:
        headers = {"Authorization": f"Bearer {client.token}", "Accept": "application/xml"}
        answer = client.http.get(f"{client.base}/3/{path}", headers=headers, timeout=10)
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/xml")
        return ET.fromstring(answer.content)  # noqa: S314 - our own sandbox

    listed = xml(f"vouchers?financialyear={THIS}&limit=2")
    assert (listed.tag, listed.attrib) == ("Vouchers", {"TotalResources": "50", "TotalPages": "25", "CurrentPage": "1"})
    assert [(row.tag, row.findtext("VoucherSeries")) for row in listed] == [("VoucherSubset", "B")] * 2
    assert listed[0].attrib["url"].endswith(f"/vouchers/B/1?financialyear={THIS}")

    whole = xml(f"vouchers/B/1?financialyear={THIS}")
    rows = whole.findall("VoucherRows/VoucherRow")
    assert (whole.tag, rows[0].findtext("Account"), rows[0].findtext("Removed")) == ("Voucher", "1510", "false")
    assert [row.tag for row in xml("currencies")][:1] == ["CurrencySubset"]
    assert [row.tag for row in xml("voucherseries")][:1] == ["VoucherSeriesSubset"]
    assert xml("customers/999", 404).findtext("Code") == "2000433"
    assert client.sie().vouchers
