"""How the industries of the Swedish stories earn and spend. Amounts in whole kronor a year at size 100."""

from collections.abc import Mapping
from functools import partial

from apps.sandbox.books.industries import Flow
from apps.sandbox.books.industries import Industry as AnyIndustry

_CUSTOMERS = (
    "Arosbygg AB", "Björkbackens skola", "Engsö Slottskafé AB", "Fjärdhundra Maskin AB", "Hallsta Förskola",
    "Kvicksund Marin AB", "Lindströms Måleri HB", "Mälarstrand Bostäder AB", "Strömsholms Ridsällskap", "Åsa Nyberg",
)  # fmt: skip
Industry = partial(AnyIndustry, employer_tax=3142, departments=("Administration", "Drift"), customers=_CUSTOMERS)

_OFFICE = (
    Flow("5010", "I25", 192_000, "Lokalhyra", "Torget Fastigheter AB"),
    Flow("5020", "I25", 44_000, "El", "Mälarkraft AB"),
    Flow("5420", "I25", 30_000, "Programvara, månadsavgift", "Skyverk AB"),
    Flow("6530", "I25", 72_000, "Redovisningstjänster", "Mälardalens Redovisning AB"),
    Flow("6212", "I25", 16_000, "Mobil och bredband", "Svealands Tele AB"),
    Flow("6110", "I25", 12_000, "Kontorsmateriel", "Pappersboden AB"),
    Flow("5910", "I25", 26_000, "Annonsering", "Länstidningen Media AB"),
    Flow("6310", None, 28_000, "Företagsförsäkring", "Trygga Ägg Försäkring AB"),
)
_VEHICLES = (
    Flow("5611", "I25", 61_000, "Drivmedel", "Vägkrogen Bränsle AB"),
    Flow("5613", "I25", 33_000, "Verkstad och däck", "Bilverkstan i Hallsta AB"),
    Flow("5615", None, 24_000, "Fordonsförsäkring", "Trygga Ägg Försäkring AB"),
)

INDUSTRIES: Mapping[str, AnyIndustry] = {
    "cafe": Industry(
        sales=(Flow("3002", "MP2", 2_800_000, "Dagskassa, servering"), Flow("3001", "MP1", 600_000, "Dagskassa, öl och vin")),
        goods=(
            Flow("4012", "I12", 900_000, "Livsmedel", "Storköksgrossisten AB"),
            Flow("4010", "I25", 190_000, "Öl och vin", "Bryggeriet vid Ån AB"),
        ),
        overheads=_OFFICE, invoiced=False, salary=1_150_000, asset=("1220", "7832", 84_000),
        departments=("Servering", "Bageri"),
    ),
    "electrician": Industry(
        sales=(Flow("3001", "MP1", 6_900_000, "Elinstallation"),),
        goods=(
            Flow("4010", "I25", 2_300_000, "Elmateriel", "Elgrossisten Mitt AB"),
            Flow("4600", "I25", 520_000, "Inhyrd montör", "Montörbolaget AB"),
        ),
        overheads=_OFFICE + _VEHICLES, salary=2_200_000, asset=("1240", "7834", 130_000), loan=500_000,
        departments=("Service", "Entreprenad"), projects=("Björkbackens skola", "Brf Utsikten etapp 2", "Jour"),
    ),
    "consultancy": Industry(
        sales=(Flow("3001", "MP1", 8_200_000, "Konsultarvode"),),
        goods=(Flow("4600", "I25", 750_000, "Underkonsult", "Lindqvist Analys AB"),),
        overheads=_OFFICE, salary=4_100_000, abroad="EUR", asset=("1250", "7835", 72_000),
        departments=("Rådgivning", "Utveckling"), projects=("Datalager", "Tillsyn", "Införande affärssystem", "Internt"),
    ),
    "property": Industry(
        sales=(Flow("3911", "MP1", 2_200_000, "Hyra lokaler"), Flow("3004", "MF", 900_000, "Hyra bostäder")),
        goods=(Flow("5170", "I25", 310_000, "Fastighetsunderhåll", "Byggmästare Sundin AB"),),
        overheads=_OFFICE[1:4] + _OFFICE[7:], salary=0, loan=9_500_000, asset=("1110", "7821", 250_000),
        departments=("Storgatan 4", "Hamngatan 12"),
    ),
    "webshop": Industry(
        sales=(Flow("3001", "MP1", 5_400_000, "Nätförsäljning, ordersumma"), Flow("3003", "MP3", 420_000, "Nätförsäljning, böcker")),
        goods=(
            Flow("4010", "I25", 2_900_000, "Varuinköp", "Nordisk Fritid Engros AB"),
            Flow("5710", "I25", 430_000, "Paketfrakt", "Paketbudet AB"),
        ),
        overheads=_OFFICE, invoiced=False, salary=950_000, abroad="USD", asset=("1220", "7832", 48_000),
        departments=("Lager", "Nätbutik"),
    ),
    "gym": Industry(
        sales=(Flow("3003", "MP3", 3_600_000, "Träningskort"), Flow("3002", "MP2", 240_000, "Kiosk")),
        goods=(
            Flow("4012", "I12", 120_000, "Kioskvaror", "Storköksgrossisten AB"),
            Flow("5060", "I25", 260_000, "Städning", "Rena Trappan AB"),
        ),
        overheads=_OFFICE, invoiced=False, salary=1_300_000, asset=("1220", "7832", 190_000), loan=900_000,
        departments=("Gym", "Gruppträning"),
    ),
    "haulier": Industry(
        sales=(Flow("3001", "MP1", 5_300_000, "Godstransport"), Flow("3003", "MP3", 700_000, "Skolskjuts")),
        goods=(
            Flow("5620", "I25", 1_400_000, "Diesel", "Vägkrogen Bränsle AB"),
            Flow("5613", "I25", 390_000, "Verkstad", "Tungbil i Köping AB"),
        ),
        overheads=_OFFICE, salary=1_800_000, asset=("1210", "7831", 330_000), loan=1_900_000,
        departments=("Gods", "Buss"),
    ),
}  # fmt: skip
