"""Small Finnish books for tests, told in no vendor's words."""

from datetime import date, timedelta
from decimal import Decimal

from apps.connectors.sdk.sandbox import Books
from apps.records.enums import AccountType, Counts, TaxRole, VoucherKind
from apps.records.ledger import Account, Dimension, FiscalYear, Posting, Voucher

YEARS = (
    FiscalYear(start=date(2025, 1, 1), end=date(2025, 12, 31)),
    FiscalYear(start=date(2026, 1, 1), end=date(2026, 12, 31)),
)
ACCOUNTS = (
    Account(number="1702", name="Myyntisaamiset", type=AccountType.ASSET),
    Account(number="1910", name="Pankkitili", type=AccountType.ASSET),
    Account(number="2251", name="Edellisten tilikausien voitto", type=AccountType.EQUITY),
    Account(number="2871", name="Ostovelat", type=AccountType.LIABILITY),
    Account(number="2939", name="Myynnin arvonlisäverovelka", type=AccountType.LIABILITY),
    Account(number="3010", name="Myynti, kotimaa", type=AccountType.INCOME),
    Account(number="7230", name="Toimitilavuokrat", type=AccountType.EXPENSE),
    Account(number="9990", name="Tilikauden tuloksen siirto", type=AccountType.EXPENSE),
)


def voucher(
    name: str,
    day: date,
    *lines: tuple[str, str],
    counts: Counts = Counts.POSTED,
    kind: VoucherKind = VoucherKind.ORDINARY,
) -> Voucher:
    postings = tuple(
        Posting(row=n, date=day, account=account, amount=Decimal(amount))
        for n, (account, amount) in enumerate(lines, 1)
    )
    return Voucher(external_id=name, date=day, postings=postings, text=name, counts=counts, kind=kind)


def sale(name: str, day: date) -> Voucher:
    """1,000 with 25.5 % VAT, in a department and a project."""
    at = {"department": "10", "project": "P1"}
    base = Posting(
        row=2, date=day, account="3010", amount=Decimal(-1000), vat_code="1", vat_rate=Decimal("25.5"),
        tax_role=TaxRole.BASE, dimensions=at,
    )  # fmt: skip
    tax = Posting(row=3, date=day, account="2939", amount=Decimal(-255), vat_code="1", tax_role=TaxRole.TAX)
    debtor = Posting(row=1, date=day, account="1702", amount=Decimal(1255), party="Äyräpää & Öhman Oy")
    return Voucher(external_id=name, date=day, postings=(debtor, base, tax), text="Lasku €")


def bill(name: str, day: date) -> Voucher:
    creditor = Posting(row=1, date=day, account="2871", amount=Decimal(-50), party="Hämeen Sähkö Oy")
    return Voucher(
        external_id=name,
        date=day,
        postings=(creditor, Posting(row=2, date=day, account="7230", amount=Decimal(50))),
        text="Sähkö",
    )


def rent(day: date, n: int) -> Voucher:
    return voucher(f"rent-{day}-{n}", day, ("7230", "100.10"), ("1910", "-100.10"))


def books(company: str, name: str, number: str, vouchers: tuple[Voucher, ...]) -> Books:
    return Books(
        company=company,
        name=name,
        organisation_number=number,
        country="FI",
        currency="EUR",
        fiscal_years=YEARS,
        accounts=ACCOUNTS,
        dimensions=(
            Dimension(kind="department", code="10", name="Myymälä"),
            Dimension(kind="project", code="P1", name="Uudisrakennus"),
            Dimension(kind="project", code="P0", name="Vanha", active=False),
        ),
        openings={"1910": Decimal("10000.50"), "2251": Decimal("-10000.50")},
        vouchers=vouchers,
        locked_until=date(2026, 2, 28),
    )


MAIN = (
    rent(date(2025, 11, 3), 0),
    sale("sale", date(2026, 1, 15)),
    bill("bill", date(2026, 1, 20)),
    voucher("wrong", date(2026, 4, 2), ("7230", "75"), ("1910", "-75")),
    voucher("void", date(2026, 4, 3), ("7230", "33"), ("1910", "-33"), counts=Counts.VOID),
    voucher("result", date(2026, 12, 31), ("9990", "500"), ("2251", "-500"), kind=VoucherKind.RESULT_TRANSFER),
    *(rent(date(2026, 3, 30) + timedelta(days=n), 0) for n in range(4)),
    *(rent(date(2026, 8, 1) + timedelta(days=n), n) for n in range(90)),
)
OTHER = (voucher("rent", date(2026, 3, 31), ("7230", "1"), ("1910", "-1")),)
