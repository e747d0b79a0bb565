"""From the neutral books of a story to the vendor's rows, as they are kept in the store.

A kept row has the vendor's property names, references as plain ids and amounts in hundredths; what is the same
for all rows of a kind is left out (`models.DEFAULTS`). Ids are blocks per company, so that they are the same every
time a story is told, and nowhere twice.
"""

import zlib
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from apps.connectors.providers.tripletex.sandbox import static
from apps.connectors.providers.tripletex.sandbox.answers import MARK
from apps.connectors.sdk.sandbox import Books, Row
from apps.records.enums import Counts, TaxRole, VoucherKind
from apps.records.ledger import Account, Posting, Voucher

BLOCKS = 900
ROOM = {  # kind -> first id, ids per company
    "company": (108_000_000, 1_009),
    "employee": (18_000_000, 100),
    "account": (420_000_000, 10_000),
    "voucher": (600_000_000, 300_000),
    "posting": (3_000_000_000, 4_000_000),
    "voucher_type": (9_000_000, 1_000),
    "period": (23_000_000, 1_000),
    "year": (22_000_000, 100),
    "department": (94_000_000, 1_000),
    "project": (400_000_000, 20_000),
    "customer": (120_000_000, 20_000),
    "supplier": (140_000_000, 20_000),
    "dimension": (5_000_000, 1_000),
}
KINDS = ("account", "department", "project", "customer", "supplier", "dimension", "voucher")
PARTIES = ("customer", "supplier")


def hundredths(amount: Decimal) -> int:
    return int((amount * 100).to_integral_value())


def block_of(key: str, taken: set[int]) -> int:
    """A block for a company: told by its key, the next free one when another company has it."""
    block = zlib.crc32(key.encode()) % BLOCKS
    while block in taken:
        block = (block + 1) % BLOCKS
    return block


def id_of(kind: str, block: int, n: int) -> int:
    first, size = ROOM[kind]
    if n >= size:
        raise ValueError(f"more than {size} rows of kind {kind} in one company")
    return first + block * size + n


