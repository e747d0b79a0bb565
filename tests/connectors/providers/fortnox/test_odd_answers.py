"""What the README warns of: texts for numbers, pages that shift, wrong years, files of other encodings."""

import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from apps.connectors.sdk.failures import Failure
from apps.connectors.sdk.queries import Full, Since, Window
from apps.connectors.sdk.sandbox import Answer, Request
from apps.connectors.sdk.session import Session
from apps.records.enums import Resource
from apps.records.ledger import ControlBalance, Voucher
from tests.connectors.bench import Bench, refusal

DAY = Window(date(2026, 3, 31), date(2026, 3, 31))
YEARS = [{"Id": "7", "FromDate": "2026-01-01", "ToDate": "2026-12-31"}]
META = {"@TotalResources": 1, "@TotalPages": 1, "@CurrentPage": 1}


@pytest.fixture
def bench(bench: Bench) -> Iterator[Bench]:
    """Answers here are odd on purpose: the document does not know them."""
    yield bench
    bench.exchanges.clear()


def answer(body: Any) -> Answer:
    return Answer(status=200, body=json.dumps(body).encode())


def play(bench: Bench, told: dict[str, Any]) -> None:
    """Answer each path with its body; bytes are files; a path that is not told is 404 without a code."""

    def say(request: Request, _n: int) -> Answer:
        found = told.get(request.path.removeprefix("/3"))
        if callable(found):
            found = found(dict(request.query))
        if found is None:
            return Answer(status=404, body=b"{}")
        if isinstance(found, Answer):
            return found
        return Answer(status=200, body=found) if isinstance(found, bytes) else answer(found)

    bench.mouth.speak("/3/", say)


def whole(number: str = "12", **more: Any) -> dict[str, Any]:
    rows = [
        {"Account": "1930", "Debit": "100.50", "Credit": "0", "Removed": "false", "CostCenter": "", "Project": "0"},
        {"Account": 3001, "Debit": 0, "Credit": 100.5, "Removed": False, "CostCenter": "K1", "Project": None},
        {"Account": 5010, "Debit": 7, "Credit": 0, "Removed": "true"},
    ]
    return {
        "VoucherSeries": "A",
        "VoucherNumber": number,
        "Year": "7",
        "TransactionDate": "2026-03-31",
        "Description": "Köp",
        "VoucherRows": rows,
        **more,
    }


def short(number: str = "12", day: str = "2026-03-31") -> dict[str, Any]:
    return {"VoucherSeries": "A", "VoucherNumber": number, "Year": 7, "TransactionDate": day}


def vouchers(bench: Bench, query: Any = DAY, session: Session | None = None) -> list[Any]:
    return [item for page in bench.read(Resource.VOUCHERS, query, session=session) for item in page.records]


def test_texts_for_numbers_and_booleans(bench: Bench) -> None:
    play(
        bench,
        {
            "/financialyears": {"FinancialYears": YEARS},
            "/vouchers": {"MetaInformation": {name: str(count) for name, count in META.items()}, "Vouchers": [short()]},
            "/vouchers/A/12": {"Voucher": whole()},
        },
    )

    (found,) = vouchers(bench)

    assert (found.external_id, found.number, found.text) == ("7-A-12", "12", "Köp")
    assert [(line.row, line.account, line.amount, line.dimensions) for line in found.postings] == [
        (1, "1930", Decimal("100.50"), {}),
        (2, "3001", Decimal("-100.5"), {"cost_centre": "K1"}),
    ]


def test_a_list_that_filters_too_widely_is_looked_at_again(bench: Bench) -> None:
    rows = [short("11", "2026-03-30"), short(), short("13", "2026-04-01")]
    told = {
        "/financialyears": {"FinancialYears": YEARS},
        "/vouchers": {"MetaInformation": META, "Vouchers": rows},
        "/vouchers/A/12": {"Voucher": whole()},
    }
    play(bench, told)

    assert [item.number for item in vouchers(bench)] == ["12"]


def test_without_the_file_a_year_is_read_one_by_one(bench: Bench) -> None:
    play(
        bench,
        {
            "/financialyears": {"FinancialYears": YEARS},
            "/vouchers": {"MetaInformation": META, "Vouchers": [short()]},
            "/vouchers/A/12": {"Voucher": whole()},
        },
    )

    assert [item.external_id for item in vouchers(bench, Full())] == ["7-A-12"]


