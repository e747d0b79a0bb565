"""Products and articles. Field names are those of shared/RECORDS.md."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from apps.records.ledger import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    url: str
    position: int | None = None
    alt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Product(Record):
    """Something bought or sold. `price` is net of VAT, `price_incl_vat` with it; None where the source has not said."""

    name: str
    sku: str | None = None
    product_id: str | None = None
    variant_id: str | None = None
    short_description: str | None = None
    description: str | None = None
    price: Decimal | None = None
    price_incl_vat: Decimal | None = None
    currency: str | None = None
    vat_code: str | None = None
    vat_rate: Decimal | None = None
    unit: str | None = None
    ean: str | None = None
    purchase_price: Decimal | None = None
    account: str | None = None
    group: str | None = None
    assortment: str | None = None
    type: str = "simple"
    attributes: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    images: tuple[Image, ...] = ()
    weight: Decimal | None = None
    stock_tracked: bool | None = None
    active: bool = True
