"""The sandbox's books: balances, what happens to vouchers, SIE files, faults."""

import time
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
import requests

from apps.connectors.sdk.sandbox import Edit
from apps.formats.sie import SieFile
from apps.records.enums import VoucherKind
from apps.records.ledger import Voucher
from tests.connectors.providers.fortnox.vendor import (
    LAST,
    TENANT,
    THIS,
    Client,
    balances,
    bill,
    line,
    pages,
    refused,
    voucher,
)

# Books


def test_balances_are_carried_into_the_next_year(client: Client) -> None:
    assert balances(client, LAST)["1510"] == Decimal("1250.63")
    row = client.body("accounts/1510", financialyear=THIS)["Account"]
    assert (row["BalanceBroughtForward"], row["Year"]) == (1250.63, THIS)
    assert client.body("accounts/3001", financialyear=THIS)["Account"]["BalanceBroughtForward"] == 0
    assert balances(client)["3001"] == Decimal("-40020.00")
    assert client.body("settings/lockedperiod") == {"LockedPeriod": {"EndDate": "2026-01-31"}}


def test_a_change_keeps_the_struck_lines_and_nothing_else_moves(client: Client) -> None:
    new = replace(bill(1, date(2026, 1, 5)), postings=(
        line(1, date(2026, 1, 5), "1930", "99.90", text="Pärmar"), bill(1, date(2026, 1, 5)).postings[1]
    ))  # fmt: skip
    client.sandbox.edit("c1", Edit(action="change", external_id="b1", voucher=new))
    rows = voucher(client, "D", 1)["VoucherRows"]
    assert [(row["Account"], row["Removed"]) for row in rows] == [(5410, True), (2440, False), (1930, False)]
    made = {(v.series, v.number): v for v in client.sie().vouchers}[("D", "1")]
    assert sorted((p.account, p.amount) for p in made.postings) == [
        ("1930", Decimal("99.90")),
        ("2440", Decimal("-99.90")),
    ]
    moved = replace(new, date=date(2026, 2, 1))
    with pytest.raises(ValueError, match="keeps its date"):
        client.sandbox.edit("c1", Edit(action="change", external_id="b1", voucher=moved))


def test_a_deleted_voucher_is_struck_or_gone(client: Client) -> None:
    before = balances(client)["5410"]
    client.sandbox.edit("c1", Edit(action="delete", external_id="b1"))
    assert all(row["Removed"] for row in voucher(client, "D", 1)["VoucherRows"])
    assert balances(client)["5410"] == before - Decimal("99.90")
    assert next(v for v in client.sie().vouchers if (v.series, v.number) == ("D", "1")).postings == ()
    client.set("delete_means", "gone")
    client.sandbox.edit("c1", Edit(action="delete", external_id="b2"))
    refused(client.get("vouchers/D/2", financialyear=THIS), 404, 2000431)
    assert voucher(client, "D", 3)


def test_redated_is_struck_and_posted_anew_and_reversed_is_a_new_voucher(client: Client) -> None:
    client.sandbox.edit("c1", Edit(action="redate", external_id="b1", day=date(2026, 2, 9)))
    client.sandbox.edit("c1", Edit(action="reverse", external_id="b2", day=date(2026, 6, 1), new_id="e9"))
    assert all(row["Removed"] for row in voucher(client, "D", 1)["VoucherRows"])
    assert voucher(client, "D", 11)["TransactionDate"] == "2026-02-09"
    turned = voucher(client, "A", 1)
    assert turned["Description"] == "Vändning av verifikation D2"
    assert [(row["Account"], row["Debit"], row["Credit"]) for row in turned["VoucherRows"]] == [
        (5410, 0, 99.9), (2440, 99.9, 0),
    ]  # fmt: skip


