"""A company as it can be read: its rows, less what faults hide, and balances that stay true."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from apps.connectors.sdk.sandbox import Store

Obj = dict[str, Any]
HIDING = ("drop_voucher", "drop_page", "hide_account")


@dataclass(slots=True)
class Ledger:
    """`every`: numbered vouchers, those that faults hide too; `vouchers`: what can be seen of them."""

    doc: Obj
    accounts: list[Obj]
    every: list[Obj]
    vouchers: list[Obj]
    faults: dict[str, Obj]
    rows: dict[str, list[Obj]]
    moves: dict[tuple[int, str], int] = field(default_factory=dict)  # (year, account) -> öre

    def year(self, id: int) -> Obj | None:
        return next((year for year in self.doc["years"] if year["id"] == id), None)

    def year_on(self, day: str) -> Obj | None:
        return next((year for year in self.doc["years"] if year["from"] <= day <= year["to"]), None)

    def before(self, year: Obj) -> Obj | None:
        """The year before, when the company has it."""
        return self.year(year["id"] - 1)

    def opening(self, year: Obj, account: str) -> int:
        """Brought forward: the closing of the year before, of balance accounts."""
        earlier = self.before(year)
        if earlier is None:
            return int(self.doc["openings"].get(account, 0))
        if account[0] not in "12":
            return 0
        return self.opening(earlier, account) + self.moves.get((earlier["id"], account), 0)

    def closing(self, year: Obj, account: str) -> int:
        """Carried forward, with the cent that the fault adds from its month on."""
        moved = self.moves.get((int(year["id"]), account), 0)
        return self.opening(year, account) + moved + self._cent(year["to"], account)

    def of_year(self, year: Obj) -> list[Obj]:
        return [row for row in self.vouchers if row["year"] == year["id"]]

    def _cent(self, until: str, account: str) -> int:
        cent = self.faults.get("one_cent")
        return 1 if cent and cent["account"] == account and cent["from"] <= until[:7] else 0


def live(row: Obj) -> list[Obj]:
    """The lines that count."""
    return [line for line in row["rows"] if line["state"] != "removed"]


def load(store: Store, doc: Obj) -> Ledger:
    key = doc["key"]
    faults = store.faults(key)
    every = [row for row in store.rows(key, "voucher") if row["number"]]
    every.sort(key=lambda row: (row["year"], row["series"], row["number"]))
    moves: dict[tuple[int, str], int] = defaultdict(int)
    for row in every:
        for line in live(row):
            moves[(row["year"], line["account"])] += line["ore"]
    kinds = ("costcenter", "project", "customer", "supplier", "article")
    return Ledger(
        doc=doc,
        accounts=store.rows(key, "account"),
        every=every,
        vouchers=_seen(every, faults),
        faults=faults,
        rows={kind: store.rows(key, kind) for kind in kinds},
        moves=dict(moves),
    )


def _seen(every: list[Obj], faults: dict[str, Obj]) -> list[Obj]:
    gone = {id for name in HIDING for id in faults.get(name, {}).get("ids", ())}
    dropped = faults.get("drop_line", {})
    seen = []
    for row in every:
        if row["id"] in gone:
            continue
        if row["id"] == dropped.get("id"):
            lines = [line for n, line in enumerate(row["rows"]) if n != dropped["line"]]
            seen.append({**row, "rows": lines})
        else:
            seen.append(row)
    return seen
