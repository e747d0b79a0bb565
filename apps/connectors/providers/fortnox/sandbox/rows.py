"""A company's books as the rows that the sandbox keeps. Amounts are whole öre, debit positive.

Every voucher gets a series by what it does (the vendor's usual ones, SERIES) and the next number of that series and
year; the story's own number is not used. A voucher that is not posted has no number and is nowhere in the API: there
are no drafts among vouchers.
"""

import hashlib
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from apps.connectors.sdk.sandbox import Books, Row
from apps.records.enums import Counts, VoucherKind
from apps.records.ledger import Posting, Voucher

Obj = dict[str, Any]
KINDS = ("account", "voucher", "costcenter", "project", "customer", "supplier", "article")
FIRST_YEAR = 3  # Ids are internal numbers: the first year here had two before it that were emptied
SERIES = {  # series -> description, reference type, entered by hand
    "A": ("Redovisning", "MANUAL", True),
    "B": ("Kundfakturor", "INVOICE", False),
    "C": ("Inbetalningar", "INVOICEPAYMENT", False),
    "D": ("Leverantörsfakturor", "SUPPLIERINVOICE", False),
    "E": ("Utbetalningar", "SUPPLIERPAYMENT", False),
    "F": ("Löner", "MANUAL", True),
    "I": ("Momsredovisning", "MANUAL", False),
}
RECEIVABLE, PAYABLE, BANK, WAGES = ("150", "151"), ("240", "244"), ("19",), ("70", "72")


def ore(amount: Decimal) -> int:
    return int((amount * 100).to_integral_value())


def tenant_of(key: str) -> int:
    """A DatabaseNumber that stays the same for a company's key."""
    return 20_000 + int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % 900_000


def company_row(books: Books, tenant: int) -> Obj:
    return {
        "key": books.company,
        "tenant": tenant,
        "name": books.name,
        "organisation_number": with_hyphen(books.organisation_number),
        "country": books.country,
        "currency": books.currency,
        "years": [
            {"id": FIRST_YEAR + n, "from": year.start.isoformat(), "to": year.end.isoformat()}
            for n, year in enumerate(sorted(books.fiscal_years, key=lambda year: year.start))
        ],
        "locked": books.locked_until.isoformat() if books.locked_until else "",
        "openings": {number: ore(amount) for number, amount in books.openings.items()},
        "last": {},  # "A/3" -> the last number given in that series and year
        "references": {},
        "made": 0,
    }


def with_hyphen(number: str) -> str:
    """556677-8899, as the vendor shows organisation numbers."""
    digits = number.replace("-", "").replace(" ", "")
    return f"{digits[:-4]}-{digits[-4:]}" if len(digits) in (10, 12) and digits.isdigit() else number


class Maker:
    """Makes voucher rows for one company; `doc` (its row) keeps the counters and must be stored afterwards."""

    def __init__(self, doc: Obj) -> None:
        self.doc = doc

    def year_of(self, day: str) -> int:
        for year in self.doc["years"]:
            if year["from"] <= day <= year["to"]:
                return int(year["id"])
        raise ValueError(f"{day} lies in no financial year of {self.doc['key']}")

    def voucher(self, told: Voucher, stamp: str, story: str = "") -> Obj:
        """A new row of the voucher; `stamp` is its last change."""
        day = told.date.isoformat()
        self.doc["made"] += 1
        row: Obj = {
            "id": str(self.doc["made"]),
            "story": story or told.external_id,
            "series": "",
            "number": 0,
            "year": self.year_of(day),
            "date": day,
            "text": (told.text or "Verifikation")[:200],
            "reference": None,
            "changed": stamp,
            "rows": [line(posting) for posting in told.postings],
        }
        if told.counts is not Counts.PROVISIONAL:
            self.number(row, series_of(told.kind, row["rows"]))
        return row

    def number(self, row: Obj, series: str) -> None:
        """The next number of the series in the row's year; invoices and payments get their own number beside it."""
        place = f"{series}/{row['year']}"
        row["series"], row["number"] = series, self.doc["last"].get(place, 0) + 1
        self.doc["last"][place] = row["number"]
        if SERIES[series][1] != "MANUAL":
            self.doc["references"][series] = self.doc["references"].get(series, 100) + 1
            row["reference"] = str(self.doc["references"][series])


