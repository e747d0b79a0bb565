"""How the Finnish industries of the stories earn and spend. Whole euros a year at size 100, the VAT codes of `plan_fi`."""

from collections.abc import Mapping

from apps.sandbox.books.industries import Flow, Industry

_OFFICE = (
    Flow("7230", "O255", 18_000, "Toimitilavuokra", "Rantakadun Kiinteistöt Oy"),
    Flow("7310", "O255", 4_200, "Sähkö", "Saariston Energia Oy"),
    Flow("7610", "O255", 2_800, "Ohjelmistot, kuukausimaksu", "Pilvipalvelu Nordic Oy"),
    Flow("8380", "O255", 6_600, "Tilitoimistopalvelut", "Saariston Tilitoimisto Oy"),
    Flow("8500", "O255", 1_500, "Puhelin ja laajakaista", "Turunmaan Puhelin Oy"),
    Flow("8510", "O255", 1_200, "Toimistotarvikkeet", "Konttoritukku Oy"),
    Flow("8050", "O10", 2_400, "Lehti-ilmoitukset ja tilaukset", "Paraisten Sanomat Oy"),
    Flow("8560", None, 2_600, "Vakuutus, osuus vuosimaksusta", "Keskinäinen Vakuutusyhtiö Länsi"),
)
_VEHICLES = (
    Flow("7400", "O255", 5_800, "Polttoaine", "Skärgårds Bränsle Ab"),
    Flow("7410", "O255", 3_100, "Huolto ja renkaat", "Autohuolto Mäkinen Oy"),
    Flow("7420", None, 2_200, "Ajoneuvovakuutus", "Keskinäinen Vakuutusyhtiö Länsi"),
)
_CUSTOMERS = (
    "Asunto Oy Paraisten Ranta", "Björkholm Bygg Ab", "Kaarinan Konepaja Oy", "Korpo Marin Ab", "Lounais-Suomen Hoiva Oy",
    "Nauvon Vierasvenesatama Oy", "Paraisten kaupunki", "Sjöberg Anna", "Turun Rakennus Oy", "Ylämäki & Pojat Ky",
)  # fmt: skip
_EMPLOYER = 2080  # pension and social security, hundredths of a percent: about what an employer pays

INDUSTRIES_FI: Mapping[str, Industry] = {
    "cafe": Industry(
        sales=(Flow("3020", "M135", 290_000, "Päivämyynti, ruoka"), Flow("3000", "M255", 90_000, "Päivämyynti, juomat")),
        goods=(
            Flow("4000", "O135", 98_000, "Elintarvikkeet", "Suurtalous Länsi Oy"),
            Flow("4000", "O255", 21_000, "Oluet ja viinit", "Panimo Laakso Oy"),
        ),
        overheads=_OFFICE, invoiced=False, salary=105_000, asset=("1160", "6820", 8_400),
        employer_tax=_EMPLOYER, customers=_CUSTOMERS, departments=("Kahvila", "Pitopalvelu"),
    ),
    "boatyard": Industry(
        sales=(Flow("3000", "M255", 640_000, "Veneiden huolto ja talvisäilytys"),),
        goods=(
            Flow("4000", "O255", 210_000, "Varaosat", "Venetarvike Tukku Oy"),
            Flow("4450", "O255", 45_000, "Alihankinta, maalaus", "Maalaamo Lindroos Ab"),
        ),
        overheads=_OFFICE + _VEHICLES, salary=190_000, asset=("1180", "6830", 12_000), loan=60_000,
        projects=("Purjevene S/Y Aallotar", "Satamalaiturin uusinta", "Talvisäilytys"),
        employer_tax=_EMPLOYER, customers=_CUSTOMERS, departments=("Telakka", "Säilytys"),
    ),
    "software": Industry(
        sales=(Flow("3000", "M255", 780_000, "Ohjelmistokehitys"), Flow("3380", "M0", 60_000, "Lisenssit, EU:n ulkopuolelle")),
        goods=(Flow("4450", "O255", 70_000, "Alihankinta", "Lindqvist Konsult Ab"),),
        overheads=_OFFICE, salary=390_000, abroad="USD", asset=("1190", "6820", 7_200),
        projects=("Tietovarasto", "Mobiilisovellus", "Sisäinen"),
        employer_tax=_EMPLOYER, customers=_CUSTOMERS, departments=("Konsultointi", "Tuotekehitys"),
    ),
    "fishery": Industry(
        sales=(Flow("3020", "M135", 430_000, "Savukala ja fileet"),),
        goods=(
            Flow("4000", "O135", 190_000, "Raaka-aine, kirjolohi", "Saariston Kala Oy"),
            Flow("7680", "O255", 23_000, "Kylmäkuljetukset", "Rannikkorahti Oy"),
        ),
        overheads=_OFFICE, salary=110_000, asset=("1160", "6820", 15_000), loan=90_000, employer_tax=_EMPLOYER, customers=_CUSTOMERS,
        departments=("Hallinto", "Tuotanto"),
    ),
    "bookshop": Industry(
        sales=(Flow("3020", "M135", 240_000, "Kirjamyynti"), Flow("3040", "M10", 55_000, "Lehtimyynti"),
               Flow("3000", "M255", 80_000, "Paperitarvikkeet")),
        goods=(
            Flow("4000", "O135", 165_000, "Kirjat", "Kirjavälitys Pohjola Oy"),
            Flow("4000", "O10", 40_000, "Lehdet", "Lehtitukku Oy"),
        ),
        overheads=_OFFICE, invoiced=False, salary=70_000, asset=("1160", "6820", 3_600),
        employer_tax=_EMPLOYER, customers=_CUSTOMERS, departments=("Myymälä", "Verkkokauppa"),
    ),
    "housing": Industry(
        sales=(Flow("3710", None, 310_000, "Hoitovastikkeet"), Flow("3700", None, 14_000, "Autopaikat")),
        goods=(
            Flow("7350", None, 62_000, "Korjaukset", "Rakennusliike Salo Oy"),
            Flow("7340", None, 41_000, "Jätehuolto ja siivous", "Puhdas Porras Oy"),
        ),
        overheads=(
            Flow("7310", None, 39_000, "Kaukolämpö", "Saariston Energia Oy"),
            Flow("8380", None, 8_800, "Isännöinti", "Isännöinti Aura Oy"),
            Flow("8560", None, 12_000, "Kiinteistövakuutus", "Keskinäinen Vakuutusyhtiö Länsi"),
            Flow("8500", None, 9_000, "Laajakaista", "Turunmaan Puhelin Oy"),
        ),
        vat=False, taxed=False, salary=17_000, loan=1_400_000, asset=("1110", "6810", 4_000),
        employer_tax=_EMPLOYER, customers=("Osakkaat, A-talo", "Osakkaat, B-talo"), departments=("A-talo", "B-talo"),
    ),
}  # fmt: skip
