"""Customers and suppliers. Field names are those of shared/RECORDS.md."""

from dataclasses import dataclass
from decimal import Decimal

from apps.records.enums import PartyRole
from apps.records.ledger import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A postal address; `country` is ISO 3166-1 alpha-2. A street that the source does not split stands whole."""

    name: str | None = None
    attention: str | None = None
    street: str | None = None
    house_number: str | None = None
    street2: str | None = None
    postal_code: str | None = None
    city: str | None = None
    region: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EInvoice:
    """Where electronic invoices go: the receiver's address, and the operator that carries them."""

    address: str
    operator: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Party(Record):
    """A customer, a supplier, or both."""

    role: PartyRole
    name: str
    number: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    is_company: bool | None = None
    organisation_number: str | None = None
    vat_number: str | None = None
    tax_number: str | None = None
    vat_treatment: str | None = None
    email: str | None = None
    phone: str | None = None
    website: str | None = None
    contacts: tuple[Contact, ...] = ()
    billing_address: Address | None = None
    delivery_address: Address | None = None
    currency: str | None = None
    language: str | None = None
    payment_term: str | None = None
    price_list: str | None = None
    credit_limit: Decimal | None = None
    einvoice: EInvoice | None = None
    bank_accounts: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    active: bool = True
