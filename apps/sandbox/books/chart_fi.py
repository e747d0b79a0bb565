"""A Finnish chart of accounts, the part that small companies use: the first digit gives the type, class 2 is split.

Numbers of the usual default accounts are those that a Finnish system was recorded with.
"""

from apps.records.enums import AccountType
from apps.records.ledger import Account

_CHART = """
1030 Aineettomat oikeudet
1110 Rakennukset ja rakennelmat
1160 Koneet ja kalusto
1180 Kuljetuskalusto
1190 Toimistokalusto
1521 Vaihto-omaisuus
1701 Myyntilaskujen jaksotus
1702 Myyntisaamiset
1763 Ostojen arvonlisäverosaaminen
1764 Ostojen arvonlisäverosaaminen, palveluostot ulkomailta
1849 Ostolaskujen jaksotus
1850 Muut siirtosaamiset
1900 Kassa
1910 Pankkitili
2001 Osakepääoma
2251 Edellisten tilikausien voitto (tappio)
2621 Lainat rahoituslaitoksilta
2641 Kiinnelainat
2861 Saadut ennakot
2871 Ostovelat
2921 Ennakonpidätysvelka
2923 Sosiaaliturvamaksuvelka
2939 Myynnin arvonlisäverovelka
2940 Arvonlisäverovelka, palveluostot ulkomailta
2946 Arvonlisäverovelka
2948 Verotili
2951 Lomapalkkavelka
2953 Lomapalkkojen sosiaalikuluvelka
2961 Tuloverovelka
2971 Muut siirtovelat
3000 Myynti, yleinen verokanta
3010 Myynti, kotimaa
3020 Myynti, alennettu verokanta
3040 Myynti, alempi alennettu verokanta
3360 Myynti, EU-maat
3380 Myynti, EU:n ulkopuoliset maat
3500 Myynnin alennukset
3580 Myynnin kurssierot
3700 Vuokratuotot
3710 Hoitovastikkeet
3980 Muut liiketoiminnan tuotot
4000 Ostot, kotimaa
4110 Ostot, EU-maat
4130 Ostot, EU:n ulkopuoliset maat
4230 Ostojen alennukset
4370 Ostojen kurssierot
4450 Ulkopuoliset palvelut
5000 Palkat
5300 Lomapalkat
6130 Eläke- ja henkilösivukulut
6140 Lomapalkkojen henkilösivukulut
6810 Poistot rakennuksista
6820 Poistot koneista ja kalustosta
6830 Poistot kuljetuskalustosta
7020 Koulutuskulut
7230 Toimitilavuokrat
7310 Sähkö ja lämmitys
7340 Siivous ja jätehuolto
7350 Korjaus ja kunnossapito
7400 Polttoaineet
7410 Ajoneuvojen huolto
7420 Ajoneuvovakuutukset
7610 Ohjelmistot ja pilvipalvelut
7680 Rahdit ja kuljetukset
7800 Matkakulut
8050 Mainonta
8380 Tilitoimistopalvelut
8390 Lakipalvelut
8500 Puhelin ja tietoliikenne
8510 Toimistotarvikkeet
8560 Vakuutukset
8570 Pyöristyserot
8600 Pankkikulut
8680 Muut liikekulut
9000 Korkotuotot
9130 Kurssivoitot
9170 Perintäkulut
9440 Korkokulut
9460 Kurssitappiot
9900 Tuloverot
9990 Tilikauden tuloksen siirto
"""
_INCOME = ("9000", "9130")


def accounts() -> tuple[Account, ...]:
    """The chart of accounts; `external_id` is the account number."""
    rows = (line.split(" ", 1) for line in _CHART.strip().splitlines())
    return tuple(Account(external_id=number, number=number, name=name, type=type_of(number)) for number, name in rows)


def type_of(number: str) -> AccountType:
    """The transfer of the result is an expense here, so that a closed year's result sums to zero."""
    if number[0] == "1":
        return AccountType.ASSET
    if number[0] == "2":
        return AccountType.EQUITY if number < "2600" else AccountType.LIABILITY
    if number[0] == "3" or number in _INCOME:
        return AccountType.INCOME
    return AccountType.EXPENSE
