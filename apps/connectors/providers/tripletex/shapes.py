"""Tripletex' JSON as canonical records. Pure: references that matter are expanded before (read.py).

Numbers come as int or Decimal, mixed (`33485.00` and `33485`); any field may be absent or null.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from apps.records.enums import AccountType, Basis, Counts, LockKind, TaxRole, VoucherKind
from apps.records.ledger import (
    Account,
    ControlBalance,
    Dimension,
    FiscalYear,
    Identity,
    Lock,
    OpeningBalance,
    Posting,
    Voucher,
)

Json = Mapping[str, Any]
BOOKS_CURRENCY, BOOKS_CURRENCY_ID = "NOK", 1  # samples/ref_currencies.json
OSLO = ZoneInfo("Europe/Oslo")  # times come without a zone
DAY = timedelta(days=1)

ACCOUNT_TYPES = {
    "ASSETS": AccountType.ASSET,
    "EQUITY": AccountType.EQUITY,
    "LIABILITIES": AccountType.LIABILITY,
    "OPERATING_REVENUES": AccountType.INCOME,
    "INVESTMENT_INCOME": AccountType.INCOME,
    "EXTRAORDINARY_INCOME": AccountType.INCOME,
    "OPERATING_EXPENSES": AccountType.EXPENSE,
    "COST_OF_CAPITAL": AccountType.EXPENSE,
    "TAX_ON_ORDINARY_ACTIVITIES": AccountType.EXPENSE,
    "EXTRAORDINARY_COST": AccountType.EXPENSE,
    "TAX_ON_EXTRAORDINARY_ACTIVITIES": AccountType.EXPENSE,
    "ANNUAL_RESULT": AccountType.EXPENSE,
    "TRANSFERS_AND_ALLOCATIONS": AccountType.EXPENSE,
}
TRANSFERS = ("ANNUAL_RESULT", "TRANSFERS_AND_ALLOCATIONS")
LEDGERS = {"CUSTOMER": "customer", "VENDOR": "supplier", "EMPLOYEE": "employee"}


def identity(row: Json) -> Identity:
    """A company or a client of a bureau; books in Norway."""
    return Identity(
        external_id=code(row["id"]),
        company_id=code(row["id"]),
        name=str(row.get("name") or row.get("displayName") or ""),
        organisation_number=digits(row.get("organizationNumber")) or None,
        country="NO",
        currency=_in(row, "currency", "code"),
        version=_text(row.get("version")),
        url=_url(row),
        raw=row,
    )


def fiscal_year(row: Json, periods: list[Json]) -> FiscalYear:
    """Closed when every period of the year is; None where the vendor does not say.

    One with neither start nor end is its calendar year, which is what the law presumes.
    """
    year = row.get("year")
    start, end = day(row.get("start") or f"{year}-01-01"), last_day(row.get("end") or f"{year}-12-31")
    told = [item for item in periods if item.get("start") and item.get("end")]
    states = [item.get("isClosed") for item in told if start <= day(item["start"]) and last_day(item["end"]) <= end]
    known = bool(states) and None not in states
    return FiscalYear(
        external_id=code(row["id"]),
        version=_text(row.get("version")),
        start=start,
        end=end,
        closed=all(states) if known else None,
        currency=BOOKS_CURRENCY,
        url=_url(row),
        raw=row,
    )


def lock(periods: list[Json]) -> Lock | None:
    """The last day of the closed periods that follow one another from the first one known."""
    until = None
    for row in sorted((item for item in periods if item.get("start")), key=lambda item: str(item["start"])):
        if not row.get("isClosed") or not row.get("end"):
            break
        until = last_day(row["end"])
    return Lock(external_id="period", kind=LockKind.PERIOD, until=until) if until else None


def account(row: Json) -> Account:
    kind = str(row.get("type") or "")
    requires = [name for name in ("department", "project") if row.get(f"requires{name.title()}")]
    if row.get("ledgerType") in LEDGERS:
        requires.append(LEDGERS[row["ledgerType"]])
    plain = kind in ACCOUNT_TYPES and kind not in TRANSFERS
    return Account(
        external_id=code(row["id"]),
        version=_text(row.get("version")),
        number=code(row["number"]),
        name=str(row.get("name") or ""),
        type=ACCOUNT_TYPES.get(kind, AccountType.UNKNOWN),
        vat_code=vat_code(row),
        vat_locked=row.get("vatLocked"),
        active=not row.get("isInactive"),
        group=_text(row.get("groupingCode")),
        requires=tuple(requires),
        url=_url(row),
        custom=filled(type_raw=None if plain else kind, saft_code=row.get("saftCode")),
        raw=row,
    )


def department(row: Json) -> Dimension:
    return _dimension(row, "department", item_code(row, "departmentNumber"), active=not row.get("isInactive"))


def project(row: Json) -> Dimension:
    above = row.get("mainProject")
    parent = item_code(above, "number") if isinstance(above, dict) else None
    return _dimension(row, "project", item_code(row, "number"), active=not row.get("isClosed"), parent=parent)


def free_item(row: Json, kind: str) -> Dimension:
    return _dimension(row, kind, item_code(row, "number"), active=row.get("active") is not False)


def _dimension(row: Json, kind: str, of: str, *, active: bool, parent: str | None = None) -> Dimension:
    return Dimension(
        external_id=code(row["id"]),
        version=_text(row.get("version")),
        kind=kind,
        code=of,
        name=str(row.get("name") or row.get("displayName") or ""),
        parent=parent,
        active=active,
        url=_url(row),
        raw=row,
    )


def control_balance(row: Json, start: date, end: date, read_at: datetime) -> ControlBalance:
    return ControlBalance(
        account=code(row["account"]["number"]),
        basis=Basis.INTERVAL,
        from_=start,
        to=end,
        opening=amount(row.get("balanceIn")),
        movement=amount(row.get("balanceChange")),
        closing=amount(row.get("balanceOut")),
        read_at=read_at,
        raw=row,
    )


def opening_balance(row: Json, start: date) -> OpeningBalance | None:
    opening = amount(row.get("balanceIn"))
    number = code(row["account"]["number"])
    return OpeningBalance(account=number, fiscal_year_start=start, amount=opening, raw=row) if opening else None


def voucher(row: Json, dimension_names: Mapping[int, str]) -> Voucher:
    """One voucher with expanded postings. Raises KeyError, TypeError or ValueError for one that is not whole."""
    when = day(row["date"])
    lines = row["postings"]
    taxed = any(_carries_vat(line) for line in lines)
    number = code(row.get("number") or 0)
    booked = number != "0"
    other = row.get("reverseVoucher")
    twin = code(other["id"]) if isinstance(other, dict) and other.get("id") else None
    reversal = twin is not None and int(twin) < int(row["id"])
    stamps = _stamps(row)
    return Voucher(
        external_id=code(row["id"]),
        version=_text(row.get("version")),
        number=number if booked else "",
        date=when,
        kind=_kind(lines, reversal=reversal),
        counts=Counts.POSTED if booked else Counts.PROVISIONAL,
        text=str(row.get("description") or ""),
        created_at=stamps.get("CREATE"),
        changed_at=max(stamps.values(), default=None),
        reverses=twin if reversal else None,
        reversed_by=None if reversal else twin,
        source_document=row.get("vendorInvoiceNumber") or row.get("externalVoucherNumber") or None,
        postings=tuple(_posting(line, when, dimension_names, at, taxed=taxed) for at, line in enumerate(lines)),
        url=_url(row),
        custom=filled(voucher_type=_in(row, "voucherType", "name")),
        raw=row,
    )


def _posting(row: Json, when: date, dimension_names: Mapping[int, str], at: int, *, taxed: bool) -> Posting:
    foreign = _in(row, "currency", "code")
    unnamed = _in(row, "currency", "id") if foreign is None else None  # its code could not be read
    unnamed = None if unnamed == BOOKS_CURRENCY_ID else unnamed
    in_books = foreign in (None, BOOKS_CURRENCY) and unnamed is None
    place = None if row.get("row") is None else int(row["row"])
    made = row.get("systemGenerated") is True or place == 0
    return Posting(
        external_id=_text(row.get("id")) or "",
        version=_text(row.get("version")),
        row=at + 1 if place is None else place,
        date=day(row["date"]) if row.get("date") else when,
        account=code(row["account"]["number"]),
        amount=Decimal(str(row["amount"])),  # net of VAT; amountGross would count the VAT twice [Posting rules]
        currency=None if in_books else foreign,
        foreign_amount=None if in_books else amount(row.get("amountCurrency")),
        vat_code=vat_code(row),
        vat_rate=amount((row.get("vatType") or {}).get("percentage")),
        tax_role=TaxRole.BASE if _carries_vat(row) else TaxRole.TAX if made and taxed else TaxRole.NONE,
        dimensions=_dimensions(row, dimension_names),
        text=str(row.get("description") or ""),
        quantity=amount(row.get("quantityAmount1") or None),
        party=_party(row),
        due_date=day(row["termOfPayment"]) if row.get("termOfPayment") else None,
        system_made=made,
        custom=filled(
            invoice_number=row.get("invoiceNumber"),
            external_ref=row.get("externalRef"),
            employee_id=_in(row, "employee", "id"),
            currency_id=_text(unnamed),
        ),
    )


def _kind(lines: list[Json], *, reversal: bool) -> VoucherKind:
    if reversal:
        return VoucherKind.REVERSAL
    transfer = any(line["account"].get("type") in TRANSFERS for line in lines)
    return VoucherKind.RESULT_TRANSFER if transfer else VoucherKind.ORDINARY


def _carries_vat(row: Json) -> bool:
    """A row with a VAT type and VAT taken out of its gross amount; the VAT stands on a row of its own."""
    taxed = (row.get("vatType") or {}).get("id") not in (None, 0)
    return taxed and row.get("amountGross") is not None and amount(row["amountGross"]) != amount(row.get("amount"))


def _dimensions(row: Json, names: Mapping[int, str]) -> dict[str, str]:
    found = {}
    for kind, field in (("department", "departmentNumber"), ("project", "number")):
        if isinstance(row.get(kind), dict):
            found[kind] = item_code(row[kind], field)
    for index in (1, 2, 3):
        item = row.get(f"freeAccountingDimension{index}")
        if isinstance(item, dict):
            found[free_kind(index, names)] = item_code(item, "number")
    return found


def free_kind(index: int, names: Mapping[int, str]) -> str:
    return names.get(index) or f"dimension{index}"


def _party(row: Json) -> str | None:
    for role in ("customer", "supplier"):
        who = row.get(role)
        if isinstance(who, dict):
            return str(who.get("name") or who.get(f"{role}Number") or who["id"])
    return None


def _stamps(row: Json) -> dict[str, datetime]:
    """The last stamp of each type of change; one that is no time is passed over."""
    found: dict[str, datetime] = {}
    for item in row.get("changes") or ():
        if isinstance(item, dict) and item.get("timestamp"):
            try:
                at = datetime.fromisoformat(str(item["timestamp"]))
            except ValueError:
                continue
            at = at if at.tzinfo else at.replace(tzinfo=OSLO)
            kind = str(item.get("changeType"))
            found[kind] = max(at, found.get(kind, at))
    return found


def item_code(row: Json, field: str) -> str:
    """An item's number, or its id where it has none: unique either way ("Nummeret er i bruk.")."""
    return code(row.get(field) or row["id"])


