"""The SIE export, types 1 to 4 (4: 4E with every voucher), made from the same rows: code page 437, CRLF.

#UB and #RES are true whatever faults hide. No #PSALDO in type 4, no #OIB and #OUB (rows with objects stand in the
vouchers); types 2 and 3 have #PSALDO per month, type 3 also per object. Struck lines: #BTRANS; added ones: #RTRANS
and the same as #TRANS.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Any

from apps.connectors.providers.fortnox.sandbox.ledger import Ledger, live

Obj = dict[str, Any]
COST_CENTER, PROJECT = "1", "6"
TYPES = {"asset": "T", "liability": "S", "equity": "S", "income": "I", "expense": "K"}


def write(ledger: Ledger, year: Obj, kind: int, *, hidden: bool = False) -> bytes:
    """The file of one financial year. `hidden`: without its vouchers."""
    lines = [*_head(ledger, year, kind), *_chart(ledger), *_balances(ledger, year)]
    if kind >= 3:
        lines += _objects(ledger)
    if kind in (2, 3):
        lines += _periods(ledger, year, objects=kind == 3)
    if kind == 4 and not hidden:
        for row in ledger.of_year(year):
            lines += _voucher(row)
    return ("\r\n".join(lines) + "\r\n").encode("cp437", "replace")


def quoted(text: str) -> str:
    """A text field; what the code page lacks comes out as a question mark."""
    plain = "".join(sign if sign.isprintable() else " " for sign in text)
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def amount(ore: int) -> str:
    whole, rest = divmod(abs(ore), 100)
    return f"{'-' if ore < 0 else ''}{whole}.{rest:02d}"


def _day(iso: str) -> str:
    return iso.replace("-", "")[:8]


def _head(ledger: Ledger, year: Obj, kind: int) -> Iterator[str]:
    doc = ledger.doc
    yield "#FLAGGA 0"
    yield '#PROGRAM "Fortnox" 3.58.12'
    yield "#FORMAT PC8"
    yield f"#GEN {date.today():%Y%m%d}"  # noqa: DTZ011 - the machine's day will do
    yield f"#SIETYP {kind}"
    yield f"#FNR {doc['tenant']}"
    yield f"#ORGNR {doc['organisation_number']}"
    yield f"#FNAMN {quoted(doc['name'])}"
    yield f"#RAR 0 {_day(year['from'])} {_day(year['to'])}"
    earlier = ledger.before(year)
    if earlier:
        yield f"#RAR -1 {_day(earlier['from'])} {_day(earlier['to'])}"
    yield "#KPTYP EUBAS97"
    yield f"#VALUTA {doc['currency']}"


def _chart(ledger: Ledger) -> Iterator[str]:
    for row in ledger.accounts:
        yield f"#KONTO {row['number']} {quoted(row['name'])}"
        yield f"#KTYP {row['number']} {TYPES.get(row['type'], 'K')}"


def _objects(ledger: Ledger) -> Iterator[str]:
    for number, name, kind in ((COST_CENTER, "Kostnadsställe", "costcenter"), (PROJECT, "Projekt", "project")):
        if ledger.rows[kind]:
            yield f"#DIM {number} {quoted(name)}"
            for row in ledger.rows[kind]:
                yield f"#OBJEKT {number} {quoted(row['id'])} {quoted(row['name'])}"


def _balances(ledger: Ledger, year: Obj) -> Iterator[str]:
    """Accounts with a balance or a movement; this year's and the one before's."""
    for number, told in ((0, year), (-1, ledger.before(year))):
        if told is None:
            continue
        for row in ledger.accounts:
            account = row["number"]
            opening, closing = ledger.opening(told, account), ledger.closing(told, account)
            moved = (told["id"], account) in ledger.moves
            if account[0] in "12":
                if opening:
                    yield f"#IB {number} {account} {amount(opening)}"
                if opening or closing or moved:
                    yield f"#UB {number} {account} {amount(closing)}"
            elif closing or moved:
                yield f"#RES {number} {account} {amount(closing)}"


def _periods(ledger: Ledger, year: Obj, *, objects: bool) -> Iterator[str]:
    moves: dict[tuple[str, str, str], int] = defaultdict(int)
    for row in ledger.every:
        if row["year"] == year["id"]:
            month = row["date"][:4] + row["date"][5:7]
            for line in live(row):
                moves[(month, line["account"], "{}")] += line["ore"]
                if objects and _places(line) != "{}":
                    moves[(month, line["account"], _places(line))] += line["ore"]
    cent = ledger.faults.get("one_cent")
    if cent and year["from"][:7] <= cent["from"] <= year["to"][:7]:
        moves[(cent["from"].replace("-", ""), cent["account"], "{}")] += 1
    for (month, account, places), ore in sorted(moves.items()):
        yield f"#PSALDO 0 {month} {account} {places} {amount(ore)}"


def _places(line: Obj) -> str:
    found = []
    if line["cost_center"]:
        found.append(f"{COST_CENTER} {quoted(line['cost_center'])}")
    if line["project"]:
        found.append(f"{PROJECT} {quoted(line['project'])}")
    return "{" + " ".join(found) + "}"


def _voucher(row: Obj) -> Iterator[str]:
    day = _day(row["date"])
    yield f"#VER {row['series']} {row['number']} {day} {quoted(row['text'])} {_day(row['changed'])}"
    yield "{"
    for line in row["rows"]:
        tail = (
            f"{line['account']} {_places(line)} {amount(line['ore'])} {day} {quoted(line['text'])} {line['quantity']:g}"
        )
        if line["state"] == "removed":
            yield f"#BTRANS {tail}"
        elif line["state"] == "added":
            yield f"#RTRANS {tail}"
            yield f"#TRANS {tail}"
        else:
            yield f"#TRANS {tail}"
    yield "}"
