"""NS 4102, the part that small companies use. The first digit gives the type; class 2 is split at 2100."""

from apps.records.enums import AccountType
from apps.records.ledger import Account

_CHART = """
1000 Forskning og utvikling
1080 Goodwill
1100 Bygninger og annen fast eiendom
1200 Maskiner og anlegg
1230 Varebiler
1250 Inventar
1280 Kontormaskiner
1320 Lån til foretak i samme konsern
1350 Investeringer i aksjer og andeler
1400 Råvarer og innkjøpte halvfabrikata
1460 Innkjøpte varer for videresalg
1500 Kundefordringer
1530 Opptjente, ikke fakturerte inntekter
1570 Andre kortsiktige fordringer
1579 Oppgjør betalingskort
1580 Avsetning tap på kundefordringer
1700 Forskuddsbetalt leiekostnad
1749 Andre forskuddsbetalte kostnader
1900 Kontanter
1920 Bankinnskudd
1950 Bankinnskudd for skattetrekk
2000 Aksjekapital
2020 Overkurs
2050 Annen egenkapital
2080 Udekket tap
2120 Utsatt skatt
2220 Gjeld til kredittinstitusjoner
2240 Pantelån
2250 Gjeld til ansatte og eiere
2290 Annen langsiktig gjeld
2400 Leverandørgjeld
2500 Betalbar skatt, ikke utlignet
2600 Forskuddstrekk
2700 Utgående merverdiavgift, høy sats
2701 Utgående merverdiavgift, middels sats
2702 Utgående merverdiavgift, lav sats
2704 Utgående merverdiavgift, tjenester fra utlandet
2710 Inngående merverdiavgift, høy sats
2711 Inngående merverdiavgift, middels sats
2712 Inngående merverdiavgift, lav sats
2714 Inngående merverdiavgift, tjenester fra utlandet
2740 Oppgjørskonto merverdiavgift
2770 Skyldig arbeidsgiveravgift
2780 Påløpt arbeidsgiveravgift på ferielønn
2900 Forskudd fra kunder
2940 Skyldige feriepenger
2960 Annen påløpt kostnad
3000 Salgsinntekt, avgiftspliktig høy sats
3020 Salgsinntekt, avgiftspliktig middels sats
3040 Salgsinntekt, avgiftspliktig lav sats
3100 Salgsinntekt, avgiftsfri
3200 Salgsinntekt, utenfor avgiftsområdet
3600 Leieinntekt fast eiendom
3620 Felleskostnader fra andelseiere
3900 Annen driftsrelatert inntekt
4000 Innkjøp av råvarer og halvfabrikata
4300 Innkjøp av varer for videresalg
4360 Frakt, toll og spedisjon
4500 Fremmedytelse og underentreprise
5000 Lønn til ansatte
5180 Feriepenger
5330 Godtgjørelse til styre og bedriftsforsamling
5400 Arbeidsgiveravgift
5405 Arbeidsgiveravgift av påløpte feriepenger
5800 Refusjon av sykepenger
5900 Gave til ansatte
6000 Avskrivning på bygninger og annen fast eiendom
6010 Avskrivning på transportmidler
6015 Avskrivning på maskiner
6017 Avskrivning på inventar
6100 Frakt, transport og forsikring ved vareforsendelse
6300 Leie lokale
6320 Renovasjon, vann og avløp
6340 Lys og varme
6360 Renhold
6400 Leie maskiner
6420 Leie datasystemer
6540 Inventar, ikke aktiveringspliktig
6550 Driftsmaterialer
6600 Reparasjon og vedlikehold bygninger
6620 Reparasjon og vedlikehold utstyr
6705 Regnskapshonorar
6720 Honorar for økonomisk og juridisk bistand
6790 Annen fremmed tjeneste
6800 Kontorrekvisita
6860 Møte, kurs og oppdatering
6900 Telefon
6940 Porto
7000 Drivstoff transportmidler
7020 Vedlikehold transportmidler
7040 Forsikring transportmidler
7140 Reisekostnad, ikke oppgavepliktig
7320 Reklamekostnad
7350 Representasjon, fradragsberettiget
7400 Kontingent, fradragsberettiget
7500 Forsikringspremie
7601 Eiendomsskatt
7770 Bank- og kortgebyrer
7790 Annen kostnad, fradragsberettiget
7830 Tap på fordringer
8050 Annen renteinntekt
8060 Valutagevinst
8150 Annen rentekostnad
8160 Valutatap
8300 Betalbar skatt
8800 Årsresultat
8960 Overføringer annen egenkapital
"""
_VAT_CODES = {
    "3000": "3", "3020": "31", "3040": "33", "3100": "5", "3200": "6", "3600": "6", "3620": "6",
    "4000": "1", "4300": "1", "4500": "1", "6300": "1", "6340": "1", "6360": "1", "6420": "1",
    "6550": "1", "6705": "1", "6800": "1", "6900": "1", "7000": "1", "7320": "1",
}  # fmt: skip
_INCOME = {"8050", "8060"}


def accounts() -> tuple[Account, ...]:
    """The chart of accounts; `external_id` is the account number."""
    rows = (line.split(" ", 1) for line in _CHART.strip().splitlines())
    return tuple(_account(number, name) for number, name in rows)


def _account(number: str, name: str) -> Account:
    return Account(external_id=number, number=number, name=name, type=type_of(number), vat_code=_VAT_CODES.get(number))


def type_of(number: str) -> AccountType:
    """The type by NS 4102. Class 8's transfers are expenses here, so that a closed year's result sums to zero."""
    if number[0] == "1":
        return AccountType.ASSET
    if number[0] == "2":
        return AccountType.EQUITY if number < "2100" else AccountType.LIABILITY
    if number[0] == "3" or number in _INCOME:
        return AccountType.INCOME
    return AccountType.EXPENSE
