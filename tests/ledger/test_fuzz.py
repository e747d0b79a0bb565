"""Damaged and hostile files, made from real ones by a seed: refused whole or taken whole, soon, and never a crash.

SHORT and FULL are their seconds in `make test` and `make soak`: over both databases together 20 seconds, and 10 minutes
and 10 seconds. The readers need no database and work beside SQLite only. The line of the soak counts the files.
"""

import io
import os
import random
import signal
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Count, Sum

from apps.clients.enums import Verdict
from apps.clients.imports import RefusedError, wanted_of
from apps.clients.models import Client
from apps.clients.remedies import of_table
from apps.connectors.sdk import xml
from apps.connectors.sdk.decoding import parse_json
from apps.core.scope import system_scope
from apps.core.uploads import UploadRefusedError, file_of
from apps.formats.sie import SieError, read_sie
from apps.formats.tables import TableError, read_table
from apps.ledger.balances import recalculate_all
from apps.ledger.enums import KeptOut
from apps.ledger.files import FileRefusedError
from apps.ledger.models import (
    Account,
    Balance,
    DimensionItem,
    DimensionSet,
    Figure,
    FiscalYear,
    LedgerFile,
    OpeningBalance,
    Posting,
    Proof,
    Source,
    Voucher,
)
from apps.onboarding.actions import check_file
from apps.onboarding.enums import LineState
from apps.onboarding.models import told_of
from apps.records.enums import VoucherKind
from apps.sync.imports import import_ledger_file
from tests import factories, specs
from tests.conftest import DATABASE

pytestmark = pytest.mark.soak
SHORT = {"readers": 6, "import": 4, "clients": 3}
FULL = {"readers": 210, "import": 110, "clients": 90}
EACH = 10  # seconds for one file, also on a busy machine
LARGEST = 4 * 2**20

OWN = b"""#FLAGGA 0\r\n#FORMAT PC8\r\n#SIETYP 4\r\n#ORGNR 556036-0793\r\n#FNAMN "F\x84rg & Fj\x84ll AB"\r
#RAR 0 20250101 20251231\r\n#RAR -1 20240101 20241231\r\n#DIM 1 "Enhet"\r\n#OBJEKT 1 "0" "Huvud"\r
#KONTO 1920 "Bank"\r\n#KTYP 1920 T\r\n#KONTO 3000 "S\x84lj"\r\n#IB 0 1920 100.00\r\n#UB 0 1920 350.50\r\n#RES 0 3000 -250.50\r
#VER A 1 20250115 "Sale"\r\n{\r\n#TRANS 1920 {1 "0"} 250.50 20250115 "x \\"y\\"" 1\r\n#TRANS 3000 {} -250.50\r\n}\r
#VER "" "" 20250228\r\n{\r\n#RTRANS 1920 {} 1.00\r\n#TRANS 1920 {} 1.00\r\n#TRANS 3000 {} -1.00\r\n#BTRANS 3000 {} 5\r\n}\r\n"""
# A year with enough vouchers that losing some is suspicious.
YEAR = OWN + b"".join(
    b'#VER B %d 202503%02d "Sale %d"\r\n{\r\n#TRANS 1920 {} %d.00\r\n#TRANS 3000 {} -%d.00\r\n}\r\n' % (n, n, n, n, n)
    for n in range(1, 29)
)
# The same without most vouchers, and with news: refused for what is missing, after the news was written.
SHORTER = (
    YEAR[: YEAR.index(b"#VER B 5 ")].replace(b"#KTYP", b'#KONTO 1999 "New"\r\n#KTYP')
    + b"#VER C 1 20250401\r\n{\r\n#TRANS 1999 {} 7.00\r\n#TRANS 3000 {} -7.00\r\n}\r\n"
)
JSON = b'{"values": [{"id": 1, "amount": -12.50, "date": "2025-01-01", "lines": [[], {}, null, true, "\\u00e5"]}], "next": null}'
XML = b'<?xml version="1.0" encoding="ISO-8859-15"?>\n<Root a="b"><!-- c --><Voucher status="ok"><Sum>1 234,50</Sum><T>\xe5&amp;</T></Voucher><V/></Root>'
# Clients as offices write them down, as numbers alone, and as another program gives them.
CLIENTS = (
    """sep=;\r\nnr;navn;land;orgnr;tidssone;ansvarlig\r\n1001;Nordlys AS;NO;987463104;;\r\n1002;Havbris Drift AS;;974 760 673;Europe/Oslo;
;"Ny; ""Å"" AS";;923609016;;kari@bureau.example\r\n;M\u00e4laren AB;SE;556036-0793;;\r\n;Oy;FI;0112038-9;;\r\n9;Aps;DK;13585628;;
;Ltd;GB;AB 12/34;Europe/London;\r\n;BV;NL;33031431;;\r\n;GmbH;DE;DE136695976;;\r\n;Feil AS;;111111112;;\r\n'=7;'+47 AS;;9,87E+08;;\r\n""",
    "987 463 104\n974\u00a0760\u00a0673\n923609016\n",
    "Client number,Company name,Organization No.,Notes\n1001,Nordlys AS,987463104,x\n,=1+1,923609016,\n",
    "Asiakasnumero\tYrityksen nimi\tMaa\tY-tunnus\n1\tYhtiö Oy\tFI\t0112038-9\n",
)
TABLES = [text.encode(code) for text in CLIENTS for code in ("utf-8", "utf-8-sig", "cp1252", "utf-16")]

