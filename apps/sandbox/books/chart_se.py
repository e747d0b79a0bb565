"""BAS, the part that small companies use."""

from apps.records.enums import AccountType
from apps.records.ledger import Account

_CHART = """
1010 Utvecklingsutgifter
1070 Goodwill
1110 Byggnader
1130 Mark
1210 Maskiner och andra tekniska anläggningar
1220 Inventarier och verktyg
1240 Bilar och andra transportmedel
1250 Datorer
1350 Andelar och värdepapper i andra företag
1385 Värde av kapitalförsäkring
1410 Lager av råvaror
1460 Lager av handelsvaror
1510 Kundfordringar
1515 Osäkra kundfordringar
1580 Fordringar för kontokort och kuponger
1630 Avräkning för skatter och avgifter (skattekonto)
1640 Skattefordringar
1650 Momsfordran
1710 Förutbetalda hyreskostnader
1730 Förutbetalda försäkringspremier
1790 Övriga förutbetalda kostnader och upplupna intäkter
1910 Kassa
1920 PlusGiro
1930 Företagskonto/checkkonto/affärskonto
1940 Övriga bankkonton
2081 Aktiekapital
2086 Reservfond
2091 Balanserad vinst eller förlust
2098 Vinst eller förlust från föregående år
2099 Årets resultat
2150 Ackumulerade överavskrivningar
2330 Checkräkningskredit
2350 Andra långfristiga skulder till kreditinstitut
2351 Fastighetslån, långfristig del
2393 Lån från närstående personer, långfristig del
2421 Ej inlösta presentkort
2440 Leverantörsskulder
2510 Skatteskulder
2611 Utgående moms på försäljning inom Sverige, 25 %
2614 Utgående moms omvänd betalningsskyldighet, 25 %
2621 Utgående moms på försäljning inom Sverige, 12 %
2631 Utgående moms på försäljning inom Sverige, 6 %
2641 Debiterad ingående moms
2645 Beräknad ingående moms på förvärv från utlandet
2650 Redovisningskonto för moms
2710 Personalskatt
2731 Avräkning lagstadgade sociala avgifter
2893 Skulder till närstående personer, kortfristig del
2920 Upplupna semesterlöner
2941 Beräknade upplupna lagstadgade sociala avgifter
2990 Övriga upplupna kostnader och förutbetalda intäkter
3001 Försäljning inom Sverige, 25 % moms
3002 Försäljning inom Sverige, 12 % moms
3003 Försäljning inom Sverige, 6 % moms
3004 Försäljning inom Sverige, momsfri
3105 Försäljning varor till land utanför EU
3740 Öres- och kronutjämning
3911 Hyresintäkter
3960 Valutakursvinster på fordringar och skulder av rörelsekaraktär
3990 Övriga ersättningar och intäkter
4010 Inköp av varor och material
4012 Inköp av livsmedel
4600 Legoarbeten och underentreprenader
4960 Förändring av lager av handelsvaror
5010 Lokalhyra
5020 El för belysning
5050 Lokaltillbehör
5060 Städning och renhållning
5070 Reparation och underhåll av lokaler
5120 El för drift
5130 Värme
5170 Reparation och underhåll av fastighet
5191 Fastighetsskatt
5410 Förbrukningsinventarier
5420 Programvaror
5460 Förbrukningsmaterial
5611 Drivmedel för personbilar
5613 Reparation och underhåll av personbilar
5620 Lastbilskostnader
5615 Försäkring och skatt för fordon
5710 Frakter, transporter och försäkringar vid varudistribution
5800 Resekostnader
5910 Annonsering
6071 Representation, avdragsgill
6110 Kontorsmateriel
6212 Mobiltelefon
6230 Datakommunikation
6310 Företagsförsäkringar
6351 Konstaterade förluster på kundfordringar
6530 Redovisningstjänster
6540 IT-tjänster
6550 Konsultarvoden
6570 Bankkostnader
6580 Advokat- och rättegångskostnader
6970 Tidningar, tidskrifter och facklitteratur
6991 Övriga externa kostnader, avdragsgilla
7010 Löner till kollektivanställda
7210 Löner till tjänstemän
7290 Förändring av semesterlöneskuld
7510 Arbetsgivaravgifter
7519 Sociala avgifter för semester- och löneskulder
7610 Utbildning
7821 Avskrivningar på byggnader
7831 Avskrivningar på maskiner och andra tekniska anläggningar
7832 Avskrivningar på inventarier och verktyg
7834 Avskrivningar på bilar och andra transportmedel
7835 Avskrivningar på datorer
7960 Valutakursförluster på fordringar och skulder av rörelsekaraktär
8310 Ränteintäkter från omsättningstillgångar
8410 Räntekostnader för långfristiga skulder
8422 Dröjsmålsräntor för leverantörsskulder
8910 Skatt som belastar årets resultat
8999 Årets resultat
"""
_VAT_CODES = {"3001": "MP1", "3002": "MP2", "3003": "MP3", "3004": "MF"}
_INCOME = {"8310"}


def accounts() -> tuple[Account, ...]:
    """The chart of accounts in order; `external_id` is the account number."""
    rows = sorted(line.split(" ", 1) for line in _CHART.strip().splitlines())
    return tuple(
        Account(external_id=number, number=number, name=name, type=type_of(number), vat_code=_VAT_CODES.get(number))
        for number, name in rows
    )


def type_of(number: str) -> AccountType:
    """The type by BAS: class 20 is equity; of class 8 only interest earned is income here."""
    if number[0] == "1":
        return AccountType.ASSET
    if number[0] == "2":
        return AccountType.EQUITY if number < "2100" else AccountType.LIABILITY
    return AccountType.INCOME if number[0] == "3" or number in _INCOME else AccountType.EXPENSE