@dataclass(slots=True)
class Maker:
    """Makes rows of one company; knows what has an id already. `doc` is the company's own row."""

    doc: dict[str, Any]
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)  # number -> row
    dimensions: dict[tuple[str, str], int] = field(default_factory=dict)  # kind, code -> id
    parties: dict[tuple[str, str], int] = field(default_factory=dict)  # customer | supplier, name -> id
    made: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # kind -> rows not yet stored

    def next_id(self, kind: str) -> int:
        n = self.doc["next"].get(kind, 0)
        self.doc["next"][kind] = n + 1
        return id_of(kind, self.doc["block"], n)

    def keep(self, kind: str, row: dict[str, Any]) -> dict[str, Any]:
        self.made.setdefault(kind, []).append(row)
        return row

    def account(self, account: Account) -> dict[str, Any]:
        number = int(account.number)
        kind = static.account_type(number, account.type)
        row: dict[str, Any] = {
            "id": self.next_id("account"),
            "number": number,
            "numberPretty": str(number),
            "name": account.name,
            "displayName": f"{number} {account.name}",
            "type": kind,
            "saftCode": str(number)[:2],
            "groupingCode": str(number),
        }
        vat = static.vat_type(account.vat_code, None, debit=kind != "OPERATING_REVENUES")
        if vat:
            row |= {"vatType": vat, "legalVatTypes": [0, vat]}
        if account.vat_locked:
            row["vatLocked"] = True
        if not account.active:
            row["isInactive"] = True
        if 1900 <= number < 2000:
            row |= {"isBankAccount": number >= 1920, "requireReconciliation": True}
        ledger = {"1500": "CUSTOMER", "2400": "VENDOR"}.get(str(number))
        if ledger:
            row |= {"ledgerType": ledger, "isCloseable": True}
        row |= {f"requires{name.title()}": True for name in account.requires if name in ("department", "project")}
        self.accounts[account.number] = row
        return self.keep("account", row)

    def dimension(self, kind: str, code: str, name: str, *, active: bool = True) -> int:
        """The id of a dimension's item, made when it is new. Kinds the vendor does not have become free ones."""
        known = self.dimensions.get((kind, code))
        if known is not None:
            return known
        row: dict[str, Any]
        if kind == "department":
            row = {"id": self.next_id(kind), "name": name, "departmentNumber": code, "displayName": f"{code} {name}"}
            row |= {} if active else {"isInactive": True}
        elif kind == "project":
            row = {"id": self.next_id(kind), "name": name, "number": code, "displayName": f"{code} {name}"}
            row |= {"startDate": self.doc["years"][0]["start"]} | ({} if active else {"isClosed": True})
        else:
            free = self.doc["free"]
            if kind not in free:
                free.append(kind)
            row = {"id": self.next_id("dimension"), "displayName": name, "nameAndNumber": f"{code} {name}"}
            row |= {"number": code, "dimensionIndex": free.index(kind) + 1, "active": active, "position": 0}
            row["showInVoucherRegistration"] = True
        self.keep(kind if kind in ("department", "project") else "dimension", row)
        self.dimensions[(kind, code)] = row["id"]
        return int(row["id"])

    def party(self, kind: str, name: str) -> int:
        known = self.parties.get((kind, name))
        if known is not None:
            return known
        id = self.next_id(kind)
        number = (10_000 if kind == "customer" else 20_000) + self.doc["next"][kind]
        row = {"id": id, "name": name, f"{kind}Number": number, "displayName": f"{name} ({number})"}
        ledger = self.accounts.get("1500" if kind == "customer" else "2400")
        self.keep(kind, row | ({"ledgerAccount": ledger["id"]} if ledger else {}))
        self.parties[(kind, name)] = id
        return id

    def number(self, year: int) -> int:
        """The next voucher number of the year: continuous, given when a voucher is booked."""
        numbers = self.doc["numbers"]
        numbers[str(year)] = numbers.get(str(year), 0) + 1
        return int(numbers[str(year)])

    def voucher(self, voucher: Voucher, now: str, old: dict[str, Any] | None = None) -> dict[str, Any]:
        """The row of a story's voucher; `old`: the row it takes the place of (id and, in the same year, number kept)."""
        day = voucher.date.isoformat()
        year = self.year_of(day)
        row: dict[str, Any] = {
            "id": old["id"] if old else self.next_id("voucher"),
            "story": voucher.external_id,
            "version": (old["version"] + 1) if old else 1,
            "date": day,
            "year": year,
            "description": voucher.text,
            "voucherType": self.voucher_type(voucher),
            "created": old["created"]
            if old
            else voucher.created_at.strftime("%Y-%m-%dT%H:%M:%S")
            if voucher.created_at
            else now,
            "changed": [*old["changed"], now] if old else [],
            "reverseVoucher": old.get("reverseVoucher") if old else None,
        }
        self.numbered(row, old, draft=voucher.counts == Counts.PROVISIONAL)
        row["postings"] = self.postings(voucher.postings, voucher.text)
        return row

    def numbered(self, row: dict[str, Any], old: dict[str, Any] | None = None, *, draft: bool = False) -> None:
        if draft:
            self.doc["drafts"] += 0 if old and not old["number"] else 1
            temp = old["tempNumber"] if old and not old["number"] else self.doc["drafts"]
            row |= {"number": 0, "tempNumber": temp, "numberAsString": f"<Ikke bokført {temp}>"}
            return
        kept = old and old["number"] and old["year"] == row["year"]
        number = old["number"] if old and kept else self.number(row["year"])
        row |= {"number": number, "tempNumber": 0, "numberAsString": f"{number}-{row['year']}"}

    def year_of(self, day: str) -> int:
        for year in self.doc["years"]:
            if year["start"] <= day <= year["end"]:
                return int(year["end"][:4])
        return int(day[:4])

    def voucher_type(self, voucher: Voucher) -> int | None:
        """By what the voucher does: the story has no types. Journal vouchers have none."""
        first = id_of("voucher_type", self.doc["block"], 0)
        accounts = {posting.account for posting in voucher.postings}
        if voucher.kind in (VoucherKind.OPENING, VoucherKind.BALANCE_IMPORT):
            return first + static.OPENING
        if voucher.kind == VoucherKind.VAT_SETTLEMENT:
            return first + static.VAT_RETURN
        if any(account.startswith("50") for account in accounts):
            return first + static.WAGE
        if any(account.startswith("19") for account in accounts):
            return first + static.PAYMENT
        if "1500" in accounts:
            return first + static.INVOICE
        return first + static.SUPPLIER_INVOICE if "2400" in accounts else None

    def postings(self, postings: tuple[Posting, ...], text: str) -> list[dict[str, Any]]:
        gross = self.tax_on(postings)
        rows, number = [], 0
        for index, posting in enumerate(postings):
            system = posting.system_made and posting.tax_role == TaxRole.TAX
            number += 0 if system else 1
            rows.append(self.posting(posting, text, 0 if system else number, gross.get(index, 0)))
        return rows

    def posting(self, posting: Posting, text: str, row_number: int, tax: int) -> dict[str, Any]:
        amount = hundredths(posting.amount)
        foreign = amount if posting.foreign_amount is None else hundredths(posting.foreign_amount)
        foreign_tax = tax if not posting.foreign_amount or not amount else round(tax * foreign / amount)
        row: dict[str, Any] = {
            "id": self.next_id("posting"),
            "version": 1 if row_number else 0,
            "date": posting.date.isoformat(),
            "description": posting.text or text,
            "account": self.account_id(posting.account),
            "row": row_number,
            "amount": amount,
            "amountGross": amount + tax,
            "amountCurrency": foreign,
            "amountGrossCurrency": foreign + foreign_tax,
        }
        if posting.currency in static.CURRENCY_IDS and posting.currency != self.doc["currency"]:
            row["currency"] = static.CURRENCY_IDS[posting.currency]
        if not row_number:
            row |= {"systemGenerated": True, "isVatReadonly": True}
        elif posting.tax_role != TaxRole.TAX and posting.vat_code is not None:
            row["vatType"] = static.vat_type(posting.vat_code, posting.vat_rate, debit=amount >= 0)
        for kind, code in posting.dimensions.items():
            id = self.dimension(kind, code, code)
            name = (
                kind
                if kind in ("department", "project")
                else f"freeAccountingDimension{self.doc['free'].index(kind) + 1}"
            )
            row[name] = id
        if posting.party:
            kind = "supplier" if posting.account.startswith(("24", "4", "5", "6", "7")) else "customer"
            row[kind] = self.party(kind, posting.party)
        if posting.due_date:
            row["termOfPayment"] = posting.due_date.isoformat()
        if posting.quantity is not None:
            row["quantityAmount1"] = MARK + format(posting.quantity, "f")
        return row

    def account_id(self, number: str) -> int:
        row = self.accounts.get(number) or self.account(Account(number=number, name=f"Konto {number}"))
        return int(row["id"])

    def tax_on(self, postings: tuple[Posting, ...]) -> dict[int, int]:
        """Index of a base row -> the tax that the vendor shows in its `amountGross`."""
        out: dict[int, int] = {}
        used: set[tuple[int, str]] = set()
        for tax in postings:
            if tax.tax_role != TaxRole.TAX or not tax.system_made:
                continue
            bases = [
                i for i, base in enumerate(postings) if base.tax_role == TaxRole.BASE and base.vat_code == tax.vat_code
            ]
            exact = [i for i in bases if (i, tax.account) not in used and postings[i].amount == tax.tax_base_amount]
            bases = exact[:1] or bases
            used |= {(i, tax.account) for i in exact[:1]}
            total, left = sum(hundredths(postings[i].amount) for i in bases), hundredths(tax.amount)
            for i in bases[:-1]:
                part = round(hundredths(tax.amount) * hundredths(postings[i].amount) / total) if total else 0
                out[i], left = out.get(i, 0) + part, left - part
            if bases:
                out[bases[-1]] = out.get(bases[-1], 0) + left
        return out


