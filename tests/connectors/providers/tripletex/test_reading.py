"""Vouchers and balances as they come over HTTP."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.queries import Full, Page, Since, Window
from apps.connectors.sdk.sandbox import Answer, Request
from apps.records.enums import AccountType, Basis, Counts, LockKind, Resource, TaxRole, VoucherKind
from apps.records.ledger import Account, ControlBalance, FiscalYear, Lock, OpeningBalance, Voucher
from tests.connectors.bench import Bench, refusal
from tests.connectors.providers.tripletex.harness import HTML, error

SPRING = Window(date(2026, 1, 1), date(2026, 5, 31))
MARCH_30 = Window(date(2026, 3, 30), date(2026, 3, 31))


def vouchers(pages: list[Page]) -> list[Voucher]:
    return [record for page in pages for record in page.records if isinstance(record, Voucher)]


def by_text(bench: Bench, window: Window) -> dict[str, Voucher]:
    return {voucher.text: voucher for voucher in vouchers(list(bench.read(Resource.VOUCHERS, window)))}


def asked(bench: Bench, part: str = "/ledger/voucher") -> list[dict[str, str]]:
    return [dict(request.query) for request in bench.mouth.heard if request.path.endswith(part)]


def test_a_sale_with_vat_keeps_net_amounts_and_a_vat_row_of_its_own(bench: Bench) -> None:
    sale = by_text(bench, SPRING)["Salg"]

    assert [(p.account, p.amount, p.tax_role, p.vat_code) for p in sale.postings] == [
        ("1500", Decimal("1250.00"), TaxRole.NONE, "0"),
        ("3000", Decimal("-1000.00"), TaxRole.BASE, "3"),
        ("2700", Decimal("-250.00"), TaxRole.TAX, "0"),
    ]
    assert sale.postings[1].dimensions == {"department": "10", "project": "P1"}
    assert (sale.postings[0].party, sale.postings[1].vat_rate) == ("Elvdal AS", Decimal(25))
    assert [p.system_made for p in sale.postings] == [False, False, True]
    assert (sale.counts, sale.number, sale.series, sale.date) == (Counts.POSTED, "1", "", date(2026, 1, 15))
    assert sale.url is not None
    assert sale.url.startswith("https://")
    assert sale.created_at is not None
    assert sale.created_at.tzinfo is not None


def test_a_reversal_and_what_it_reverses_know_each_other(bench: Bench) -> None:
    found = by_text(bench, SPRING)
    wrong, undone = found["wrong"], found["undone"]

    assert (undone.kind, undone.reverses, undone.reversed_by) == (VoucherKind.REVERSAL, wrong.external_id, None)
    assert (wrong.kind, wrong.reverses, wrong.reversed_by) == (VoucherKind.ORDINARY, None, undone.external_id)


def test_a_draft_is_provisional_once_and_has_no_number(bench: Bench) -> None:
    drafts = [v for v in vouchers(list(bench.read(Resource.VOUCHERS, SPRING))) if v.counts is Counts.PROVISIONAL]

    assert [(draft.text, draft.number) for draft in drafts] == [("draft", "")]


def test_the_transfer_of_the_result_is_told_by_its_accounts(bench: Bench) -> None:
    found = by_text(bench, Window(date(2026, 12, 1), date(2026, 12, 31)))

    assert found["result"].kind is VoucherKind.RESULT_TRANSFER


def test_a_window_is_read_month_by_month_with_exclusive_ends(bench: Bench) -> None:
    pages = list(bench.read(Resource.VOUCHERS, Window(date(2026, 1, 15), date(2026, 3, 5))))

    assert [page.share for page in pages] == [pytest.approx(0.34), pytest.approx(0.9), 0.99, 1.0]

    assert [(query["dateFrom"], query["dateTo"]) for query in asked(bench)] == [
        ("2026-01-15", "2026-02-01"),
        ("2026-02-01", "2026-03-01"),
        ("2026-03-01", "2026-03-06"),
    ]
    assert [(query["dateFrom"], query["dateTo"]) for query in asked(bench, ">nonPosted")] == [
        ("2026-01-15", "2026-03-06")
    ]


def test_too_many_hits_are_asked_for_in_halves(bench: Bench) -> None:
    october = Window(date(2026, 10, 1), date(2026, 10, 31))
    whole = {voucher.external_id for voucher in vouchers(list(bench.read(Resource.VOUCHERS, october)))}
    bench.sandbox.store.set("result_limit", 500)

    pages = list(bench.read(Resource.VOUCHERS, october))

    assert {voucher.external_id for voucher in vouchers(pages)} == whole
    assert pages[-1].last


def test_too_many_hits_on_one_day_end_with_a_remedy(bench: Bench) -> None:
    bench.sandbox.store.set("result_limit", 10)

    error = refusal(lambda: list(bench.read(Resource.VOUCHERS, Window(date(2026, 10, 1), date(2026, 10, 31)))))

    assert (error.remedy.code, error.failure) == ("tripletex.too_many", Failure.RECORD)


def test_unchanged_pages_are_not_sent_again_and_paging_goes_on(bench: Bench) -> None:
    window = Window(date(2026, 9, 1), date(2026, 10, 31))
    first = list(bench.read(Resource.VOUCHERS, window))
    digests = {page.key: page.digest for page in first if page.key and page.digest}
    again = list(bench.read(Resource.VOUCHERS, window, digests=digests))

    assert len(digests) == len(first) == 5  # September, three of October, drafts
    assert [(page.key, page.digest, page.unchanged, page.records) for page in again] == [
        (page.key, page.digest, True, ()) for page in first
    ]
    assert [page.vendor_count for page in again] == [0, 1000, 1000, 100, 0]
    assert again[-1].last


def test_without_digests_everything_is_sent(bench: Bench) -> None:
    window = Window(date(2026, 3, 1), date(2026, 3, 31))
    list(bench.read(Resource.VOUCHERS, window))

    assert len(vouchers(list(bench.read(Resource.VOUCHERS, window)))) == 2


@pytest.mark.parametrize(
    "text", [None, "'If-None-Match' header not specified", "Checksum not yet supported for this endpoint"]
)
def test_a_sentence_is_no_digest(bench: Bench, text: str | None) -> None:
    bench.mouth.speak("/ledger/voucher", lambda request, _n: changed(bench, request, versionDigest=text))

    assert {page.digest for page in bench.read(Resource.VOUCHERS, MARCH_30)} == {None}


def test_a_digest_of_another_question_is_not_used(bench: Bench) -> None:
    first = next(bench.read(Resource.VOUCHERS, MARCH_30))
    assert first.key is not None
    assert first.digest is not None
    stale = first.digest.replace(first.digest.split(":")[1], "00000000")

    assert not next(bench.read(Resource.VOUCHERS, MARCH_30, digests={first.key: stale})).unchanged


@pytest.mark.parametrize("spoilt", [HTML, Answer(status=200, body=b"<html>"), Answer(status=200, body=b'{"values":[{')])
def test_a_spoilt_answer_is_asked_for_again(bench: Bench, spoilt: Answer) -> None:
    bench.mouth.speak("/ledger/voucher", lambda _request, n: spoilt if n == 1 else None)

    assert len(vouchers(list(bench.read(Resource.VOUCHERS, MARCH_30)))) == 2


def test_an_empty_window_asks_for_nothing(bench: Bench) -> None:
    pages = list(bench.read(Resource.VOUCHERS, Window(date(2026, 2, 2), date(2026, 2, 1))))

    assert [page.last for page in pages] == [True]
    assert bench.mouth.heard == []


def test_changes_since_are_not_there(bench: Bench) -> None:
    with pytest.raises(ValueError, match="ask for a window"):
        list(bench.read(Resource.VOUCHERS, Since("2026-01-01")))


def test_unposted_vouchers_that_may_not_be_read_cost_a_warning_only(bench: Bench) -> None:
    bench.mouth.speak(">nonPosted", lambda _r, _n: error(403, 9000))

    pages = list(bench.read(Resource.VOUCHERS, MARCH_30))

    assert len(vouchers(pages)) == 2
    assert (pages[-1].last, len(pages[-1].warnings)) == (True, 1)


def changed(bench: Bench, request: Request, **envelope: Any) -> Answer:
    answer = bench.sandbox.handle(request)
    body = json.loads(answer.body) | envelope
    return Answer(status=200, headers=answer.headers, body=json.dumps(body).encode())


def lines(bench: Bench, request: Request, change: dict[str, Any] | None) -> Answer:
    answer = bench.sandbox.handle(request)
    body = json.loads(answer.body)
    for row in body["values"]:
        row["postings"] = None if change is None else [line | change for line in row["postings"]]
    return Answer(status=200, headers=answer.headers, body=json.dumps(body).encode())


@pytest.mark.parametrize("change", [None, {"account": None}, {"amount": None}])
def test_hidden_lines_are_a_missing_right_and_never_half_a_voucher(bench: Bench, change: dict[str, Any] | None) -> None:
    bench.mouth.speak("/ledger/voucher", lambda request, _n: lines(bench, request, change))
    seen: list[Page] = []

    with pytest.raises(ConnectorError) as caught:
        seen.extend(bench.read(Resource.VOUCHERS, MARCH_30))

    assert (caught.value.remedy.code, seen) == ("tripletex.entitlement_missing", [])


def bare(bench: Bench, request: Request) -> Answer:
    """The answer as it is with `fields=*`: every reference an id and a url."""
    body = json.loads(bench.sandbox.handle(request).body)
    for row in body["values"]:
        row["postings"] = [{name: only(value) for name, value in line.items()} for line in row["postings"]]
    return Answer(status=200, body=json.dumps(body).encode())


def only(value: Any) -> Any:
    return {"id": value["id"], "url": "tripletex.no/v2/x/1"} if isinstance(value, dict) else value


def test_references_that_came_unexpanded_are_looked_up(bench: Bench) -> None:
    expanded = by_text(bench, SPRING)["Salg"]
    bench.mouth.speak("/ledger/voucher", lambda request, _n: bare(bench, request))

    found = by_text(bench, SPRING)["Salg"]

    assert [(p.account, p.amount, p.vat_code, p.vat_rate, p.dimensions) for p in found.postings] == [
        (p.account, p.amount, p.vat_code, p.vat_rate, p.dimensions) for p in expanded.postings
    ]
    assert len(asked(bench, "/ledger/account")) == 1


def test_postings_that_came_as_references_are_read_one_by_one(bench: Bench) -> None:
    whole = by_text(bench, MARCH_30)

    def say(request: Request, _n: int) -> Answer:
        body = json.loads(bench.sandbox.handle(request).body)
        for row in body["values"]:
            row["postings"] = [only(line) for line in row["postings"]]
        return Answer(status=200, body=json.dumps(body).encode())

    bench.mouth.speak("/ledger/voucher", say)

    assert {t: v.postings for t, v in by_text(bench, MARCH_30).items()} == {t: v.postings for t, v in whole.items()}


def test_fiscal_years_locks_and_accounts(bench: Bench) -> None:
    year = next(r for page in bench.read(Resource.FISCAL_YEARS) for r in page.records)
    lock = next(r for page in bench.read(Resource.LOCKS) for r in page.records)
    accounts = {r.number: r for page in bench.read(Resource.ACCOUNTS) for r in page.records if isinstance(r, Account)}

    assert isinstance(year, FiscalYear)
    assert (year.start, year.end, year.closed) == (date(2026, 1, 1), date(2026, 12, 31), False)
    assert isinstance(lock, Lock)
    assert (lock.kind, lock.until) == (LockKind.PERIOD, date(2026, 2, 28))
    assert [accounts[n].type for n in ("1920", "2050", "2700", "3000", "6300", "8960")] == [
        AccountType.ASSET,
        AccountType.EQUITY,
        AccountType.LIABILITY,
        AccountType.INCOME,
        AccountType.EXPENSE,
        AccountType.EXPENSE,
    ]
    assert accounts["8960"].custom["type_raw"] == "TRANSFERS_AND_ALLOCATIONS"
    assert (accounts["3000"].vat_code, accounts["1500"].requires) == ("3", ("customer",))


def test_control_balances_are_on_the_window_and_agree_with_the_vouchers(bench: Bench) -> None:
    window = Window(date(2026, 3, 31), date(2026, 4, 2))

    rows = [r for page in bench.read(Resource.CONTROL_BALANCES, window) for r in page.records]

    assert [
        (r.account, r.basis, r.from_, r.to, r.opening, r.movement, r.closing)
        for r in rows
        if isinstance(r, ControlBalance) and r.account == "1920"
    ] == [
        ("1920", Basis.INTERVAL, window.start, window.end, Decimal("9900.40"), Decimal("-375.30"), Decimal("9525.10"))
    ]


def test_openings_are_those_of_the_fiscal_years_that_begin_in_the_window(bench: Bench) -> None:
    found = [r for page in bench.read(Resource.OPENING_BALANCES, Full()) for r in page.records]

    assert [(r.account, r.fiscal_year_start, r.amount) for r in found if isinstance(r, OpeningBalance)] == [
        ("1920", date(2026, 1, 1), Decimal("10000.5")),
        ("2050", date(2026, 1, 1), Decimal("-10000.5")),
    ]
    later = bench.read(Resource.OPENING_BALANCES, Window(date(2026, 1, 2), date(2026, 12, 31)))
    assert [page.records for page in later] == [()]


def test_an_opening_voucher_that_is_listed_is_an_ordinary_movement(bench: Bench) -> None:
    bench.sandbox.store.set("opening_listed", True)

    voucher = by_text(bench, SPRING)["Åpningsbalanse"]

    assert (voucher.counts, voucher.kind, voucher.date) == (Counts.POSTED, VoucherKind.ORDINARY, date(2026, 1, 1))
    assert [page.records for page in bench.read(Resource.OPENING_BALANCES, Full())] == [(), ()]