@pytest.mark.parametrize("more", [{"Year": 8}, {"VoucherSeries": "B"}, {"VoucherNumber": 120}])
def test_another_voucher_than_asked_for_is_no_answer(bench: Bench, more: dict[str, Any]) -> None:
    told = {
        "/financialyears": {"FinancialYears": YEARS},
        "/vouchers": {"MetaInformation": META, "Vouchers": [short()]},
        "/vouchers/A/12": {"Voucher": whole(**more)},
    }
    play(bench, told)

    error = refusal(lambda: vouchers(bench))

    assert (error.failure, error.remedy.code) == (Failure.TRANSIENT, "connector.bad_page")


def assert_bad_page(bench: Bench, row: dict[str, Any]) -> None:
    """A list that names one voucher, and this as its details."""
    told = {
        "/financialyears": {"FinancialYears": YEARS},
        "/vouchers": {"MetaInformation": META, "Vouchers": [short()]},
        "/vouchers/A/12": {"Voucher": row},
    }
    play(bench, told)

    assert refusal(lambda: vouchers(bench)).remedy.code == "connector.bad_page"


def test_a_voucher_without_rows_is_not_whole(bench: Bench) -> None:
    row = whole()
    del row["VoucherRows"]
    assert_bad_page(bench, row)


def test_pages_that_shift_are_read_again_and_each_row_once(bench: Bench) -> None:
    asked: list[int] = []

    def projects(query: dict[str, str]) -> dict[str, Any]:
        asked.append(int(query["page"]))
        grown = len(asked) > 1  # one row came before the others after the first page was read
        numbers = (["0"] if grown else []) + ["1", "2", "3"]
        at = 2 * (int(query["page"]) - 1)
        meta = {"@TotalResources": len(numbers), "@TotalPages": 2, "@CurrentPage": int(query["page"])}
        rows = [{"ProjectNumber": number, "Description": "x"} for number in numbers[at : at + 2]]
        return {"MetaInformation": meta, "Projects": rows}

    play(bench, {"/projects": projects, "/costcenters": {"CostCenters": []}})

    found = [item.external_id for page in bench.read(Resource.DIMENSIONS) for item in page.records]

    assert sorted(found) == [f"project:{n}" for n in range(4)]
    assert asked == [1, 2, 1, 2]


SIE = """#FLAGGA 0
#FORMAT PC8
#SIETYP 4
#RAR 0 20260101 20261231
#DIM 1 "Kostnadsställe"
#VER A 12 20260331 "Köp" 20260401
{
#BTRANS 5010 {} 7.00 20260331
#TRANS 1930 {} 100.50 20260331 "" 0
#RTRANS 3001 {1 "K1"} -100.50
#TRANS 3001 {1 "K1"} -100.50
}
"""


@pytest.mark.parametrize("encoding", ["cp437", "utf-8", "iso-8859-1"])
def test_the_file_says_the_same_as_the_voucher(bench: Bench, encoding: str) -> None:
    told = {
        "/financialyears": {"FinancialYears": YEARS},
        "/sie/4": SIE.encode(encoding),
        "/vouchers/A/12": {"Voucher": whole()},
    }
    play(bench, told)
    getter = bench.provider.resources[Resource.VOUCHERS].get
    assert getter is not None

    (from_file,) = vouchers(bench, Full())
    (alone,) = getter(bench.session(), ["7-A-12"])

    assert isinstance(alone, Voucher)
    assert (from_file.external_id, from_file.text, from_file.postings) == (
        alone.external_id,
        alone.text,
        alone.postings,
    )


def test_what_the_file_does_not_have_yet_is_read_by_itself(bench: Bench) -> None:
    numbers = [str(n) for n in range(12, 23)]
    told = {
        "/financialyears": {"FinancialYears": YEARS},
        "/vouchers": {"MetaInformation": META, "Vouchers": [short(number) for number in numbers]},
        "/sie/4": SIE.encode("cp437"),
        **{f"/vouchers/A/{number}": {"Voucher": whole(number)} for number in numbers},
    }
    play(bench, told)

    pages = list(bench.read(Resource.VOUCHERS, DAY))

    ids = [item.external_id for page in pages for item in page.records]
    assert sorted(ids) == [f"7-A-{number}" for number in numbers]
    assert [page.last for page in pages] == [False, True]
    assert "/3/vouchers/A/12" not in [request.path for request in bench.mouth.heard]