TRICKS = (
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n", b"\x1a", b'"', b'\\"', b"{", b"}", b"{" * 500, b'"' * 501, b"#", b"-",
    b"1e999999999", b"-0", b"9" * 400, b"99999999999999999999.99", b".", b"0x10", b"NaN", b"Infinity", b"1,5", b"\xa0", b"\x84",
    b"00000000", b"20251332", b"99991231", b"00010101", b"#KSUMMA\r\n", b"#KSUMMA 1\r\n", b"#VER A 1 20250115\r\n{\r\n", b"\r\n}\r\n",
    b"#SIETYP 9", b"#RAR 0 20251231 20250101\r\n", b"#RAR 1 20260101 20261231\r\n", b"#RAR 0 00010101 99991231\r\n",
    b"\xe2\x80\xae", b"\xed\xa0\x80", b"%s%n", b"'; DROP TABLE ledger_voucher; --", b"<!DOCTYPE a [<!ENTITY e 'x'>]>", b"&e;", b"<a>" * 300,
    b"[" * 5000, b"PK\x03\x04", b"=1+1", b"\x80" * 40, "٣".encode(), "①".encode(), b"A" * 70_000,
    b"A" * 140_000, b'"' + b"A" * 140_000, b";", b",", b"\t", b"sep=,\r\n", b";" * 3000, b"\n" * 12_000, b"\xe2\x80\xa8", b"\x85", b"\x0b",
    b"NO", b"SE", b"PL", b"CZ", b"SK", "²".encode(), "İ".encode(), b"1" * 20,
)  # fmt: skip


def real_files() -> list[bytes]:
    """The vendors' samples where they are, and ours."""
    found = [OWN]
    folder = specs.specs_folder()
    if folder is not None:
        files = Path(folder) / "ledger_files"
        found += [path.read_bytes() for path in sorted((files / "samples" / "sie").iterdir()) if path.is_file()]
        found += [path.read_bytes() for path in sorted((files / "saf-t").glob("*.csv"))]
    elif os.environ.get("KONTOR_REQUIRE_SPECS") == "1":
        pytest.fail("vendor specs: NOT CHECKED")
    return found


def zipped(data: bytes, chance: random.Random) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", chance.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED))) as made:
        for number in range(chance.choice((1, 1, 1, 2))):
            made.writestr(
                f"{chance.choice(('', '../../', 'a/', '__MACOSX/'))}{number}.{chance.choice(('se', 'zip'))}", data
            )
    return packed.getvalue()


def lines_moved(raw: bytearray, _at: int, _until: int, chance: random.Random) -> None:
    lines = bytes(raw).split(b"\n")
    if chance.random() < 0.2:
        chance.shuffle(lines)
    else:
        lines.pop(chance.randrange(len(lines)))
    raw[:] = b"\n".join(lines)


def bit_turned(raw: bytearray, at: int, _until: int, chance: random.Random) -> None:
    if at < len(raw):
        raw[at] ^= 1 << chance.randrange(8)


def replaced(raw: bytearray, at: int, until: int, chance: random.Random) -> None:
    raw[at:until] = chance.choice((b"", b"", raw[at:until] * 20, chance.choice(TRICKS), chance.randbytes(until - at)))


def inserted(raw: bytearray, at: int, until: int, chance: random.Random) -> None:
    other = chance.randrange(len(raw) + 1)
    raw[other:other] = chance.choice((raw[at:until], chance.choice(TRICKS)))


def cut(raw: bytearray, at: int, _until: int, _chance: random.Random) -> None:
    del raw[at:]


CHANGES = (bit_turned, bit_turned, replaced, replaced, replaced, inserted, inserted, inserted, lines_moved, cut)
WEIGHTS = (3, 3, 3, 3, 3, 3, 3, 3, 3, 1)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """A few changes, sometimes another encoding, sometimes an archive, sometimes a damaged one."""
    raw = bytearray(data)
    for change in chance.choices(CHANGES, WEIGHTS, k=chance.choice((1, 1, 2, 3, 8, 30))):
        at = chance.randrange(len(raw) + 1)
        change(raw, at, min(len(raw), at + chance.choice((1, 2, 10, 100, 5000))), chance)
        del raw[LARGEST:]
    changed = bytes(raw)
    if chance.random() < 0.06:
        changed = changed.decode("cp437").encode(chance.choice(("utf-8", "utf-8-sig", "utf-16", "utf-16-be")))
    if chance.random() < 0.12:
        changed = zipped(changed, chance)
        if chance.random() < 0.5:
            broken = bytearray(changed)
            for _ in range(chance.choice((1, 5))):
                broken[chance.randrange(len(broken))] = chance.randrange(256)
            changed = bytes(broken)
    return changed


class HungError(BaseException):
    """Not to be caught by what is tested."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    def hung(_number: int, _frame: Any) -> None:
        raise HungError(f"not done within {seconds} seconds")

    before = signal.signal(signal.SIGALRM, hung)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def worked(job: Any, one: Callable[[random.Random], str]) -> Counter[str]:
    """Do one after the other for the planned seconds; `job.done` counts seconds, the name tells the files."""
    chance = random.Random(job.seed)  # noqa: S311 - chosen so that it can be had again
    came: Counter[str] = Counter()
    began = time.monotonic()
    while (passed := time.monotonic() - began) < job.planned:
        try:
            with within(EACH):
                came[one(chance)] += 1
        except (Exception, HungError) as error:
            job.failures += 1
            error.add_note(f"seed {job.seed}, file {sum(came.values())}: the same seed gives the same files")
            raise
        job.done = int(passed)
    job.done = job.planned
    files = sum(came.values())
    job.name = f"{job.name}: {files} files ({', '.join(f'{count} {what}' for what, count in came.most_common(4))})"
    assert files >= job.planned, "too few to say anything"
    return came


@pytest.mark.skipif(DATABASE != "sqlite", reason="needs no database: the run on SQLite has it")
def test_readers_refuse_or_read_every_damaged_file(endurance: Callable[..., Any]) -> None:
    files, job = real_files(), endurance(short=SHORT["readers"], full=FULL["readers"])

    def one(chance: random.Random) -> str:
        what = chance.randrange(10)
        if what == 0:
            return "json" if parse_json(mutated(JSON, chance))[1] else "no json"
        if what == 1:
            try:
                return xml.parse(mutated(XML, chance)).tag and "xml"
            except xml.XmlError:
                return "no xml"
        if what in (2, 3):
            data = mutated(chance.choice(TABLES), chance)
            try:
                return read_table(data, is_header=lambda cell: "n" in cell) and "table"
            except TableError as error:
                return "no table" if filled(of_table(error.code, error.facts).title, error.facts) else "no words"
        try:
            _name, data = file_of("a", mutated(chance.choice(files), chance), largest=LARGEST)
            read_sie(data)
        except UploadRefusedError:
            return "refused by content"
        except SieError as error:
            return "refused" if error.problems and str(error) else "refused without a word"
        return "read"

    came = worked(job, one)

    pairs = {"json", "no json", "xml", "no xml", "table", "no table"}
    assert set(came) == pairs | {"refused by content", "refused", "read"}


@pytest.mark.django_db
def test_an_import_is_whole_or_leaves_nothing(endurance: Callable[..., Any]) -> None:
    files = [data for data in real_files() if len(data) < 60_000]
    job = endurance(short=SHORT["import"], full=FULL["import"])
    with system_scope("tests"):
        client: Client = factories.ClientFactory(country="SE", organisation_number="")
        import_ledger_file(client=client, name="year.se", data=YEAR, actor=None)
        before = books(client)

        def one(chance: random.Random) -> str:
            data = mutated(chance.choice((YEAR, SHORTER, chance.choice(files))), chance)
            replace = chance.random() < 0.5
            with transaction.atomic():
                try:
                    import_ledger_file(client=client, name="a\u202e.se", data=data, actor=None, replace=replace)
                except SieError:
                    came_of = "not read"
                except FileRefusedError:
                    came_of = "not taken in"
                else:
                    whole(client)
                    transaction.set_rollback(True)
                    return "taken in"
            assert books(client) == before, "refused, and something was written"
            return came_of

        came = worked(job, one)

        assert set(came) == {"not read", "not taken in", "taken in"}
        assert books(client) == before


@pytest.mark.django_db
def test_a_file_of_clients_is_refused_or_judged_line_by_line(endurance: Callable[..., Any]) -> None:
    job = endurance(short=SHORT["clients"], full=FULL["clients"])
    verdicts: Counter[str] = Counter()
    with system_scope("tests"):
        held: Client = factories.ClientFactory(country="NO", organisation_number="987463104", number="1001")
        factories.ClientFactory(
            organisation=held.organisation, country="NO", organisation_number="974760673", number="1002"
        )
        connector = factories.ConnectorFactory(organisation=held.organisation)
        before = list(Client.objects.values())

        def one(chance: random.Random) -> str:
            data, through = mutated(chance.choice(TABLES), chance), chance.choice((None, connector))
            with transaction.atomic():
                try:
                    asked = wanted_of(data)
                except RefusedError as error:
                    return "refused" if filled(error.fault.title, error.fault.facts) else "no words"
                batch = check_file(
                    organisation=held.organisation, connector=through, name="a\u202e.csv", data=data, actor=None
                )
                lines = list(batch.lines.all())
                assert len(lines) == len(asked)
                for line in lines:
                    told = told_of(line.trouble)
                    assert (line.state == LineState.REFUSED) == bool(told and told.title and told.steps)
                verdicts.update(line.verdict for line in lines)
                transaction.set_rollback(True)
                return "judged"

        came = worked(job, one)

        assert set(came) == {"refused", "judged"}
        assert set(verdicts) == set(Verdict)
        assert list(Client.objects.values()) == before


def filled(text: str, facts: Mapping[str, str]) -> str:
    """The text with its facts; every one that it names is there."""
    return text.format(**facts)


def books(client: Client) -> tuple[Any, ...]:
    """Everything that an import writes."""
    rows = (
        LedgerFile,
        Account,
        FiscalYear,
        DimensionItem,
        DimensionSet,
        OpeningBalance,
        Figure,
        Proof,
        Source,
        Balance,
    )
    return (
        [kind._base_manager.filter(client=client).count() for kind in rows],
        list(Voucher.objects.filter(client=client).order_by("pk").values_list("pk", "external_id", "deleted_at")),
        Posting.objects.filter(client=client).aggregate(count=Count("pk"), sum=Sum("amount")),
    )


def whole(client: Client) -> None:
    """What counts cancels out, nothing hangs on a voucher that is gone, and the balances are what a new sum gives."""
    live = Voucher.objects.filter(client=client, deleted_at=None)
    rows = Posting.objects.filter(client=client)
    assert not rows.exclude(voucher__in=live).exists()
    counted = live.filter(kept_out=KeptOut.NO).exclude(kind=VoucherKind.BALANCE_IMPORT)
    uneven = rows.filter(voucher__in=counted).values("voucher").annotate(sum=Sum("amount"))
    assert not [row for row in uneven if row["sum"]]
    kept = cells(client)
    recalculate_all(client)
    assert kept == cells(client)


def cells(client: Client) -> list[Any]:
    rows = Balance.objects.filter(client=client).exclude(postings=0)
    return sorted(
        rows.values_list(
            "fiscal_year", "period", "account", "dimension_set", "debit", "credit", "provisional", "postings"
        )
    )