def vat_code(row: Json) -> str | None:
    """The code users see (`number`; id 32 is code "33"), the id where only that is known."""
    kind = row.get("vatType")
    if not isinstance(kind, dict):
        return None
    found = kind.get("number")
    return _text(kind.get("id") if found in (None, "") else found)


def code(value: Any) -> str:
    """A number or id as text, without decimals (`1920.0`). Raises ValueError where there is none."""
    if value is None:
        raise ValueError("a number or id is missing")
    if isinstance(value, Decimal) and value == int(value):
        return str(int(value))
    return str(value).strip()


def amount(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def day(value: Any) -> date:
    return date.fromisoformat(str(value)[:10])


def last_day(value: Any) -> date:
    """Ends are exclusive: March ends 04-01. No period's last day is the first of a month, so one that is, is not."""
    end = day(value)
    return end - DAY if end.day == 1 else end


def digits(value: Any) -> str:
    return "".join(char for char in str(value or "") if char.isdigit())


def filled(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "")}


def _in(row: Json, name: str, field: str) -> Any:
    inner = row.get(name)
    return inner.get(field) if isinstance(inner, dict) else None


def _text(value: Any) -> str | None:
    return None if value in (None, "") else code(value)


def _url(row: Json) -> str | None:
    found = row.get("url")
    return None if not found else found if "://" in found else f"https://{found}"