def company_doc(books: Books, block: int) -> dict[str, Any]:
    """The company's own row."""
    years = sorted(books.fiscal_years, key=lambda year: year.start)
    return {
        "key": books.company,
        "id": id_of("company", block, 0),
        "block": block,
        "name": books.name,
        "organizationNumber": books.organisation_number,
        "currency": books.currency,
        "years": [{"start": year.start.isoformat(), "end": year.end.isoformat()} for year in years],
        "locked": books.locked_until.isoformat() if books.locked_until else "",
        "next": {},
        "numbers": {},
        "drafts": 0,
        "free": [],
        "openings": {number: hundredths(amount) for number, amount in books.openings.items()},
    }


def opening_row(maker: Maker, now: str) -> dict[str, Any] | None:
    """The voucher of the opening balance, dated the first day of the first fiscal year."""
    openings = maker.doc["openings"]
    if not openings or not maker.doc["years"]:
        return None
    day = date.fromisoformat(maker.doc["years"][0]["start"])
    lines = tuple(
        Posting(row=n, date=day, account=number, amount=Decimal(amount) / 100)
        for n, (number, amount) in enumerate(sorted(openings.items()), 1)
        if amount
    )
    voucher = Voucher(date=day, postings=lines, text="Åpningsbalanse", kind=VoucherKind.OPENING)
    row = maker.voucher(voucher, now)
    maker.doc["numbers"] = {}  # numbered in the year before, or the first ordinary voucher would be number 2
    year = row["year"] - 1
    return row | {"story": "", "opening": True, "year": year, "numberAsString": f"1-{year}"}


def make_rows(books: Books, block: int, now: str) -> Maker:
    """All rows of a company, from scratch; numbers follow the dates."""
    maker = Maker(company_doc(books, block))
    for account in sorted(books.accounts, key=lambda account: int(account.number)):
        if account.number not in maker.accounts:  # some books tell an account once per fiscal year
            maker.account(account)
    for dimension in books.dimensions:
        maker.dimension(dimension.kind, dimension.code, dimension.name, active=dimension.active)
    opening = opening_row(maker, now)
    if opening:
        maker.keep("voucher", opening)
    by_story = {}
    for voucher in sorted(books.vouchers, key=lambda voucher: voucher.date):
        if voucher.counts != Counts.VOID:
            by_story[voucher.external_id] = (maker.keep("voucher", maker.voucher(voucher, now)), voucher)
    for row, voucher in by_story.values():
        other = by_story.get(voucher.reverses or "")
        if other:
            row["reverseVoucher"], other[0]["reverseVoucher"] = other[0]["id"], row["id"]
    return maker


def stored(kind: str, rows: list[dict[str, Any]]) -> list[Row]:
    return [Row(id=str(row["id"]), data=row, day=row["date"] if kind == "voucher" else "") for row in rows]


def month_starts(start: str, end: str) -> list[tuple[str, str]]:
    """The calendar months of a fiscal year (both days inclusive) as the vendor's periods, ends exclusive."""
    day, last = date.fromisoformat(start), date.fromisoformat(end)
    out = []
    while day <= last:
        after = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        out.append((day.isoformat(), min(after, last + timedelta(days=1)).isoformat()))
        day = after
    return out