@pytest.mark.parametrize(
    "change",
    [("20260101 20261231", "20250101 20251231"), ("#RAR 0", "#RAR -1"), ("}\n", "")],
    ids=["another year", "no year", "cut"],
)
def test_a_file_that_is_not_the_years_own_or_not_whole(bench: Bench, change: tuple[str, str]) -> None:
    play(bench, {"/financialyears": {"FinancialYears": YEARS}, "/sie/4": SIE.replace(*change).encode("cp437")})

    assert refusal(lambda: vouchers(bench, Full())).remedy.code == "connector.bad_page"


def test_balances_that_the_list_tells_are_taken_from_it(bench: Bench) -> None:
    row = {"Number": 1930, "BalanceBroughtForward": "10.5", "BalanceCarriedForward": 7}
    told = {"/financialyears": {"FinancialYears": YEARS}, "/accounts": {"MetaInformation": META, "Accounts": [row]}}
    play(bench, told)

    (found,) = [item for page in bench.read(Resource.CONTROL_BALANCES) for item in page.records]

    assert isinstance(found, ControlBalance)
    assert (found.account, found.opening, found.movement, found.closing) == (
        "1930",
        Decimal("10.5"),
        Decimal("-3.5"),
        Decimal(7),
    )


@pytest.mark.parametrize(
    "body", [{"LockedPeriod": {"EndDate": None}}, {"LockedPeriod": None}, {}, {"LockedPeriod": {}}]
)
def test_no_locked_period(bench: Bench, body: Any) -> None:
    play(bench, {"/settings/lockedperiod": body})

    (page,) = list(bench.read(Resource.LOCKS))

    assert (page.records, page.last) == ((), True)


def test_a_wrong_id_is_gone(bench: Bench) -> None:
    getter = bench.provider.resources[Resource.VOUCHERS].get
    assert getter is not None

    (found,) = getter(bench.session(), ["what"])

    assert found.external_id == "what"
    assert not bench.mouth.heard


@pytest.mark.parametrize("way", ["file", "list"])
def test_a_year_that_takes_more_than_a_slice_goes_on_where_it_was_cut(bench: Bench, way: str) -> None:
    numbers = [str(n) for n in range(1, 1203)] if way == "file" else [str(n) for n in range(1, 61)]
    head, voucher = SIE.split("#VER")
    told: dict[str, Any] = {
        "/financialyears": {"FinancialYears": YEARS},
        "/vouchers": lambda query: {"Vouchers": [short(number) for number in numbers] if query["page"] == "1" else []},
        **{f"/vouchers/A/{number}": {"Voucher": whole(number)} for number in numbers},
    }
    if way == "file":
        told["/sie/4"] = (head + "".join(f"#VER{voucher.replace('A 12', f'A {n}')}" for n in numbers)).encode("cp437")
    play(bench, told)
    ids: list[str] = []
    resume: str | None = None
    for _slice in range(10):  # one page each
        page = next(iter(bench.read(Resource.VOUCHERS, Full(), resume=resume)))
        ids += [item.external_id for item in page.records]
        resume = page.resume
        if page.last:
            break

    assert page.last
    assert ids == [f"7-A-{number}" for number in numbers]


def test_what_the_file_lacks_of_the_list_is_read_without_going_back(bench: Bench) -> None:
    listed = [str(n) for n in range(1, 13)]
    head, voucher = SIE.split("#VER")
    file = head + "".join(f"#VER{voucher.replace('A 12', f'A {n}')}" for n in listed[:10])
    told: dict[str, Any] = {
        "/financialyears": {"FinancialYears": YEARS},
        "/vouchers": lambda query: {"Vouchers": [short(number) for number in listed] if query["page"] == "1" else []},
        "/sie/4": file.encode("cp437"),
        **{f"/vouchers/A/{number}": {"Voucher": whole(number)} for number in listed[10:]},
    }
    play(bench, told)

    pages = list(bench.read(Resource.VOUCHERS, Since("2026-03-01T05:00:00+00:00"), resume="7-A-5"))

    read = [[item.external_id for item in page.records] for page in pages]
    assert read == [["7-A-11", "7-A-12"], [f"7-A-{n}" for n in range(6, 11)]]
    assert [page.resume for page in pages] == ["7-A-5", None]


