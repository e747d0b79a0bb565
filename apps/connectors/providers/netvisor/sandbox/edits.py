"""What happens in the books between two nights."""

from datetime import date
from typing import Any

from apps.connectors.providers.netvisor.sandbox.rows import INVALIDATED, Maker, maker_of, save
from apps.connectors.sdk.sandbox import Edit, Row, Store

ACTIONS = ("post", "change", "delete", "redate", "reverse", "invalidate")


def apply(store: Store, key: str, change: Edit, now: str) -> None:
    """Do one edit of a story. Raises ValueError naming what is wrong with it."""
    doc = store.get("", "company", key)
    if doc is None:
        raise ValueError(f"no company {key!r}")
    if change.action not in ACTIONS:
        raise ValueError(f"action: {change.action!r} is none of {', '.join(ACTIONS)}")
    maker = maker_of(store, key, doc)
    if change.action == "post":
        if change.voucher is None:
            raise ValueError("voucher: post needs one")
        row = maker.voucher(change.voucher, now)
        maker.keep("voucher", row | {"story": row["story"] or change.external_id, "created": now, "modified": now})
    else:
        _change(store, maker, change, now)
    save(store, maker)


def _change(store: Store, maker: Maker, change: Edit, now: str) -> None:
    old = by_story(store, maker.doc["key"], change.external_id)
    if change.action == "delete":
        remove(store, maker.doc["key"], old, now)
    elif change.action == "invalidate":
        maker.keep("voucher", old | {"status": INVALIDATED, "modified": now})
    elif change.action == "change":
        if change.voucher is None:
            raise ValueError("voucher: change needs one")
        row = maker.voucher(change.voucher, now, old)
        maker.keep("voucher", row | {"story": change.external_id})
    elif change.day is None:
        raise ValueError(f"day: {change.action} needs one")
    elif change.action == "redate":
        new = old | {"date": change.day.isoformat(), "modified": now}
        maker.numbered(new, old)
        maker.keep("voucher", new)
    else:
        reverse(maker, old, change.day, change.new_id or "", now)


def by_story(store: Store, key: str, external_id: str) -> dict[str, Any]:
    for row in store.rows(key, "voucher"):
        if row["story"] == external_id:
            return row
    raise ValueError(f"external_id: {key} has no voucher {external_id!r}")


def remove(store: Store, key: str, row: dict[str, Any], now: str) -> None:
    """Take the voucher away; `deletedvouchers.nv` remembers it for seven days."""
    store.drop(key, "voucher", [str(row["id"])])
    store.put(key, "deleted", [Row(id=str(row["id"]), data=row | {"deleted": now}, day=now)])


def reverse(maker: Maker, row: dict[str, Any], day: date, story: str, now: str) -> None:
    """A new voucher with the lines turned. Nothing but its text tells which voucher it takes back."""
    new = row | {
        "id": maker.next_key("voucher"),
        "story": story,
        "date": day.isoformat(),
        "class": "MU",
        "text": f"Oikaisu, tosite {row['class']} {row['number']}",
        "created": now,
        "modified": now,
    }
    new.pop("linked", None)
    maker.numbered(new)
    new["lines"] = [line | {"id": maker.next_key("line"), "amount": -line["amount"]} for line in row["lines"]]
    maker.keep("voucher", new)
