"""Swedish books: BAS."""

from datetime import date

from apps.sandbox.books.chart_se import accounts
from apps.sandbox.books.industries_se import INDUSTRIES
from apps.sandbox.books.plan import Plan, Roles, Vat
from apps.sandbox.books.spec import add_months

# 25, 12 and 6 percent (mervärdesskattelagen 2023:200, 9 kap.); the rates have stood since 1996.
_HIGH, _MIDDLE, _LOW = (((date(1996, 1, 1), rate),) for rate in (2500, 1200, 600))
_VAT = {
    "MP1": Vat(rates=_HIGH, accounts=(("2611", 1),)),
    "MP2": Vat(rates=_MIDDLE, accounts=(("2621", 1),)),
    "MP3": Vat(rates=_LOW, accounts=(("2631", 1),)),
    "I25": Vat(rates=_HIGH, accounts=(("2641", 1),)),
    "I12": Vat(rates=_MIDDLE, accounts=(("2641", 1),)),
    "I6": Vat(rates=_LOW, accounts=(("2641", 1),)),
    "OMVU": Vat(rates=_HIGH, accounts=(("2645", 1), ("2614", -1))),  # services from abroad: owed and deducted
    "MF": Vat(),
}
_ROLES = Roles(
    stock="1460",
    receivable="1510",
    cash="1910",
    bank="1930",
    capital="2081",
    equity="2099",
    payable="2440",
    property="1110",
    loan="2350",
    mortgage="2351",
    tax_owed="2510",
    vat_settled="2650",
    withheld="2710",
    employer="2731",
    holiday="2920",
    holiday_employer="2941",
    wages="7010",
    holiday_cost="7290",
    employer_cost="7510",
    holiday_employer_cost="7519",
    cloud="6540",
    course="7610",
    fee="6570",
    interest_earned="8310",
    interest="8410",
    exchange_gain="3960",
    exchange_loss="7960",
    tax="8910",
    result="8999",
)
_WORDS = {
    "customers_before": "Inbetalningar från kunder, tidigare år",
    "suppliers_before": "Utbetalning, leverantörsskulder från tidigare år",
    "vat_before": "Skatteverket, moms från tidigare år",
    "prepaid_tax": "Skatteverket, preliminär skatt",
    "tax": "Skatt på årets resultat {year}",
    "result": "Årets resultat {year}",
    "course_party": "Kursforum AB",
    "course": "Kursforum AB: kurs, för attest",
    "card": "Kortinlösen",
    "cash": "Kontant",
    "invoice": "Kundfaktura {number} {customer}",
    "received": "Inbetalning, {text}",
    "payment_fee": "Transaktionsavgift",
    "payment_run": "Leverantörsbetalningar {day:%d.%m}",
    "cash_deposit": "Insättning av kontanter",
    "cloud": "Molntjänst, utlandet",
    "cloud_bill": "Cloudhaven Ltd: molntjänst {currency}",
    "paid": "Betalning {text}",
    "exchange": "Valutakursdifferens",
    "reversal": "Rättelse, {text}",
    "salary": "Månadslön",
    "hourly": "Timlön",
    "withheld": "Personalskatt",
    "net_wages": "Nettolön",
    "holiday_earned": "Upplupen semesterlön",
    "employer": "Arbetsgivaravgifter",
    "holiday_employer": "Sociala avgifter på semesterlön",
    "wages": "Lön {day:%m.%Y}",
    "holiday": "Semesterlön",
    "holiday_net": "Semesterlön, utbetald",
    "holiday_year": "Semesterlön {year}",
    "authorities": "Skatteverket, skatt och avgifter",
    "depreciation": "Avskrivning",
    "bank_fee": "Bankavgift",
    "interest_earned": "Ränta på konto",
    "interest": "Ränta",
    "instalment": "Amortering",
    "waived_fee": "Aviavgift, efterskänkt",
    "loan": "Lån, termin {day:%m.%Y}",
    "vat_return": "Momsredovisning, period {term} {year}",
    "vat_paid": "Skatteverket, {text}",
}


def _vat_due(end: date) -> date:
    """The 12th of the second month after the quarter, the 17th in August (skatteverket.se)."""
    due = add_months(end, 2)
    return due.replace(day=17 if due.month == 8 else 12)


SWEDEN = Plan(
    country="SE",
    currency="SEK",
    accounts=accounts(),
    industries=INDUSTRIES,
    vat=_VAT,
    at=_ROLES,
    words=_WORDS,
    rates={"EUR": (1090, 1160), "USD": (940, 1060)},
    abroad_code="OMVU",
    tax=20,  # 20.6 percent by law since 2021; whole percent in these books
    vat_months=3,
    vat_due=_vat_due,
)
