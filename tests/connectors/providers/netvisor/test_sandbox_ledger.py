"""The sandbox's ledger from night to night, its registers and its faults; real requests to a real server."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest
import requests

from apps.connectors.providers.netvisor.sandbox.faults import SWITCHES
from apps.connectors.sdk.sandbox import Edit
from apps.records.enums import Counts
from apps.records.ledger import Posting, Voucher
from tests.connectors.providers.netvisor.signed_client import (
    NUMBER,
    TODAY,
    YEAR,
    Client,
    amount,
    books,
    finnish,
    opened,
    refused,
)


@pytest.fixture
def client() -> Iterator[Client]:
    with opened() as made:
        yield made


# The ledger


def test_a_window_is_inclusive_on_both_ends_and_needs_both(client: Client) -> None:
    every = client.vouchers()
    days = sorted({row.findtext("VoucherDate") for row in every.values()}, key=lambda day: finnish(day or ""))
    day = finnish(days[3] or "")
    within = client.vouchers(startdate=day, enddate=day)
    assert within
    assert {row.findtext("VoucherDate") for row in within.values()} == {days[3]}
    unpadded = f"{day.year}-{day.month}-{day.day}"
    assert client.vouchers(StartDate=unpadded, EndDate=unpadded).keys() == within.keys()
    refused(client.get("accountingledger.nv", startdate=day), "INVALID_DATA", 400)
    refused(client.get("accountingledger.nv"), "INVALID_DATA", 400)
    refused(client.get("accountingledger.nv", startdate="2026-02-30", enddate=day), "INVALID_DATA", 400)


def test_vouchers_sum_to_nothing_and_their_sums_to_the_balances(client: Client) -> None:
    every = client.vouchers()
    assert len(every) > 60
    for row in every.values():
        assert sum(amount(line.findtext("LineSum")) for line in row.findall("VoucherLine")) == 0
    assert client.differences() == {}


def test_openings_are_the_balances_of_the_day_before_the_first_year(client: Client) -> None:
    made = books("c1", NUMBER)
    found = client.balances(made.fiscal_years[0].start - timedelta(days=1))
    assert {number: cents for number, cents in found.items() if cents} == dict(made.openings)


def test_a_balance_is_debet_less_kredit_and_an_interval_gives_the_days_between(client: Client) -> None:
    query = f"balancedates={TODAY.year}-01-31,{TODAY.year}-04-30&intervaltype=3"
    for account in client.root("accountbalance.nv", query).iter("Account"):
        days = [str(row.get("date"))[5:] for row in account]
        assert (days[0], len(days), days[-1]) == ("01-31", 4, "04-30")
        for row in account:
            debit, credit = amount(row.findtext("Debet")), amount(row.findtext("Kredit"))
            assert debit - credit == amount(row.findtext("Balance"))
    refused(client.get("accountbalance.nv"), "INVALID_DATA", 400)


def test_one_two_or_no_vouchers_by_key(client: Client) -> None:
    first, second, *_ = client.vouchers()
    assert set(client.vouchers(netvisorkeylist=f"{first},{second},1")) == {first, second}
    assert set(client.vouchers(netvisorkey=first)) == {first}
    root = client.root("accountingledger.nv", netvisorkey=1)
    assert [child.tag for child in root] == ["ResponseStatus", "Vouchers"]
    assert len(root[1]) == 0
    keys = ",".join(str(key) for key in range(1, 502))
    refused(client.get("accountingledger.nv", netvisorkeylist=keys), "INVALID_DATA_SIZE", 400)


def test_vat_dimensions_and_classes_of_a_purchase(client: Client) -> None:
    client.language = "FI"
    for row in client.vouchers().values():
        lines = row.findall("VoucherLine")
        if lines[0].findtext("VatCode") == "KOOS" and lines[0].findtext("VatPercent") == "25,5":
            break
    assert row.findtext("VoucherClass") == "OL Ostolasku"
    assert row.find("LinkedSourceNetvisorKey[@type='purchaseinvoice']") is not None
    assert [(line.findtext("VatPercent"), line.findtext("VatCode")) for line in lines[1:]] == [("0", "-"), ("0", "-")]
    assert lines[0].findtext("Dimension/DimensionName") == "Osasto"
    listed = {name.text for name in client.root("dimensionlist.nv").iter("Name")}
    assert lines[0].findtext("Dimension/DimensionItem") in listed


def test_drafts_are_nowhere_until_they_are_booked(client: Client) -> None:
    made = books("c1", NUMBER)
    draft = next(voucher for voucher in made.vouchers if voucher.counts is Counts.PROVISIONAL)
    before = client.vouchers()
    assert draft.text not in {row.findtext("VoucherDescription") for row in before.values()}
    booked = Voucher(date=draft.date, postings=draft.postings, text=draft.text)
    client.sandbox.edit("c1", Edit(action="change", external_id=draft.external_id, voucher=booked))
    assert len(client.vouchers()) == len(before) + 1


# What happens between two nights


def story_id(client: Client, key: int) -> str:
    return str((client.sandbox.store.get("c1", "voucher", str(key)) or {})["story"])


def test_edits_show_as_modified_and_deletions_are_remembered_seven_days(client: Client) -> None:
    one, two, three, four, *_ = client.vouchers()
    client.sandbox.store.set("shift", 2)
    since = f"{TODAY + timedelta(days=2)}T00:00:00"
    day = datetime.now(ZoneInfo("Europe/Helsinki")).date() + timedelta(days=2)  # the sandbox's today
    lines = tuple(
        Posting(row=n, date=TODAY, account=account, amount=Decimal(sum_))
        for n, (account, sum_) in enumerate((("8390", "12.5"), ("2871", "-12.5")), 1)
    )
    new = Voucher(external_id="new", date=TODAY, postings=lines, text="Uusi")
    for edit in (
        Edit(action="post", external_id="new", voucher=new),
        Edit(action="redate", external_id=story_id(client, one), day=TODAY),
        Edit(action="reverse", external_id=story_id(client, two), day=TODAY, new_id="back"),
        Edit(action="invalidate", external_id=story_id(client, three)),
        Edit(action="delete", external_id=story_id(client, four)),
    ):
        client.sandbox.edit("c1", edit)

    changed = client.vouchers(lastmodifiedstart=since)
    status = [row.get("Status") for row in changed.values()]
    assert (len(changed), status.count("invalidated")) == (4, 1)
    assert {one, three} < set(changed)
    assert finnish(changed[one].findtext("VoucherDate") or "") == TODAY
    assert client.differences() == {}

    gone = client.root("deletedvouchers.nv", deletedsince=day - timedelta(days=7)).iter("NetvisorKey")
    assert [key.text for key in gone] == [str(four)]
    refused(client.get("deletedvouchers.nv", deletedsince=day - timedelta(days=8)), "INVALID_DATA", 400)
    assert four not in client.vouchers()
    assert set(client.vouchers(**YEAR, voucherstatus=2)) == {three}
    assert set(client.vouchers(**YEAR, voucherstatus=3)) == {four}
    client.sandbox.store.set("shift", 10)
    assert not client.root("deletedvouchers.nv", deletedsince=day + timedelta(days=1))[1]
    assert client.vouchers(**YEAR, voucherstatus=3) == {}


def test_a_changed_voucher_keeps_its_key_and_number(client: Client) -> None:
    key, old = next((key, row) for key, row in client.vouchers().items() if row.find("VoucherLine[4]") is None)
    made = next(v for v in books("c1", NUMBER).vouchers if v.external_id == story_id(client, key))
    client.sandbox.edit("c1", Edit(action="change", external_id=made.external_id, voucher=made))
    new = client.vouchers()[key]
    assert new.findtext("VoucherNumber") == old.findtext("VoucherNumber")


def test_vouchers_by_accounts_of_any_length_and_by_type_also_deleted_ones(client: Client) -> None:
    every = client.vouchers()
    assert client.vouchers(**YEAR, accountnumberstart=999, accountnumberend=99999).keys() == every.keys()
    assert not client.vouchers(**YEAR, accountnumberstart=10000)
    kinds = {
        row.findtext("Abbreviation"): row.findtext("NetvisorKey")
        for row in client.root("vouchertypelist.nv").iter("VoucherType")
    }
    sales = {key for key, row in every.items() if (row.findtext("VoucherClass") or "").startswith("ML ")}
    assert client.vouchers(**YEAR, vouchertype=kinds["ML"]).keys() == sales
    assert not client.vouchers(**YEAR, vouchertype=kinds["PUMP"])

    key = min(sales)
    client.sandbox.edit("c1", Edit(action="delete", external_id=story_id(client, key)))
    assert client.vouchers(**YEAR, voucherstatus=3, vouchertype=kinds["ML"]).keys() == {key}
    assert not client.vouchers(**YEAR, voucherstatus=3, vouchertype=kinds["OL"])


def test_the_history_of_a_voucher_comes_when_it_is_asked_for(client: Client) -> None:
    key, plain = next(iter(client.vouchers().items()))
    told = client.vouchers(netvisorkey=key, includetransactionhistory=1)[key]
    rows = told.findall("TransactionHistory/Transaction")
    assert plain.find("TransactionHistory") is None
    assert [[child.tag for child in row] for row in rows] == [["Comment", "TimeStamp", "Editor"]]
    stamp = rows[0].find("TimeStamp")
    assert stamp is not None
    assert stamp.get("format") == "ansi"
    assert re.fullmatch(r"\d{1,2}\.\d{1,2}\.\d{4} \d{1,2}:\d\d:\d\d", stamp.text or "")


# Registers


def test_vendors_come_in_pages_and_a_page_after_the_last_is_empty(client: Client) -> None:
    client.sandbox.store.set("vendor_page", 4)
    sizes = [len(client.root("getvendor.nv", page=page)[1]) for page in range(1, 9)]
    full = sum(sizes) // 4
    assert sizes[:full] == [4] * full
    assert sizes[-1] == 0
    one = client.root("getvendor.nv", netvisorkey=301)
    assert [row.findtext("VendorBaseInformation/Name") is not None for row in one.iter("Vendor")] == [True]


def test_what_is_not_there_is_a_failure_for_customers_and_empty_for_products(client: Client) -> None:
    refused(client.get("getcustomer.nv", id=9), "INVALID_DATA", 400)
    assert len(client.root("getcustomer.nv", idlist="165,166")[1]) == 2
    product = client.root("getproduct.nv", id=9)[1]
    assert (product.tag, len(product), product.text) == ("Product", 0, None)
    assert not client.root("customerlist.nv", keyword="no such name")[1]
    assert len(client.root("getproduct.nv", eancode="6410405082657")[1]) == 0
    many = ",".join(str(n) for n in range(401))
    refused(client.get("getproduct.nv", codelist=many), "INVALID_DATA_SIZE", 400)
    refused(client.get("customerlist.nv", customercodelist=many), "INVALID_DATA_SIZE", 400)


def test_an_unknown_resource_is_a_page_and_an_unknown_parameter_is_ignored(client: Client) -> None:
    assert client.get("nothing.nv").status_code == 404
    client.root("accountlist.nv", nothing=1)


# Faults


def fault(client: Client, switch: str, **settings: Any) -> None:
    client.sandbox.fault("c1", switch, settings)


@pytest.mark.parametrize(
    ("switch", "category", "status"),
    [
        ("bad_keys", "AUTHENTICATION_FAILED", 401),
        ("no_right", "SERVICE_ACCESS_ERROR", 403),
        ("maintenance", "SYSTEM_MAINTANANCE", 503),
        ("technical_error", "TECHNICAL_ERROR", 500),
    ],
)
def test_faults_with_the_vendors_body(client: Client, switch: str, category: str, status: int) -> None:
    fault(client, switch)
    refused(client.get("accountlist.nv"), category, status)
    refused(client.get("accountlist.nv", codes=False), category)
    client.sandbox.fault("c1", switch, None)
    client.root("accountlist.nv")


def test_faults_on_the_wire(client: Client) -> None:
    fault(client, "too_many", retry_after=7, times=1)
    answer = client.get("accountlist.nv")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    client.root("accountlist.nv")
    for switch, status in (("server_error", 500), ("html_error", 500), ("html_200", 200)):
        fault(client, switch, times=1)
        answer = client.get("accountlist.nv")
        assert (answer.status_code, answer.content.startswith(b"<Root")) == (status, False)
    fault(client, "malformed", times=1)
    with pytest.raises(ET.ParseError):
        client.root("accountlist.nv")
    fault(client, "cut")
    with pytest.raises(requests.RequestException):
        client.get("accountlist.nv")
    client.root("accountlist.nv")


@pytest.mark.parametrize(("switch", "lost"), [("drop_voucher", 1), ("drop_page", 20), ("hide_account", None)])
def test_what_is_dropped_is_in_no_list_and_no_look_up_while_balances_stay_true(
    client: Client, switch: str, lost: int | None
) -> None:
    every, balances = client.vouchers(), sorted(client.balances(TODAY).values())
    fault(client, switch)
    seen = client.vouchers()
    gone = sorted(set(every) - set(seen))
    assert len(gone) == (lost or len(gone)) > 0
    assert client.vouchers(netvisorkey=gone[0]) == {}
    assert sorted(client.balances(TODAY).values()) == balances
    assert client.vouchers(lastmodifiedstart="2000-01-01").keys() & set(gone) == set()
    if switch != "hide_account":
        assert client.differences()


def test_one_cent_changes_one_balance_and_nothing_else(client: Client) -> None:
    fault(client, "one_cent", account="2871", **{"from": f"{TODAY.year}-01"})
    assert client.differences() == {"2871": Decimal("0.01")}


def test_a_dropped_line_unbalances_one_voucher(client: Client) -> None:
    fault(client, "drop_line")
    sums = [
        sum(amount(line.findtext("LineSum")) for line in row.iter("VoucherLine")) for row in client.vouchers().values()
    ]
    assert sum(bool(sum_) for sum_ in sums) == 1


def test_rights_that_are_gone_leave_lists_empty(client: Client) -> None:
    key = next(iter(client.vouchers()))
    fault(client, "hidden_rows")
    assert client.vouchers() == {}
    assert set(client.vouchers(netvisorkey=key)) == {key}
    fault(client, "right_withdrawn")
    assert client.vouchers(netvisorkey=key) == {}
    assert client.balances(TODAY) == {}


def test_an_unknown_switch_names_the_known_ones(client: Client) -> None:
    with pytest.raises(ValueError, match="drop_voucher"):
        client.sandbox.fault("c1", "nothing", {})
    assert {"drop_voucher", "drop_page", "one_cent", "hide_account", "drop_line"} < set(SWITCHES)
