"""One company as it stands in memory: its rows by id, its vouchers by date, its balances. Built from the store."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from apps.connectors.providers.tripletex.sandbox import static
from apps.connectors.providers.tripletex.sandbox.rows import ROOM, Maker, id_of, month_starts
from apps.connectors.sdk.sandbox import Store

Obj = dict[str, Any]
MODEL_KINDS = {
    "account": "Account",
    "department": "Department",
    "project": "Project",
    "customer": "Customer",
    "supplier": "Supplier",
    "dimension": "AccountingDimensionValue",
}


@dataclass(slots=True)
class Entry:
    """Movements of one account in order of day, with running totals."""

    days: list[str] = field(default_factory=list)
    totals: list[int] = field(default_factory=list)

    def until(self, day: str) -> int:
        """The sum of all movements before the day."""
        at = bisect_left(self.days, day)
        return self.totals[at - 1] if at else 0


@dataclass(slots=True)
class Company:
    """`vouchers` and `postings` are what may be seen, in order of date; `entries` is what the balances are made of."""

    doc: Obj
    objects: dict[str, dict[int, Obj]]
    vouchers: list[Obj] = field(default_factory=list)  # booked
    drafts: list[Obj] = field(default_factory=list)
    postings: list[Obj] = field(default_factory=list)  # of booked vouchers
    opening: Obj | None = None
    entries: dict[int, Entry] = field(default_factory=dict)
    days: list[str] = field(default_factory=list)  # of `vouchers`
    posting_days: list[str] = field(default_factory=list)
    every: list[Obj] = field(default_factory=list)  # booked vouchers, what faults hide too
    hidden_accounts: set[int] = field(default_factory=set)
    today: str = ""

    @property
    def id(self) -> int:
        return int(self.doc["id"])

    def find(self, model: str, id: int) -> Obj | None:
        return self.objects.get(model, {}).get(id)

    def all(self, model: str) -> list[Obj]:
        return list(self.objects.get(model, {}).values())

    def between(self, from_: str, to: str) -> Sequence[Obj]:
        """Booked vouchers, `to` exclusive."""
        return self.vouchers[bisect_left(self.days, from_) : bisect_left(self.days, to)]

    def postings_between(self, from_: str, to: str) -> Sequence[Obj]:
        return self.postings[bisect_left(self.posting_days, from_) : bisect_left(self.posting_days, to)]

    def year_start(self, day: str) -> str:
        """The first day of the fiscal year that the day falls in."""
        for year in self.doc["years"]:
            if year["start"] <= day <= year["end"]:
                return str(year["start"])
        return day[:4] + "-01-01"


def load(store: Store, key: str, doc: Obj, *, listed: bool) -> Company:
    """Read the company. `listed`: the opening balance is a voucher like others, and a movement of its day."""
    company = Company(doc, {})
    for kind, model in MODEL_KINDS.items():
        company.objects[model] = {row["id"]: row for row in store.rows(key, kind)}
    _fixed(company)
    booked, opening = [], None
    for row in store.rows(key, "voucher"):
        if row.get("opening"):
            opening = row
        if row["number"] and (listed or not row.get("opening")):
            booked.append(row)
        elif not row["number"]:
            company.drafts.append(row)
    company.every = booked
    _entries(company, booked, None if listed else opening)
    _apply_faults(company, booked, store.faults(key))
    company.drafts = [_opened(company, row) for row in company.drafts]
    company.opening = _opened(company, opening) if opening else None
    return company


def _fixed(company: Company) -> None:
    doc = company.doc
    start = {"startDate": doc["years"][0]["start"] if doc["years"] else None}
    own = {
        "id": doc["id"],
        "name": doc["name"],
        "displayName": doc["name"],
        "organizationNumber": doc["organizationNumber"],
    }
    company.objects["Company"] = {doc["id"]: own | start | {"accountantOrSimilar": bool(doc.get("bureau"))}}
    employee = id_of("employee", doc["block"], 0)
    people = {"firstName": "Ola", "lastName": "Nordmann", "displayName": "Ola Nordmann", "companyId": doc["id"]}
    company.objects["Employee"] = {id: {"id": id} | people for id in (employee, employee + 1)}
    company.objects["VatType"] = static.VAT_TYPES
    company.objects["Currency"] = static.CURRENCIES
    company.objects["Country"] = static.COUNTRIES
    types = ((id_of("voucher_type", doc["block"], n), name) for n, name in enumerate(static.VOUCHER_TYPES))
    company.objects["VoucherType"] = {id: {"id": id, "name": name, "displayName": name} for id, name in types}
    free = (
        (id_of("dimension", doc["block"], ROOM["dimension"][1] - 4 + n), n, name) for n, name in enumerate(doc["free"])
    )
    company.objects["AccountingDimensionName"] = {
        id: {"id": id, "dimensionName": name, "description": "", "dimensionIndex": n + 1, "active": True}
        for id, n, name in free
    }
    periods: dict[int, Obj] = {}
    years: dict[int, Obj] = {}
    for n, year in enumerate(doc["years"]):
        months = month_starts(year["start"], year["end"])
        id = id_of("year", doc["block"], n)
        years[id] = {"id": id, "year": int(year["end"][:4]), "start": year["start"], "end": months[-1][1]}
        for at, (first, after) in enumerate(months):
            id = id_of("period", doc["block"], len(periods))
            name = f"{static.MONTHS[int(first[5:7]) - 1]} {first[:4]}"
            closed = bool(doc["locked"]) and after <= _next_day(doc["locked"])
            periods[id] = {"id": id, "name": name, "number": at + 1, "start": first, "end": after, "isClosed": closed}
    company.objects["AccountingPeriod"], company.objects["AnnualAccount"] = periods, years


def _next_day(day: str) -> str:
    """The day after, ISO."""
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def _entries(company: Company, booked: Iterable[Obj], opening: Obj | None) -> None:
    moves: dict[int, list[tuple[str, int]]] = {}
    for row in booked:
        for posting in row["postings"]:
            moves.setdefault(posting["account"], []).append((posting["date"], posting["amount"]))
    for posting in opening["postings"] if opening else ():
        # An opening stands before every day; on a result account it is none (each year starts at zero).
        moves.setdefault(posting["account"], []).append(("", posting["amount"]))
    accounts = company.objects["Account"]
    for id, found in moves.items():
        found.sort()
        total, entry = 0, Entry()
        for day, amount in found:
            total += amount
            entry.days.append(day)
            entry.totals.append(total)
        company.entries[id] = entry
        if id in accounts:
            accounts[id]["isPostingsExist"] = True


def _apply_faults(company: Company, booked: list[Obj], faults: dict[str, dict[str, Any]]) -> None:
    """What may be seen of the booked vouchers, with the ledger's faults on."""
    gone = {id for name in ("drop_voucher", "drop_page", "hide_account") for id in faults.get(name, {}).get("ids", ())}
    lines = set(faults.get("drop_line", {}).get("postings", ()))
    numbers = {int(id): number for id, number in faults.get("duplicate_number", {}).get("numbers", {}).items()}
    company.hidden_accounts = set(faults.get("hide_account", {}).get("accounts", ()))
    cent = faults.get("one_cent")
    if cent:
        _add_cent(company.entries.setdefault(cent["account_id"], Entry()), cent["from"] + "-01")
    for row in booked:
        if row["id"] in gone:
            continue
        if row["id"] in numbers:
            row |= {"number": numbers[row["id"]], "numberAsString": f"{numbers[row['id']]}-{row['year']}"}
        if lines:
            row["postings"] = [posting for posting in row["postings"] if posting["id"] not in lines]
        company.vouchers.append(_opened(company, row))
    company.vouchers.sort(key=lambda row: (row["date"], row["id"]))
    company.postings.sort(key=lambda row: (row["date"], row["id"]))
    company.days = [row["date"] for row in company.vouchers]
    company.posting_days = [row["date"] for row in company.postings]


