"""What happens in the books between two nights, and the few writes that the API takes."""

from datetime import date
from typing import Any

from apps.connectors.providers.tripletex.sandbox.answers import Refused, field_message, invalid, missing, not_found
from apps.connectors.providers.tripletex.sandbox.company import maker_of
from apps.connectors.providers.tripletex.sandbox.rows import KINDS, Maker, stored
from apps.connectors.sdk.sandbox import Edit, Row, Store


def save(store: Store, key: str, maker: Maker) -> None:
    """Write what the maker made, and the company's row with its counters."""
    for kind in KINDS:
        if maker.made.get(kind):
            store.put(key, kind, stored(kind, maker.made[kind]))
    store.put("", "company", [Row(id=key, data=maker.doc)])
    maker.made.clear()


def by_story(store: Store, key: str, external_id: str) -> dict[str, Any]:
    for row in store.rows(key, "voucher"):
        if row["story"] == external_id:
            return row
    raise ValueError(f"external_id: {key} has no voucher {external_id!r}")


def apply(store: Store, key: str, change: Edit, now: str) -> None:
    """Do one edit of a story."""
    doc = store.get("", "company", key)
    if doc is None:
        raise ValueError(f"no company {key!r}")
    maker = maker_of(store, key, doc)
    if change.action == "post":
        if change.voucher is None:
            raise ValueError("voucher: post needs one")
        row = maker.voucher(change.voucher, now)
        maker.keep("voucher", row | {"story": row["story"] or change.external_id})
        if change.voucher.reverses:
            _pair(maker, by_story(store, key, change.voucher.reverses), row)
    elif change.action == "change":
        if change.voucher is None:
            raise ValueError("voucher: change needs one")
        maker.keep("voucher", maker.voucher(change.voucher, now, by_story(store, key, change.external_id)))
    elif change.action == "delete":
        remove(store, key, by_story(store, key, change.external_id))
    elif change.action == "redate":
        if change.day is None:
            raise ValueError("day: redate needs one")
        maker.keep("voucher", redated(maker, by_story(store, key, change.external_id), change.day, now))
    elif change.action == "reverse":
        if change.day is None:
            raise ValueError("day: reverse needs one")
        reverse(maker, by_story(store, key, change.external_id), change.day, change.new_id or "", now)
    else:
        raise ValueError(f"action: {change.action!r} is none of post, change, delete, redate, reverse")
    save(store, key, maker)


def redated(maker: Maker, row: dict[str, Any], day: date, now: str) -> dict[str, Any]:
    year = maker.year_of(day.isoformat())
    new = row | {
        "date": day.isoformat(),
        "version": row["version"] + 1,
        "changed": [*row["changed"], now],
        "year": year,
    }
    if row["number"] and year != row["year"]:
        maker.numbered(new)
    new["postings"] = [
        posting | {"date": day.isoformat(), "version": posting["version"] + 1} for posting in row["postings"]
    ]
    return new


AMOUNTS = ("amount", "amountGross", "amountCurrency", "amountGrossCurrency")


def reverse(maker: Maker, row: dict[str, Any], day: date, story: str, now: str) -> dict[str, Any]:
    """A new voucher with the lines turned; each of the two names the other."""
    text = f"Reversering av bilag {row['numberAsString']}"
    new = row | {
        "id": maker.next_id("voucher"),
        "story": story,
        "version": 1,
        "date": day.isoformat(),
        "year": maker.year_of(day.isoformat()),
        "description": text,
        "created": now,
        "changed": [],
        "externalVoucherNumber": "",
    }
    maker.numbered(new)
    turned = []
    for posting in row["postings"]:
        amounts = {name: -posting[name] for name in AMOUNTS}
        turned.append(
            posting | amounts | {"id": maker.next_id("posting"), "date": day.isoformat(), "description": text}
        )
    new["postings"] = turned
    maker.keep("voucher", new)
    _pair(maker, row | {"version": row["version"] + 1, "changed": [*row["changed"], now]}, new)
    return new


def _pair(maker: Maker, old: dict[str, Any], new: dict[str, Any]) -> None:
    new["reverseVoucher"] = old["id"]
    maker.keep("voucher", old | {"reverseVoucher": new["id"]})


def remove(store: Store, key: str, row: dict[str, Any]) -> None:
    """Take the voucher away; one that reversed it, or was reversed by it, stands alone again."""
    other = row.get("reverseVoucher")
    if other:
        kept = store.get(key, "voucher", str(other))
        if kept:
            store.put(key, "voucher", stored("voucher", [kept | {"reverseVoucher": None}]))
    store.drop(key, "voucher", [str(row["id"])])


def stored_voucher(store: Store, key: str, id: int) -> dict[str, Any]:
    row = store.get(key, "voucher", str(id))
    if row is None:
        raise not_found()
    return row


def in_open_period(doc: dict[str, Any], day: str) -> None:
    if doc["locked"] and day <= doc["locked"]:
        raise invalid(field_message("date", "Perioden er avsluttet."))


def delete_voucher(store: Store, key: str, doc: dict[str, Any], id: int) -> None:
    row = stored_voucher(store, key, id)
    in_open_period(doc, row["date"])
    remove(store, key, row)


def reverse_voucher(store: Store, doc: dict[str, Any], id: int, day_text: str, now: str) -> int:
    """PUT /ledger/voucher/{id}/:reverse: the id of the new voucher."""
    if not day_text:
        raise missing("date")
    try:
        day = date.fromisoformat(day_text)
    except ValueError:
        raise Refused(422, 15000, "Validation failed", fields=[field_message("date", "Ugyldig dato.")]) from None
    key = doc["key"]
    row = stored_voucher(store, key, id)
    if not row["number"] or row.get("reverseVoucher"):
        raise invalid(field_message("id", "Bilaget kan ikke reverseres."))
    in_open_period(doc, day_text)
    maker = maker_of(store, key, doc)
    new = reverse(maker, row, day, "", now)
    save(store, key, maker)
    return int(new["id"])
