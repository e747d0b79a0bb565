"""The rows in the vendor's JSON: short forms for lists, whole ones for one object (openapi.json, recorded answers)."""

from typing import Any
from urllib.parse import quote

from apps.connectors.providers.fortnox.sandbox.answers import API, money
from apps.connectors.providers.fortnox.sandbox.ledger import Ledger
from apps.connectors.providers.fortnox.sandbox.rows import SERIES

Obj = dict[str, Any]
VAT_RATES = {"MP1": 25, "MP2": 12, "MP3": 6}


def url(resource: str, *key: object) -> str:
    return "/".join((API, resource, *(quote(str(part), safe="") for part in key)))


def company(doc: Obj) -> Obj:
    return {
        "CompanyName": doc["name"],
        "OrganizationNumber": doc["organisation_number"],
        "DatabaseNumber": doc["tenant"],
        "Address": "Storgatan 1",
        "City": "Västerås",
        "CountryCode": doc["country"],
        "VisitAddress": "",
        "VisitCity": "",
        "VisitCountryCode": "",
        "VisitZipCode": "",
        "ZipCode": "722 11",
    }


def settings(doc: Obj) -> Obj:
    empty = (
        "BG", "BIC", "BranchCode", "ContactFirstName", "ContactLastName", "Fax", "IBAN", "PG", "Phone1", "Phone2",
        "VisitAddress", "VisitCity", "VisitCountry", "VisitCountryCode", "VisitName", "VisitZipCode", "WWW",
    )  # fmt: skip
    number = str(doc["organisation_number"]).replace("-", "")
    return dict.fromkeys(empty, "") | {
        "Address": "Storgatan 1",
        "City": "Västerås",
        "Country": "Sverige",
        "CountryCode": doc["country"],
        "DatabaseNumber": str(doc["tenant"]),
        "Domicile": "Västerås",
        "Email": "info@example.se",
        "Name": doc["name"],
        "OrganizationNumber": doc["organisation_number"],
        "TaxEnabled": True,
        "VATNumber": f"SE{number}01",
        "ZipCode": "722 11",
    }


def year(row: Obj) -> Obj:
    return {
        "@url": url("financialyears", row["id"]),
        "Id": row["id"],
        "FromDate": row["from"],
        "ToDate": row["to"],
        "AccountChartType": "BAS",
        "accountCharts": "från föregående år.",
        "AccountingMethod": "ACCRUAL",
    }


def account(ledger: Ledger, row: Obj, year: Obj, *, whole: bool) -> Obj:
    """In the list without BalanceCarriedForward (openapi.json: AccountListItem has none)."""
    out = {
        "@url": url("accounts", row["number"]) + f"?financialyear={year['id']}",
        "Active": row["active"],
        "BalanceBroughtForward": money(ledger.opening(year, row["number"])),
        "CostCenter": None,
        "CostCenterSettings": "ALLOWED",
        "Description": row["name"],
        "Number": int(row["number"]),
        "Project": None,
        "ProjectSettings": "ALLOWED",
        "SRU": sru(row["number"]),
        "VATCode": row["vat"] or "",
        "Year": year["id"],
    }
    if whole:
        out |= {
            "BalanceCarriedForward": money(ledger.closing(year, row["number"])),
            "OpeningQuantities": None,
            "QuantitySettings": "ALLOWED",
            "QuantityUnit": None,
            "TransactionInformation": None,
            "TransactionInformationSettings": "ALLOWED",
        }
    return out


def sru(number: str) -> int:
    """A tax form field for the account group; made up, but the same for the same group."""
    return 7200 + int(number[:2])


def _voucher(row: Obj) -> Obj:
    return {
        "@url": url("vouchers", row["series"], row["number"]) + f"?financialyear={row['year']}",
        "Comments": None,
        "Description": row["text"],
        "ReferenceNumber": row["reference"] or "",
        "ReferenceType": SERIES[row["series"]][1],
        "TransactionDate": row["date"],
        "VoucherNumber": row["number"],
        "VoucherSeries": row["series"],
        "Year": row["year"],
        "ApprovalState": 0,
    }


def voucher_short(row: Obj) -> Obj:
    return _voucher(row)