def _add_cent(entry: Entry, day: str) -> None:
    at = bisect_left(entry.days, day)
    entry.days.insert(at, day)
    entry.totals.insert(at, entry.totals[at - 1] if at else 0)
    entry.totals[at:] = [total + 1 for total in entry.totals[at:]]


def _opened(company: Company, row: Obj) -> Obj:
    """The voucher and its postings as objects of their own."""
    vouchers, postings = company.objects.setdefault("Voucher", {}), company.objects.setdefault("Posting", {})
    changes = [{"employeeId": None, "timestamp": row["created"], "changeType": "CREATE"}]
    changes += [{"employeeId": None, "timestamp": at, "changeType": "UPDATE"} for at in row["changed"]]
    voucher = {**row, "postings": [posting["id"] for posting in row["postings"]], "changes": changes}
    voucher["displayName"] = f"{row['numberAsString']} {row['description']}"
    for posting in row["postings"]:
        posting |= {"voucher": row["id"], "changes": changes[:1]}
        postings[posting["id"]] = posting
        if row["number"] and (not row.get("opening") or row in company.every):
            company.postings.append(posting)
    vouchers[row["id"]] = voucher
    return voucher


def balances(
    company: Company, from_: str, to: str, *, without_movements: bool = False, only: Sequence[Obj] | None = None
) -> list[Obj]:
    """The vendor's saldobalanse: booked vouchers only, `to` exclusive, amounts in hundredths.

    A result account comes in with the movement since the start of its fiscal year, a balance account with its
    opening and all earlier movement. `only`: count these postings instead of all (department, project, customer).
    """
    entries = company.entries if only is None else _of(only)
    year = company.year_start(from_)
    out = []
    for account in sorted(company.objects["Account"].values(), key=lambda row: row["number"]):
        entry = entries.get(account["id"])
        if entry is None and not (without_movements and not account.get("isInactive")):
            continue
        entry = entry or Entry()
        before = entry.until(from_)
        change = entry.until(to) - before
        if account["type"] not in static.BALANCE_TYPES:
            before -= entry.until(year)
        if before or change or _moved(entry, from_, to) or (without_movements and not account.get("isInactive")):
            out.append(
                {
                    "account": account["id"],
                    "balanceIn": before,
                    "balanceChange": change,
                    "balanceOut": before + change,
                    "startDate": from_,
                    "endDate": to,
                }
            )
    return out


