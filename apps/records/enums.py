"""Closed vocabularies of the canonical records. The values are what `connector read --json` prints."""

from enum import StrEnum


class Resource(StrEnum):
    """What can be read from, or written to, an outside system."""

    COMPANY = "company"
    FISCAL_YEARS = "fiscal_years"
    LOCKS = "locks"
    ACCOUNTS = "accounts"
    DIMENSIONS = "dimensions"
    VOUCHERS = "vouchers"
    OPENING_BALANCES = "opening_balances"
    CONTROL_BALANCES = "control_balances"
    FIGURES = "figures"
    CUSTOMERS = "customers"
    SUPPLIERS = "suppliers"
    PRODUCTS = "products"


class PartyRole(StrEnum):
    CUSTOMER = "customer"
    SUPPLIER = "supplier"
    BOTH = "both"


class Proof(StrEnum):
    """How a company's identity is known: told by the vendor, part of the address we sent, or not at all."""

    REPORTED = "reported"
    ADDRESSED = "addressed"
    NONE = "none"


class LockKind(StrEnum):
    BOOKS = "books"
    VAT = "vat"
    SALES = "sales"
    PURCHASE = "purchase"
    PERIOD = "period"


class AccountType(StrEnum):
    ASSET = "asset"
    LIABILITY = "liability"
    EQUITY = "equity"
    INCOME = "income"
    EXPENSE = "expense"
    OFF_BALANCE = "off_balance"
    UNKNOWN = "unknown"


class VoucherKind(StrEnum):
    ORDINARY = "ordinary"
    OPENING = "opening"
    CLOSING = "closing"
    RESULT_TRANSFER = "result_transfer"
    VAT_SETTLEMENT = "vat_settlement"
    REVERSAL = "reversal"
    CORRECTION = "correction"
    BALANCE_IMPORT = "balance_import"


class Counts(StrEnum):
    """Whether a voucher is part of the balances (only `posted` is)."""

    POSTED = "posted"
    PROVISIONAL = "provisional"
    OPENING = "opening"
    VOID = "void"


class TaxRole(StrEnum):
    NONE = "none"
    BASE = "base"
    TAX = "tax"


class Basis(StrEnum):
    """What period the amounts of a control balance cover."""

    INTERVAL = "interval"
    AS_OF = "as_of"
    YEAR_TO_DATE = "year_to_date"
    PERIOD = "period"
