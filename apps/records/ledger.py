"""Records of the books. Amounts are Decimal in the books' currency, debit positive, credit negative.

Field names are those of shared/RECORDS.md; `raw` is the vendor's own payload and is printed only when asked for.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from apps.records.enums import AccountType, Basis, Counts, LockKind, Proof, TaxRole, VoucherKind

Day = date  # a field named `date` with a default hides the type of that name


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What every record carries. `external_id` is the source's own id, as text."""

    external_id: str = ""
    changed_at: datetime | None = None
    version: str | None = None
    url: str | None = None
    custom: dict[str, Any] = field(default_factory=dict)
    raw: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity(Record):
    """The company behind a connection, as the vendor names it (or as we addressed it: `proof`)."""

    company_id: str
    name: str
    organisation_number: str | None = None
    vat_number: str | None = None
    tax_number: str | None = None
    country: str | None = None
    currency: str | None = None
    proof: Proof = Proof.REPORTED
    environment: str | None = None
    plan: str | None = None
    rights: tuple[str, ...] = ()
    expires_at: datetime | None = None
    readable_from: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FiscalYear(Record):
    """A fiscal year; `start` and `end` are both inclusive."""

    start: date
    end: date
    closed: bool | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock(Record):
    """`until` is the last day that is locked."""

    kind: LockKind
    until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Account(Record):
    number: str
    name: str
    type: AccountType = AccountType.UNKNOWN
    vat_code: str | None = None
    vat_locked: bool | None = None
    active: bool = True
    fiscal_year_start: Day | None = None
    group: str | None = None
    requires: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension(Record):
    """`kind` is department, project, cost_centre, cost_unit, employee, or the books' own name."""

    kind: str
    code: str
    name: str
    parent: str | None = None
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """The part of a posting that falls on one item of a dimension, where it is spread over several."""

    kind: str
    code: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting(Record):
    """One line of a voucher. `amount` is what reaches the account; VAT stands on a posting of its own.

    `period` is the vendor's booking period as a number within the fiscal year (13 = after the last month);
    None where the vendor has none, and then the month of `date` counts.
    """

    row: int
    date: Day
    account: str
    amount: Decimal
    period: int | None = None
    currency: str | None = None
    foreign_amount: Decimal | None = None
    exchange_rate: Decimal | None = None
    vat_code: str | None = None
    vat_rate: Decimal | None = None
    tax_role: TaxRole = TaxRole.NONE
    tax_base_amount: Decimal | None = None
    dimensions: dict[str, str] = field(default_factory=dict)
    allocations: tuple[Allocation, ...] = ()
    text: str = ""
    quantity: Decimal | None = None
    party: str | None = None
    due_date: Day | None = None
    system_made: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher(Record):
    """One voucher with all its postings; it is whole, or it is not on a page. `date` is the accounting date.

    `texts_through`: the code page that its texts came through, where the source has other signs too: those are lost.
    """

    date: Day
    postings: tuple[Posting, ...]
    number: str = ""
    series: str = ""
    document_date: Day | None = None
    fiscal_year_start: Day | None = None
    period: int | None = None
    kind: VoucherKind = VoucherKind.ORDINARY
    counts: Counts = Counts.POSTED
    text: str = ""
    created_at: datetime | None = None
    reverses: str | None = None
    reversed_by: str | None = None
    source_document: str | None = None
    attachments: tuple[str, ...] = ()
    texts_through: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningBalance(Record):
    account: str
    fiscal_year_start: date
    amount: Decimal
    dimensions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlBalance(Record):
    """The source's own totals for an account; `from_` and `to` are both inclusive. None where the vendor does not say."""

    account: str
    basis: Basis
    from_: date | None
    to: date
    opening: Decimal | None = None
    debit: Decimal | None = None
    credit: Decimal | None = None
    movement: Decimal | None = None
    closing: Decimal | None = None
    counts: Counts = Counts.POSTED
    dimensions: dict[str, str] = field(default_factory=dict)
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure(Record):
    """A number beside the books: budget, hours, any KPI. `period` is `YYYY-MM`; `key` an account number or free."""

    series: str
    key: str
    value: Decimal
    period: str | None = None
    date: Day | None = None
    unit: str | None = None
    dimensions: dict[str, str] = field(default_factory=dict)