def test_an_empty_answer_in_the_place_of_the_file_is_no_file(bench: Bench) -> None:
    told = {
        "/financialyears": {"FinancialYears": YEARS},
        "/sie/4": lambda _query: Answer(status=204),
        "/vouchers": {"MetaInformation": META, "Vouchers": [short()]},
        "/vouchers/A/12": {"Voucher": whole()},
    }
    play(bench, told)

    assert [item.external_id for item in vouchers(bench, Full())] == ["7-A-12"]


def test_months_that_nobody_tells_are_answered_with_their_year(bench: Bench) -> None:
    row = {"Number": 1930, "BalanceBroughtForward": "10.5", "BalanceCarriedForward": 7}
    told = {"/financialyears": {"FinancialYears": YEARS}, "/accounts": {"MetaInformation": META, "Accounts": [row]}}
    play(bench, told)

    month = Window(date(2026, 3, 1), date(2026, 3, 31))
    (found,) = [item for page in bench.read(Resource.CONTROL_BALANCES, month) for item in page.records]

    assert isinstance(found, ControlBalance)
    assert (found.from_, found.to, found.closing) == (date(2026, 1, 1), date(2026, 12, 31), Decimal(7))


def test_no_such_locked_period_is_no_lock(bench: Bench) -> None:
    gone = {"ErrorInformation": {"Error": 1, "Message": "x", "Code": 2000429}}
    play(bench, {"/settings/lockedperiod": lambda _query: Answer(status=404, body=json.dumps(gone).encode())})

    (page,) = list(bench.read(Resource.LOCKS))

    assert (page.records, page.last) == ((), True)


def test_an_empty_page_before_the_last_one_is_no_end(bench: Bench) -> None:
    meta = {"@TotalResources": 3, "@TotalPages": 3, "@CurrentPage": 1}
    rows = {"1": [{"ProjectNumber": "1"}], "2": [], "3": [{"ProjectNumber": "3"}]}
    play(
        bench,
        {
            "/costcenters": {"CostCenters": []},
            "/projects": lambda query: {"MetaInformation": meta, "Projects": rows[query["page"]]},
        },
    )

    assert refusal(lambda: list(bench.read(Resource.DIMENSIONS))).remedy.code == "connector.bad_page"


def test_a_row_lost_between_two_pages_is_read_again(bench: Bench) -> None:
    """One row went and another came while the list was paged: the count is the same, and one was shown twice."""
    asked: list[str] = []

    def projects(query: dict[str, str]) -> dict[str, Any]:
        asked.append(query["page"])
        numbers = ["1", "2", "3", "4"] if len(asked) == 1 else ["0", "1", "2", "3"]
        at = 2 * (int(query["page"]) - 1)
        meta = {"@TotalResources": 4, "@TotalPages": 2, "@CurrentPage": int(query["page"])}
        return {"MetaInformation": meta, "Projects": [{"ProjectNumber": number} for number in numbers[at : at + 2]]}

    play(bench, {"/projects": projects, "/costcenters": {"CostCenters": []}})
    found = {item.external_id for page in bench.read(Resource.DIMENSIONS) for item in page.records}

    assert found == {f"project:{n}" for n in range(4)}


@pytest.mark.parametrize("refused", ["sortby", "limit"])
def test_what_no_document_confirms_for_a_list_is_left_out_where_it_is_refused(bench: Bench, refused: str) -> None:
    error = {"ErrorInformation": {"error": 1, "message": "x", "code": 2000588}}

    def listed(query: dict[str, str]) -> Any:
        if refused in query:
            return Answer(status=400, body=json.dumps(error).encode())
        return {"MetaInformation": META, "Vouchers": [short()]}

    told = {
        "/financialyears": {"FinancialYears": YEARS},
        "/vouchers": listed,
        "/vouchers/A/12": {"Voucher": whole()},
    }
    if refused == "limit":
        told["/financialyears"] = lambda query: listed(query) if "limit" in query else {"FinancialYears": YEARS}
    play(bench, told)

    assert [item.external_id for item in vouchers(bench)] == ["7-A-12"]


def test_rows_of_other_years_are_left_out(bench: Bench) -> None:
    """Filters may be passed over where several are combined [Conventions]."""
    other = {**short("11"), "Year": "6"}
    told = {
        "/financialyears": {"FinancialYears": YEARS},
        "/vouchers": {"MetaInformation": {**META, "@TotalResources": 2}, "Vouchers": [other, short()]},
        "/vouchers/A/12": {"Voucher": whole()},
    }
    play(bench, told)

    assert [item.external_id for item in vouchers(bench)] == ["7-A-12"]


