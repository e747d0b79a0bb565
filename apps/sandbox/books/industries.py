"""How the industries of the stories earn and spend. Amounts in whole units of currency a year at size 100; these are Norwegian."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flow:
    """A kind of income or cost: `amount` a year, on `account` with `code`, told as `text`."""

    account: str
    code: str | None
    amount: int
    text: str
    party: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Industry:
    """`invoiced`: sold on invoice (else over the counter). `abroad`: the currency that one supplier bills in."""

    sales: tuple[Flow, ...]
    goods: tuple[Flow, ...] = ()
    overheads: tuple[Flow, ...] = ()
    invoiced: bool = True
    vat: bool = True
    taxed: bool = True
    salary: int = 0
    employer_tax: int = 1410  # hundredths of a percent, zone I
    asset: tuple[str, str, int] = ("1250", "6017", 60_000)  # asset, depreciation account, depreciation a year
    loan: int = 0
    abroad: str = ""
    departments: tuple[str, ...] = ("Administrasjon", "Drift")
    projects: tuple[str, ...] = ()
    customers: tuple[str, ...] = (
        "Bakke Bygg AS", "Elvestad Eiendom AS", "Fjellheim Skole", "Granli Barnehage SA", "Hagen Transport AS",
        "Ingrid Moen", "Nordre Brygge Sameie", "Solvang Legesenter AS", "Tveit Maskin AS", "Vikane kommune",
    )  # fmt: skip


_OFFICE = (
    Flow("6300", "1", 180_000, "Husleie", "Torggata Eiendom AS"),
    Flow("6340", "1", 42_000, "Strøm", "Dalane Kraft AS"),
    Flow("6420", "1", 28_000, "Programvare, månedsleie", "Skyverk AS"),
    Flow("6705", "1", 66_000, "Regnskapshonorar", "Nordvik Regnskap AS"),
    Flow("6900", "1", 15_000, "Telefon og bredbånd", "Fjordtel AS"),
    Flow("6800", "1", 12_000, "Kontorrekvisita", "Kontorlageret AS"),
    Flow("7320", "1", 24_000, "Annonsering", "Lokalavisa Media AS"),
    Flow("7500", None, 26_000, "Forsikring, andel av årspremie", "Trygg Skadeforsikring ASA"),
)
_VEHICLES = (
    Flow("7000", "1", 58_000, "Drivstoff", "Veikroa Bensin AS"),
    Flow("7020", "1", 31_000, "Verksted og dekk", "Bilverkstedet Sør AS"),
    Flow("7040", None, 22_000, "Bilforsikring", "Trygg Skadeforsikring ASA"),
)
# Without right of deduction the cost is the whole invoice and carries no VAT code.
_UNREGISTERED = tuple(
    Flow(f.account, None, f.amount * 5 // 4 if f.code else f.amount, f.text, f.party) for f in _OFFICE
)

INDUSTRIES: Mapping[str, Industry] = {
    "cafe": Industry(
        sales=(Flow("3000", "3", 2_900_000, "Dagsoppgjør, servering"), Flow("3020", "31", 900_000, "Dagsoppgjør, ta med")),
        goods=(
            Flow("4300", "11", 980_000, "Mat- og drikkevarer", "Storhusholdning Vest AS"),
            Flow("4300", "1", 210_000, "Øl og vin", "Bryggeriet i Dalen AS"),
        ),
        overheads=_OFFICE, invoiced=False, salary=1_250_000, departments=("Kafé", "Catering"),
        asset=("1250", "6017", 84_000),
    ),
    "plumber": Industry(
        sales=(Flow("3000", "3", 6_400_000, "Rørleggerarbeid"),),
        goods=(
            Flow("4300", "1", 2_100_000, "Rørdeler", "VVS-grossisten AS"),
            Flow("4500", "1", 450_000, "Innleid arbeid", "Graveservice AS"),
        ),
        overheads=_OFFICE + _VEHICLES, salary=2_100_000, asset=("1230", "6010", 120_000), loan=600_000,
        departments=("Service", "Prosjekt"), projects=("Fjellheim skole", "Brygga byggetrinn 2", "Vaktordning"),
    ),
    "consultancy": Industry(
        sales=(Flow("3000", "3", 7_800_000, "Konsulentbistand"),),
        goods=(Flow("4500", "1", 700_000, "Underleverandør", "Lindqvist Rådgivning AS"),),
        overheads=_OFFICE, salary=4_300_000, abroad="EUR", asset=("1280", "6017", 72_000),
        departments=("Rådgivning", "Utvikling"), projects=("Datavarehus", "Tilsynsrapport", "Innføring ERP", "Internt"),
    ),
    "housing": Industry(
        sales=(Flow("3620", None, 3_100_000, "Felleskostnader"), Flow("3600", None, 140_000, "Garasjeleie")),
        goods=(
            Flow("6600", None, 620_000, "Vedlikehold", "Byggmester Solli AS"),
            Flow("6320", None, 410_000, "Kommunale avgifter", "Vikane kommune"),
            Flow("6360", None, 150_000, "Trappevask", "Ren Oppgang AS"),
        ),
        overheads=(
            Flow("6340", None, 190_000, "Strøm fellesareal", "Dalane Kraft AS"),
            Flow("6705", None, 88_000, "Forretningsførsel", "Nordvik Regnskap AS"),
            Flow("7500", None, 120_000, "Bygningsforsikring", "Trygg Skadeforsikring ASA"),
            Flow("6900", None, 260_000, "Bredbånd og TV", "Fjordtel AS"),
        ),
        vat=False, taxed=False, salary=170_000, loan=14_000_000, asset=("1100", "6000", 40_000),
        departments=("Blokk A", "Blokk B"), customers=("Andelseiere blokk A", "Andelseiere blokk B", "Garasjelaget"),
    ),
    "webshop": Industry(
        sales=(Flow("3000", "3", 5_200_000, "Netthandel, sum ordre"), Flow("3020", "31", 350_000, "Netthandel, matvarer")),
        goods=(
            Flow("4300", "1", 2_900_000, "Varekjøp", "Nordisk Sport Engros AS"),
            Flow("6100", "1", 420_000, "Pakkeporto", "Pakkebudet AS"),
        ),
        overheads=_OFFICE, invoiced=False, salary=900_000, abroad="USD", departments=("Lager", "Nettbutikk"),
        asset=("1250", "6017", 48_000),
    ),
    "dentist": Industry(
        sales=(Flow("3200", "6", 4_900_000, "Tannbehandling"),),
        goods=(
            Flow("4300", None, 520_000, "Forbruksmateriell", "Dental Depot AS"),
            Flow("4500", None, 480_000, "Tanntekniske arbeider", "Tannteknikk Vest AS"),
        ),
        overheads=_UNREGISTERED, invoiced=False, vat=False, salary=1_900_000, asset=("1200", "6015", 180_000),
        loan=1_200_000, departments=("Tannlege", "Tannpleier"),
    ),
    "smokehouse": Industry(
        sales=(Flow("3020", "31", 4_300_000, "Røkt laks og kveite"),),
        goods=(
            Flow("4000", "11", 1_900_000, "Råvarer, laks", "Havbruk Lofoten AS"),
            Flow("6100", "1", 230_000, "Kjølefrakt", "Kystfrakt AS"),
        ),
        overheads=_OFFICE, salary=1_200_000, employer_tax=510, asset=("1200", "6015", 150_000), loan=900_000,
        departments=("Produksjon", "Fabrikkutsalg"),
        customers=("Fiskehallen AS", "Storhusholdning Vest AS", "Hotell Havblikk AS", "Matgleden Engros AS"),
    ),
    "carpenter": Industry(
        sales=(Flow("3000", "3", 5_600_000, "Tømrerarbeid"),),
        goods=(
            Flow("4300", "1", 1_700_000, "Trelast", "Trelastlageret AS"),
            Flow("4500", "1", 600_000, "Underentreprise, maling", "Malermester Lie AS"),
        ),
        overheads=_OFFICE + _VEHICLES, salary=1_650_000, asset=("1230", "6010", 96_000),
        departments=("Nybygg", "Rehabilitering"), projects=("Hytte Skarvet", "Tilbygg Moen", "Barnehage Granli"),
    ),
    "hotel": Industry(
        sales=(
            Flow("3040", "33", 5_900_000, "Overnatting"),
            Flow("3000", "3", 2_100_000, "Restaurant"),
            Flow("3000", "3", 400_000, "Konferanse"),
        ),
        goods=(
            Flow("4300", "11", 900_000, "Matvarer", "Storhusholdning Vest AS"),
            Flow("6360", "1", 380_000, "Vask og tekstiler", "Nordtekstil AS"),
            Flow("7140", "13", 45_000, "Transport av gjester", "Bygdetaxi SA"),
        ),
        overheads=_OFFICE, invoiced=False, salary=3_200_000, loan=4_000_000, asset=("1100", "6000", 210_000),
        departments=("Hotell", "Restaurant", "Konferanse"),
    ),
    "transport": Industry(
        sales=(Flow("3000", "3", 4_800_000, "Godstransport"), Flow("3040", "33", 900_000, "Persontransport")),
        goods=(Flow("7000", "1", 1_300_000, "Diesel", "Veikroa Bensin AS"), Flow("7020", "1", 380_000, "Verksted", "Tungbil AS")),
        overheads=_OFFICE, salary=1_900_000, asset=("1200", "6015", 320_000), loan=1_800_000,
        departments=("Gods", "Buss"),
    ),
    "property": Industry(
        sales=(Flow("3000", "3", 1_900_000, "Husleie næringslokaler"),),
        goods=(Flow("6600", "1", 260_000, "Vedlikehold", "Byggmester Solli AS"),),
        overheads=_OFFICE[1:4] + _OFFICE[7:], salary=0, loan=9_000_000, asset=("1100", "6000", 240_000),
        departments=("Storgata 4", "Havnegata 12"),
    ),
    "hairdresser": Industry(
        sales=(Flow("3000", "3", 2_300_000, "Dagsoppgjør, klipp og farge"),),
        goods=(Flow("4300", "1", 240_000, "Hårprodukter", "Frisørengros AS"),),
        overheads=_OFFICE, invoiced=False, salary=1_050_000, asset=("1250", "6017", 36_000),
        departments=("Salong",),
    ),
}  # fmt: skip
