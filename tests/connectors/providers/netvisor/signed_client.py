"""A small client of the web service, written from the vendor's page and not from our provider."""

import hashlib
import hmac
import http.client
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree as ET

import requests

from apps.connectors.providers.netvisor.sandbox import make_sandbox
from apps.connectors.sdk.sandbox import Books, Sandbox
from apps.sandbox.books import BooksSpec, make_books
from apps.sandbox.server import running
from apps.sandbox.store import Store

NUMBER, OTHER_NUMBER = "2953159-3", "2567853-9"
KEYS = {"partner_id": "PART_1", "partner_key": "PARTKEY", "customer_id": "WEBS_1", "customer_key": "CUSTKEY"}
TODAY = datetime.now(UTC).date()
YEAR = {"startdate": f"{TODAY.year}-01-01", "enddate": f"{TODAY.year}-12-31"}


def books(company: str, number: str, industry: str = "software") -> Books:
    spec = BooksSpec(
        company=company,
        name="Säätö & Pojat Oy",
        organisation_number=number,
        industry=industry,
        seed=4,
        vouchers=160,
        country="FI",
    )
    return make_books(spec, TODAY)


class Client:
    """Signs as the vendor's page says: the address sent, a new transaction for every request."""

    def __init__(self, base: str, sandbox: Sandbox) -> None:
        self.base, self.sandbox = f"{base}/netvisor", sandbox
        self.given: dict[str, str] = {}  # headers instead of the right ones
        self.keys, self.organisation, self.language, self.algorithm = dict(KEYS), NUMBER, "EN", "HMACSHA256"
        self.text_encoding = "iso-8859-1"
        self.signed: str | None = None  # an address to sign instead of the one sent

    def mac(self, url: str, headers: dict[str, str]) -> str:
        names = ("Sender", "CustomerId", "Timestamp")
        parts = [url, *(headers[f"X-Netvisor-Authentication-{name}"] for name in names), self.language]
        parts += [self.organisation, headers["X-Netvisor-Authentication-TransactionId"]]
        secrets = [self.keys["customer_key"], self.keys["partner_key"]]
        if self.algorithm == "HMACSHA256":
            parts.append(headers["X-Netvisor-Authentication-TimestampUnix"])
            message = "&".join(parts + secrets).encode(self.text_encoding)
            return hmac.new("&".join(secrets).encode("iso-8859-1"), message, hashlib.sha256).hexdigest()
        message = "&".join(parts + secrets).encode(self.text_encoding)
        return hashlib.new(self.algorithm.lower(), message, usedforsecurity=False).hexdigest()

    def get(self, resource: str, query: str = "", *, codes: bool = True, **values: Any) -> requests.Response:
        now = datetime.now(UTC)
        query = query or urlencode(values)
        url = f"{self.base}/{resource}" + (f"?{query}" if query else "")
        headers = {
            "X-Netvisor-Authentication-Sender": "Koe Äö",
            "X-Netvisor-Authentication-CustomerId": self.keys["customer_id"],
            "X-Netvisor-Authentication-PartnerId": self.keys["partner_id"],
            "X-Netvisor-Authentication-Timestamp": now.strftime("%Y-%m-%d %H:%M:%S.000"),
            "X-Netvisor-Authentication-TimestampUnix": str(int(now.timestamp())),
            "X-Netvisor-Authentication-TransactionId": uuid.uuid4().hex,
            "X-Netvisor-Interface-Language": self.language,
            "X-Netvisor-Organisation-ID": self.organisation,
            "X-Netvisor-Authentication-MACHashCalculationAlgorithm": self.algorithm,
        }
        if codes:
            headers["X-Netvisor-Authentication-UseHTTPResponseStatusCodes"] = "1"
        headers |= self.given
        headers.setdefault("X-Netvisor-Authentication-MAC", self.mac(self.signed or url, headers))
        return self.sent(url, headers)

    def sent(self, url: str, headers: dict[str, str]) -> requests.Response:
        """The answer to the address as it was signed: requests itself would write some of it anew."""
        parts = urlsplit(url)
        line = http.client.HTTPConnection(parts.netloc, timeout=10)
        line.putrequest("GET", url[url.index(parts.netloc) + len(parts.netloc) :])
        for name, value in headers.items():
            line.putheader(name, value.encode("iso-8859-1"))
        line.endheaders()
        try:
            got = line.getresponse()
            answer = requests.Response()
            answer.status_code, answer._content = got.status, got.read()
        except (OSError, http.client.HTTPException) as error:
            raise requests.ConnectionError(error) from error
        finally:
            line.close()
        answer.headers.update(got.getheaders())
        return answer

    def root(self, resource: str, query: str = "", **values: Any) -> ET.Element:
        answer = self.get(resource, query, **values)
        assert answer.status_code == 200, answer.text
        root = ET.fromstring(answer.content)  # noqa: S314 - our own sandbox
        assert root.findtext("ResponseStatus/Status") == "OK"
        return root

    def vouchers(self, **values: Any) -> dict[int, ET.Element]:
        found = self.root("accountingledger.nv", **(values or YEAR)).findall("Vouchers/Voucher")
        return {int(row.findtext("NetvisorKey") or 0): row for row in found}

    def balances(self, day: date) -> dict[str, Decimal]:
        """Number -> balance of all accounts that the list shows, and key -> balance of the others."""
        listed = self.root("accountlist.nv").iter("Account")
        numbers = {row.findtext("NetvisorKey"): row.findtext("Number") or "" for row in listed}
        rows = self.root("accountbalance.nv", balancedates=day).iter("Account")
        return {
            numbers.get(row.get("netvisorkey"), str(row.get("netvisorkey"))): amount(
                row.findtext("AccountBalance/Balance")
            )
            for row in rows
        }

    def held(self) -> dict[str, Decimal]:
        """What the seen vouchers of this year sum to, by account."""
        sums: dict[str, Decimal] = {}
        for row in self.vouchers().values():
            for line in row.findall("VoucherLine") if row.get("Status") == "valid" else ():
                number = line.findtext("AccountNumber") or ""
                sums[number] = sums.get(number, Decimal(0)) + amount(line.findtext("LineSum"))
        return sums

    def differences(self) -> dict[str, Decimal]:
        """Where the balances and the vouchers of this year disagree."""
        start, end = date(TODAY.year - 1, 12, 31), date(TODAY.year, 12, 31)
        before, after, held = self.balances(start), self.balances(end), self.held()
        out = {}
        for number, balance in after.items():
            opening = before[number] if number < "3000" else Decimal(0)
            if difference := balance - opening - held.get(number, Decimal(0)):
                out[number] = difference
        return out


