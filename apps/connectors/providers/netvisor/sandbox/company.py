"""One company as it stands in memory: what may be seen of its ledger, and what its balances are made of."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from apps.connectors.providers.netvisor.sandbox.rows import INVALIDATED, VALID
from apps.connectors.sdk.sandbox import Store

Obj = dict[str, Any]
RESULT = ("income", "expense")


@dataclass(slots=True)
class Entry:
    """Movements of one account in order of day, with running totals of both sides."""

    days: list[str] = field(default_factory=list)
    debits: list[int] = field(default_factory=list)
    credits: list[int] = field(default_factory=list)

    def until(self, day: str) -> tuple[int, int]:
        """Debit and credit of all movements up to the day, inclusive."""
        at = bisect_right(self.days, day)
        return (self.debits[at - 1], self.credits[at - 1]) if at else (0, 0)

    def before(self, day: str) -> tuple[int, int]:
        at = bisect_left(self.days, day)
        return (self.debits[at - 1], self.credits[at - 1]) if at else (0, 0)


@dataclass(slots=True)
class Company:
    """`vouchers` is what may be seen, in order of date; `every` what stands in the books, faults or not."""

    doc: Obj
    accounts: list[Obj]
    items: list[Obj]
    every: list[Obj] = field(default_factory=list)
    vouchers: list[Obj] = field(default_factory=list)
    hidden_accounts: set[str] = field(default_factory=set)
    entries: dict[str, Entry] = field(default_factory=dict)
    today: str = ""

    def __post_init__(self) -> None:
        self.by_key = {item["id"]: item for item in self.items}

    by_key: dict[int, Obj] = field(init=False, default_factory=dict)

    @property
    def seen_accounts(self) -> list[Obj]:
        return [row for row in self.accounts if row["number"] not in self.hidden_accounts]

    def year_start(self, day: str) -> str:
        """The first day of the fiscal year that the day falls in; of days outside every year, the nearest before."""
        starts = [year["start"] for year in self.doc["years"] if year["start"] <= day]
        return str(starts[-1]) if starts else ""


def load(store: Store, key: str, doc: Obj) -> Company:
    company = Company(doc, sorted(store.rows(key, "account"), key=lambda row: row["number"]), store.rows(key, "item"))
    company.every = [row for row in store.rows(key, "voucher") if row["status"] in (VALID, INVALIDATED)]
    booked = [row for row in company.every if row["status"] == VALID]
    first = doc["years"][0]["start"] if doc["years"] else ""
    day_before = (date.fromisoformat(first) - timedelta(days=1)).isoformat() if first else ""
    company.entries = _entries(booked, doc["openings"], day_before)
    _apply_faults(company, store.faults(key))
    return company


def _entries(booked: Iterable[Obj], openings: dict[str, int], day_before: str) -> dict[str, Entry]:
    """An opening stands on the day before the first fiscal year: no voucher carries it."""
    moves: dict[str, list[tuple[str, int]]] = {number: [(day_before, cents)] for number, cents in openings.items()}
    for row in booked:
        for line in row["lines"]:
            moves.setdefault(line["account"], []).append((row["date"], line["amount"]))
    return {number: _entry(sorted(found)) for number, found in moves.items()}


def _entry(moves: Sequence[tuple[str, int]]) -> Entry:
    entry, debit, credit = Entry(), 0, 0
    for day, amount in moves:
        debit, credit = debit + max(amount, 0), credit + max(-amount, 0)
        entry.days.append(day)
        entry.debits.append(debit)
        entry.credits.append(credit)
    return entry


def _apply_faults(company: Company, faults: dict[str, dict[str, Any]]) -> None:
    """What may be seen of the vouchers with the ledger's faults on; the balances stay true, but for one cent."""
    gone = {id for name in ("drop_voucher", "drop_page", "hide_account") for id in faults.get(name, {}).get("ids", ())}
    lines = set(faults.get("drop_line", {}).get("lines", ()))
    numbers = faults.get("duplicate_number", {}).get("numbers", {})
    company.hidden_accounts = set(faults.get("hide_account", {}).get("accounts", ()))
    cent = faults.get("one_cent")
    if cent:
        entry = company.entries.setdefault(cent["account"], Entry())
        at = bisect_left(entry.days, f"{cent['from']}-01")
        entry.days.insert(at, f"{cent['from']}-01")
        entry.debits.insert(at, entry.debits[at - 1] if at else 0)
        entry.credits.insert(at, entry.credits[at - 1] if at else 0)
        entry.debits[at:] = [total + 1 for total in entry.debits[at:]]
    for row in company.every:
        if row["id"] in gone:
            continue
        seen = dict(row)
        if str(row["id"]) in numbers:
            seen["number"] = numbers[str(row["id"])]
        if lines:
            seen["lines"] = [line for line in row["lines"] if line["id"] not in lines]
        company.vouchers.append(seen)


def balance(company: Company, account: Obj, day: str) -> tuple[int, int]:
    """Debit and credit of an account as of a day, the day included; the balance is their difference.

    Of this fiscal year's movements; a balance-sheet account's opening stands on its own side. A result account
    begins each fiscal year at zero. (What the vendor counts into Debet and Kredit is unconfirmed, the balance is not.)
    """
    entry = company.entries.get(account["number"], Entry())
    start = company.year_start(day)
    debit, credit = entry.until(day)
    old_debit, old_credit = entry.before(start) if start else (0, 0)
    debit, credit = debit - old_debit, credit - old_credit
    if account["type"] not in RESULT:
        opening = old_debit - old_credit
        debit, credit = debit + max(opening, 0), credit + max(-opening, 0)
    return debit, credit
