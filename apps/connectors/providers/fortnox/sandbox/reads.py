"""Every GET that is served: path, scope, licence, register, and what it answers."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.connectors.providers.fortnox.sandbox import answers, shapes, sie
from apps.connectors.providers.fortnox.sandbox.query import Query
from apps.connectors.providers.fortnox.sandbox.rows import SERIES
from apps.connectors.sdk.sandbox import Answer

Obj = dict[str, Any]
Read = Callable[..., Obj | Answer]
SIE_TYPES = ("1", "2", "3", "4")
RATES = (("SEK", 1, "Svenska kronor"), ("EUR", 11.2955, "Euro"), ("NOK", 0.9781, "Norska kronor"),
         ("DKK", 1.5142, "Danska kronor"), ("USD", 10.4512, "US-dollar"))  # fmt: skip
TERMS = tuple({"code": code} for code in ("0", "10", "15", "20", "30", "60", "90"))
UNITS = ({"code": "h", "name": "Timmar"}, {"code": "km", "name": "Kilometer"}, {"code": "st", "name": "Styck"})


def _one(rows: Iterable[Obj], key: str, value: str, resource: str) -> Obj:
    found = next((row for row in rows if str(row[key]) == value), None)
    if found is None:
        raise answers.not_found(resource)
    return found


def company_information(query: Query) -> Obj:
    return {"CompanyInformation": shapes.company(query.ledger.doc)}


def company_settings(query: Query) -> Obj:
    return {"CompanySettings": shapes.settings(query.ledger.doc)}


def locked_period(query: Query) -> Obj:
    """`EndDate` or nothing."""
    locked = query.ledger.doc["locked"]
    return {"LockedPeriod": {"EndDate": locked} if locked else {}}


def me(query: Query) -> Obj:
    name = {"Id": "1", "Name": "Integration", "Email": "integration@example.se", "Locale": "sv_SE"}
    return {"MeInformation": name | {"SysAdmin": bool(query.ledger.doc["system_admin"])}}


def years(query: Query) -> Obj:
    """The latest first; `date`: the one that holds that day, or none."""
    query.no_filter()
    day = query.day("date") or query.day("financialyeardate")
    rows = query.ledger.doc["years"][::-1]
    rows = [row for row in rows if not day or row["from"] <= day <= row["to"]]
    return query.page("FinancialYears", rows, shapes.year)


def year(query: Query, id: str) -> Obj:
    return {"FinancialYear": shapes.year(_one(query.ledger.doc["years"], "id", id, "financialyears"))}


def accounts(query: Query) -> Obj:
    query.no_filter()
    year = query.year()
    rows = query.modified(query.ledger.accounts)
    wanted = query.number("sru", 0)
    rows = [row for row in rows if not wanted or shapes.sru(row["number"]) == wanted]
    rows = query.sorted(rows, {"number": lambda row: int(row["number"])})
    return query.page("Accounts", rows, lambda row: shapes.account(query.ledger, row, year, whole=False))


def account(query: Query, number: str) -> Obj:
    year = query.year()
    row = _one(query.ledger.accounts, "number", number, "accounts")
    return {"Account": shapes.account(query.ledger, row, year, whole=True)}


def _vouchers(query: Query, rows: list[Obj]) -> Obj:
    """One financial year always; its order is that of series and number, so that a new voucher shifts what follows."""
    query.no_filter()
    start, end, center = query.day("fromdate"), query.day("todate"), query.text("costcenter")
    rows = [row for row in rows if (not start or row["date"] >= start) and (not end or row["date"] <= end)]
    if center:
        rows = [row for row in rows if any(line["cost_center"] == center for line in row["rows"])]
    rows = query.sorted(
        query.modified(rows),
        {
            "vouchernumber": lambda row: (row["number"], row["series"]),
            "transactiondate": lambda row: (row["date"], row["series"], row["number"]),
            "voucherseries": lambda row: (row["series"], row["number"]),
            "referencenumber": lambda row: (row["reference"] or "", row["series"], row["number"]),
        },
    )
    return query.page("Vouchers", [] if query.hidden else rows, shapes.voucher_short)


def vouchers(query: Query) -> Obj:
    return _vouchers(query, query.ledger.of_year(query.year()))


def vouchers_of_series(query: Query, series: str) -> Obj:
    if series not in SERIES:
        raise answers.not_found("voucherseries")
    return _vouchers(query, [row for row in query.ledger.of_year(query.year()) if row["series"] == series])


def voucher(query: Query, series: str, number: str) -> Obj:
    rows = [row for row in query.ledger.of_year(query.year()) if row["series"] == series]
    return {"Voucher": shapes.voucher(query.ledger, _one(rows, "number", number, "vouchers"))}


def all_series(query: Query) -> Obj:
    query.no_filter()
    year = query.year()
    rows = [{"code": code} for code in SERIES]
    return query.page(
        "VoucherSeriesCollection", rows, lambda row: shapes.series(query.ledger, row["code"], year, whole=False)
    )


def one_series(query: Query, code: str) -> Obj:
    if code not in SERIES:
        raise answers.not_found("voucherseries")
    return {"VoucherSeries": shapes.series(query.ledger, code, query.year(), whole=True)}


def sie_file(query: Query, kind: str) -> Answer:
    if kind not in SIE_TYPES:
        raise answers.bad_parameter()
    body = sie.write(query.ledger, query.year(), int(kind), hidden=query.hidden)
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f'attachment; filename="SIE{kind}.se"',
    }
    return Answer(status=200, headers=headers, body=body)


def _currencies(query: Query) -> list[Obj]:
    day = query.ledger.doc["years"][-1]["from"]
    return [{"code": code, "rate": rate, "name": name, "date": day} for code, rate, name in RATES]


def currencies(query: Query) -> Obj:
    query.no_filter()
    return query.page("Currencies", _currencies(query), shapes.currency)


def currency(query: Query, code: str) -> Obj:
    return {"Currency": shapes.currency(_one(_currencies(query), "code", code, "currencies"))}


def terms(query: Query) -> Obj:
    query.no_filter()
    return query.page("TermsOfPayments", list(TERMS), shapes.term)


def term(_query: Query, code: str) -> Obj:
    return {"TermsOfPayment": shapes.term(_one(TERMS, "code", code, "termsofpayments"))}


def units(query: Query) -> Obj:
    query.no_filter()
    return query.page("Units", list(UNITS), shapes.unit)


def unit(_query: Query, code: str) -> Obj:
    return {"Unit": shapes.unit(_one(UNITS, "code", code, "units"))}


def _list(
    kind: str,
    key: str,
    shape: Callable[[Obj], Obj],
    fields: Mapping[str, str],
    *,
    filters: bool = False,
    searched: tuple[str, ...] = (),
    stock: tuple[str, ...] = (),
) -> Read:
    """A register: substring search by parameter -> key of the row, by `filter` where the vendor has one.

    `searched`: other parameters (openapi.json) of fields that nobody has filled in here; `stock`: sorted by
    quantities, which are all 0.
    """
    search = {**fields, **{name: name for name in searched}}

    def read(query: Query) -> Obj:
        rows = query.ledger.rows[kind]
        if filters:
            rows = query.active(rows)
        else:
            query.no_filter()
        rows = query.containing(query.modified(rows), search)
        sorting: dict[str, Callable[[Obj], Any]] = {name: _by(key) for name, key in fields.items()}
        sorting |= dict.fromkeys(stock, _natural)
        return query.page(key, query.sorted(sorted(rows, key=_natural), sorting), shape)

    return read


def _by(key: str) -> Callable[[Obj], str]:
    return lambda row: str(row.get(key) or "")


def _natural(row: Obj) -> tuple[bool, int, str]:
    id = row["id"]
    return (not id.isdigit(), int(id) if id.isdigit() else 0, id)


def _single(kind: str, resource: str, key: str, shape: Callable[[Obj], Obj]) -> Read:
    def read(query: Query, id: str) -> Obj:
        return {key: shape(_one(query.ledger.rows[kind], "id", id, resource))}

    return read


def article(query: Query, id: str) -> Obj:
    row = _one(query.ledger.rows["article"], "id", id, "articles")
    return {"Article": shapes.article(query.ledger, row)}


@dataclass(frozen=True, slots=True)
class Route:
    """`scope`: what the token must hold and the company must have a licence for."""

    pattern: re.Pattern[str]
    scope: str
    read: Read


_NAME = {"name": "name"}
ROUTES = tuple(
    Route(re.compile(pattern), scope, read)
    for pattern, scope, read in (
        (r"companyinformation", "companyinformation", company_information),
        (r"settings/company", "settings", company_settings),
        (r"settings/lockedperiod", "settings", locked_period),
        (r"me", "profile", me),
        (r"financialyears", "bookkeeping", years),
        (r"financialyears/(\d+)", "bookkeeping", year),
        (r"accounts", "bookkeeping", accounts),
        (r"accounts/(\d+)", "bookkeeping", account),
        (r"vouchers", "bookkeeping", vouchers),
        (r"vouchers/sublist", "bookkeeping", vouchers),
        (r"vouchers/sublist/([^/]+)", "bookkeeping", vouchers_of_series),
        (r"vouchers/([^/]+)/(\d+)", "bookkeeping", voucher),
        (r"voucherseries", "bookkeeping", all_series),
        (r"voucherseries/([^/]+)", "bookkeeping", one_series),
        (r"sie/([^/]+)", "bookkeeping", sie_file),
        (r"costcenters", "costcenter", _list("costcenter", "CostCenters", shapes.cost_center, {"code": "id"})),
        (r"costcenters/([^/]+)", "costcenter", _single("costcenter", "costcenters", "CostCenter", shapes.cost_center)),
        (r"projects", "project", _list("project", "Projects", shapes.project_short, {"projectnumber": "id"})),
        (r"projects/([^/]+)", "project", _single("project", "projects", "Project", shapes.project)),
        (r"customers", "customer", _list(
            "customer", "Customers", shapes.customer_short, {"customernumber": "id"} | _NAME, filters=True,
            searched=("zipcode", "city", "email", "phone", "organisationnumber", "gln", "glndelivery"))),
        (r"customers/([^/]+)", "customer", _single("customer", "customers", "Customer", shapes.customer)),
        (r"suppliers", "supplier",
         _list("supplier", "Suppliers", shapes.supplier_short, {"suppliernumber": "id"} | _NAME, filters=True)),
        (r"suppliers/([^/]+)", "supplier", _single("supplier", "suppliers", "Supplier", shapes.supplier)),
        (r"articles", "article", _list(
            "article", "Articles", shapes.article_short, {"articlenumber": "id", "description": "name"}, filters=True,
            searched=("ean", "suppliernumber", "manufacturer", "manufacturerarticlenumber"),
            stock=("quantityinstock", "reservedquantity", "stockvalue"))),
        (r"articles/(.+)", "article", article),
        (r"termsofpayments", "settings", terms),
        (r"termsofpayments/([^/]+)", "settings", term),
        (r"units", "settings", units),
        (r"units/([^/]+)", "settings", unit),
        (r"currencies", "currency", currencies),
        (r"currencies/([^/]+)", "currency", currency),
    )
)  # fmt: skip


def find(path: str) -> tuple[Route, tuple[str, ...]]:
    """The route of a path below /3/, and what its pattern took out of it. Raises Refused 404."""
    for route in ROUTES:
        found = route.pattern.fullmatch(path)
        if found:
            return route, found.groups()
    raise answers.Refused(404, *answers.NO_ROUTE)
