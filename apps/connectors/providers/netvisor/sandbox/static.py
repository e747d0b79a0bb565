"""What is the same in every company: account groups, default accounts, voucher classes, VAT codes."""

from typing import Any

# Key, name, father, the number under which the vendor shows the group, whether its amounts are naturally negative.
GROUPS: tuple[tuple[int, str, int, str, bool], ...] = (
    (1, "Vastaavaa", 0, "", False),
    (2, "PYSYVÄT VASTAAVAT", 1, "", False),
    (3, "VAIHTUVAT VASTAAVAT", 1, "", False),
    (4, "Vastattavaa", 0, "", True),
    (5, "OMA PÄÄOMA", 4, "", True),
    (6, "VIERAS PÄÄOMA", 4, "", True),
    (7, "Tuloslaskelma", 0, "", True),
    (8, "LIIKEVAIHTO JA MUUT TUOTOT", 7, "", True),
    (9, "KULUT", 7, "", False),
)
_GROUP_OF = {"asset": 3, "equity": 5, "liability": 6, "income": 8, "expense": 9}
FIXED_ASSETS_BELOW = "1500"
NATURALLY_NEGATIVE = ("equity", "liability", "income")
# The elements of CompanyDefaultAccounts in their order, with the accounts of the recorded sample.
DEFAULT_ACCOUNTS = (
    ("TradePayables", "2871"),
    ("PurchaseVATReceivable", "1763"),
    ("RoundingOffDifference", "8570"),
    ("VATpayable", "2946"),
    ("TaxAccount", "2948"),
    ("AdvancePayments", "2861"),
    ("SalesReceivables", "1702"),
    ("SalesVATDebt", "2939"),
    ("Inventory", "1521"),
    ("SalesDiscount", "3500"),
    ("SalesExchangeRateDifferences", "3580"),
    ("Collection", "9170"),
    ("PurchasesDiscounts", "4230"),
    ("PurchasesExchangeRateDifferences", "4370"),
    ("PurchaseInvoiceAccrual", "1849"),
    ("SalesInvoiceAccrual", "1701"),
    ("PurchaseDomesticDefault", "4000"),
    ("PurchaseEUDefault", "4110"),
    ("PurchaseOutsideEUDefault", "4130"),
    ("SalesDomesticDefault", "3010"),
    ("SalesEUDefault", "3360"),
    ("SalesOutsideEUDefault", "3380"),
)
# Abbreviation -> key, names in English, Finnish and Swedish (resources.json: system_voucher_types).
CLASSES: dict[str, tuple[int, tuple[str, str, str]]] = {
    "ML": (1, ("Sales invoice", "Myyntilasku", "Försäljningsfaktura")),
    "MS": (2, ("Sales transaction", "Myyntisuoritus", "Försäljningsprestation")),
    "PT": (3, ("Bank", "Pankkitapahtuma", "Bank")),
    "KT": (4, ("Treasury", "Kassatapahtuma", "Kassa")),
    "T": (5, ("Automatic financial statements", "Automaattinen tilinpäätös", "Automatiskt bokslut")),
    "AT": (6, ("Formed by the system", "Järjestelmän muodostama", "Bildad av systemet")),
    "MU": (7, ("Others", "Muut", "Övriga")),
    "OL": (8, ("Purchase invoice", "Ostolasku", "Inköpsfaktura")),
    "OS": (9, ("Purchase transaction", "Ostosuoritus", "Inköpsprestation")),
    "JK": (10, ("Accruals", "Jaksotus", "Periodisering")),
    "PA": (11, ("Pay", "Palkka", "Lön")),
    "PUMP": (12, ("Imported transactions", "Tuodut tapahtumat", "Importerade transaktioner")),
}
DEFAULT_CLASSES = (
    ("SalesInvoices", "ML"),
    ("SalesInvoicePayments", "MS"),
    ("PurchaseInvoices", "OL"),
    ("PurchaseInvoicePayments", "OS"),
    ("OtherSystemGeneratedVouchers", "AT"),
    ("BankStatementViewVouchers", "PT"),
    ("Accruals", "JK"),
)
LINKED = {"ML": "salesinvoice", "OL": "purchaseinvoice"}
BANK, WAGES = ("19",), ("50", "51", "52", "61")
DIMENSIONS = {"department": "Osasto", "project": "Projekti", "cost_centre": "Kustannuspaikka", "employee": "Henkilö"}
_STREETS = ("Rantakatu", "Satamatie", "Kirkkokatu", "Myllytie", "Pajukuja")
_CITIES = (("20100", "Turku"), ("21600", "Parainen"), ("53100", "Lappeenranta"), ("00100", "Helsinki"))


def group_of(account: dict[str, Any]) -> int:
    """The key of an account's group; 7 for what no group takes."""
    if account["type"] == "asset" and account["number"] < FIXED_ASSETS_BELOW:
        return 2
    return _GROUP_OF.get(account["type"], 7)


def dimension(kind: str) -> str:
    """A dimension's name: a usual kind in Finnish, any other as the books call it."""
    return DIMENSIONS.get(kind, kind)


def vat_code(*, income: bool, taxes: int, zero: bool) -> str:
    """One of the vendor's fixed codes: two tax lines of one code are a service bought in the EU, self-assessed."""
    if income:
        return "100" if zero else "KOMY"
    if taxes > 1:
        return "EUPO"
    return "NONE" if zero else "KOOS"


def party(kind: str, n: int) -> dict[str, str]:
    """An address for the n-th customer or vendor."""
    postcode, city = _CITIES[n % len(_CITIES)]
    mail = f"{kind}{n + 1}@example.fi"
    return {"street": f"{_STREETS[n % len(_STREETS)]} {n + 1}", "postcode": postcode, "city": city, "email": mail}
