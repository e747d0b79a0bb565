"""The resources of the ledger: accounts, periods, vouchers, deletions, balances, voucher types."""

import calendar
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from xml.etree.ElementTree import Element

from apps.connectors.providers.netvisor.sandbox import static
from apps.connectors.providers.netvisor.sandbox.company import Obj, balance
from apps.connectors.providers.netvisor.sandbox.query import Query, read_day
from apps.connectors.providers.netvisor.sandbox.rows import INVALIDATED, VALID
from apps.connectors.providers.netvisor.sandbox.wire import (
    LANGUAGES,
    finnish,
    finnish_time,
    invalid,
    node,
    number,
    short,
)

ANSI = {"format": "ansi"}  # said of dates that are Finnish all the same
KEY_LIMIT = 500
MEMORY_DAYS = 7
DATE_LIMIT = 1000
STATUS_OF = {"1": VALID, "2": INVALIDATED, "3": "deleted"}  # the numbers are unconfirmed
NEEDS = "netvisorkey, netvisorkeylist, startdate and enddate, changedsince, lastmodifiedstart or lastmodifiedend"


def accounts(query: Query) -> list[Element]:
    """Groups and accounts in one list; nothing but the groups tells what kind an account is."""
    known = {row["number"] for row in query.company.accounts}
    defaults = [node(name, account) for name, account in static.DEFAULT_ACCOUNTS if account in known]
    seen = query.company.seen_accounts
    rows = [] if query.hidden else [*_groups(), *(_account(row, at) for at, row in enumerate(seen, len(static.GROUPS)))]
    return [node("AccountList", [node("CompanyDefaultAccounts", defaults), node("Accounts", rows)])]


def _groups() -> Iterable[Element]:
    for at, (key, name, father, shown, negative) in enumerate(static.GROUPS):
        yield _row((key, shown, name, "accountgroup", father), (1, 1, at, at, int(negative)))


def _account(row: Obj, sort: int) -> Element:
    negative = int(row["type"] in static.NATURALLY_NEGATIVE)
    flags = (int(row["active"]), int(row["type"] not in ("income", "expense")), sort, sort, negative)
    return _row((row["id"], row["number"], row["name"], "account", static.group_of(row)), flags)


ROW = ("NetvisorKey", "Number", "Name", "AccountType", "FatherNetvisorKey")
FLAGS = ("IsActive", "IsCumulative", "Sort", "EndSort", "IsNaturalNegative")


def _row(start: tuple[int, str, str, str, int], flags: tuple[int, int, int, int, int]) -> Element:
    texts = [str(value) for value in (*start, *flags)]
    return node("Account", [node(name, text) for name, text in zip(ROW + FLAGS, texts, strict=True)])


def periods(query: Query) -> list[Element]:
    """Locks, and beside them fiscal years, as the vendor's page and the client of Heltti have it.

    element_order.json puts Period in the locks: setting `periods_inside`.
    """
    locked = finnish(query.company.doc["locked"])
    names = ("AccountingPeriodLockDate", "VatPeriodLockDate", "PurchaseLockDate")
    locks = node("PeriodLockInformation", [node(name, locked, **ANSI) for name in names])
    found = []
    for key, year in enumerate(query.company.doc["years"], 1):
        start, end = date.fromisoformat(year["start"]), date.fromisoformat(year["end"])
        name = str(end.year) if start.year == end.year else f"{start.year}-{end.year}"
        days = [node("BeginDate", finnish(year["start"]), **ANSI), node("EndDate", finnish(year["end"]), **ANSI)]
        found.append(node("Period", [node("NetvisorKey", key), node("Name", name), *days]))
    if query.store.setting("periods_inside", False):
        locks.extend(found)
        found = []
    return [node("AccountingPeriodList", [locks, *found])]