def voucher(ledger: Ledger, row: Obj) -> Obj:
    names = {account["number"]: account["name"] for account in ledger.accounts}
    rows = [
        {
            "Account": int(line["account"]),
            "CostCenter": line["cost_center"],
            "Credit": money(-line["ore"]) if line["ore"] < 0 else 0,
            "Description": names.get(line["account"], ""),
            "Debit": money(line["ore"]) if line["ore"] > 0 else 0,
            "Project": line["project"],
            "Removed": line["state"] == "removed",
            "TransactionInformation": line["text"],
            "Quantity": line["quantity"],
        }
        for line in row["rows"]
    ]
    return {**_voucher(row), "CostCenter": "", "Project": "", "VoucherRows": rows}


def series(ledger: Ledger, code: str, year: Obj, *, whole: bool) -> Obj:
    description, _, manual = SERIES[code]
    out: Obj = {
        "@url": url("voucherseries", code),
        "Code": code,
        "Description": description,
        "Manual": manual,
        "Year": year["id"],
        "Approver": None,
    }
    if whole:
        out["NextVoucherNumber"] = ledger.doc["last"].get(f"{code}/{year['id']}", 0) + 1
    return out


def cost_center(row: Obj) -> Obj:
    return {
        "@url": url("costcenters", row["id"]),
        "Active": row["active"],
        "Code": row["id"],
        "Description": row["name"],
        "Note": None,
    }


def project_short(row: Obj) -> Obj:
    return {
        "@url": url("projects", row["id"]),
        "Description": row["name"][:50],
        "EndDate": None,
        "ProjectLeader": None,
        "ProjectNumber": row["id"],
        "Status": "ONGOING" if row["active"] else "COMPLETED",
        "StartDate": None,
    }


def project(row: Obj) -> Obj:
    return project_short(row) | {"Comments": None, "ContactPerson": None}


def currency(row: Obj) -> Obj:
    return {
        "@url": url("currencies", row["code"]),
        "BuyRate": row["rate"],
        "Code": row["code"],
        "Date": row["date"],
        "Description": row["name"],
        "IsAutomatic": row["code"] != "SEK",
        "SellRate": row["rate"],
        "Unit": 1,
    }


def term(row: Obj) -> Obj:
    code = row["code"]
    return {"@url": url("termsofpayments", code), "Code": code, "Description": f"{code} dagar"}


def unit(row: Obj) -> Obj:
    return {"@url": url("units", row["code"]), "Code": row["code"], "CodeEnglish": "", "Description": row["name"]}


def customer_short(row: Obj) -> Obj:
    return {
        "@url": url("customers", row["id"]),
        "Address1": "",
        "Address2": "",
        "City": "",
        "CustomerNumber": row["id"],
        "Email": "",
        "Name": row["name"],
        "OrganisationNumber": "",
        "Phone": "",
        "ZipCode": "",
    }


_CUSTOMER_NULLS = (
    "Address1", "Address2", "City", "Country", "Comments", "CostCenter", "CountryCode", "DeliveryAddress1",
    "DeliveryAddress2", "DeliveryCity", "DeliveryCountry", "DeliveryCountryCode", "DeliveryFax", "DeliveryName",
    "DeliveryPhone1", "DeliveryPhone2", "DeliveryZipCode", "ExternalReference", "Fax", "GLN", "GLNDelivery",
    "InvoiceAdministrationFee", "InvoiceDiscount", "InvoiceFreight", "Phone1", "Phone2", "SalesAccount",
    "VisitingAddress", "VisitingCity", "VisitingCountry", "VisitingCountryCode", "VisitingZipCode", "ZipCode",
)  # fmt: skip
_CUSTOMER_TEXTS = (
    "Email", "EmailInvoice", "EmailInvoiceBCC", "EmailInvoiceCC", "EmailOffer", "EmailOfferBCC", "EmailOfferCC",
    "EmailOrder", "EmailOrderBCC", "EmailOrderCC", "InvoiceRemark", "OrganisationNumber", "OurReference", "Project",
    "TermsOfDelivery", "TermsOfPayment", "VATNumber", "WayOfDelivery", "WWW", "YourReference",
)  # fmt: skip


