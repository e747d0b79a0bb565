"""Answers that the vendor's document allows and its sandbox does not give: lean, bare, old, from replayed recordings."""

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from apps.connectors.sdk.failures import Failure
from apps.connectors.sdk.queries import Gone, Window
from apps.connectors.sdk.sandbox import Answer, Request
from apps.records.enums import Resource
from apps.records.ledger import FiscalYear, Voucher
from tests.connectors.bench import Bench, bench_of, refusal
from tests.connectors.providers.tripletex.harness import GOOD, HARNESS, LONE, MAIN_NR, error

MARCH = Window(date(2026, 3, 1), date(2026, 3, 31))
CREATE = "/token/session/:create"
Say = Callable[[Request, int], Answer | None]


@pytest.fixture
def bench() -> Any:
    """Without the check against the vendor's document: what is said here is odd on purpose."""
    with bench_of(HARNESS) as made:
        yield made


def said(body: Any, status: int = 200) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status=status, headers={"Content-Type": "application/json"}, body=content)


def rows(*values: Any, **more: Any) -> Answer:
    return said({"fullResultSize": 0, "from": 0, "count": len(values), "versionDigest": None, "values": values, **more})


def voucher(**more: Any) -> dict[str, Any]:
    return {"id": 5, "date": "2026-03-31", "number": 1, **more}


def line(id: int, amount: Any, **more: Any) -> dict[str, Any]:
    return {"id": id, "account": {"id": 1, "number": 1920}, "amount": amount, **more}


def read(bench: Bench, window: Window = MARCH) -> list[Voucher]:
    return [
        item for page in bench.read(Resource.VOUCHERS, window) for item in page.records if isinstance(item, Voucher)
    ]


def answers(bench: Bench, *, table: dict[str, Answer]) -> None:
    """What each path (its end) is answered with; 404 for anything else below /ledger and the lists beside it."""

    def say(request: Request, _n: int) -> Answer | None:
        for end, answer in table.items():
            if request.path.endswith(end):
                return answer
        mine = request.path.startswith(("/v2/token", "/v2/company"))
        return None if mine else said({"error": "not recorded"}, 404)

    bench.mouth.speak("/", say)


def asked(bench: Bench, end: str) -> int:
    return len([request for request in bench.mouth.heard if request.path.endswith(end)])


def test_a_server_that_ignores_the_dates_gives_every_voucher_once(bench: Bench) -> None:
    answers(bench, table={"/ledger/voucher": rows(voucher(postings=[line(1, 1), line(2, -1)]))})

    found = read(bench, Window(date(2026, 1, 1), date(2026, 4, 30)))

    assert [item.external_id for item in found] == ["5"]


def test_bare_references_that_cannot_be_looked_up_are_asked_for_once_and_keep_their_ids(bench: Bench) -> None:
    bare = {name: {"id": 9, "url": f"x/{name}/9"} for name in ("vatType", "department", "freeAccountingDimension2")}
    foreign = {"currency": {"id": 5, "url": "x/currency/5"}, "amountCurrency": 10.50}
    lines = [line(n, amount, **bare, **foreign) for n, amount in ((1, "100.00"), (2, -100))]
    answers(bench, table={"/ledger/voucher": rows(voucher(postings=lines))})

    first = read(bench)[0].postings[0]

    assert (first.vat_code, first.dimensions) == ("9", {"department": "9", "dimension2": "9"})
    assert (first.currency, first.foreign_amount, first.custom) == (None, Decimal("10.50"), {"currency_id": "5"})
    assert [asked(bench, end) for end in ("/vatType", "/department", "/currency", "/search")] == [1, 1, 1, 1]


def test_a_department_without_number_is_its_id_and_is_not_asked_for(bench: Bench) -> None:
    lines = [line(n, amount, department={"id": 7, "departmentNumber": None}) for n, amount in ((1, 1), (2, -1))]
    answers(bench, table={"/ledger/voucher": rows(voucher(postings=lines))})

    assert read(bench)[0].postings[0].dimensions == {"department": "7"}
    assert asked(bench, "/department") == 0


def test_a_free_dimension_that_came_bare_gets_its_number(bench: Bench) -> None:
    bare = {"freeAccountingDimension1": {"id": 9, "url": "x/9"}}
    answers(
        bench,
        table={
            "/ledger/voucher": rows(voucher(postings=[line(1, 1, **bare), line(2, -1)])),
            "/ledger/accountingDimensionValue/search": rows({"id": 9, "number": "A1"}),
            "/ledger/accountingDimensionName": rows({"id": 1, "dimensionName": "Bil", "dimensionIndex": 1}),
        },
    )

    assert read(bench)[0].postings[0].dimensions == {"Bil": "A1"}


@pytest.mark.parametrize(("total", "told"), [(None, "read"), (0, "read"), (12, "refused")])
def test_vouchers_without_lines_are_hidden_only_where_there_are_lines(
    bench: Bench, total: int | None, told: str
) -> None:
    more = {} if total is None else {"totalNumberOfPostings": total}
    answers(bench, table={"/ledger/voucher": rows(voucher(postings=[]), **more)})

    if told == "read":
        assert [item.postings for item in read(bench)] == [()]
    else:
        assert refusal(lambda: read(bench)).remedy.code == "tripletex.entitlement_missing"


def test_a_stamp_that_is_no_time_does_not_stop_the_books(bench: Bench) -> None:
    stamps = [{"timestamp": "yesterday", "changeType": "CREATE"}, {"timestamp": None}, {}]
    answers(bench, table={"/ledger/voucher": rows(voucher(changes=stamps, postings=[line(1, 0)]))})

    assert read(bench)[0].created_at is None


