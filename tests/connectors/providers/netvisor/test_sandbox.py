"""The sandbox answers as the vendor's recorded samples say; real requests, signed as a client signs, to a real server."""

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from apps.connectors.providers.netvisor.sandbox.auth import macs
from tests.connectors.providers.netvisor.signed_client import (
    KEYS,
    NUMBER,
    OTHER_NUMBER,
    TODAY,
    YEAR,
    Client,
    books,
    opened,
    refused,
)
from tests.specs import count_answer, count_sample, specs_folder

FOLDER = specs_folder()
needs_specs = pytest.mark.skipif(FOLDER is None, reason="vendor specs: NOT CHECKED")


@pytest.fixture
def client() -> Iterator[Client]:
    with opened() as made:
        yield made


# Signatures


@needs_specs
@pytest.mark.parametrize("algorithm", ["HMACSHA256", "SHA256", "MD5"])
def test_the_recorded_vectors_verify_by_digest_and_over_http(client: Client, algorithm: str) -> None:
    assert FOLDER is not None
    vector = json.loads((FOLDER / "netvisor" / "auth_vectors.json").read_text(encoding="utf-8"))
    given = {name.replace("_", ""): vector[name] for name in ("sender", "customer_id", "timestamp", "language")}
    given |= {"organisation": vector["organisation_id"], "transactionid": vector["transaction_id"]}
    given |= {"timestampunix": vector["timestamp_unix"], "algorithm": algorithm}
    assert list(macs(vector["url"], given, vector["customer_key"], vector["partner_key"])) == [vector[algorithm]]

    access = {name: vector[name] for name in ("customer_id", "customer_key", "partner_key")} | {"partner_id": "P"}
    client.sandbox.seed(books("v", vector["organisation_id"]), access)
    for name, value in (("skew_seconds", 0), ("md5", True)):
        client.sandbox.store.set(name, value)
    client.keys, client.language, client.algorithm = access, vector["language"], algorithm
    client.organisation = vector["organisation_id"]
    told = {"Sender": "sender", "Timestamp": "timestamp", "TimestampUnix": "timestamp_unix"}
    told |= {"TransactionId": "transaction_id", "MAC": algorithm}
    client.given = {f"X-Netvisor-Authentication-{name}": vector[key] for name, key in told.items()}

    assert client.get("accountingledger.nv", vector["url"].partition("?")[2]).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "balancedates=2026-01-31,2026-02-28&intervaltype=3",
        "balancedates=2026-01-31%2C2026-02-28",
        "BalanceDates=2026-01-31%2c2026-02-28",
        "balancedates=2026-01-31&nothing=a%20b:c/d&more=%C3%A4",
        "balancedates=2026-01-31&nothing=a+b%3ac/d&more=%c3%a4",
        "balancedates=2026-01-31&nothing=%E4%A4",  # the vendor's encoding, escaped
        "balancedates=2026-01-31&bare&empty=&",
        "balancedates=2026-01-31,2026-02-28%2C2026-03-31&nothing=%3A:%c3%A4[]{}|",
    ],
)
def test_the_address_signed_is_the_address_sent_however_it_is_written(client: Client, query: str) -> None:
    assert client.root("AccountBalance.nv", query).find("AccountBalances/Account/AccountBalance") is not None


def test_an_address_at_the_vendor_may_be_signed_and_another_may_not(client: Client) -> None:
    client.signed = "https://integration.netvisor.fi/accountlist.nv"
    assert client.get("accountlist.nv").status_code == 200
    client.signed = "https://integration.netvisor.fi/accountlist.nv?x=1"
    refused(client.get("accountlist.nv"), "AUTHENTICATION_FAILED", 401)


@pytest.mark.parametrize(
    "wrong",
    [
        {"X-Netvisor-Authentication-MAC": "0" * 64},
        {"X-Netvisor-Authentication-PartnerId": "PART_9"},
        {"X-Netvisor-Authentication-CustomerId": "WEBS_9"},
        {"X-Netvisor-Authentication-CustomerId": "WEBS_2"},
        {"X-Netvisor-Authentication-Timestamp": "2026-01-01 12:00:00"},
        {"X-Netvisor-Authentication-Timestamp": "2026-01-01 12:00:00.000"},
        {"X-Netvisor-Authentication-TimestampUnix": "1706775330"},
        {"X-Netvisor-Authentication-TransactionId": ""},
        {"X-Netvisor-Authentication-MACHashCalculationAlgorithm": "MD5"},
        {"X-Netvisor-Interface-Language": "SV"},
    ],
    ids=lambda wrong: "=".join(*wrong.items()),
)
def test_a_wrong_header_fails_the_authentication(client: Client, wrong: dict[str, str]) -> None:
    client.given = wrong

    refused(client.get("accountlist.nv"), "AUTHENTICATION_FAILED", 401)
    refused(client.get("accountlist.nv", codes=False), "AUTHENTICATION_FAILED")


