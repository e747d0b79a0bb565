"""From neutral books to the vendor's own rows: keys, voucher classes and numbers, dimensions by name, parties.

What the vendor does not write down is chosen here: voucher numbers run by class and fiscal year; a tax line has the
code `-`; a dimension's item is called by its code and name; products are made of the income accounts.
"""

from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from apps.connectors.providers.netvisor.sandbox import static
from apps.connectors.sdk.sandbox import Books, Row, Store
from apps.records.enums import AccountType, Counts, TaxRole, VoucherKind
from apps.records.ledger import Account, Posting, Voucher

KINDS = ("account", "item", "customer", "vendor", "product", "voucher", "deleted")
FIRST_KEY = {"account": 101, "item": 11, "customer": 165, "vendor": 301, "product": 501, "voucher": 1001, "line": 20001}
STAMP = "%Y-%m-%dT%H:%M:%S"
VALID, INVALIDATED, DRAFT = "valid", "invalidated", "draft"  # a draft is never shown
DEBIT_SIDE = (AccountType.ASSET, AccountType.INCOME)


def hundredths(amount: Decimal) -> int:
    """The vendor keeps two decimals."""
    return int((amount * 100).quantize(Decimal(1), ROUND_HALF_UP))


@dataclass(slots=True)
class Maker:
    """Makes rows of one company; `doc` is the company's own row with its counters."""

    doc: dict[str, Any]
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)  # number -> row
    items: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)  # kind, code -> row
    parties: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)  # customer | vendor, name -> row
    made: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # kind -> rows not yet stored

    def next_key(self, kind: str) -> int:
        key = self.doc["next"].get(kind, FIRST_KEY[kind])
        self.doc["next"][kind] = key + 1
        return int(key)

    def keep(self, kind: str, row: dict[str, Any]) -> dict[str, Any]:
        self.made.setdefault(kind, []).append(row)
        return row

    def account(self, account: Account) -> dict[str, Any]:
        row = {
            "id": self.next_key("account"),
            "number": account.number,
            "name": account.name,
            "type": account.type.value,
            "active": account.active,
        }
        self.accounts[account.number] = row
        return self.keep("account", row)

    def item(self, kind: str, code: str, name: str, *, active: bool = True) -> dict[str, Any]:
        """An item of a dimension; both are made when they are new, as the vendor does."""
        known = self.items.get((kind, code))
        if known is not None:
            return known
        if kind not in self.doc["dimensions"]:
            self.doc["dimensions"][kind] = self.next_key("item")
        label = f"{code} {name}" if name != code else code
        row = {"id": self.next_key("item"), "kind": kind, "code": code, "name": label, "active": active}
        self.items[(kind, code)] = row
        return self.keep("item", row)

    def party(self, posting: Posting, now: str) -> None:
        account = self.accounts.get(posting.account)
        debit = account is not None and account["type"] in DEBIT_SIDE
        kind, name = "customer" if debit else "vendor", posting.party or ""
        if (kind, name) in self.parties:
            return
        key = self.next_key(kind)
        row = {"id": key, "name": name, "code": str(key - FIRST_KEY[kind] + 1), "changed": now}
        self.parties[(kind, name)] = self.keep(kind, row | static.party(kind, key - FIRST_KEY[kind]))

    def voucher(self, voucher: Voucher, now: str, old: dict[str, Any] | None = None) -> dict[str, Any]:
        """The row of a story's voucher; `old`: the row it takes the place of."""
        day = voucher.date.isoformat()
        status = {Counts.PROVISIONAL: DRAFT, Counts.VOID: INVALIDATED}.get(voucher.counts, VALID)
        created = f"{voucher.created_at:{STAMP}}" if voucher.created_at else min(f"{day}T12:00:00", now)
        row: dict[str, Any] = {
            "id": old["id"] if old else self.next_key("voucher"),
            "story": voucher.external_id,
            "date": day,
            "text": voucher.text,
            "class": self.class_of(voucher),
            "status": status,
            "created": old["created"] if old else created,
            "modified": now if old else created,
        }
        self.numbered(row, old)
        row["lines"] = [self.line(posting, voucher, now) for posting in voucher.postings]
        if row["class"] in static.LINKED:
            row["linked"] = old["linked"] if old and old.get("linked") else row["id"] - FIRST_KEY["voucher"] + 1
        return row

    def numbered(self, row: dict[str, Any], old: dict[str, Any] | None = None) -> None:
        """Give the number: kept within class and year, none for a draft."""
        row["year"] = self.year_of(row["date"])
        if row["status"] == DRAFT:
            row["number"] = 0
        elif old and old["number"] and (old["year"], old["class"]) == (row["year"], row["class"]):
            row["number"] = old["number"]
        else:
            series = f"{row['class']} {row['year']}"
            row["number"] = self.doc["numbers"].get(series, 0) + 1
            self.doc["numbers"][series] = row["number"]

    def year_of(self, day: str) -> str:
        return next((year["start"] for year in self.doc["years"] if year["start"] <= day <= year["end"]), day[:4])

    def class_of(self, voucher: Voucher) -> str:
        """By what the voucher does: the story has no classes."""
        if voucher.kind in (VoucherKind.CLOSING, VoucherKind.RESULT_TRANSFER):
            return "T"
        if voucher.kind in (VoucherKind.VAT_SETTLEMENT, VoucherKind.BALANCE_IMPORT, VoucherKind.OPENING):
            return "AT"
        types = {p.account: self.accounts[p.account]["type"] for p in voucher.postings if p.account in self.accounts}
        first = voucher.postings[0].account[:2] if voucher.postings else ""
        if any(p.account.startswith(static.BANK) for p in voucher.postings):
            return "PA" if first in static.WAGES else "PT"
        with_party = {types.get(p.account) for p in voucher.postings if p.party}
        if AccountType.ASSET in with_party and AccountType.INCOME in types.values():
            return "ML"
        return "OL" if AccountType.LIABILITY in with_party else "MU"

    def line(self, posting: Posting, voucher: Voucher, now: str) -> dict[str, Any]:
        if posting.account not in self.accounts:
            self.account(Account(number=posting.account, name=f"Tili {posting.account}"))
        if posting.party:
            self.party(posting, now)
        row: dict[str, Any] = {
            "id": self.next_key("line"),
            "amount": hundredths(posting.amount),
            "account": posting.account,
            "text": posting.text,
            "percent": "0",
            "code": "-",
            "items": [self.item(kind, code, code)["id"] for kind, code in posting.dimensions.items()],
        }
        if posting.vat_code is not None and posting.tax_role is not TaxRole.TAX:
            row["percent"] = format(posting.vat_rate or Decimal(0), "f")
            row["code"] = static.vat_code(
                income=self.accounts[posting.account]["type"] == AccountType.INCOME,
                taxes=sum(p.tax_role is TaxRole.TAX and p.vat_code == posting.vat_code for p in voucher.postings),
                zero=not posting.vat_rate,
            )
        return row


