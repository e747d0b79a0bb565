"""Small books for tests, told in no vendor's words."""

from datetime import date, timedelta
from decimal import Decimal

from apps.connectors.sdk.sandbox import Books
from apps.records.enums import AccountType, Counts, TaxRole
from apps.records.ledger import Account, Dimension, FiscalYear, Posting, Voucher

YEAR = FiscalYear(start=date(2026, 1, 1), end=date(2026, 12, 31))
ACCOUNTS = (
    Account(number="1920", name="Bank", type=AccountType.ASSET),
    Account(number="1500", name="Kundefordringer", type=AccountType.ASSET),
    Account(number="2050", name="Annen egenkapital", type=AccountType.EQUITY),
    Account(number="2700", name="Utgående merverdiavgift", type=AccountType.LIABILITY),
    Account(number="3000", name="Salgsinntekt", type=AccountType.INCOME, vat_code="3"),
    Account(number="6300", name="Leie lokale", type=AccountType.EXPENSE),
    Account(number="8960", name="Overføringer annen egenkapital", type=AccountType.EXPENSE),
)


def voucher(name: str, day: date, *lines: tuple[str, str], draft: bool = False, reverses: str | None = None) -> Voucher:
    postings = tuple(
        Posting(row=n, date=day, account=account, amount=Decimal(amount))
        for n, (account, amount) in enumerate(lines, 1)
    )
    counts = Counts.PROVISIONAL if draft else Counts.POSTED
    return Voucher(external_id=name, date=day, postings=postings, text=name, counts=counts, reverses=reverses)


def sale(name: str, day: date) -> Voucher:
    """1,000 with 25 % VAT, in a department and a project."""
    at = {"department": "10", "project": "P1"}
    lines = (
        Posting(row=1, date=day, account="1500", amount=Decimal(1250), party="Elvdal AS"),
        Posting(
            row=2, date=day, account="3000", amount=Decimal(-1000), vat_code="3", tax_role=TaxRole.BASE, dimensions=at
        ),
        Posting(
            row=0,
            date=day,
            account="2700",
            amount=Decimal(-250),
            vat_code="3",
            tax_role=TaxRole.TAX,
            tax_base_amount=Decimal(-1000),
            system_made=True,
        ),
    )
    return Voucher(external_id=name, date=day, postings=lines, text="Salg")


def books(company: str, name: str, number: str, vouchers: tuple[Voucher, ...]) -> Books:
    return Books(
        company=company,
        name=name,
        organisation_number=number,
        country="NO",
        currency="NOK",
        fiscal_years=(YEAR,),
        accounts=ACCOUNTS,
        dimensions=(
            Dimension(kind="department", code="10", name="Butikk"),
            Dimension(kind="project", code="P1", name="Nybygg"),
        ),
        openings={"1920": Decimal("10000.50"), "2050": Decimal("-10000.50")},
        vouchers=vouchers,
        locked_until=date(2026, 2, 28),
    )


def rent(day: date, n: int) -> Voucher:
    return voucher(f"rent-{day}-{n}", day, ("6300", "100.10"), ("1920", "-100.10"))


MAIN = (
    sale("sale", date(2026, 1, 15)),
    voucher("wrong", date(2026, 4, 2), ("6300", "75"), ("1920", "-75")),
    voucher("undone", date(2026, 4, 3), ("6300", "-75"), ("1920", "75"), reverses="wrong"),
    voucher("result", date(2026, 12, 31), ("8960", "500"), ("2050", "-500")),
    voucher("draft", date(2026, 5, 5), ("6300", "60"), ("1920", "-60"), draft=True),
    *(rent(date(2026, 3, 30) + timedelta(days=n), 0) for n in range(4)),
    *(rent(date(2026, 10, 1 + n % 31), n) for n in range(2100)),
)
OTHER = (voucher("rent", date(2026, 3, 31), ("6300", "1"), ("1920", "-1")),)
