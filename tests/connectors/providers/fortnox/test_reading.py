"""Fortnox' sandbox read resource by resource; requests and answers are checked against openapi.json (conftest)."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, cast

import pytest

from apps.connectors.providers.fortnox.sandbox.grants import take_access
from apps.connectors.sdk.failures import Failure
from apps.connectors.sdk.ports import MemoryTokens, Tokens
from apps.connectors.sdk.queries import Full, Gone, Query, Since, UnsupportedQueryError, Window
from apps.connectors.sdk.sandbox import Answer, Edit
from apps.ledger.content import restored
from apps.records.enums import AccountType, Resource, VoucherKind
from apps.records.ledger import Account, ControlBalance, Voucher
from apps.records.parties import Party
from apps.records.products import Product
from tests.connectors.bench import Bench, refusal
from tests.connectors.providers.fortnox.books import rent, voucher
from tests.connectors.providers.fortnox.harness import CLIENT, SECRET

YEAR = Window(date(2026, 1, 1), date(2026, 12, 31))


def read(bench: Bench, resource: Resource, query: Query | None = None) -> list[Any]:
    return [record for page in bench.read(resource, query or Full()) for record in page.records]


def paths(bench: Bench) -> list[str]:
    return [request.path for request in bench.mouth.heard if not request.path.startswith("/oauth")]


def bare(records: list[Any]) -> dict[str, Any]:
    return {record.external_id: replace(record, raw=None, texts_through=None) for record in records}


def test_a_year_costs_two_requests(bench: Bench) -> None:
    found = read(bench, Resource.VOUCHERS, YEAR)

    assert len(found) == 607
    assert paths(bench) == ["/3/financialyears", "/3/sie/4"]


def test_a_few_days_are_read_from_the_list(bench: Bench) -> None:
    found = read(bench, Resource.VOUCHERS, Window(date(2026, 3, 31), date(2026, 4, 1)))

    assert [item.date for item in found] == [date(2026, 3, 31), date(2026, 4, 1)]
    assert [path.split("/")[2] for path in paths(bench)] == ["financialyears", "vouchers", "vouchers", "vouchers"]


def test_a_few_days_with_many_vouchers_are_read_from_the_file(bench: Bench) -> None:
    found = read(bench, Resource.VOUCHERS, Window(date(2026, 10, 1), date(2026, 10, 2)))

    assert len(found) == 40
    assert paths(bench) == ["/3/financialyears", "/3/vouchers", "/3/sie/4"]


def test_a_voucher_is_the_same_from_the_file_and_by_itself(bench: Bench) -> None:
    bench.sandbox.edit(
        "main",
        Edit(
            action="post",
            external_id="odd",
            voucher=replace(voucher("odd", date(2026, 5, 5), ("5010", "9"), ("1930", "-9")), text='Kaffe – "5 €" åäö'),
        ),
    )
    listed = [item for item in read(bench, Resource.VOUCHERS, YEAR) if item.date < date(2026, 10, 1)]
    getter = bench.provider.resources[Resource.VOUCHERS].get
    assert getter is not None

    alone = list(getter(bench.session(), [item.external_id for item in listed]))

    numbered = [replace(cast("Voucher", item), source_document=None) for item in alone]
    held = {item.external_id: item for item in numbered}
    assert {item.texts_through for item in listed} == {"cp437"}
    assert {item.texts_through for item in numbered} == {None}
    odd = next(item for item in listed if item.date == date(2026, 5, 5))
    assert (odd.text, held[odd.external_id].text) == ('Kaffe ? "5 ?" åäö', 'Kaffe – "5 €" åäö')
    again = [restored(item, held[item.external_id].text, {}) for item in listed]
    assert bare(numbered) == bare(again)


def test_a_sale_is_read_with_its_places(bench: Bench) -> None:
    found = next(item for item in read(bench, Resource.VOUCHERS, YEAR) if item.text == "Försäljning")

    assert (found.external_id, found.series, found.number) == ("5-B-1", "B", "1")
    assert found.fiscal_year_start == date(2026, 1, 1)
    assert [(line.row, line.account, line.amount) for line in found.postings] == [
        (1, "1510", Decimal(1250)),
        (2, "3001", Decimal(-1000)),
        (3, "2611", Decimal(-250)),
    ]
    assert found.postings[1].dimensions == {"cost_centre": "BUT", "project": "P1"}
    assert found.url == "https://api.fortnox.se/3/vouchers/B/1?financialyear=5"


def test_the_year_end_entry_is_a_result_transfer(bench: Bench) -> None:
    kinds = {item.date: item.kind for item in read(bench, Resource.VOUCHERS, YEAR)}

    assert kinds[date(2026, 12, 31)] is VoucherKind.RESULT_TRANSFER
    assert kinds[date(2026, 1, 15)] is VoucherKind.ORDINARY


@pytest.mark.parametrize("changed", [1, 15])
def test_what_changed_is_read_and_nothing_else(bench: Bench, changed: int) -> None:
    last = list(bench.read(Resource.VOUCHERS, YEAR))[-1]
    assert last.watermark is not None
    for n in range(changed):
        bench.sandbox.edit(
            "main", Edit(action="post", external_id=f"new-{n}", voucher=rent(date(2025, 12, 30), 1000 + n))
        )
    bench.mouth.heard.clear()

    found = read(bench, Resource.VOUCHERS, Since(last.watermark))

    assert {item.date for item in found} == {date(2025, 12, 30)}
    assert len(found) == changed
    lists = [dict(request.query) for request in bench.mouth.heard if request.path == "/3/vouchers"]
    assert [query["financialyear"] for query in lists] == ["3", "4", "5"]
    assert ("/3/sie/4" in paths(bench)) is (changed > 10)


def test_the_question_about_changes_is_in_swedish_time(bench: Bench) -> None:
    read(bench, Resource.CUSTOMERS, Since("2026-11-20T05:00:30+00:00"))
    assert dict(bench.mouth.heard[-1].query)["lastmodified"] == "2026-11-20 06:00"

    with pytest.raises(UnsupportedQueryError, match="not a time"):
        read(bench, Resource.VOUCHERS, Since("yesterday"))


def test_what_a_correction_struck_does_not_count(bench: Bench) -> None:
    bench.sandbox.edit(
        "main",
        Edit(
            action="change",
            external_id="rent-2026-03-30-0",
            voucher=voucher("rent-2026-03-30-0", date(2026, 3, 30), ("5010", "70"), ("1930", "-70")),
        ),
    )

    from_list = read(bench, Resource.VOUCHERS, Window(date(2026, 3, 30), date(2026, 3, 30)))
    from_file = [item for item in read(bench, Resource.VOUCHERS, YEAR) if item.date == date(2026, 3, 30)]

    assert bare(from_list) == bare(from_file)
    assert [line.amount for line in from_list[0].postings] == [Decimal(70), Decimal(-70)]


def test_a_voucher_that_goes_between_list_and_look_up_is_told(bench: Bench) -> None:
    gone = Answer(
        status=404, body=json.dumps({"ErrorInformation": {"error": 1, "message": "x", "code": 2000431}}).encode()
    )
    bench.mouth.speak("/3/vouchers/", lambda _request, _n: gone)

    pages = list(bench.read(Resource.VOUCHERS, Window(date(2026, 3, 31), date(2026, 3, 31))))

    assert [item for page in pages for item in page.gone] == [Gone(external_id="5-A-2", resource=Resource.VOUCHERS)]


def test_reading_goes_on_with_the_year_that_was_cut(bench: Bench) -> None:
    rest = [item for page in bench.read(Resource.VOUCHERS, Full(), resume="5") for item in page.records]

    assert {item.fiscal_year_start for item in rest if isinstance(item, Voucher)} == {date(2026, 1, 1)}


def test_accounts_are_of_each_year(bench: Bench) -> None:
    found: list[Account] = read(bench, Resource.ACCOUNTS)

    assert len(found) == 3 * 8
    types = {item.number: item.type for item in found}
    assert (types["1930"], types["2081"], types["2440"]) == (
        AccountType.ASSET,
        AccountType.EQUITY,
        AccountType.LIABILITY,
    )
    assert (types["3001"], types["5010"]) == (AccountType.INCOME, AccountType.EXPENSE)
    sales = [item for item in found if item.number == "3001"]
    assert {item.fiscal_year_start for item in sales} == {date(2024, 7, 1), date(2025, 1, 1), date(2026, 1, 1)}
    assert {item.vat_code for item in sales} == {"MP1"}


def test_openings_are_what_is_brought_forward(bench: Bench) -> None:
    found = read(bench, Resource.OPENING_BALANCES, Window(date(2025, 1, 1), date(2025, 1, 1)))

    assert {item.account: item.amount for item in found} == {
        "1930": Decimal("6997.50"),
        "2081": Decimal("-10000.50"),
    }
    assert {item.fiscal_year_start for item in found} == {date(2025, 1, 1)}


def test_control_balances_of_a_year_agree_with_its_vouchers(bench: Bench) -> None:
    controls: list[ControlBalance] = read(bench, Resource.CONTROL_BALANCES, YEAR)

    assert {(item.from_, item.to) for item in controls} == {(YEAR.start, YEAR.end)}
    assert {item.account: item.movement for item in controls if item.movement} == movements(bench, YEAR)


def test_control_balances_of_a_month_come_from_the_file(bench: Bench) -> None:
    month = Window(date(2026, 3, 1), date(2026, 3, 31))

    controls: list[ControlBalance] = read(bench, Resource.CONTROL_BALANCES, month)

    assert {item.account: item.movement for item in controls if item.movement} == movements(bench, month)
    assert {(item.from_, item.to) for item in controls} == {(month.start, month.end)}
    bank = next(item for item in controls if item.account == "1930")
    assert bank.opening is not None
    assert bank.closing == bank.opening - Decimal("200.20")


def test_a_cent_of_the_vendors_is_seen_in_the_year_and_in_its_month(bench: Bench) -> None:
    bench.sandbox.fault("main", "one_cent", {"account": "1930", "from": "2026-03"})

    for window in (YEAR, Window(date(2026, 3, 1), date(2026, 3, 31))):
        controls = {item.account: item.movement for item in read(bench, Resource.CONTROL_BALANCES, window)}
        assert controls["1930"] - movements(bench, window)["1930"] == Decimal("0.01")


def test_without_the_file_each_account_is_asked(bench: Bench) -> None:
    by_file = read(bench, Resource.CONTROL_BALANCES, YEAR)
    bench.mouth.speak("/sie/", lambda _request, _n: Answer(status=404, body=b"{}"))

    one_by_one = read(bench, Resource.CONTROL_BALANCES, YEAR)

    def told(found: list[Any]) -> dict[str, tuple[Any, ...]]:
        return {item.account: (item.opening, item.movement, item.closing) for item in found if item.closing}

    assert told(one_by_one) == told(by_file)


def test_registers_are_read_whole_with_odd_numbers(bench: Bench) -> None:
    customers: list[Party] = read(bench, Resource.CUSTOMERS)
    suppliers: list[Party] = read(bench, Resource.SUPPLIERS)
    products: list[Product] = read(bench, Resource.PRODUCTS)

    assert [(item.number, item.name, item.is_company) for item in customers] == [("1", "Älvdalens Bygg AB", True)]
    assert [(item.number, item.name) for item in suppliers] == [("1", "Papper & Penna AB")]
    assert {item.sku: (item.name, item.active) for item in products} == {
        "1": ("Tjänst", True),
        "LAG 10/25": ("Lagerhylla 10/25", False),
    }
    assert products[0].account == "3001"


def test_locks_and_dimensions(bench: Bench) -> None:
    assert [item.until for item in read(bench, Resource.LOCKS)] == [date(2026, 2, 28)]
    assert {(item.kind, item.code, item.name) for item in read(bench, Resource.DIMENSIONS)} == {
        ("cost_centre", "BUT", "Butik"),
        ("project", "P1", "Nybygge"),
    }


def test_one_dimension_may_be_closed(bench: Bench) -> None:
    bench.sandbox.fault("main", "no_licence", {"scope": "costcenter"})

    pages = list(bench.read(Resource.DIMENSIONS))

    assert [item.external_id for page in pages for item in page.records] == ["project:P1"]
    assert pages[-1].last
    assert "fortnox.licence_missing" in pages[-1].warnings[0]


def test_an_expired_token_is_renewed_once_and_a_403_is_not(bench: Bench) -> None:
    session = bench.session()
    session.tokens = MemoryTokens(Tokens(access_token="canary-old-token"))
    assert bench.provider.verify(session).company_id == "29302"
    asked = [request.path for request in bench.mouth.heard]
    assert asked.count("/oauth-v1/token") == 1
    bench.mouth.heard.clear()

    bench.sandbox.fault("main", "right_withdrawn", {})
    error = refusal(lambda: list(bench.read(Resource.ACCOUNTS, session=session)))
    assert (error.failure, error.remedy.code) == (Failure.PERMISSION, "fortnox.register_closed")
    assert "/oauth-v1/token" not in [request.path for request in bench.mouth.heard]


def test_a_withdrawn_consent_asks_to_connect_again(bench: Bench) -> None:
    bench.sandbox.fault("main", "withdrawn", {})

    error = refusal(lambda: bench.provider.verify(bench.session()))

    assert (error.failure, error.remedy.code) == (Failure.RECONNECT, "fortnox.consent_unknown")
    assert error.field == "tenant_id"


def test_a_consent_by_code_knows_its_company(bench: Bench) -> None:
    values = {"auth": "oauth_code", "client_id": CLIENT, "client_secret": SECRET}
    given = {"client_id": CLIENT, "service": True, "refresh_token": "canary-refresh-token-1"}
    books = bench.sandbox.store
    company = books.get("", "company", "main")
    assert company is not None
    take_access(books, company, {"consents": [given]})
    session = bench.session(values)
    session.tokens = MemoryTokens(Tokens(access_token="", refresh_token="canary-refresh-token-1"))

    found = bench.provider.verify(session)

    assert found.company_id == session.tokens_in_use().learnt["tenant_id"] == "29302"
    assert "bookkeeping" in found.rights


def movements(bench: Bench, window: Window) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for item in read(bench, Resource.VOUCHERS, window):
        for line in item.postings:
            found[line.account] = found.get(line.account, Decimal(0)) + line.amount
    return {account: amount for account, amount in found.items() if amount}