def test_an_annual_account_without_dates_is_its_calendar_year(bench: Bench) -> None:
    answers(
        bench,
        table={
            "/annualAccount": rows({"id": 1, "year": 2025}, {"id": 2, "start": "2026-01-01", "end": "2026-06-15"}),
            "/accountingPeriod": rows({"id": 1, "isClosed": True}),
        },
    )

    years = [item for page in bench.read(Resource.FISCAL_YEARS) for item in page.records]

    assert [(y.start, y.end, y.closed) for y in years if isinstance(y, FiscalYear)] == [
        (date(2025, 1, 1), date(2025, 12, 31), None),
        (date(2026, 1, 1), date(2026, 6, 15), None),
    ]
    assert [page.records for page in bench.read(Resource.LOCKS)] == [()]


@pytest.mark.parametrize("path", ["/annualAccount", "/balanceSheet", "/ledger/account"])
def test_a_row_without_what_makes_it_one_is_a_bad_page(bench: Bench, path: str) -> None:
    resource = {"/annualAccount": Resource.FISCAL_YEARS, "/balanceSheet": Resource.CONTROL_BALANCES}
    answers(bench, table={path: rows({"id": 1, "number": None, "balanceIn": "x", "account": {"number": 1}})})

    error = refusal(lambda: list(bench.read(resource.get(path, Resource.ACCOUNTS), MARCH)))

    assert (error.failure, error.remedy.code) in [
        (Failure.TRANSIENT, "connector.bad_page"),
        (Failure.UNKNOWN, "connector.not_understood"),  # its periods, which are not recorded
    ]


def test_a_session_that_seems_to_have_ended_long_ago_is_used_all_the_same(bench: Bench) -> None:
    token = {"id": 1, "token": "canary-recorded-token-1", "expirationDate": "2020-01-01"}
    answers(bench, table={CREATE: said({"value": token}, 201), "/department": rows(), "/project": rows()})

    list(bench.read(Resource.DIMENSIONS, session=bench.session(LONE)))

    assert asked(bench, CREATE) == 1


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_that_knows_the_older_way_only_is_asked_that_way(bench: Bench, status: int) -> None:
    bench.mouth.speak(CREATE, lambda request, _n: said(b"<html>", status) if request.method == "POST" else None)

    assert bench.provider.verify(bench.session()).organisation_number == MAIN_NR


def test_making_a_session_is_not_tried_again_by_the_call_that_needs_it(bench: Bench) -> None:
    bench.mouth.speak(CREATE, lambda _request, _n: said({"status": 500, "code": 1000}, 500))

    refusal(lambda: bench.provider.verify(bench.session()))

    assert asked(bench, CREATE) == 4


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("", "tripletex.bad_key"),
        ("arg:token", "tripletex.bad_key"),
        ("arg:expirationDate", "tripletex.request_refused"),
        ("arg:consumerToken", "tripletex.wrong_environment"),
    ],
)
def test_a_refused_session_names_the_key_unless_something_else_is_named(bench: Bench, field: str, code: str) -> None:
    bench.mouth.speak(CREATE, lambda _request, _n: error(422, 18000, fields=(field,)))

    assert refusal(lambda: bench.provider.verify(bench.session())).remedy.code == code


def test_a_refused_right_is_told_although_the_modules_cannot_be_read(bench: Bench) -> None:
    answers(bench, table={"/balanceSheet": error(403, 9000), "/salesmodules": said(b"<html>", 500)})

    told = refusal(lambda: list(bench.read(Resource.CONTROL_BALANCES, MARCH)))

    assert told.remedy.code == "tripletex.entitlement_missing"


def test_a_bureau_key_without_clients_reaches_no_company(bench: Bench) -> None:
    bench.mouth.speak(">withLoginAccess", lambda _request, _n: rows())

    assert list(bench.provider.discover(bench.session({**GOOD, "org_nr": ""}))) == []  # type: ignore[misc]


def test_a_token_in_an_answer_that_was_cut_is_hidden(bench: Bench) -> None:
    canary = "canary-cut-token-5512"
    cut = b'{"value": {"id": 1, "token": "%s", "expir' % canary.encode()
    bench.mouth.speak(CREATE, lambda _request, _n: said(cut, 201))

    told = refusal(lambda: bench.provider.verify(bench.session()))

    assert canary not in told.detail + str(told)
    assert canary not in repr(bench.exchanges)


def test_a_key_at_the_edge_of_a_long_answer_is_hidden_whole(bench: Bench) -> None:
    key = GOOD["api_key"]
    for length in range(440, 500, 6):
        bench.mouth.speak("/department", lambda _r, _n, length=length: said(b"x" * length + b" " + key.encode(), 418))
        assert key[:8] not in refusal(lambda: bench.session().read("/department")).detail


def test_an_id_is_one_part_of_the_path(bench: Bench) -> None:
    get = bench.provider.resources[Resource.VOUCHERS].get
    assert get is not None

    assert list(get(bench.session(), ["1/../../x?y"])) == [Gone(external_id="1/../../x?y", resource=Resource.VOUCHERS)]

    assert bench.mouth.heard[-1].path == "/v2/ledger/voucher/1/../../x?y"  # decoded: it came as one part
    assert list(dict(bench.mouth.heard[-1].query)) == ["fields"]


def test_what_the_key_may_not_read_is_a_warning(bench: Bench) -> None:
    answers(bench, table={"/department": error(403, 9000), "/project": rows(), "/ledger/voucher": rows()})

    dimensions = [warning for page in bench.read(Resource.DIMENSIONS) for warning in page.warnings]
    vouchers = [warning for page in bench.read(Resource.VOUCHERS, MARCH) for warning in page.warnings]

    assert dimensions == ["Departments could not be read: the key may not."]
    assert vouchers == ["Unposted vouchers could not be read: the key may not."]
