"""Fortnox' JSON and SIE rows as canonical records. Pure.

Types are loose [Conventions]: numbers and booleans come as texts too; empty is "", null or "0".
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from apps.formats.sie.chart import account_type
from apps.records.enums import Basis, Counts, LockKind, VoucherKind
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
API = "https://api.fortnox.se/3"
BOOKS_CURRENCY = "SEK"
RESULT = ("8990", "8999")  # BAS: the year's result, moved to equity
YES = ("true", "1", "yes")


def identity(row: Json, tenant: str = "", rights: tuple[str, ...] = ()) -> Identity:
    """`DatabaseNumber` is the TenantId [T]; `tenant` is what the token says, where the company does not."""
    number = code(reference(row.get("DatabaseNumber")) or tenant)
    return Identity(
        external_id=number,
        company_id=number,
        name=text(row.get("CompanyName")),
        organisation_number=text(row.get("OrganizationNumber")) or None,
        country=text(row.get("CountryCode")).upper() or "SE",
        currency=BOOKS_CURRENCY,
        rights=rights,
        raw=row,
    )


def fiscal_year(row: Json) -> FiscalYear:
    """The vendor does not say whether a year is closed; what is locked says `settings/lockedperiod`."""
    return FiscalYear(
        external_id=code(row["Id"]),
        start=day(row["FromDate"]),
        end=day(row["ToDate"]),
        currency=BOOKS_CURRENCY,
        url=row.get("@url"),
        custom=filled(accounting_method=row.get("AccountingMethod")),
        raw=row,
    )


def lock(row: Json) -> Lock | None:
    """`EndDate` or nothing."""
    until = text(row.get("EndDate"))
    return Lock(external_id="books", kind=LockKind.BOOKS, until=day(until), raw=row) if until not in ("", "0") else None


def account(row: Json, year: FiscalYear) -> Account:
    number = code(row["Number"])
    requires = [
        kind
        for kind, field in (("cost_centre", "CostCenterSettings"), ("project", "ProjectSettings"))
        if text(row.get(field)).upper() == "MANDATORY"
    ]
    return Account(
        external_id=f"{year.external_id}-{number}",
        number=number,
        name=text(row.get("Description")),
        type=account_type(number),
        vat_code=text(row.get("VATCode")) or None,
        active=flag(row.get("Active"), default=True),
        fiscal_year_start=year.start,
        requires=tuple(requires),
        url=row.get("@url"),
        custom=filled(sru=reference(row.get("SRU")), **_places(row)),
        raw=row,
    )


def cost_centre(row: Json) -> Dimension:
    return Dimension(
        external_id=f"cost_centre:{code(row['Code'])}",
        kind="cost_centre",
        code=code(row["Code"]),
        name=text(row.get("Description")),
        active=flag(row.get("Active"), default=True),
        url=row.get("@url"),
        raw=row,
    )


def project(row: Json) -> Dimension:
    return Dimension(
        external_id=f"project:{code(row['ProjectNumber'])}",
        kind="project",
        code=code(row["ProjectNumber"]),
        name=text(row.get("Description")),
        active=text(row.get("Status")).upper() != "COMPLETED",
        url=row.get("@url"),
        custom=filled(status=row.get("Status"), start_date=row.get("StartDate"), end_date=row.get("EndDate")),
        raw=row,
    )


def opening_balance(row: Json, year: FiscalYear) -> OpeningBalance | None:
    opening = amount(row.get("BalanceBroughtForward"))
    if not opening:
        return None
    return OpeningBalance(account=code(row["Number"]), fiscal_year_start=year.start, amount=opening, raw=row)


def control_balance(row: Json, year: FiscalYear, read_at: datetime) -> ControlBalance:
    opening = amount(row.get("BalanceBroughtForward")) or Decimal(0)
    return control(
        code(row["Number"]), (year.start, year.end), (opening, number(row["BalanceCarriedForward"])), read_at, row
    )


def control(
    account: str, days: tuple[date, date], balances: tuple[Decimal, Decimal], read_at: datetime, raw: Any = None
) -> ControlBalance:
    """`days` are first and last; `balances` opening and closing."""
    opening, closing = balances
    return ControlBalance(
        account=account,
        basis=Basis.INTERVAL,
        from_=days[0],
        to=days[1],
        opening=opening,
        movement=closing - opening,
        closing=closing,
        read_at=read_at,
        raw=raw,
    )


def voucher_id(year: FiscalYear | str, series: str, number: str) -> str:
    """The vendor's key, the same from the SIE file and from the voucher itself: year's Id, series, number."""
    return f"{year if isinstance(year, str) else year.external_id}-{series}-{number}"


def short_key(row: Json) -> tuple[str, str]:
    """Series and number of a row of the voucher list."""
    return code(row["VoucherSeries"]), code(row["VoucherNumber"])


def voucher(row: Json, year_id: str, year_start: date | None) -> Voucher:
    """A whole voucher. Raises KeyError, TypeError or ValueError for one that is not. Struck rows do not count."""
    lines = [line for line in row["VoucherRows"] if not flag(line.get("Removed"))]
    when = day(row["TransactionDate"])
    postings = tuple(
        Posting(
            row=at,
            date=when,
            account=code(line["Account"]),
            amount=number(line.get("Debit")) - number(line.get("Credit")),
            dimensions=_places(line),
            text=text(line.get("TransactionInformation")),
            quantity=amount(line.get("Quantity")) or None,
        )
        for at, line in enumerate(lines, 1)
    )
    manual = text(row.get("ReferenceType")).upper() in ("", "MANUAL")
    return _voucher(
        (year_id, *short_key(row)),
        when,
        postings,
        fiscal_year_start=year_start,
        text=text(row.get("Description")),
        source_document=None if manual else reference(row.get("ReferenceNumber")),
        raw=row,
    )


def sie_voucher(found: Voucher, year: FiscalYear, encoding: str) -> Voucher:
    """A voucher of the SIE file, in the words of `voucher`: rows have the voucher's date, and no number of their own.

    `encoding` is the file's: signs that it lacks (`–`, `€` in code page 437) are lost in its texts.
    """
    postings = tuple(
        Posting(
            row=at,
            date=found.date,
            account=line.account,
            amount=line.amount,
            dimensions={kind: item for kind, item in line.dimensions.items() if item != "0"},
            text=text(line.text),
            quantity=line.quantity or None,
        )
        for at, line in enumerate(found.postings, 1)
    )
    if not found.number:
        raise ValueError(f"a voucher of {found.date} without number")
    return _voucher(
        (year.external_id, found.series, found.number),
        found.date,
        postings,
        fiscal_year_start=year.start,
        text=text(found.text),
        texts_through=None if encoding == "utf-8" else encoding,
        raw={"sie": {"series": found.series, "number": found.number, **found.custom}},
    )


def _voucher(key: tuple[str, str, str], when: date, postings: tuple[Posting, ...], **more: Any) -> Voucher:
    year_id, series, number = key
    moved = any(line.account in RESULT for line in postings)
    return Voucher(
        external_id=voucher_id(year_id, series, number),
        series=series,
        number=number,
        date=when,
        kind=VoucherKind.RESULT_TRANSFER if moved else VoucherKind.ORDINARY,
        counts=Counts.POSTED if postings else Counts.VOID,  # struck out: every row was removed, the number stays
        postings=postings,
        url=f"{API}/vouchers/{quote(series, safe='')}/{quote(number, safe='')}?financialyear={year_id}",
        **more,
    )


def _places(row: Json) -> dict[str, str]:
    found = (("cost_centre", reference(row.get("CostCenter"))), ("project", reference(row.get("Project"))))
    return {kind: item for kind, item in found if item}


def text(value: Any) -> str:
    return "" if value is None else str(value).replace("\x00", "").strip()


def reference(value: Any) -> str | None:
    """A number of something else; "", null and "0" are none."""
    found = text(value)
    return found if found not in ("", "0") else None


def flag(value: Any, *, default: bool = False) -> bool:
    """`true`, "true", 1 and "1" are all true."""
    found = text(value).lower()
    return default if not found else found in YES


def code(value: Any) -> str:
    """A number or id as text, without decimals. Raises ValueError where there is none."""
    if isinstance(value, Decimal) and value == int(value):
        return str(int(value))
    found = text(value)
    if not found:
        raise ValueError("a number or id is missing")
    return found


def amount(value: Any) -> Decimal | None:
    """None where nothing is told. Raises ArithmeticError or ValueError for what is no number."""
    found = Decimal("".join(text(value).split()).replace(",", ".")) if text(value) else None
    if found is not None and not found.is_finite():
        raise ValueError(f"{value!r} is no amount")
    return found


def number(value: Any) -> Decimal:
    return amount(value) or Decimal(0)


def whole(value: Any) -> int | None:
    found = text(value).removesuffix(".0")
    return int(found) if found.isascii() and found.isdigit() else None


def day(value: Any) -> date:
    return date.fromisoformat(str(value)[:10])


def filled(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "")}
