"""Finnish books: monthly VAT, rates that changed between two years."""

from datetime import date

from apps.sandbox.books.chart_fi import accounts
from apps.sandbox.books.industries_fi import INDUSTRIES_FI
from apps.sandbox.books.plan import Plan, Roles, Vat
from apps.sandbox.books.spec import add_months

# Verohallinto, vero.fi, "Arvonlisäverokannat" (as known in November 2026): general rate 25.5 % since 1 Sep 2024,
# reduced rate 13.5 % since 1 Jan 2026 (14 % before), lower reduced rate 10 %.
_HIGH = ((date(2013, 1, 1), 2400), (date(2024, 9, 1), 2550))
_MIDDLE = ((date(2013, 1, 1), 1400), (date(2026, 1, 1), 1350))
_LOW = ((date(2013, 1, 1), 1000),)
_BOUGHT, _SOLD = (("1763", 1),), (("2939", 1),)
# M: sales, O: purchases, and the rate of 2026.
_VAT = {
    "M255": Vat(rates=_HIGH, accounts=_SOLD),
    "M135": Vat(rates=_MIDDLE, accounts=_SOLD),
    "M10": Vat(rates=_LOW, accounts=_SOLD),
    "M0": Vat(),
    "O255": Vat(rates=_HIGH, accounts=_BOUGHT),
    "O135": Vat(rates=_MIDDLE, accounts=_BOUGHT),
    "O10": Vat(rates=_LOW, accounts=_BOUGHT),
    "OU255": Vat(rates=_HIGH, accounts=(("1764", 1), ("2940", -1))),  # services from abroad: owed and deducted
}
_ROLES = Roles(
    stock="1521",
    receivable="1702",
    cash="1900",
    bank="1910",
    capital="2001",
    equity="2251",
    payable="2871",
    property="1110",
    loan="2621",
    mortgage="2641",
    tax_owed="2961",
    vat_settled="2946",
    withheld="2921",
    employer="2923",
    holiday="2951",
    holiday_employer="2953",
    wages="5000",
    holiday_cost="5300",
    employer_cost="6130",
    holiday_employer_cost="6140",
    cloud="7610",
    course="7020",
    fee="8600",
    interest_earned="9000",
    interest="9440",
    exchange_gain="9130",
    exchange_loss="9460",
    tax="9900",
    result="9990",
)
_WORDS = {
    "customers_before": "Asiakassuoritukset, edellinen tilikausi",
    "suppliers_before": "Ostovelkojen maksut, edellinen tilikausi",
    "vat_before": "Verohallinto, arvonlisävero, edellinen tilikausi",
    "prepaid_tax": "Verohallinto, ennakkovero",
    "tax": "Tuloverot {year}",
    "result": "Tilikauden tuloksen siirto {year}",
    "course_party": "Kurssikeskus Oy",
    "course": "Kurssikeskus Oy: kurssi, hyväksyttävänä",
    "card": "Korttitilitys",
    "cash": "Käteinen",
    "invoice": "Lasku {number} {customer}",
    "received": "Suoritus, {text}",
    "payment_fee": "Maksutapahtumat",
    "payment_run": "Maksuaineisto {day.day}.{day.month}.",
    "cash_deposit": "Käteistalletus",
    "cloud": "Pilvipalvelu, ulkomaat",
    "cloud_bill": "Cloudhaven Ltd: pilvipalvelu {currency}",
    "paid": "Maksu {text}",
    "exchange": "Kurssiero",
    "reversal": "Oikaisu, {text}",
    "salary": "Kuukausipalkat",
    "hourly": "Tuntipalkat",
    "withheld": "Ennakonpidätys",
    "net_wages": "Nettopalkat",
    "holiday_earned": "Lomapalkkavaraus",
    "employer": "Työnantajan sivukulut",
    "holiday_employer": "Lomapalkkojen sivukulut",
    "wages": "Palkat {day.month}/{day.year}",
    "holiday": "Lomapalkat",
    "holiday_net": "Lomapalkat, maksettu",
    "holiday_year": "Lomapalkat {year}",
    "authorities": "Verohallinto ja eläkeyhtiö, pidätykset ja maksut",
    "depreciation": "Poisto",
    "bank_fee": "Pankkikulut",
    "interest_earned": "Talletuskorko",
    "interest": "Korko",
    "instalment": "Lyhennys",
    "waived_fee": "Toimenpidemaksu, ei peritä",
    "loan": "Laina, erä {day.month}/{day.year}",
    "vat_return": "Arvonlisävero {term}/{year}",
    "vat_paid": "Verohallinto, {text}",
}


def _vat_due(end: date) -> date:
    """The 12th of the second month after (vero.fi, monthly tax period)."""
    return add_months(end, 2).replace(day=12)


FINLAND = Plan(
    country="FI",
    currency="EUR",
    accounts=accounts(),
    industries=INDUSTRIES_FI,
    vat=_VAT,
    at=_ROLES,
    words=_WORDS,
    rates={"USD": (84, 96)},
    abroad_code="OU255",
    tax=20,  # since 2014
    vat_months=1,
    vat_due=_vat_due,
)
