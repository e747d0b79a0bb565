"""What happens in the books between two nights, as it can happen at this vendor.

Vouchers keep their date, series and number for good (README: no PUT, no DELETE). So

- post: a new voucher, next number of its series.
- change: the vendor's own correction. The voucher stays; lines that fell away are kept as `Removed` (SIE #BTRANS), new
  ones are added (SIE #RTRANS beside #TRANS). Counts as changed.
- delete: the voucher is struck: all its lines are `Removed`, its number stays. Counts as deleted (void). With the
  setting `delete_means` = "gone" it leaves no trace but a gap, as when a SIE import replaced the year.
- redate: struck, and posted anew under the next number on the other day. Counts as deleted, and as back-dated where
  the new day says so; never as moved. (Stories of this vendor therefore leave it out.)
- reverse: a new voucher in series A with the lines turned.
- change of a voucher that was not posted: it gets its number now.
"""

from typing import Any

from apps.connectors.providers.fortnox.sandbox.ledger import live
from apps.connectors.providers.fortnox.sandbox.rows import Maker, line, series_of, stored
from apps.connectors.sdk.sandbox import Edit, Row, Store
from apps.records.enums import Counts, VoucherKind
from apps.records.ledger import Voucher

Obj = dict[str, Any]


def by_story(store: Store, key: str, external_id: str) -> Obj:
    """The latest voucher told under that id."""
    found = [row for row in store.rows(key, "voucher") if row["story"] == external_id]
    if not found:
        raise ValueError(f"external_id: {key} has no voucher {external_id!r}")
    return max(found, key=lambda row: int(row["id"]))


def apply(store: Store, doc: Obj, change: Edit, stamp: str) -> None:
    """Do one edit of a story. Raises ValueError for one that does not fit."""
    key, maker = doc["key"], Maker(doc)
    if change.action in ("post", "change") and change.voucher is None:
        raise ValueError(f"voucher: {change.action} needs one")
    if change.action in ("redate", "reverse") and change.day is None:
        raise ValueError(f"day: {change.action} needs one")
    if change.action == "post" and change.voucher:
        made = [maker.voucher(change.voucher, stamp, change.external_id)]
    elif change.action == "change" and change.voucher:
        made = [_changed(maker, by_story(store, key, change.external_id), change.voucher, stamp)]
    elif change.action == "delete":
        old = by_story(store, key, change.external_id)
        if store.setting("delete_means", "struck") == "gone":
            store.drop(key, "voucher", [old["id"]])
            made = []
        else:
            made = [_struck(old, stamp)]
    elif change.action == "redate" and change.day:
        made = _redated(maker, by_story(store, key, change.external_id), change.day.isoformat(), stamp)
    elif change.action == "reverse" and change.day:
        old = by_story(store, key, change.external_id)
        made = [_reversed(maker, old, change.day.isoformat(), change.new_id or "", stamp)]
    else:
        raise ValueError(f"action: {change.action!r} is none of post, change, delete, redate, reverse")
    store.put(key, "voucher", [stored(row) for row in made])
    store.put("", "company", [Row(id=key, data=doc)])


def _changed(maker: Maker, old: Obj, told: Voucher, stamp: str) -> Obj:
    new = [line(posting) for posting in told.postings]
    if not old["number"]:
        row = {**old, "date": told.date.isoformat(), "text": told.text[:200], "rows": new, "changed": stamp}
        row["year"] = maker.year_of(row["date"])
        if told.counts is Counts.POSTED:
            maker.number(row, series_of(told.kind, new))
        return row
    if told.date.isoformat() != old["date"]:
        raise ValueError("voucher: a posted voucher keeps its date here; use redate")
    left, kept = list(new), []
    for had in old["rows"]:
        same = next((n for n in left if had["state"] != "removed" and _plain(n) == _plain(had)), None)
        if same is not None:
            left.remove(same)
        kept.append(had if same is not None else {**had, "state": "removed"})
    return {**old, "rows": [*kept, *({**added, "state": "added"} for added in left)], "changed": stamp}


def _plain(row: Obj) -> Obj:
    return {name: value for name, value in row.items() if name not in ("state", "party")}


def _struck(old: Obj, stamp: str) -> Obj:
    return {**old, "rows": [{**row, "state": "removed"} for row in old["rows"]], "changed": stamp}


def _redated(maker: Maker, old: Obj, day: str, stamp: str) -> list[Obj]:
    maker.doc["made"] += 1
    new = {**old, "id": str(maker.doc["made"]), "date": day, "year": maker.year_of(day), "changed": stamp}
    new["rows"] = [{**row, "state": ""} for row in live(old)]
    maker.number(new, old["series"])
    return [_struck(old, stamp), new]


def _reversed(maker: Maker, old: Obj, day: str, story: str, stamp: str) -> Obj:
    maker.doc["made"] += 1
    text = f"Vändning av verifikation {old['series']}{old['number']}"
    new = {**old, "id": str(maker.doc["made"]), "story": story, "date": day, "year": maker.year_of(day)}
    new |= {"changed": stamp, "text": text, "reference": None}
    new["rows"] = [{**row, "ore": -row["ore"], "text": text, "state": ""} for row in live(old)]
    maker.number(new, series_of(VoucherKind.REVERSAL, new["rows"]))
    return new
