"""What is the same in every company, and how neutral words of the story become the vendor's."""

from decimal import Decimal
from typing import Any

from apps.records.enums import AccountType

# id, number, name, percentage: as recorded (vendors/tripletex/samples/ref_vatTypes.json)
_VAT = (
    (0, "0", "Ingen avgiftsbehandling", 0),
    (1, "1", "Fradrag inngående avgift, høy sats", 25),
    (3, "3", "Utgående avgift, høy sats", 25),
    (5, "5", "Ingen utgående avgift (innenfor mva-loven)", 0),
    (6, "6", "Ingen utgående avgift (utenfor mva-loven)", 0),
    (7, "7", "Ingen avgiftsbehandling (inntekter)", 0),
    (11, "11", "Fradrag inngående avgift, middels sats", 15),
    (12, "13", "Fradrag inngående avgift, lav sats", 12),
    (13, "21", "Grunnlag inngående avgift ved innførsel, høy sats", 0),
    (14, "22", "Grunnlag inngående avgift ved innførsel, middels sats", 0),
    (23, "14", "Fradrag inngående avgift betalt ved innførsel, høy sats", 100),
    (24, "15", "Fradrag inngående avgift betalt ved innførsel, middels sats", 100),
    (31, "31", "Utgående avgift, middels sats", 15),
    (32, "33", "Utgående avgift, lav sats", 12),
    (34, "86", "Fradrag inngående avgift ved kjøp av tjenester fra utlandet, høy sats", -25),
    (35, "87", "Kjøp av tjenester fra utlandet uten fradrag, høy sats", -25),
    (52, "52", "Ingen utgående avgift (utførsel av varer og tjenester)", 0),
)
VAT_TYPES: dict[int, dict[str, Any]] = {
    id: {
        "id": id,
        "name": name,
        "number": number,
        "percentage": rate,
        "displayName": f"{number}: ({abs(rate)}%) {name}",
    }
    for id, number, name, rate in _VAT
}
OUTGOING = (3, 31, 32, 5, 52, 6)
INCOMING = (1, 11, 12, 13, 14, 23, 24, 34, 35)
_BY_RATE = {("in", 25): 1, ("in", 15): 11, ("in", 12): 12, ("out", 25): 3, ("out", 15): 31, ("out", 12): 32}

CURRENCIES: dict[int, dict[str, Any]] = {
    id: {
        "id": id,
        "version": 0 if id == 1 else 2,
        "code": code,
        "description": land,
        "factor": factor,
        "displayName": code,
    }
    for id, code, land, factor in (
        (1, "NOK", "Norge", 1),
        (2, "SEK", "Sverige", 100),
        (3, "DKK", "Danmark", 100),
        (4, "USD", "USA", 1),
        (5, "EUR", "EU", 1),
        (6, "GBP", "Storbritannia", 1),
    )
}
CURRENCY_IDS = {row["code"]: id for id, row in CURRENCIES.items()}
COUNTRIES: dict[int, dict[str, Any]] = {
    161: {
        "id": 161,
        "name": "Norge",
        "displayName": "Norge",
        "isoAlpha2Code": "NO",
        "isoAlpha3Code": "NOR",
        "isoNumericCode": "578",
    }
}
INVOICE, SUPPLIER_INVOICE, PAYMENT, WAGE, VAT_RETURN, OPENING = range(6)
VOUCHER_TYPES = ("Utgående faktura", "Leverandørfaktura", "Betaling", "Lønnsbilag", "Mva-melding", "Åpningsbalanse")
MONTHS = (
    "Januar", "Februar", "Mars", "April", "Mai", "Juni",
    "Juli", "August", "September", "Oktober", "November", "Desember",
)  # fmt: skip

_TYPES = {
    AccountType.ASSET: "ASSETS",
    AccountType.EQUITY: "EQUITY",
    AccountType.LIABILITY: "LIABILITIES",
    AccountType.INCOME: "OPERATING_REVENUES",
    AccountType.EXPENSE: "OPERATING_EXPENSES",
}
_BY_NUMBER = (  # the Norwegian standard chart: everything below the number is of the type
    (2000, "ASSETS"),
    (2100, "EQUITY"),
    (3000, "LIABILITIES"),
    (4000, "OPERATING_REVENUES"),
    (8000, "OPERATING_EXPENSES"),
    (8100, "INVESTMENT_INCOME"),
    (8300, "COST_OF_CAPITAL"),
    (8400, "TAX_ON_ORDINARY_ACTIVITIES"),
    (8500, "EXTRAORDINARY_INCOME"),
    (8600, "EXTRAORDINARY_COST"),
    (8800, "TAX_ON_EXTRAORDINARY_ACTIVITIES"),
    (8900, "ANNUAL_RESULT"),
    (10000, "TRANSFERS_AND_ALLOCATIONS"),
)
BALANCE_TYPES = ("ASSETS", "EQUITY", "LIABILITIES")


def account_type(number: int, told: AccountType) -> str:
    """The vendor's type; financial items and tax (8000 and up) are told apart by number only."""
    by_number = next((name for below, name in _BY_NUMBER if number < below), "OPERATING_EXPENSES")
    told_name = _TYPES.get(told)
    if told_name is None or (number >= 8000 and told_name.startswith("OPERATING")):
        return by_number
    return told_name


def vat_type(code: str | None, rate: Decimal | None, *, debit: bool) -> int:
    """The vendor's VAT type for the story's code and rate on a base row (`debit`: a cost, so input VAT)."""
    for id, row in VAT_TYPES.items():
        if row["number"] == code and (rate is None or abs(row["percentage"]) == abs(rate)):
            return id
    if rate:
        return _BY_RATE.get(("in" if debit else "out", int(rate)), 0)
    return 0
