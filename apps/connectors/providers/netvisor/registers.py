"""Customers, vendors and products: a short list, then the details by keys; vendors come in pages."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apps.connectors.providers.netvisor import forms, parties, refusals
from apps.connectors.providers.netvisor.calls import ask, chunks, clock, items, shaped
from apps.connectors.sdk.failures import ConnectorError
from apps.connectors.sdk.queries import Digests, Gone, Page, Query, Since, UnsupportedQueryError, Window
from apps.connectors.sdk.session import Session
from apps.connectors.sdk.xml import Element, child
from apps.records.enums import Resource
from apps.records.ledger import Record

OVERLAP = timedelta(hours=1)
VENDORS = "getvendor.nv"
MOST_PAGES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Where a register is read, and how many keys its look-up takes at once."""

    resource: Resource
    path: str
    element: str
    detail: str  # the child that only a detailed element has
    one: str
    several: str
    at_once: int
    shape: Callable[[Element], Record]
    list_path: str | None = None
    listed: Callable[[Element], Record] | None = None


CUSTOMERS = Register(
    resource=Resource.CUSTOMERS, list_path="customerlist.nv", path="getcustomer.nv", element="Customer",
    detail="CustomerBaseInformation", one="id", several="idlist", at_once=500,
    shape=parties.customer, listed=parties.listed_customer,
)  # fmt: skip
PRODUCTS = Register(
    resource=Resource.PRODUCTS, list_path="productlist.nv", path="getproduct.nv", element="Product",
    detail="ProductBaseInformation", one="id", several="idlist", at_once=400,
    shape=parties.product, listed=parties.listed_product,
)  # fmt: skip
SUPPLIERS = Register(
    resource=Resource.SUPPLIERS, path=VENDORS, element="Vendor", detail="VendorBaseInformation", one="netvisorkey",
    several="netvisorkeylist", at_once=500, shape=parties.vendor,
)  # fmt: skip


def read_customers(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    yield from _listed(session, CUSTOMERS, query)


def read_products(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    yield from _listed(session, PRODUCTS, query)


def read_suppliers(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    """Page after page to the first that brings nobody new: the size of a page is not published."""
    seen: set[str] = set()
    watermark = None
    for number in range(1, MOST_PAGES):
        try:
            root = ask(session, VENDORS, _since(query) | {"page": number})
        except ConnectorError as error:
            if number == 1 or error.remedy is not refusals.NOT_FOUND:
                raise
            yield Page(watermark=watermark, last=True)
            return
        watermark = watermark or clock(root).isoformat()
        found = [item for item in shaped(parties.vendor, _detailed(root, SUPPLIERS)) if item.external_id not in seen]
        seen.update(item.external_id for item in found)
        yield Page(records=tuple(found), vendor_count=len(found), watermark=watermark, last=not found)
        if not found:
            return


def get_customers(session: Session, ids: Iterable[str]) -> Iterator[Record | Gone]:
    yield from _got(session, CUSTOMERS, ids)


def get_products(session: Session, ids: Iterable[str]) -> Iterator[Record | Gone]:
    yield from _got(session, PRODUCTS, ids)


def get_suppliers(session: Session, ids: Iterable[str]) -> Iterator[Record | Gone]:
    yield from _got(session, SUPPLIERS, ids)


def _listed(session: Session, of: Register, query: Query) -> Iterator[Page]:
    """The short list; the details of its rows, some hundred at once. A row whose details are missing stays short."""
    assert of.list_path is not None  # noqa: S101 - only such registers come here
    assert of.listed is not None  # noqa: S101
    root = ask(session, of.list_path, _since(query))
    watermark = clock(root).isoformat()
    short = {record.external_id: record for record in shaped(of.listed, items(root, of.element))}
    for keys in chunks(list(short), of.at_once):
        whole = _details(session, of, keys)
        records = tuple(whole.get(key) or short[key] for key in keys)
        yield Page(records=records, vendor_count=len(records), watermark=watermark)
    yield Page(last=True, watermark=watermark)


def _got(session: Session, of: Register, ids: Iterable[str]) -> Iterator[Record | Gone]:
    wanted = list(ids)
    found: dict[str, Record] = {}
    for keys in chunks([key for key in wanted if key.isdigit()], of.at_once):
        found |= _details(session, of, keys)
    for external_id in wanted:
        yield found.get(external_id) or Gone(external_id=external_id, resource=of.resource)


def _details(session: Session, of: Register, keys: Sequence[str]) -> dict[str, Record]:
    """The records of these keys that are there. Not there: a refusal for a customer, an empty element for the others."""
    params = {of.one: keys[0]} if len(keys) == 1 else {of.several: ",".join(keys)}
    try:
        root = ask(session, of.path, params)
    except ConnectorError as error:
        if error.remedy is not refusals.NOT_FOUND:
            raise
        if len(keys) == 1:
            return {}
        half = len(keys) // 2
        return _details(session, of, keys[:half]) | _details(session, of, keys[half:])
    return {record.external_id: record for record in shaped(of.shape, _detailed(root, of))}


def _detailed(root: Element, of: Register) -> list[Element]:
    """The elements that hold details: a product's parts are called the same, and an empty one means "not found"."""
    return [element for element in items(root, of.element) if child(element, of.detail) is not None]


def _since(query: Query) -> dict[str, Any]:
    """The parameter for changes since; nothing for everything."""
    if isinstance(query, Window):
        raise UnsupportedQueryError("Netvisor's registers have no dates: ask for everything, or for changes since")
    if not isinstance(query, Since):
        return {}
    try:
        at = datetime.fromisoformat(query.cursor)
    except ValueError as error:
        raise UnsupportedQueryError(f"{query.cursor!r} is no time like 2026-01-31T02:00:00+02:00") from error
    at = (at if at.tzinfo else at.replace(tzinfo=UTC)) - OVERLAP
    return {"changedsince": f"{at.astimezone(forms.HELSINKI):%Y-%m-%dT%H:%M:%S}"}