def vouchers(query: Query) -> list[Element]:
    """Whole vouchers, not paged; both ends of every range are inclusive and all conditions must hold.

    `includetransactionhistory` adds what is known of the voucher's making. `showgenerator`, `includeattachmentsmetadata`
    and `includetransactionallocations` add nothing: there are no attachments and allocations here, and the generator's
    element is not known.
    """
    start, end = query.day("startdate"), query.day("enddate")
    if bool(start) != bool(end):
        raise invalid("startdate and enddate must be given together")
    keys = query.keys("netvisorkey", "netvisorkeylist", limit=KEY_LIMIT)
    since = max(query.moment("changedsince"), query.moment("lastmodifiedstart"))
    until = query.moment("lastmodifiedend", end=True)
    if not (start or keys is not None or since or until):
        raise invalid(f"One of {NEEDS} is needed")
    status = query.text("voucherstatus")
    if status and status not in STATUS_OF:
        raise invalid("voucherstatus is not valid")
    rows = [
        row
        for row in _of_status(query, status)
        if (not start or start <= row["date"] <= end)
        and (keys is None or row["id"] in keys)
        and (not since or row["modified"] >= since)
        and (not until or row["modified"] <= until)
        and _of_type(row, query.text("vouchertype"))
        and _on_accounts(row, query.text("accountnumberstart"), query.text("accountnumberend"))
    ]
    return [node("Vouchers", [_voucher(query, row) for row in rows])]


def _of_status(query: Query, status: str) -> list[Obj]:
    """By default what stands in the books, invalidated ones too; deleted ones only when asked for, while remembered."""
    if query.hidden:
        return []
    if STATUS_OF.get(status) == "deleted":
        rows = query.store.rows(query.key, "deleted", from_=query.days_back(MEMORY_DAYS))
        return [row | {"status": "deleted"} for row in rows]
    return [row for row in query.company.vouchers if not status or row["status"] == STATUS_OF[status]]


def _of_type(row: Obj, key: str) -> bool:
    return not key or str(static.CLASSES[row["class"]][0]) == key


def _on_accounts(row: Obj, low: str, high: str) -> bool:
    """Vouchers with a line in the range of accounts come whole (unconfirmed)."""
    if not low and not high:
        return True
    first, last = number_order(low), number_order(high)
    return any(
        (not low or number_order(line["account"]) >= first) and (not high or number_order(line["account"]) <= last)
        for line in row["lines"]
    )


def number_order(account: str) -> tuple[int, str]:
    return (int(account) if account.isdigit() else 0, account)


def _voucher(query: Query, row: Obj) -> Element:
    name = static.CLASSES[row["class"]][1][LANGUAGES.index(query.language)]
    made = [
        node("NetvisorKey", row["id"]),
        node("VoucherDate", finnish(row["date"])),
        node("VoucherNumber", row["number"]),
        node("VoucherDescription", row["text"]),
        node("VoucherClass", f"{row['class']} {name}"),
    ]
    if row.get("linked"):
        made.append(node("LinkedSourceNetvisorKey", row["linked"], type=static.LINKED[row["class"]]))
    made.append(node("VoucherNetvisorURI", f"https://integration.netvisor.fi/voucher/{row['id']}"))
    made += [_line(query, line) for line in row["lines"]]
    if query.text("includetransactionhistory").lower() in ("1", "true"):
        made.append(node("TransactionHistory", _history(row)))
    return node("Voucher", made, Status=row["status"])


def _history(row: Obj) -> Iterable[Element]:
    for comment, at in (("Created", row["created"]), ("Modified", row["modified"])):
        if comment == "Created" or at != row["created"]:
            told = node("TimeStamp", finnish_time(datetime.fromisoformat(at)), **ANSI)
            yield node("Transaction", [node("Comment", comment), told, node("Editor", "Kirjanpitäjä")])


