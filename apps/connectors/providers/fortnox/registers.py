"""Customers, suppliers and articles: short forms in lists, so each is asked for by itself.

Lists that can be sorted by the number go on after a cut (`resume` is the next page); suppliers begin again. A list whose
pages shifted while it was read is gone through once more for what was passed over.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from apps.connectors.providers.fortnox import shapes
from apps.connectors.providers.fortnox.calls import bad_page, everything, modified, one, pages, shaped, watermark
from apps.connectors.providers.fortnox.shapes import Json, amount, code, filled, flag, reference, text
from apps.connectors.sdk.queries import Digests, Gone, Page, Query
from apps.connectors.sdk.session import Session
from apps.records.enums import PartyRole, Resource
from apps.records.ledger import Record
from apps.records.parties import Address, Contact, Party
from apps.records.products import Product

ON_A_PAGE = 100


@dataclass(frozen=True, slots=True)
class Register:
    """`many` and `single` are the words in answers, `key` the field of the number."""

    resource: Resource
    path: str
    many: str
    single: str
    key: str
    shape: Callable[[Json], Record]
    sort: str | None = None

    def read(self, session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG002
        params: dict[str, Any] = dict(modified(query))
        if self.sort:
            params |= {"sortby": self.sort, "sortorder": "ascending"}
        seen: set[str] = set()
        start = int(resume) if resume and self.sort else 1
        totals: set[int | None] = set()
        for part in pages(session, self.path, self.many, params, start=start, limit=ON_A_PAGE):
            totals.add(part.total)
            numbers = dict.fromkeys(shaped(lambda row: code(row[self.key]), part.rows))
            found = list(self.get(session, [number for number in numbers if number not in seen]))
            seen |= numbers.keys()
            if part.last and (len(totals) > 1 or (start == 1 and len(seen) < (part.total or 0))) and part.number > 1:
                found += self._passed_over(session, params, seen)
            yield Page(
                records=tuple(item for item in found if not isinstance(item, Gone)),
                gone=tuple(item for item in found if isinstance(item, Gone)),
                resume=str(part.number + 1) if self.sort and not part.last else None,
                vendor_count=len(part.rows),
                last=part.last,
                watermark=watermark(session),
            )

    def _passed_over(self, session: Session, params: dict[str, Any], seen: set[str]) -> list[Record | Gone]:
        number = lambda row: shaped(lambda told: code(told[self.key]), [row])[0]  # noqa: E731
        rows = everything(session, self.path, self.many, number, params)
        return list(self.get(session, [key for key in map(number, rows) if key not in seen]))

    def get(self, session: Session, ids: Iterable[str]) -> Iterator[Record | Gone]:
        for number in ids:
            row = one(session, self.path, self.single, number)
            if row is None:
                yield Gone(external_id=number, resource=self.resource)
                continue
            record = shaped(self.shape, [row])[0]
            if record.external_id != number:
                raise bad_page(f"asked for {self.path} {number}, got {record.external_id}")
            yield record


def customer(row: Json) -> Party:
    delivery = address(row, "Delivery", street=("DeliveryAddress1", "DeliveryAddress2"))
    return Party(
        **_party(row, "CustomerNumber"),
        role=PartyRole.CUSTOMER,
        is_company=_company(row.get("Type")),
        delivery_address=delivery,
        price_list=text(row.get("PriceList")) or None,
    )


def supplier(row: Json) -> Party:
    account = "-".join(part for part in (text(row.get("ClearingNumber")), text(row.get("BankAccountNumber"))) if part)
    accounts = (text(row.get("IBAN")), text(row.get("BG")), text(row.get("PG")), account)
    return Party(
        **_party(row, "SupplierNumber"),
        role=PartyRole.SUPPLIER,
        bank_accounts=tuple(item for item in accounts if item),
    )


def article(row: Json) -> Product:
    """`SalesPrice` is net, of the default price list; null where none is set."""
    return Product(
        external_id=code(row["ArticleNumber"]),
        sku=code(row["ArticleNumber"]),
        name=text(row.get("Description")),
        description=text(row.get("Note")) or None,
        price=amount(row.get("SalesPrice")),
        currency=shapes.BOOKS_CURRENCY,
        vat_rate=amount(row.get("VAT")),
        unit=text(row.get("Unit")) or None,
        ean=text(row.get("EAN")) or None,
        purchase_price=amount(row.get("PurchasePrice")),
        account=reference(row.get("SalesAccount")),
        weight=amount(row.get("Weight")) or None,
        stock_tracked=flag(row["StockGoods"]) if text(row.get("StockGoods")) else None,
        active=flag(row.get("Active"), default=True),
        url=row.get("@url"),
        custom=filled(
            type_raw=text(row.get("Type")),
            manufacturer=text(row.get("Manufacturer")),
            supplier_number=reference(row.get("SupplierNumber")),
            purchase_account=reference(row.get("PurchaseAccount")),
            expired=True if flag(row.get("Expired")) else None,
        ),
        raw=row,
    )


def address(row: Json, prefix: str = "", *, street: tuple[str, str] = ("Address1", "Address2")) -> Address | None:
    found = Address(
        name=text(row.get("DeliveryName")) or None if prefix else None,
        street=text(row.get(street[0])) or None,
        street2=text(row.get(street[1])) or None,
        postal_code=text(row.get(f"{prefix}ZipCode")) or None,
        city=text(row.get(f"{prefix}City")) or None,
        country=text(row.get(f"{prefix}CountryCode")).upper() or None,
    )
    return found if found != Address() else None


def _party(row: Json, key: str) -> dict[str, Any]:
    """What customers and suppliers have in common."""
    contact = text(row.get("YourReference"))
    return {
        "external_id": code(row[key]),
        "number": code(row[key]),
        "name": text(row.get("Name")),
        "organisation_number": text(row.get("OrganisationNumber")) or None,
        "vat_number": text(row.get("VATNumber")) or None,
        "vat_treatment": text(row.get("VATType")) or None,
        "email": text(row.get("Email")) or None,
        "phone": text(row.get("Phone1")) or text(row.get("Phone")) or None,
        "website": text(row.get("WWW")) or None,
        "contacts": (Contact(name=contact),) if contact else (),
        "billing_address": address(row),
        "currency": text(row.get("Currency")) or None,
        "payment_term": text(row.get("TermsOfPayment")) or None,
        "active": flag(row.get("Active"), default=True),
        "url": row.get("@url"),
        "custom": filled(
            type_raw=text(row.get("Type")),
            gln=text(row.get("GLN")),
            external_reference=text(row.get("ExternalReference")),
            comments=text(row.get("Comments")),
            cost_centre=reference(row.get("CostCenter")),
            project=reference(row.get("Project")),
        ),
        "raw": row,
    }


def _company(kind: Any) -> bool | None:
    return {"COMPANY": True, "PRIVATE": False}.get(text(kind).upper())


CUSTOMERS = Register(
    Resource.CUSTOMERS, "/customers", "Customers", "Customer", "CustomerNumber", customer, "customernumber"
)
SUPPLIERS = Register(Resource.SUPPLIERS, "/suppliers", "Suppliers", "Supplier", "SupplierNumber", supplier)
ARTICLES = Register(Resource.PRODUCTS, "/articles", "Articles", "Article", "ArticleNumber", article, "articlenumber")
