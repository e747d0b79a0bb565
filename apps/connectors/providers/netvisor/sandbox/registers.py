"""Dimensions, customers, vendors and products."""

from collections.abc import Callable
from xml.etree.ElementTree import Element

from apps.connectors.providers.netvisor.sandbox import static
from apps.connectors.providers.netvisor.sandbox.company import Obj
from apps.connectors.providers.netvisor.sandbox.query import Query
from apps.connectors.providers.netvisor.sandbox.wire import YES_NO, invalid, node, number, too_many

HOST = "https://integration.netvisor.fi"
CUSTOMER_LIMIT, PRODUCT_LIMIT, VENDOR_LIMIT, CODE_LIMIT = 500, 400, 500, 100
VENDOR_PAGE = 100  # unconfirmed; setting `vendor_page`


def dimensions(query: Query) -> list[Element]:
    """Hidden items stand in the list with `showhidden=1` only (unconfirmed)."""
    found = []
    for kind, key in query.company.doc["dimensions"].items():
        items = [row for row in query.company.items if row["kind"] == kind]
        items = [row for row in items if row["active"] or query.text("showhidden") == "1"]
        details = [_detail(row, at) for at, row in enumerate(items)]
        start = [node("Netvisorkey", key), node("Name", static.dimension(kind)), node("IsHidden", "False")]
        found.append(node("DimensionName", [*start, node("LinkType", 0), node("DimensionDetails", details)]))
    return [node("DimensionNameList", [] if query.hidden else found)]


def _detail(row: Obj, sort: int) -> Element:
    start = [node("Netvisorkey", row["id"]), node("Name", row["name"]), node("IsHidden", str(not row["active"]))]
    numbers = (("Level", 1), ("Sort", sort), ("EndSort", sort), ("FatherID", 0))
    return node("DimensionDetail", [*start, *(node(name, value) for name, value in numbers)])


def _rows(query: Query, kind: str) -> list[Obj]:
    return [] if query.hidden else sorted(query.store.rows(query.key, kind), key=lambda row: int(row["id"]))


def _keyword(rows: list[Obj], word: str, *names: str) -> list[Obj]:
    return [row for row in rows if any(word.lower() in str(row[name]).lower() for name in names)]


def customers(query: Query) -> list[Element]:
    rows = _rows(query, "customer")
    word, since = query.text("keyword"), query.moment("changedsince")
    if word:
        rows = _keyword(rows, word, "name", "code")
    elif since:
        rows = [row for row in rows if row["changed"] >= since]
    codes = [part.strip() for part in query.text("customercodelist").split(",") if part.strip()]
    if len(codes) > CODE_LIMIT:
        raise too_many("customercodelist", CODE_LIMIT)
    rows = _keyword([row for row in rows if not codes or row["code"] in codes], query.text("emailkeyword"), "email")
    return [node("Customerlist", [_listed_customer(row) for row in rows])]


def _listed_customer(row: Obj) -> Element:
    own = [node("Netvisorkey", row["id"]), node("Name", row["name"]), node("Code", row["code"])]
    uri = node("Uri", f"{HOST}/getcustomer.nv?id={row['id']}")
    return node("Customer", [*own, node("OrganisationIdentifier"), uri])


def customer(query: Query) -> list[Element]:
    """One by `id`, several by `idlist`; unlike everything else, one that is not there is a failure."""
    keys = query.keys("id", "idlist", limit=CUSTOMER_LIMIT)
    if not keys:
        raise invalid("id or idlist is needed")
    rows = [row for row in _rows(query, "customer") if row["id"] in keys]
    if not query.text("idlist"):
        if not rows:
            raise invalid(f"Customer not found with Netvisor identifier: {min(keys)}")
        return [_customer(rows[0])]
    return [node("Customers", [_customer(row) for row in rows])]


def _customer(row: Obj) -> Element:
    base = [
        node("NetvisorKey", row["id"]),
        node("InternalIdentifier", row["code"]),
        node("ExternalIdentifier"),
        node("CustomerGroupNetvisorKey", 1),
        node("CustomerGroupName", "Asiakasryhmä 1"),
        node("Name", row["name"]),
        node("NameExtension"),
        node("StreetAddress", row["street"]),
        node("City", row["city"]),
        node("PostNumber", row["postcode"]),
        node("Country", "FI", type="ISO-3166"),
        *(node(name) for name in ("PhoneNumber", "FaxNumber")),
        node("Email", row["email"]),
        *(node(name) for name in ("EmailInvoicingAddress", "HomePageUri")),
        node("IsActive", 1),
    ]
    delivery = ("DeliveryName", "DeliveryStreetAddress", "DeliveryCity", "DeliveryPostNumber")
    contact = ("ContactPerson", "ContactPersonEmail", "ContactPersonPhone")
    more = [
        node("Comment"),
        node("ReferenceNumber"),
        node("BalanceLimit", "0"),
        *(node(name) for name in ("YourDefaultReference", "DefaultTextBeforeInvoiceLines")),
        node("DefaultTextAfterInvoiceLines"),
    ]
    parts = [
        node("CustomerBaseInformation", base),
        node("CustomerFinvoiceDetails", [node("FinvoiceAddress"), node("FinvoiceRouterCode")]),
        node("CustomerDeliveryDetails", [node(name) for name in delivery]),
        node("CustomerContactDetails", [node(name) for name in contact]),
        node("CustomerAdditionalInformation", more),
    ]
    return node("Customer", parts)