def company_doc(books: Books) -> dict[str, Any]:
    years = sorted(books.fiscal_years, key=lambda year: year.start)
    return {
        "key": books.company,
        "name": books.name,
        "organisation": books.organisation_number,
        "years": [{"start": year.start.isoformat(), "end": year.end.isoformat()} for year in years],
        "locked": books.locked_until.isoformat() if books.locked_until else "",
        "openings": {number: hundredths(amount) for number, amount in books.openings.items() if amount},
        "next": {},
        "numbers": {},
        "dimensions": {},  # kind -> key, in the order they came
    }


def make_rows(books: Books, now: str) -> Maker:
    """All rows of a company, from scratch; vouchers in the order they were booked."""
    maker = Maker(company_doc(books))
    for account in sorted(books.accounts, key=lambda account: account.number):
        if account.number not in maker.accounts:
            maker.account(account)
    for number in books.openings:
        if number not in maker.accounts:
            maker.account(Account(number=number, name=f"Tili {number}"))
    for item in books.dimensions:
        maker.item(item.kind, item.code, item.name, active=item.active)
    for voucher in sorted(books.vouchers, key=booked):
        maker.keep("voucher", maker.voucher(voucher, now))
    incomes = [row for row in maker.accounts.values() if row["type"] == AccountType.INCOME]
    for n, income in enumerate(incomes):
        row = {"id": maker.next_key("product"), "name": income["name"], "account": income["number"], "changed": now}
        maker.keep("product", row | {"code": f"T{income['number']}", "price": 1_250 + 875 * n})
    return maker


def booked(voucher: Voucher) -> tuple[str, int, date]:
    """The story's numbers tell in what order vouchers were booked within a year."""
    number = int(voucher.number) if voucher.number.isdigit() else 10**9
    return (voucher.fiscal_year_start.isoformat() if voucher.fiscal_year_start else "", number, voucher.date)


def maker_of(store: Store, key: str, doc: dict[str, Any]) -> Maker:
    """A maker that goes on where the stored rows end."""
    maker = Maker(doc)
    maker.accounts = {row["number"]: row for row in store.rows(key, "account")}
    maker.items = {(row["kind"], row["code"]): row for row in store.rows(key, "item")}
    for kind in ("customer", "vendor"):
        maker.parties |= {(kind, row["name"]): row for row in store.rows(key, kind)}
    return maker


def save(store: Store, maker: Maker) -> None:
    """Write what the maker made, and the company's row with its counters."""
    for kind, rows in maker.made.items():
        store.put(maker.doc["key"], kind, [Row(id=str(row["id"]), data=row, day=row.get("date", "")) for row in rows])
    store.put("", "company", [Row(id=maker.doc["key"], data=maker.doc)])
    maker.made.clear()