def test_the_keys_of_one_company_do_not_open_another(client: Client) -> None:
    client.organisation = OTHER_NUMBER
    refused(client.get("accountlist.nv"), "AUTHENTICATION_FAILED", 401)
    client.sandbox.seed(books("c3", OTHER_NUMBER), KEYS)
    assert client.get("accountlist.nv").status_code == 200


def test_md5_is_taken_until_it_is_dropped(client: Client) -> None:
    client.algorithm = "MD5"
    client.root("accountlist.nv")
    client.given = {"X-Netvisor-Authentication-MACHashCalculationAlgorithm": ""}  # as before there was the header
    client.root("accountlist.nv")
    client.sandbox.store.set("md5", False)
    refused(client.get("accountlist.nv"), "AUTHENTICATION_FAILED", 401)


@pytest.mark.parametrize("algorithm", ["SHA256", "MD5"])
def test_a_plain_hash_may_be_of_utf_8(client: Client, algorithm: str) -> None:
    client.algorithm, client.text_encoding = algorithm, "utf-8"
    client.root("accountlist.nv")
    client.algorithm = "HMACSHA256"
    refused(client.get("accountlist.nv"), "AUTHENTICATION_FAILED", 401)


def test_a_transaction_is_used_up_by_a_request_whose_signature_held(client: Client) -> None:
    client.given = {"X-Netvisor-Authentication-TransactionId": "t1", "X-Netvisor-Authentication-MAC": "00"}
    refused(client.get("accountlist.nv"), "AUTHENTICATION_FAILED", 401)
    del client.given["X-Netvisor-Authentication-MAC"]
    client.root("accountlist.nv")

    refused(client.get("accountlist.nv"), "REQUEST_NOT_UNIQUE", 400)
    assert client.sandbox.store.counters()["repeated_transactions"] == 1


def test_the_text_of_a_failure_follows_the_language(client: Client) -> None:
    client.keys["customer_key"] = "wrong"
    texts = []
    for client.language in ("EN", "FI", "SE"):
        texts.append(refused(client.get("accountlist.nv"), "AUTHENTICATION_FAILED", 401))
    assert len(set(texts)) == 3


def test_a_resource_without_the_right_is_no_matter_of_the_keys(client: Client) -> None:
    client.sandbox.seed(books("c1", NUMBER), {**KEYS, "resources": ["accountlist.nv"]})
    client.root("accountlist.nv")
    refused(client.get("accountingledger.nv", **YEAR), "SERVICE_ACCESS_ERROR", 403)


def test_two_requests_of_a_company_at_a_time_are_an_error_and_counted(client: Client) -> None:
    client.sandbox.fault("c1", "slow", {"seconds": 0.8})
    slow = threading.Thread(target=client.get, args=("accountlist.nv",))
    slow.start()
    time.sleep(0.3)
    refused(client.get("dimensionlist.nv"), "TECHNICAL_ERROR", 500)
    slow.join()
    assert client.sandbox.store.counters()["overlaps"] == 1
    client.sandbox.fault("c1", "slow", None)
    client.root("dimensionlist.nv")


# What the vendor wrote down

SAMPLES = {
    "AccountList": ("accountlist.nv", {}),
    "AccountingLedger": ("accountingledger.nv", YEAR),
    "CustomerList": ("customerlist.nv", {}),
    "DimensionList": ("dimensionlist.nv", {}),
    "GetCustomer": ("getcustomer.nv", {"id": 165}),
    "GetProduct": ("getproduct.nv", {"id": 501}),
    "ProductList": ("productlist.nv", {}),
}
DAY, TIME = r"\d{1,2}\.\d{1,2}\.\d{4}", r"\d{1,2}\.\d{1,2}\.\d{4} \d{1,2}:\d\d:\d\d"
FORMS = {
    "netvisorkey": r"\d+", "timestamp": TIME, "voucherdate": DAY, "linesum": r"-?\d+,\d\d", "vatcode": "-|[A-Z0-9]{3,6}",
    "vatpercent": r"\d+(,\d)?", "accounttype": "account|accountgroup", "ishidden": "True|False", "unitprice": r"\d+,\d+",
    "purchaseprice": r"\d+,\d{4}", "inventoryvalue": r"\d+,\d{4}", "inventoryamount": r"\d+,\d\d", "isactive": "[01]",
    "voucherclass": "[A-Z]{1,2} .+|Placeholder", "defaultvatpercent": r"\d+,\d", "country": "[A-Z]{2}",
    "uri": r"https://.+\.nv\?id=\d+",
}  # fmt: skip


def shape(root: ET.Element) -> dict[str, list[tuple[str, ...]]]:
    """Path -> the names of the children, in their order, each name once; of all elements on that path."""
    out: dict[str, list[tuple[str, ...]]] = {}

    def walk(element: ET.Element, path: str) -> None:
        path = f"{path}/{element.tag}" + "".join(f"@{name}" for name in sorted(element.attrib))
        out.setdefault(path, []).append(tuple(dict.fromkeys(child.tag for child in element)))
        for child in element:
            walk(child, path)

    walk(root, "")
    return out


def in_order(few: tuple[str, ...], all_: tuple[str, ...]) -> bool:
    rest = iter(all_)
    return all(name in rest for name in few)


