"""A small client of the vendor's API and made-up books, for the tests of the sandbox."""

import json
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests

from apps.connectors.sdk.sandbox import Books, Sandbox
from apps.formats.sie import SieFile, read_sie
from apps.records.enums import AccountType, Counts
from apps.records.ledger import Account, Dimension, FiscalYear, Posting, Voucher

TENANT, OTHER = 29302, 29303
CALLBACK = "https://kontor.example/oauth/callback"
CLIENT = {"client_id": "app", "client_secret": "hemligt", "redirect_uri": CALLBACK}
LAST, THIS = 3, 4  # Ids of the financial years
BASIC = ("app", "hemligt")


def line(row: int, day: date, account: str, amount: str, **more: Any) -> Posting:
    return Posting(row=row, date=day, account=account, amount=Decimal(amount), **more)


def sale(n: int, day: date, net: str = "1000.50", tax: str = "250.13") -> Voucher:
    lines = (
        line(1, day, "1510", str(Decimal(net) + Decimal(tax)), party="Kund AB"),
        line(2, day, "3001", f"-{net}", text="Försäljning", dimensions={"department": "1", "project": "101"}),
        line(3, day, "2611", f"-{tax}"),
    )
    return Voucher(external_id=f"v{n}", date=day, postings=lines, text=f'Faktura "{n}" åäö', number=str(n))


def bill(n: int, day: date, amount: str = "99.90") -> Voucher:
    lines = (line(1, day, "5410", amount, text="Pärmar"), line(2, day, "2440", f"-{amount}", party="Boden AB"))
    return Voucher(external_id=f"b{n}", date=day, postings=lines, text=f"Boden: pärmar {n}", number=str(1000 + n))


def make_books(company: str = "c1", name: str = "Mälarbo AB", vouchers: int = 40) -> Books:
    days = [date(2026, 1, 5) + timedelta(days=7 * n % 300) for n in range(vouchers)]
    draft = replace(bill(999, date(2026, 10, 1)), external_id="draft", counts=Counts.PROVISIONAL, number="")
    names = {
        "1510": AccountType.ASSET, "1930": AccountType.ASSET, "2099": AccountType.EQUITY,
        "2440": AccountType.LIABILITY, "2611": AccountType.LIABILITY, "3001": AccountType.INCOME,
        "5410": AccountType.EXPENSE,
    }  # fmt: skip
    return Books(
        company=company,
        name=name,
        organisation_number="5598014420",
        country="SE",
        currency="SEK",
        fiscal_years=(
            FiscalYear(start=date(2025, 1, 1), end=date(2025, 12, 31)),
            FiscalYear(start=date(2026, 1, 1), end=date(2026, 12, 31)),
        ),
        accounts=tuple(
            Account(number=number, name=f"Konto {number}", type=kind, vat_code="MP1" if number == "3001" else None)
            for number, kind in names.items()
        ),
        dimensions=(
            Dimension(kind="department", code="1", name="Butik"),
            Dimension(kind="project", code="101", name="Torget"),
        ),
        openings={"1930": Decimal("500.00"), "2099": Decimal("-500.00")},
        vouchers=(
            sale(0, date(2025, 11, 3)),
            *(sale(n, day) for n, day in enumerate(days, 1)),
            *(bill(n, day) for n, day in enumerate(days[::4], 1)),
            draft,
        ),
        locked_until=date(2026, 1, 31),
    )


class Client:
    """A small client of the vendor's API."""

    def __init__(self, base: str, sandbox: Sandbox) -> None:
        self.base, self.sandbox, self.http = f"{base}/fortnox", sandbox, requests.Session()
        self.token = ""

    def oauth(self, what: str = "token", headers: dict[str, str] | None = None, **body: str) -> requests.Response:
        return self.http.post(f"{self.base}/oauth-v1/{what}", data=body, auth=BASIC, headers=headers, timeout=10)

    def service(self, tenant: int = TENANT, **more: str) -> requests.Response:
        return self.oauth(headers={"TenantId": str(tenant)}, grant_type="client_credentials", **more)

    def log_in(self, tenant: int = TENANT) -> "Client":
        self.token = self.service(tenant).json()["access_token"]
        return self

    def authorize(self, **query: str) -> requests.Response:
        wanted = {
            "client_id": "app", "redirect_uri": CALLBACK, "scope": "companyinformation bookkeeping", "state": "s1",
            "access_type": "offline", "response_type": "code",
        } | query  # fmt: skip
        url = f"{self.base}/oauth-v1/auth"
        return self.http.get(url, params=wanted, timeout=10, allow_redirects=False)

    def code(self, **query: str) -> str:
        return told(self.authorize(**query))["code"]

    def exchange(self, code: str, uri: str = CALLBACK) -> requests.Response:
        return self.oauth(grant_type="authorization_code", code=code, redirect_uri=uri)

    def refresh(self, token: str) -> requests.Response:
        return self.oauth(grant_type="refresh_token", refresh_token=token)

    def get(self, path: str, **query: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
        return self.http.get(f"{self.base}/3/{path}", params=query, headers=headers, timeout=10)

    def body(self, path: str, **query: Any) -> dict[str, Any]:
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def sie(self, kind: int = 4, year: int = THIS) -> SieFile:
        answer = self.get(f"sie/{kind}", financialyear=year)
        assert answer.status_code == 200, answer.text
        return read_sie(answer.content)

    def fault(self, switch: str, **settings: Any) -> None:
        self.sandbox.fault("c1", switch, settings)

    def set(self, name: str, value: Any) -> None:
        self.sandbox.store.set(name, value)


def told(answer: requests.Response) -> dict[str, str]:
    """The query of a redirect to the callback."""
    assert answer.status_code == 302, answer.text
    assert answer.headers["Location"].startswith(CALLBACK + "?")
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def refused(answer: requests.Response, status: int, code: int, *, lower: bool = False) -> None:
    error = answer.json()["ErrorInformation"]
    names = ("error", "message", "code") if lower else ("Error", "Message", "Code")
    assert (answer.status_code, tuple(error), error[names[2]]) == (status, names, code)


def seed(client: Client, **access: Any) -> None:
    client.sandbox.seed(make_books(), {"tenant": TENANT} | access)


def pages(client: Client, path: str, key: str, **query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for page in range(1, 100):
        body = client.body(path, page=page, **query)
        rows += body[key]
        assert body["MetaInformation"]["@CurrentPage"] == page
        if page >= body["MetaInformation"]["@TotalPages"]:
            return rows
    raise AssertionError("no end")


def voucher(client: Client, series: str, number: int, year: int = THIS) -> dict[str, Any]:
    return dict(client.body(f"vouchers/{series}/{number}", financialyear=year)["Voucher"])


def balances(client: Client, year: int = THIS) -> dict[str, Decimal]:
    found = {}
    for row in client.body("accounts", financialyear=year)["Accounts"]:
        assert "BalanceCarriedForward" not in row
        text = client.get(f"accounts/{row['Number']}", financialyear=year).text
        found[str(row["Number"])] = json.loads(text, parse_float=Decimal)["Account"]["BalanceCarriedForward"]
    return found