def test_a_draft_is_nowhere_until_it_is_booked(client: Client) -> None:
    texts = [row["Description"] for row in pages(client, "vouchers", "Vouchers", financialyear=THIS)]
    assert "Boden: pärmar 999" not in texts
    booked = replace(bill(999, date(2026, 10, 1)), external_id="draft", number="77")
    client.sandbox.edit("c1", Edit(action="change", external_id="draft", voucher=booked))
    assert voucher(client, "D", 11)["Description"] == "Boden: pärmar 999"


def test_the_sie_file_has_every_voucher_exactly(client: Client) -> None:
    file = client.sie()
    assert (file.encoding.lower().replace("-", ""), file.sie_type, file.is_import) in {
        ("cp437", 4, False), ("pc8", 4, False), ("utf8", 4, False),
    }  # fmt: skip
    assert (file.company, file.organisation_number, file.company_id) == ("Mälarbo AB", "559801-4420", str(TENANT))
    listed = pages(client, "vouchers", "Vouchers", financialyear=THIS)
    made = {(v.series, int(v.number)): v for v in file.vouchers}
    assert set(made) == {(row["VoucherSeries"], row["VoucherNumber"]) for row in listed}
    assert not file.warnings
    for series, number in (("B", 1), ("B", 17), ("D", 10)):
        told = voucher(client, series, number)
        mine = made[(series, number)]
        assert (mine.text, mine.date.isoformat()) == (told["Description"], told["TransactionDate"])
        lines = [
            (
                str(row["Account"]),
                Decimal(str(row["Debit"])) - Decimal(str(row["Credit"])),
                row["TransactionInformation"],
            )
            for row in told["VoucherRows"]
        ]
        assert [(p.account, p.amount, p.text) for p in mine.postings] == lines
    assert set(made[("B", 1)].postings[1].dimensions.values()) == {"1", "101"}
    closings = {row.account: row.amount for row in (*file.closings, *file.results) if row.year == 0}
    assert {n: amount for n, amount in balances(client).items() if amount} == {n: a for n, a in closings.items() if a}
    assert {row.account: row.amount for row in file.openings if row.year == 0}["1510"] == Decimal("1250.63")


def test_the_lesser_sie_types_have_balances_only(client: Client) -> None:
    for kind in (1, 2, 3):
        file = client.sie(kind)
        assert (file.sie_type, file.vouchers) == (kind, ())
        sums = sum(row.amount for row in file.period_balances if row.account == "3001" and not row.part)
        assert sums == (0 if kind == 1 else Decimal("-40020.00"))


# Faults


def test_wire_faults_strike_and_stop(client: Client) -> None:
    client.fault("too-many", times=1)
    assert client.get("me").status_code == 429
    assert client.get("me").status_code == 200
    client.fault("too_many", retry_after=7, nth=1, times=1)
    assert client.get("me").headers["Retry-After"] == "7"
    client.fault("server_error", times=1)
    refused(client.get("me"), 500, 1000003)
    for switch, status in (("html_error", 503), ("html_200", 200)):
        client.fault(switch, times=1)
        answer = client.get("me")
        assert (answer.status_code, answer.headers["Content-Type"][:9]) == (status, "text/html")
    client.fault("malformed", path="/vouchers", times=1)
    with pytest.raises(requests.exceptions.JSONDecodeError):
        client.get("vouchers").json()
    client.fault("cut", page=2)
    assert client.get("vouchers").status_code == 200
    with pytest.raises(requests.exceptions.RequestException):
        client.get("vouchers")
    client.fault("slow", seconds=0.3, times=1)
    start = time.monotonic()
    assert client.get("me").status_code == 200
    assert time.monotonic() - start >= 0.3


def test_an_expired_token_is_dead_and_a_new_one_works(client: Client) -> None:
    client.fault("token_expired")
    assert client.get("me").status_code == 401
    assert client.get("me").status_code == 401
    assert client.log_in().get("me").status_code == 200