@pytest.mark.parametrize("number", [None, "", "0", 0])
def test_a_company_that_does_not_say_its_number_is_the_consents(bench: Bench, number: Any) -> None:
    row = {"CompanyName": "Fjällglimt AB", "OrganizationNumber": "556036-0793", "DatabaseNumber": number}
    play(bench, {"/companyinformation": {"CompanyInformation": row}})

    assert bench.provider.verify(bench.session()).company_id == "29302"


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "sju"])
def test_what_is_no_amount_is_not_taken(bench: Bench, amount: str) -> None:
    row = whole()
    row["VoucherRows"][0]["Debit"] = amount
    assert_bad_page(bench, row)


LICENCE = {
    "ErrorInformation": {"error": 1, "message": "Det finns ingen aktiv licens för önskat scope.", "code": 2001101}
}


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, LICENCE, "fortnox.licence_missing"),
        (401, {"message": "unauthorized"}, "fortnox.access_refused"),
        (401, None, "fortnox.access_refused"),
        (400, {"message": "Har inte behörighet för scope"}, "fortnox.register_closed"),
        (400, {"Message": "x"}, "connector.not_understood"),
        (403, "<html>Forbidden</html>", "fortnox.register_closed"),
    ],
)
def test_refusals_in_odd_forms(bench: Bench, status: int, body: Any, code: str) -> None:
    said = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    bench.mouth.speak("/3/", lambda _request, _n: Answer(status=status, body=said))

    assert refusal(lambda: bench.session().read("/accounts")).remedy.code == code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": "error_missing_license"}, "fortnox.licence_missing"),
        ({"error": "invalid_grant", "error_description": "error_missing_license"}, "fortnox.licence_missing"),
        (LICENCE, "fortnox.licence_missing"),
        ({"ErrorInformation": {"Error": 1, "Message": "Api-licens saknas.", "Code": "2001103"}},
         "fortnox.api_licence_missing"),
        ({"error": "access_denied", "error_description": "error_missing_system_admin_right"}, "fortnox.admin_needed"),
        ({"error": "invalid_request", "error_description": "Client does not allow service account"},
         "fortnox.service_accounts_off"),
        ({"error": "invalid_grant", "error_description": "x"}, "fortnox.consent_unknown"),
    ],
)  # fmt: skip
def test_refusals_of_a_sign_in_in_odd_forms(bench: Bench, body: Any, code: str) -> None:
    said = Answer(status=400, headers={"Content-Type": "text/html; charset=UTF-8"}, body=json.dumps(body).encode())
    bench.mouth.speak("/oauth-v1/token", lambda _request, _n: said)

    assert refusal(lambda: bench.provider.verify(bench.session())).remedy.code == code


def test_the_file_is_asked_for_in_the_other_spelling_where_the_year_was_passed_over(bench: Bench) -> None:
    def file(query: dict[str, str]) -> bytes:
        preselected = SIE.replace("20260101 20261231", "20250101 20251231")
        return (SIE if query.get("financialYear") == "7" else preselected).encode("cp437")

    play(bench, {"/financialyears": {"FinancialYears": YEARS}, "/sie/4": file})

    assert [item.external_id for item in vouchers(bench, Full())] == ["7-A-12"]


def test_a_supplier_that_shifted_to_an_earlier_page_is_read_too(bench: Bench) -> None:
    asked: list[str] = []

    def suppliers(query: dict[str, str]) -> dict[str, Any]:
        asked.append(query["page"])
        numbers = ["1", "2", "3", "4"] if len(asked) == 1 else ["2", "3", "4"]  # 1 was deleted, 3 came to page 1
        at = 2 * (int(query["page"]) - 1)
        meta = {"@TotalResources": len(numbers), "@TotalPages": 2, "@CurrentPage": int(query["page"])}
        return {"MetaInformation": meta, "Suppliers": [{"SupplierNumber": number} for number in numbers[at : at + 2]]}

    singles = {f"/suppliers/{n}": {"Supplier": {"SupplierNumber": n, "Name": "x"}} for n in range(1, 5)}
    play(bench, {"/suppliers": suppliers, **singles})

    found = list(bench.read(Resource.SUPPLIERS))

    assert sorted(item.external_id for page in found for item in page.records) == ["1", "2", "3", "4"]
    assert found[-1].last