def _moved(entry: Entry, from_: str, to: str) -> bool:
    return bisect_left(entry.days, to) > bisect_left(entry.days, from_)


def _of(postings: Iterable[Obj]) -> dict[int, Entry]:
    entries: dict[int, Entry] = {}
    for posting in sorted(postings, key=lambda row: str(row["date"])):
        entry = entries.setdefault(posting["account"], Entry())
        entry.days.append(posting["date"])
        entry.totals.append((entry.totals[-1] if entry.totals else 0) + posting["amount"])
    return entries


def maker_of(store: Store, key: str, doc: Obj) -> Maker:
    """A maker that goes on where the stored rows end."""
    maker = Maker(doc)
    maker.accounts = {str(row["number"]): row for row in store.rows(key, "account")}
    for row in store.rows(key, "department"):
        maker.dimensions[("department", row["departmentNumber"])] = row["id"]
    for row in store.rows(key, "project"):
        maker.dimensions[("project", row["number"])] = row["id"]
    for row in store.rows(key, "dimension"):
        maker.dimensions[(doc["free"][row["dimensionIndex"] - 1], row["number"])] = row["id"]
    for kind in ("customer", "supplier"):
        maker.parties |= {(kind, row["name"]): row["id"] for row in store.rows(key, kind)}
    return maker