def _line(query: Query, line: Obj) -> Element:
    made = [
        node("NetvisorKey", line["id"]),
        node("LineSum", number(line["amount"])),
        node("Description", line["text"]),
        node("AccountNumber", line["account"]),
        node("VatPercent", short(line["percent"])),
        node("VatCode", line["code"]),
    ]
    for key in line["items"]:
        item = query.company.by_key[key]
        kind = static.dimension(item["kind"])
        made.append(node("Dimension", [node("DimensionName", kind), node("DimensionItem", item["name"])]))
    return node("VoucherLine", made)


def deleted(query: Query) -> list[Element]:
    """The keys of what was deleted since a day, at most seven days back.

    No recorded answer is known. Setting `deleted_form`: "keys" (default), or "vouchers" with an element around each.
    """
    since = query.moment("deletedsince")
    if not since:
        raise invalid("deletedsince is mandatory")
    if since[:10] < query.days_back(MEMORY_DAYS):
        raise invalid(f"deletedsince can be at most {MEMORY_DAYS} days back")
    rows = [] if query.hidden else query.store.rows(query.key, "deleted", from_=since)
    keys = [node("NetvisorKey", row["id"]) for row in rows]
    if query.store.setting("deleted_form", "keys") == "vouchers":
        return [node("Vouchers", [node("Voucher", [key], Status="deleted") for key in keys])]
    return [node("DeletedVouchers", keys)]


def balances(query: Query) -> list[Element]:
    """Of every account, hidden or not, as of each day asked for."""
    days = _days(query)
    keys = query.keys("netvisorkey", "netvisorkeylist", limit=KEY_LIMIT)
    rows = [row for row in query.company.accounts if keys is None or row["id"] in keys]
    found = []
    for row in [] if query.hidden else rows:
        made = []
        for day in days:
            debit, credit = balance(query.company, row, day)
            sums = (("Debet", debit), ("Kredit", credit), ("Balance", debit - credit))
            made.append(node("AccountBalance", [node(name, number(cents)) for name, cents in sums], date=day))
        found.append(node("Account", made, netvisorkey=str(row["id"])))
    return [node("AccountBalances", found)]


def _days(query: Query) -> list[str]:
    """`balancedates`; with an interval also the days between the first and the last, at its steps."""
    parts = [part.strip() for part in query.text("balancedates").split(",") if part.strip()]
    found = [read_day(part) for part in parts]
    days = sorted({day for day in found if day is not None})
    if not days or None in found:
        raise invalid("balancedates is not valid")
    kind = query.text("intervaltype") or "0"
    if kind not in "01234" or len(kind) != 1:
        raise invalid("intervaltype is not valid")
    out, day = set(days), days[0]
    while kind != "0" and (day := _step(day, kind)) < days[-1] and len(out) < DATE_LIMIT:
        out.add(day)
    return [day.isoformat() for day in sorted(out)]


def _step(day: date, kind: str) -> date:
    if kind in "12":
        return day + timedelta(days=1 if kind == "1" else 7)
    year, month = (day.year + day.month // 12, day.month % 12 + 1) if kind == "3" else (day.year + 1, day.month)
    last, own_last = calendar.monthrange(year, month)[1], calendar.monthrange(day.year, day.month)[1]
    return date(year, month, last if day.day == own_last else min(day.day, last))


def voucher_types(query: Query) -> list[Element]:
    at = LANGUAGES.index(query.language)
    defaults = [node(name, static.CLASSES[short][0]) for name, short in static.DEFAULT_CLASSES]
    types = [
        node("VoucherType", [node("NetvisorKey", key), node("Abbreviation", short), node("Name", names[at])])
        for short, (key, names) in static.CLASSES.items()
    ]
    return [node("VoucherTypeList", [node("DefaultVoucherTypes", defaults), node("VoucherTypes", types)])]


READS: dict[str, Callable[[Query], list[Element]]] = {
    "accountlist.nv": accounts,
    "accountingperiodlist.nv": periods,
    "accountingledger.nv": vouchers,
    "deletedvouchers.nv": deleted,
    "accountbalance.nv": balances,
    "vouchertypelist.nv": voucher_types,
}