def line(posting: Posting) -> Obj:
    """One voucher row; `state` is "" or what a correction made of it: "removed", "added"."""
    places = posting.dimensions
    return {
        "account": posting.account,
        "ore": ore(posting.amount),
        "cost_center": places.get("cost_centre") or places.get("department") or "",
        "project": places.get("project") or "",
        "text": posting.text[:100],
        "quantity": float(posting.quantity) if posting.quantity is not None else 0,
        "party": posting.party or "",
        "state": "",
    }


def series_of(kind: VoucherKind, rows: Iterable[Obj]) -> str:
    """The series by what is booked."""
    rows = list(rows)
    debit = tuple(row["account"] for row in rows if row["ore"] > 0)
    credit = tuple(row["account"] for row in rows if row["ore"] < 0)
    if kind is VoucherKind.VAT_SETTLEMENT:
        return "I"
    if kind is not VoucherKind.ORDINARY:
        return "A"
    for series, accounts, wanted in (("B", debit, RECEIVABLE), ("C", credit, RECEIVABLE), ("D", credit, PAYABLE)):
        if any(account.startswith(wanted) for account in accounts):
            return series
    if any(account.startswith(PAYABLE) for account in debit) and any(account.startswith(BANK) for account in credit):
        return "E"
    return "F" if any(account.startswith(WAGES) for account in debit) else "A"


def make_rows(books: Books, doc: Obj, today: date) -> dict[str, list[Row]]:
    """All rows of the company by kind; vouchers of the past were last changed on their own day, at nine.

    Those of today and later were yesterday: before nine in the morning they would be changes that are yet to come.
    """
    maker = Maker(doc)
    yesterday = today - timedelta(days=1)
    vouchers = [
        maker.voucher(told, f"{min(told.date, yesterday).isoformat()} 09:00:00")
        for told in sorted(books.vouchers, key=_order)
    ]
    stamp = f"{books.fiscal_years[0].start.isoformat()} 08:00:00" if books.fiscal_years else ""
    made: dict[str, list[Obj]] = {
        "account": [
            {
                "id": account.number,
                "number": account.number,
                "name": account.name,
                "type": account.type.value,
                "active": account.active,
                "vat": account.vat_code,
                "changed": stamp,
            }
            for account in books.accounts
        ],
        "costcenter": [],
        "project": [],
    }
    for dimension in books.dimensions:
        kind = "project" if dimension.kind == "project" else "costcenter"
        row = {"id": dimension.code, "name": dimension.name, "active": dimension.active, "changed": stamp}
        made[kind].append(row)
    made["customer"] = _parties(vouchers, RECEIVABLE, stamp)
    made["supplier"] = _parties(vouchers, PAYABLE, stamp)
    made["article"] = _articles(vouchers, stamp)
    out = {kind: [Row(id=row["id"], data=row) for row in rows] for kind, rows in made.items()}
    out["voucher"] = [stored(row) for row in vouchers]
    return out


def stored(row: Obj) -> Row:
    return Row(id=row["id"], data=row, day=row["date"])


def _order(voucher: Voucher) -> tuple[str, int, str, str]:
    year = voucher.fiscal_year_start or voucher.date
    number = int(voucher.number) if voucher.number.isdigit() else 10**9
    return (year.isoformat(), number, voucher.date.isoformat(), voucher.external_id)


def _parties(vouchers: Iterable[Obj], accounts: tuple[str, ...], stamp: str) -> list[Obj]:
    names = {
        line["party"]: row["changed"]
        for row in vouchers
        for line in row["rows"]
        if line["party"] and line["account"].startswith(accounts)
    }
    return [
        {"id": str(n), "name": name, "active": True, "changed": max(stamp, changed)}
        for n, (name, changed) in enumerate(names.items(), 1)
    ]


def _articles(vouchers: Iterable[Obj], stamp: str) -> list[Obj]:
    """What is sold, one article for each text on an income account; the last has a number that must be encoded."""
    texts = {
        line["text"]: line["account"]
        for row in vouchers
        for line in row["rows"]
        if line["account"].startswith("3") and line["text"] and not any(sign.isdigit() for sign in line["text"])
    }
    found = list(texts.items())[:120]
    rows = [
        {"id": str(n), "name": text, "account": int(account), "active": True, "changed": stamp}
        for n, (text, account) in enumerate(found, 1)
    ]
    spare = {"id": "LAG 10/25", "name": "Lagerhylla 10/25", "account": 3001, "active": False, "changed": stamp}
    return [*rows, spare]