def amount(text: str | None) -> Decimal:
    assert text
    assert re.fullmatch(r"-?\d+,\d{2}", text)
    return Decimal(text.replace(",", "."))


@contextmanager
def opened() -> Iterator[Client]:
    """A client of the first of two companies, served by a sandbox of their own."""
    sandbox = make_sandbox(Store())
    sandbox.seed(books("c1", NUMBER), KEYS)
    sandbox.seed(books("c2", OTHER_NUMBER, "housing"), {**KEYS, "customer_id": "WEBS_2", "customer_key": "CUST2"})
    with running({"netvisor": sandbox}) as base:
        yield Client(base, sandbox)


def refused(answer: requests.Response, category: str, status: int = 200) -> str:
    """The text of a failure, which has two Status elements and nothing else."""
    assert answer.status_code == status
    root = ET.fromstring(answer.content)  # noqa: S314 - our own sandbox
    assert [child.tag for child in root] == ["ResponseStatus"]
    assert [child.tag for child in root[0]] == ["Status", "Status", "TimeStamp"]
    assert root[0][0].text == "FAILED"
    told, _, text = (root[0][1].text or "").partition(" :: ")
    assert (told, bool(text)) == (category, True)
    return text


def finnish(text: str) -> date:
    day, month, year = (int(part) for part in text.split("."))
    return date(year, month, day)