def check_forms(root: ET.Element) -> None:
    for element in root.iter():
        form = FORMS.get(element.tag.lower())
        if form and (element.text or "").strip() and not len(element):
            assert re.fullmatch(form, element.text or ""), (element.tag, element.text)


@needs_specs
@pytest.mark.parametrize("name", SAMPLES)
def test_an_answer_has_the_elements_order_and_forms_of_the_recorded_one(client: Client, name: str) -> None:
    assert FOLDER is not None
    recorded_bytes = Path(FOLDER, "netvisor", "samples", f"response_{name}.xml").read_bytes()
    recorded = ET.fromstring(recorded_bytes)  # noqa: S314 - a recorded sample
    resource, query = SAMPLES[name]
    answer = client.get(resource, **query)
    root = ET.fromstring(answer.content)  # noqa: S314 - our own sandbox
    check_forms(recorded)
    check_forms(root)

    wanted, got = shape(recorded), shape(root)
    unmarked = [path for path in wanted if "/Voucher/" in path or path.endswith("/Voucher")]  # one without its status
    assert set(got) == set(wanted) - set(unmarked)
    for path, found in got.items():
        longest = max(wanted[path], key=len)
        assert max(found, key=len) == longest, path
        assert all(in_order(children, longest) for children in found), path
    assert answer.content.startswith(b"<?xml") == recorded_bytes.startswith(b"<?xml")
    count_answer()
    count_sample()


@needs_specs
@pytest.mark.parametrize("name", ["AuthenticationFailed", "GetCustomerNotFound"])
def test_a_failure_has_the_body_of_the_recorded_one(client: Client, name: str) -> None:
    assert FOLDER is not None
    recorded = ET.parse(FOLDER / "netvisor" / "samples" / f"response_{name}.xml").getroot()  # noqa: S314
    client.language = "FI"
    if name == "AuthenticationFailed":
        client.given = {"X-Netvisor-Authentication-PartnerId": "PART_9"}
    answer = client.get("getcustomer.nv", id=123)
    root = ET.fromstring(answer.content)  # noqa: S314 - our own sandbox

    assert shape(root) == shape(recorded)
    assert [row.text for row in root.iter("Status")] == [row.text for row in recorded.iter("Status")]
    count_answer()
    count_sample()


ORDERS = {  # element of an answer -> its list in element_order.json, where no recorded sample says otherwise
    "accountingperiodlist.nv": {"PeriodLockInformation": "AccountingPeriodList.periodLockInformation", "Period": "AccountingPeriod"},
    "accountbalance.nv": {"Account": "AccountBalanceAccount.accountBalances.account", "AccountBalance": "AccountBalance"},
    "accountingledger.nv": {"Voucher": "AccountingLedgerVoucher", "VoucherLine": "AccountingLedgerVoucherLine"},
    "accountlist.nv": {"Account": "AccountListAccount"},
    "vouchertypelist.nv": {"VoucherType": "VoucherType", "DefaultVoucherTypes": "VoucherTypeList.defaultVoucherTypes"},
    "getvendor.nv": {
        "Vendor": "GetVendor", "VendorBaseInformation": "GetVendor.vendorBaseInformation",
        "VendorContactDetails": "GetVendor.vendorContactDetails",
        "VendorAdditionalInformation": "GetVendor.vendorAdditionalInformation",
    },
    "dimensionlist.nv": {"DimensionDetail": "DimensionListItem.dimensionDetails.dimensionDetail"},
}  # fmt: skip


@needs_specs
@pytest.mark.parametrize("resource", ORDERS)
def test_elements_stand_in_the_order_that_clients_know(client: Client, resource: str) -> None:
    assert FOLDER is not None
    orders = json.loads((FOLDER / "netvisor" / "element_order.json").read_text(encoding="utf-8"))
    root = client.root(resource, **YEAR, balancedates=TODAY)
    for tag, name in ORDERS[resource].items():
        known = tuple(child.lower() for child in orders[name])
        rows = list(root.iter(tag))
        assert rows
        for row in rows:
            children = tuple(dict.fromkeys(child.tag.lower() for child in row))
            assert in_order(children, known), (tag, children)
    count_answer()


@needs_specs
def test_every_resource_served_is_one_of_the_vendors() -> None:
    from apps.connectors.providers.netvisor.sandbox.service import READS

    assert FOLDER is not None
    known = json.loads((FOLDER / "netvisor" / "resources.json").read_text(encoding="utf-8"))["resources"]
    assert set(READS) <= {row["name"] for row in known if row["method"] == "GET"}


def test_encodings_are_declared_and_mixed(client: Client) -> None:
    assert client.get("accountlist.nv").content.startswith(b"<Root>")
    vendors = client.get("getvendor.nv")
    assert vendors.content.startswith(b'<?xml version="1.0" encoding="iso-8859-15"')
    assert "Keskinäinen".encode("iso-8859-15") in vendors.content
    client.sandbox.store.set("encoding", "iso-8859-15")
    assert "Myyntisaamiset" in "".join(client.root("accountlist.nv").itertext())
