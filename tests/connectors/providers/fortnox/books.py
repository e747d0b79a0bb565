"""Small Swedish books for tests, told in no vendor's words: three years, one broken by the change to calendar years."""

from datetime import date, timedelta
from decimal import Decimal

from apps.connectors.sdk.sandbox import Books
from apps.records.enums import AccountType
from apps.records.ledger import Account, Dimension, FiscalYear, Posting, Voucher

YEARS = (
    FiscalYear(start=date(2024, 7, 1), end=date(2024, 12, 31)),
    FiscalYear(start=date(2025, 1, 1), end=date(2025, 12, 31)),
    FiscalYear(start=date(2026, 1, 1), end=date(2026, 12, 31)),
)
ACCOUNTS = (
    Account(number="1510", name="Kundfordringar", type=AccountType.ASSET),
    Account(number="1930", name="Företagskonto", type=AccountType.ASSET),
    Account(number="2081", name="Aktiekapital", type=AccountType.EQUITY),
    Account(number="2440", name="Leverantörsskulder", type=AccountType.LIABILITY),
    Account(number="2611", name="Utgående moms", type=AccountType.LIABILITY),
    Account(number="3001", name="Försäljning inom Sverige", type=AccountType.INCOME, vat_code="MP1"),
    Account(number="5010", name="Lokalhyra", type=AccountType.EXPENSE),
    Account(number="8999", name="Årets resultat", type=AccountType.EXPENSE),
)


def voucher(name: str, day: date, *lines: tuple[str, str], party: str = "") -> Voucher:
    postings = tuple(
        Posting(row=n, date=day, account=account, amount=Decimal(amount), party=party or None)
        for n, (account, amount) in enumerate(lines, 1)
    )
    return Voucher(external_id=name, date=day, postings=postings, text=f"Hyra åäö {name}")


def sale(name: str, day: date) -> Voucher:
    """1,000 with 25 % VAT, on a cost centre and a project."""
    at = {"cost_centre": "BUT", "project": "P1"}
    lines = (
        Posting(row=1, date=day, account="1510", amount=Decimal(1250), party="Älvdalens Bygg AB"),
        Posting(row=2, date=day, account="3001", amount=Decimal(-1000), dimensions=at, text="Tjänst"),
        Posting(row=3, date=day, account="2611", amount=Decimal(-250)),
    )
    return Voucher(external_id=name, date=day, postings=lines, text="Försäljning")


def rent(day: date, n: int = 0) -> Voucher:
    return voucher(f"rent-{day}-{n}", day, ("5010", "100.10"), ("1930", "-100.10"))


def books(company: str, name: str, number: str, vouchers: tuple[Voucher, ...]) -> Books:
    return Books(
        company=company,
        name=name,
        organisation_number=number,
        country="SE",
        currency="SEK",
        fiscal_years=YEARS,
        accounts=ACCOUNTS,
        dimensions=(
            Dimension(kind="cost_centre", code="BUT", name="Butik"),
            Dimension(kind="project", code="P1", name="Nybygge"),
        ),
        openings={"1930": Decimal("10000.50"), "2081": Decimal("-10000.50")},
        vouchers=vouchers,
        locked_until=date(2026, 2, 28),
    )


MAIN = (
    *(rent(date(2024, 7, 1) + timedelta(days=n)) for n in range(30)),
    *(rent(date(2025, 1, 1) + timedelta(days=n)) for n in range(300)),
    sale("sale", date(2026, 1, 15)),
    voucher("paper", date(2026, 1, 20), ("5010", "80"), ("2440", "-80"), party="Papper & Penna AB"),
    voucher("result", date(2026, 12, 31), ("8999", "500"), ("2081", "-500")),
    *(rent(date(2026, 3, 30) + timedelta(days=n)) for n in range(4)),
    *(rent(date(2026, 10, 1 + n % 31), n) for n in range(600)),
)
OTHER = (rent(date(2026, 3, 31)),)