def test_faults_of_access_are_refusals_of_their_kind(client: Client) -> None:
    client.fault("right_withdrawn")
    refused(client.get("vouchers"), 403, 2003275)
    assert client.get("companyinformation").status_code == 200
    client.sandbox.fault("c1", "right_withdrawn", None)
    client.fault("no_right")
    refused(client.get("suppliers"), 403, 2003275)
    client.fault("no_licence")
    refused(client.get("accounts"), 403, 2001101)
    client.fault("no_licence", code=2001103, status=400)
    refused(client.get("companyinformation"), 400, 2001103)
    client.sandbox.fault("c1", "no_licence", None)
    client.fault("bare_403")
    assert (client.get("sie/4").status_code, client.get("sie/4").content) == (403, b"")
    client.fault("withdrawn")
    assert client.get("me").status_code == 401
    assert client.service().json()["error"] == "invalid_grant"
    with pytest.raises(ValueError, match="known: too_many"):
        client.fault("nonsense")


@pytest.mark.parametrize("switch", ["drop_voucher", "drop_page", "hide_account", "drop_line", "hidden_rows"])
def test_dropped_rows_are_gone_everywhere_while_balances_stay_true(client: Client, switch: str) -> None:
    true, file = balances(client), client.sie()
    count = len(file.vouchers)
    client.fault(switch)

    assert balances(client) == true
    now = client.sie()
    closings = {row.account: row.amount for row in (*now.closings, *now.results) if row.year == 0}
    assert closings == {row.account: row.amount for row in (*file.closings, *file.results) if row.year == 0}
    listed = client.body("vouchers", financialyear=THIS, limit=500)["Vouchers"]
    assert {(row["VoucherSeries"], str(row["VoucherNumber"])) for row in listed} == {
        (v.series, v.number) for v in now.vouchers
    }
    if switch == "drop_line":
        assert len(now.vouchers) == count
        assert sum(len(v.postings) for v in now.vouchers) == sum(len(v.postings) for v in file.vouchers) - 1
        return
    gone = {"drop_voucher": 1, "drop_page": 20, "hidden_rows": count}.get(switch)
    assert gone is None or count - len(now.vouchers) == gone
    missing = {(v.series, v.number) for v in file.vouchers} - {(v.series, v.number) for v in now.vouchers}
    assert missing
    if switch != "hidden_rows":
        assert client.get("vouchers/{}/{}".format(*missing.pop()), financialyear=THIS).status_code == 404


def test_one_cent_is_in_the_control_balances_from_its_month_on(client: Client) -> None:
    before, months = balances(client), client.sie(2)
    client.fault("one_cent", account="1510", **{"from": "2026-04"})
    after = balances(client)
    assert {n for n in after if after[n] != before[n]} == {"1510"}
    assert after["1510"] - before["1510"] == Decimal("0.01")
    assert balances(client, LAST)["1510"] == Decimal("1250.63")
    closing = {row.account: row.amount for row in client.sie().closings if row.year == 0}
    assert closing["1510"] == after["1510"]

    def of(file: SieFile) -> dict[str, Decimal]:
        return {row.period: row.amount for row in file.period_balances if row.account == "1510"}

    old, new = of(months), of(client.sie(2))
    assert {month: new[month] - old[month] for month in new if new[month] != old[month]} == {
        next(month for month in new if month.replace("-", "") == "202604"): Decimal("0.01")
    }


def test_a_result_transfer_and_wages_have_their_series(client: Client) -> None:
    day = date(2026, 5, 5)
    wages = (line(1, day, "7010", "10.00"), line(2, day, "1930", "-10.00"))
    client.sandbox.edit("c1", Edit(action="post", external_id="e1", voucher=Voucher(
        external_id="e1", date=day, postings=wages, text="Lön")))  # fmt: skip
    client.sandbox.edit("c1", Edit(action="post", external_id="e2", voucher=Voucher(
        external_id="e2", date=day, postings=wages, kind=VoucherKind.VAT_SETTLEMENT, text="Moms")))  # fmt: skip
    assert voucher(client, "F", 1)["Description"] == "Lön"
    assert voucher(client, "I", 1)["Description"] == "Moms"
