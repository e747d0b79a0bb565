"""Norwegian books: NS 4102."""

from datetime import date

from apps.sandbox.books.chart import accounts
from apps.sandbox.books.industries import INDUSTRIES
from apps.sandbox.books.plan import Plan, Roles, Vat
from apps.sandbox.books.spec import add_months

# SAF-T standard codes of Skatteetaten; rates in force since 1 Jan 2018.
_HIGH, _MIDDLE, _LOW = (((date(2018, 1, 1), rate),) for rate in (2500, 1500, 1200))
_VAT = {
    "1": Vat(rates=_HIGH, accounts=(("2710", 1),)),
    "11": Vat(rates=_MIDDLE, accounts=(("2711", 1),)),
    "13": Vat(rates=_LOW, accounts=(("2712", 1),)),
    "3": Vat(rates=_HIGH, accounts=(("2700", 1),)),
    "31": Vat(rates=_MIDDLE, accounts=(("2701", 1),)),
    "33": Vat(rates=_LOW, accounts=(("2702", 1),)),
    "86": Vat(rates=_HIGH, accounts=(("2714", 1), ("2704", -1))),  # services from abroad: owed and deducted
    "5": Vat(),
    "6": Vat(),
}
_ROLES = Roles(
    stock="1460",
    receivable="1500",
    cash="1900",
    bank="1920",
    capital="2000",
    equity="2050",
    payable="2400",
    property="1100",
    loan="2220",
    mortgage="2240",
    tax_owed="2500",
    vat_settled="2740",
    withheld="2600",
    employer="2770",
    holiday="2940",
    holiday_employer="2780",
    wages="5000",
    holiday_cost="5180",
    employer_cost="5400",
    holiday_employer_cost="5405",
    cloud="6420",
    course="6860",
    fee="7770",
    interest_earned="8050",
    interest="8150",
    exchange_gain="8060",
    exchange_loss="8160",
    tax="8300",
    result="8960",
)
_WORDS = {
    "customers_before": "Innbetalinger fra kunder, tidligere år",
    "suppliers_before": "Remittering, leverandørgjeld fra tidligere år",
    "vat_before": "Skatteetaten, mva-oppgjør tidligere år",
    "prepaid_tax": "Skatteetaten, forskuddsskatt",
    "tax": "Betalbar skatt {year}",
    "result": "Overføring av årsresultat {year}",
    "course_party": "Kursforum AS",
    "course": "Kursforum AS: kurs, til attestasjon",
    "card": "Kortoppgjør",
    "cash": "Kontant",
    "invoice": "Faktura {number} {customer}",
    "received": "Innbetaling, {text}",
    "payment_fee": "Transaksjonsgebyr",
    "payment_run": "Remittering {day:%d.%m}",
    "cash_deposit": "Kontantinnskudd",
    "cloud": "Skytjeneste, utlandet",
    "cloud_bill": "Cloudhaven Ltd: skytjeneste {currency}",
    "paid": "Betaling {text}",
    "exchange": "Valutadifferanse",
    "reversal": "Reversering, {text}",
    "salary": "Fastlønn",
    "hourly": "Timelønn",
    "withheld": "Forskuddstrekk",
    "net_wages": "Netto lønn",
    "holiday_earned": "Avsatt feriepenger",
    "employer": "Arbeidsgiveravgift",
    "holiday_employer": "Avgift av feriepenger",
    "wages": "Lønn {day:%m.%Y}",
    "holiday": "Feriepenger",
    "holiday_net": "Feriepenger, trekkfrie",
    "holiday_year": "Feriepenger {year}",
    "authorities": "Skatteetaten, trekk og avgift",
    "depreciation": "Avskrivning",
    "bank_fee": "Bankgebyr",
    "interest_earned": "Renter innskudd",
    "interest": "Renter",
    "instalment": "Avdrag",
    "waived_fee": "Termingebyr, ettergitt",
    "loan": "Lån, termin {day:%m.%Y}",
    "vat_return": "Mva-oppgjør {term}. termin {year}",
    "vat_paid": "Skatteetaten, {text}",
}


def _vat_due(end: date) -> date:
    """The 10th of the second month after, but the third term at the end of August."""
    return date(end.year, 8, 31) if end.month == 6 else add_months(end, 2).replace(day=10)


NORWAY = Plan(
    country="NO",
    currency="NOK",
    accounts=accounts(),
    industries=INDUSTRIES,
    vat=_VAT,
    at=_ROLES,
    words=_WORDS,
    rates={"EUR": (1130, 1190), "USD": (1010, 1090)},
    abroad_code="86",
    tax=22,  # since 2019
    vat_months=2,
    vat_due=_vat_due,
)