def vendors(query: Query) -> list[Element]:
    """By keys or since a time, in pages; a page after the last is an empty container."""
    keys = query.keys("netvisorkey", "netvisorkeylist", limit=VENDOR_LIMIT)
    since = query.moment("changedsince")
    rows = [row for row in _rows(query, "vendor") if keys is None or row["id"] in keys]
    rows = [row for row in rows if row["changed"] >= since]
    page, size = query.text("page") or "1", int(query.store.setting("vendor_page", VENDOR_PAGE))
    if not page.isdigit() or page == "0":
        raise invalid("page is not valid")
    first = (int(page) - 1) * size
    return [node("Vendors", [_vendor(query, row) for row in rows[first : first + size]])]


def _vendor(query: Query, row: Obj) -> Element:
    base = [
        node("Code", row["code"]),
        node("Name", row["name"]),
        node("Address", row["street"]),
        node("PostCode", row["postcode"]),
        node("City", row["city"]),
        node("Country", "FI", type="ISO-3166"),
        *(node(name) for name in ("OrganizationId", "GroupName", "VendorBankAccounts")),
    ]
    contact = [
        node("PhoneNumber"),
        node("Email", row["email"]),
        *(node(name) for name in ("FaxNumber", "ContactPersonName", "ContactPersonPhoneNumber")),
        *(node(name) for name in ("ContactPersonEmail", "HomePage", "Comment")),
    ]
    more = [
        node("DefaultVatPercent", "25,5"),
        node("IsPartialVatReducedPrivileged", YES_NO[query.language][1]),
        node("PaymentTerm", "14"),
        *(node(name) for name in ("VendorDimensions", "VendorAccountingAccounts", "VendorAcceptanceDetails")),
    ]
    parts = [node("VendorBaseInformation", base), node("VendorContactDetails", contact)]
    return node("Vendor", [node("NetvisorKey", row["id"]), *parts, node("VendorAdditionalInformation", more)])


def products(query: Query) -> list[Element]:
    rows, since = _rows(query, "product"), query.moment("changedsince")
    rows = [row for row in _keyword(rows, query.text("keyword"), "name", "code") if row["changed"] >= since]
    if query.text("deleted") == "1" or query.text("unpublished") == "1":
        rows = []
    return [node("ProductList", [_listed_product(row) for row in rows])]


def _listed_product(row: Obj) -> Element:
    own = [node("NetvisorKey", row["id"]), node("ProductCode", row["code"]), node("Name", row["name"])]
    uri = node("Uri", f"{HOST}/getproduct.nv?id={row['id']}")
    return node("Product", [*own, node("UnitPrice", number(row["price"])), uri])


def product(query: Query) -> list[Element]:
    """One by `id`, `code` or `eancode` (none has one), several by a list; one that is not there is an empty element."""
    keys = query.keys("id", "idlist", limit=PRODUCT_LIMIT)
    codes = {part.strip() for part in f"{query.text('code')},{query.text('codelist')}".split(",") if part.strip()}
    if len(codes) > PRODUCT_LIMIT:
        raise too_many("codelist", PRODUCT_LIMIT)
    if keys is None and not codes and not query.text("eancode"):
        raise invalid("id, idlist, eancode, code or codelist is needed")
    rows = [row for row in _rows(query, "product") if row["id"] in (keys or ()) or row["code"] in codes]
    if query.text("idlist") or query.text("codelist"):
        return [node("Products", [_product(row) for row in rows])]
    return [_product(rows[0])] if rows else [node("Product")]


def _product(row: Obj) -> Element:
    base = [
        node("NetvisorKey", row["id"]),
        node("ProductCode", row["code"]),
        node("ProductGroup", "Yleinen"),
        node("Name", row["name"]),
        node("Description"),
        node("UnitPrice", number(row["price"]), type="netto"),
        node("Unit", "kpl"),
        node("UnitWeight", "0,2"),
        node("PurchasePrice", number(row["price"] // 2, 4)),
        node("TariffHeading"),
        node("ComissionPercentage", "0,0"),
        node("IsActive", 1),
        node("IsSalesProduct", 1),
    ]
    book = [
        node("DefaultVatPercent", "25,5"),
        node("DefaultDomesticAccountNumber", row["account"]),
        node("DefaultEuAccountNumber", "3360"),
        node("DefaultOutsideEUAccountNumber", "3380"),
    ]
    stock = [
        *(node(name, "0,00") for name in ("InventoryAmount", "InventoryMidPrice")),
        node("InventoryValue", "0,0000"),
        *(node(name, "0,00") for name in ("InventoryReservedAmount", "InventoryOrderedAmount")),
    ]
    names = ("ProductBaseInformation", "ProductBookkeepingDetails", "ProductInventoryDetails")
    return node("Product", [node(name, part) for name, part in zip(names, (base, book, stock), strict=True)])


READS: dict[str, Callable[[Query], list[Element]]] = {
    "dimensionlist.nv": dimensions,
    "customerlist.nv": customers,
    "getcustomer.nv": customer,
    "getvendor.nv": vendors,
    "productlist.nv": products,
    "getproduct.nv": product,
}
