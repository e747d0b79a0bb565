"""The endpoints that read."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from apps.connectors.providers.tripletex.sandbox import answers, static
from apps.connectors.providers.tripletex.sandbox.company import Obj, balances
from apps.connectors.providers.tripletex.sandbox.query import Query
from apps.connectors.sdk.sandbox import Answer

Read = Callable[..., Answer]


def company(query: Query, id: str) -> Answer:
    return query.by_id("Company", id)


def sales_modules(query: Query) -> Answer:
    modules = query.company.doc["modules"]
    return query.many("SalesModule", [{"name": name, "costStartDate": "2020-01-01"} for name in modules])


def accounts(query: Query) -> Answer:
    rows = sorted(query.company.all("Account"), key=lambda row: row["number"])
    rows = [row for row in rows if row["id"] not in query.company.hidden_accounts]
    rows = _in(rows, "id", query.numbers("id"))
    rows = _in(rows, "number", query.numbers("number"))
    balance = query.flag("isBalanceAccount")
    if balance is not None:
        rows = [row for row in rows if (row["type"] in static.BALANCE_TYPES) == balance]
    for name in ("isInactive", "isBankAccount", "isApplicableForSupplierInvoice"):
        told = query.flag(name)
        rows = rows if told is None else [row for row in rows if bool(row.get(name)) == told]
    ledger = query.text("ledgerType")
    if ledger:
        if ledger not in ("GENERAL", "CUSTOMER", "VENDOR", "EMPLOYEE", "ASSET"):
            raise answers.bad_param()
        rows = [row for row in rows if row.get("ledgerType", "GENERAL") == ledger]
    code = query.text("saftCode")
    return query.many("Account", [row for row in rows if code in ("", row["saftCode"])])


def account(query: Query, id: str) -> Answer:
    if int(id) in query.company.hidden_accounts:
        raise answers.not_found()
    return query.by_id("Account", id)


def _in(rows: Sequence[Obj], name: str, wanted: set[int] | None) -> list[Obj]:
    return [row for row in rows if wanted is None or row[name] in wanted]


def periods(query: Query) -> Answer:
    """Both ends of a period are exclusive at `...To`, like everywhere."""
    rows = _in(query.company.all("AccountingPeriod"), "id", query.numbers("id"))
    for end in ("start", "end"):
        from_, to = query.day(f"{end}From"), query.day(f"{end}To", "9999")
        rows = [row for row in rows if from_ <= row[end] < to]
    from_number, to_number = query.number("numberFrom"), query.number("numberTo")
    rows = [row for row in rows if (from_number is None or row["number"] >= from_number)]
    rows = [row for row in rows if (to_number is None or row["number"] < to_number)]
    return query.many("AccountingPeriod", rows, count=1400)


def years(query: Query) -> Answer:
    rows = _in(query.company.all("AnnualAccount"), "id", query.numbers("id"))
    from_, to = query.number("yearFrom"), query.number("yearTo")
    rows = [row for row in rows if (from_ is None or row["year"] >= from_) and (to is None or row["year"] < to)]
    return query.many("AnnualAccount", rows)


def vat_types(query: Query) -> Answer:
    rows = list(static.VAT_TYPES.values())
    side = query.text("typeOfVat")
    if side:
        if side not in ("OUTGOING", "INCOMING"):
            raise answers.bad_param()
        rows = [static.VAT_TYPES[id] for id in (static.OUTGOING if side == "OUTGOING" else static.INCOMING)]
    rows = _in(rows, "id", query.numbers("id"))
    numbers = {part for part in query.text("number").split(",") if part}
    return query.many("VatType", [row for row in rows if not numbers or row["number"] in numbers])


def voucher_types(query: Query) -> Answer:
    name = query.text("name").lower()
    return query.many("VoucherType", [row for row in query.company.all("VoucherType") if name in row["name"].lower()])


def vouchers(query: Query) -> Answer:
    rows: Sequence[Obj] = query.company.between(*query.range())
    for name, parameter in (("id", "id"), ("number", "number"), ("voucherType", "typeId")):
        wanted = query.numbers(parameter)
        if wanted is not None:
            rows = [row for row in rows if row[name] in wanted]
    from_, to = query.number("numberFrom"), query.number("numberTo")
    if from_ is not None or to is not None:
        rows = [row for row in rows if (from_ or 0) <= row["number"] and (to is None or row["number"] < to)]
    lines = 0 if query.hidden else sum(len(row["postings"]) for row in rows)
    return query.many("Voucher", rows, extra={"totalNumberOfPostings": lines})


def voucher(query: Query, id: str) -> Answer:
    return query.by_id("Voucher", id)


def not_posted(query: Query) -> Answer:
    if query.flag("includeNonApproved") is None:
        raise answers.missing("includeNonApproved")
    from_, to, since = query.day("dateFrom"), query.day("dateTo", "9999"), query.text("changedSince")
    rows = [row for row in query.company.drafts if from_ <= row["date"] < to]
    rows = [row for row in rows if max([row["created"], *row["changed"]]) >= since]
    return query.many("Voucher", rows)


def opening_balance(query: Query) -> Answer:
    return query.one("Voucher", None if query.hidden else query.company.opening)


def by_external_number(query: Query) -> Answer:
    wanted = query.text("externalVoucherNumber")
    rows = [row for row in query.company.vouchers if wanted and row.get("externalVoucherNumber") == wanted]
    return query.many("Voucher", rows)


POSTING_FILTERS = {
    "accountId": "account",
    "customerId": "customer",
    "supplierId": "supplier",
    "employeeId": "employee",
    "departmentId": "department",
    "projectId": "project",
    "accountingDimensionValue1Id": "freeAccountingDimension1",
    "accountingDimensionValue2Id": "freeAccountingDimension2",
    "accountingDimensionValue3Id": "freeAccountingDimension3",
}


def _filtered(query: Query, rows: Sequence[Obj], names: tuple[str, ...]) -> Sequence[Obj]:
    for parameter in names:
        wanted = query.number(parameter)
        if wanted is not None:
            rows = [row for row in rows if row.get(POSTING_FILTERS[parameter]) == wanted]
    from_, to = query.number("accountNumberFrom"), query.number("accountNumberTo")
    if from_ is not None or to is not None:
        found = query.company.objects["Account"].values()
        ids = {row["id"] for row in found if (from_ or 0) <= row["number"] and (to is None or row["number"] < to)}
        rows = [row for row in rows if row["account"] in ids]
    return rows


def postings(query: Query) -> Answer:
    rows = _filtered(query, query.company.postings_between(*query.range()), tuple(POSTING_FILTERS))
    kind = query.text("type")
    return query.many("Posting", [row for row in rows if not kind or row.get("type") == kind])


def postings_by_date(query: Query) -> Answer:
    """The same rows, always whole: neither `fields` nor changes are supported there."""
    return query.many("Posting", query.company.postings_between(*query.range()), fields=False)


def posting(query: Query, id: str) -> Answer:
    return query.by_id("Posting", id)


def balance_sheet(query: Query) -> Answer:
    from_, to = query.range()
    only: Sequence[Obj] | None = None
    filters = ("customerId", "employeeId", "departmentId", "projectId")
    if any(query.text(name) for name in filters):
        rows = [posting for row in query.company.every for posting in row["postings"]]
        only = _filtered(query, rows, filters)
    idle = bool(query.flag("includeActiveAccountsWithoutMovements"))
    rows = balances(query.company, from_, to, without_movements=idle, only=only)
    low, high = query.number("accountNumberFrom"), query.number("accountNumberTo")
    numbers = {row["id"]: row["number"] for row in query.company.all("Account")}
    rows = [
        row
        for row in rows
        if (low or 0) <= numbers[row["account"]] and (high is None or numbers[row["account"]] < high)
    ]
    return query.many("BalanceSheetAccount", rows)


def _simple(model: str, *numbers: str, **texts: str) -> Read:
    """A plain list: by `id`, by exact `numbers` (property = parameter), by part of a text (parameter -> property)."""

    def read(query: Query) -> Answer:
        rows = _in(query.company.all(model), "id", query.numbers("id"))
        for name in numbers:
            wanted = {part.strip() for part in query.text(name).split(",") if part.strip()}
            rows = [row for row in rows if not wanted or str(row.get(name, "")) in wanted]
        for parameter, name in texts.items():
            part = query.text(parameter).lower()
            rows = [row for row in rows if part in str(row.get(name, "")).lower()]
        inactive = query.flag("isInactive")
        if inactive is not None:
            rows = [row for row in rows if bool(row.get("isInactive")) == inactive]
        return query.many(model, rows)

    return read


def _by_id(model: str) -> Read:
    def read(query: Query, id: str) -> Answer:
        return query.by_id(model, id)

    return read


ROUTES: tuple[tuple[re.Pattern[str], Read], ...] = tuple(
    (re.compile(pattern), read)
    for pattern, read in (
        (r"/company/(\d+)", company),
        (r"/company/salesmodules", sales_modules),
        (r"/ledger/account", accounts),
        (r"/ledger/account/(\d+)", account),
        (r"/ledger/accountingPeriod", periods),
        (r"/ledger/accountingPeriod/(\d+)", _by_id("AccountingPeriod")),
        (r"/ledger/annualAccount", years),
        (r"/ledger/annualAccount/(\d+)", _by_id("AnnualAccount")),
        (r"/ledger/vatType", vat_types),
        (r"/ledger/vatType/(\d+)", _by_id("VatType")),
        (r"/ledger/voucherType", voucher_types),
        (r"/ledger/voucherType/(\d+)", _by_id("VoucherType")),
        (r"/ledger/voucher", vouchers),
        (r"/ledger/voucher/(\d+)", voucher),
        (r"/ledger/voucher/>nonPosted", not_posted),
        (r"/ledger/voucher/>externalVoucherNumber", by_external_number),
        (r"/ledger/voucher/openingBalance", opening_balance),
        (r"/ledger/posting", postings),
        (r"/ledger/posting/(\d+)", posting),
        (r"/ledger/postingByDate", postings_by_date),
        (r"/balanceSheet", balance_sheet),
        (r"/ledger/accountingDimensionName", _simple("AccountingDimensionName")),
        (r"/ledger/accountingDimensionValue/search", _simple("AccountingDimensionValue", "dimensionIndex")),
        (r"/ledger/accountingDimensionValue/(\d+)", _by_id("AccountingDimensionValue")),
        (r"/department", _simple("Department", "departmentNumber", name="name")),
        (r"/department/(\d+)", _by_id("Department")),
        (r"/project", _simple("Project", "number", name="name")),
        (r"/project/(\d+)", _by_id("Project")),
        (r"/customer", _simple("Customer", "organizationNumber", customerName="name", email="email")),
        (r"/customer/(\d+)", _by_id("Customer")),
        (r"/supplier", _simple("Supplier", "organizationNumber", "supplierNumber", email="email")),
        (r"/supplier/(\d+)", _by_id("Supplier")),
        (r"/currency", _simple("Currency", "code")),
        (r"/currency/(\d+)", _by_id("Currency")),
    )
)

HIDES = {  # a right that a key lacks -> where its holder sees no rows
    "vouchers": ("/ledger/voucher", "/ledger/posting"),
    "accounts": ("/ledger/account",),
    "balances": ("/balanceSheet",),
    "dimensions": ("/department", "/project", "/ledger/accountingDimension"),
    "parties": ("/customer", "/supplier"),
}


def is_hidden(path: str, rights: Sequence[str], faults: dict[str, Any]) -> bool:
    """Whether the caller gets no rows there: rights it lacks, and the faults that take rights away."""
    is_list = not path.rsplit("/", 1)[-1].isdigit()
    if "right_withdrawn" in faults and path.startswith(
        ("/ledger", "/balanceSheet", "/department", "/project", "/cust", "/supp")
    ):
        return True
    if "hidden_rows" in faults and is_list and path in ("/ledger/voucher", "/ledger/posting", "/ledger/postingByDate"):
        return True
    for right in rights:
        for start in HIDES.get(right, ()):
            if path == start or (
                path.startswith((start + "/", start + "ByDate")) and not path.startswith("/ledger/voucherType")
            ):
                return True
    return False