def customer(row: Obj) -> Obj:
    """As recorded: what was never filled in is null here and "" there."""
    return {
        "@url": url("customers", row["id"]),
        **dict.fromkeys(_CUSTOMER_NULLS),
        **dict.fromkeys(_CUSTOMER_TEXTS, ""),
        "Currency": "SEK",
        "Active": row["active"],
        "CustomerNumber": row["id"],
        "DefaultDeliveryTypes": {"Invoice": "PRINT", "Order": "PRINT", "Offer": "PRINT"},
        "DefaultTemplates": dict.fromkeys(("Order", "Offer", "Invoice", "CashInvoice"), "DEFAULTTEMPLATE"),
        "Name": row["name"],
        "PriceList": "A",
        "ShowPriceVATIncluded": False,
        "Type": "COMPANY",
        "VATType": "SEVAT",
    }


_SUPPLIER_TEXTS = (
    "Address1", "Address2", "BG", "BIC", "BankAccountNumber", "City", "CostCenter", "CountryCode", "Email", "IBAN",
    "OrganisationNumber", "PG", "Phone", "Project", "ZipCode",
)  # fmt: skip
_SUPPLIER_MORE = (
    "Bank", "BranchCode", "ClearingNumber", "Comments", "Country", "Fax", "OurCustomerNumber", "OurReference", "Phone1",
    "Phone2", "VATNumber", "VisitingAddress", "VisitingCity", "VisitingCountry", "VisitingCountryCode",
    "VisitingZipCode", "WWW", "WorkPlace", "YourReference",
)  # fmt: skip


def supplier_short(row: Obj) -> Obj:
    return {
        "@url": url("suppliers", row["id"]),
        **dict.fromkeys(_SUPPLIER_TEXTS, ""),
        "Active": row["active"],
        "Currency": "SEK",
        "DisablePaymentFile": False,
        "Name": row["name"],
        "PreDefinedAccount": None,
        "SupplierNumber": row["id"],
        "TermsOfPayment": "30",
    }


def supplier(row: Obj) -> Obj:
    out = supplier_short(row) | dict.fromkeys(_SUPPLIER_MORE, "") | {"VATType": "NORMAL"}
    return {name: value for name, value in out.items() if name != "Phone"}


def article_short(row: Obj) -> Obj:
    """Numbers are texts in the list, numbers in the whole form."""
    return {
        "@url": url("articles", row["id"]),
        "ArticleNumber": row["id"],
        "Description": row["name"],
        "DisposableQuantity": "0",
        "EAN": "",
        "Housework": False,
        "PurchasePrice": "0",
        "SalesPrice": None,
        "QuantityInStock": "0",
        "ReservedQuantity": "0",
        "StockPlace": None,
        "StockValue": "0",
        "Unit": "st",
        "VAT": None,
        "WebshopArticle": False,
    }


_ARTICLE_ZEROS = (
    "ConstructionAccount", "Depth", "DisposableQuantity", "Height", "PurchasePrice", "QuantityInStock",
    "ReservedQuantity", "StockValue", "StockWarning", "Weight", "Width",
)  # fmt: skip
_ARTICLE_NULLS = (
    "HouseworkType", "Manufacturer", "StockPlace", "SupplierName", "SupplierNumber", "SalesPrice",
    "CostCalculationMethod", "StockAccount", "StockChangeAccount", "DirectCost", "FreightCost", "OtherCost",
    "DefaultStockPoint", "DefaultStockLocation",
)  # fmt: skip


def article(ledger: Ledger, row: Obj) -> Obj:
    codes = {account["number"]: account["vat"] for account in ledger.accounts}
    return {
        "@url": url("articles", row["id"]),
        **dict.fromkeys(_ARTICLE_ZEROS, 0),
        **dict.fromkeys(_ARTICLE_NULLS),
        "ArticleNumber": row["id"],
        "Bulky": False,
        "Description": row["name"],
        "EAN": "",
        "EUAccount": 3108,
        "EUVATAccount": 3106,
        "ExportAccount": 3105,
        "Housework": False,
        "Active": row["active"],
        "ManufacturerArticleNumber": "",
        "Note": "",
        "PurchaseAccount": 4000,
        "SalesAccount": row["account"],
        "StockGoods": False,
        "Type": "SERVICE",
        "Unit": "st",
        "VAT": VAT_RATES.get(codes.get(str(row["account"])) or "", 0),
        "WebshopArticle": False,
        "Expired": not row["active"],
    }
