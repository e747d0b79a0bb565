"""Netvisor's XML as canonical records: vouchers, dimensions, balances. Pure; any element may be absent or empty."""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from apps.connectors.providers.netvisor import forms
from apps.connectors.sdk.xml import Element, attribute, child, children, descendants, plain, text
from apps.records.enums import Counts, TaxRole, VoucherKind
from apps.records.ledger import Dimension, Posting, Voucher

COUNTS = {"": Counts.POSTED, "valid": Counts.POSTED, "invalidated": Counts.VOID, "deleted": Counts.VOID}
DELETED = "deleted"
ZERO = Decimal(0)
NO_CODE, OUTSIDE_VAT = "-", "NONE"  # no code; the code of lines without VAT
CLOSING_CLASS, CLOSING = "T", "automatic financial statements"  # resources.json, system_voucher_types
# "PI Purchase Invoice": the abbreviation is the series, the name comes in the language asked for
_CLASS = re.compile(r"([A-ZÅÄÖ0-9]{1,6})\s+\S.*", re.DOTALL)


def needed(element: Element, *path: str) -> str:
    """The text that an element is nothing without; raises ValueError."""
    found = text(element, *path)
    if not found:
        raise ValueError(f"no {path[-1]}")
    return found


def given(element: Element | None, *path: str) -> str | None:
    """A text, None where it is absent or empty."""
    return text(element, *path) or None


def filled(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "")}


def status(element: Element) -> str:
    return (attribute(element, "Status") or text(element, "Status") or "").strip().lower()


def voucher_day(element: Element) -> date:
    found = forms.day(text(element, "VoucherDate"))
    if found is None:
        raise ValueError("no VoucherDate")
    return found


def voucher(element: Element) -> Voucher:
    """A voucher with its lines as booked: each line's LineSum is what reaches the account, VAT has lines of its own."""
    on, state = voucher_day(element), status(element)
    kind = child(element, "VoucherClass")
    told = text(kind) or ""
    match = _CLASS.fullmatch(told)
    series = match.group(1) if match else told
    linked = child(element, "LinkedSourceNetvisorKey")
    return Voucher(
        external_id=needed(element, "NetvisorKey"),
        url=given(element, "VoucherNetvisorURI"),
        date=on,
        number=text(element, "VoucherNumber") or "",
        series=series,
        kind=VoucherKind.CLOSING if series == CLOSING_CLASS or told.lower() == CLOSING else VoucherKind.ORDINARY,
        counts=COUNTS.get(state, Counts.PROVISIONAL),
        text=text(element, "VoucherDescription") or "",
        source_document=text(linked) or None,
        postings=tuple(_posting(line, row, on) for row, line in enumerate(_lines(element), 1)),
        custom=filled(
            voucher_class=told,
            voucher_class_key=attribute(kind, "netvisorkey"),
            source_type=attribute(linked, "type"),
            counts_raw=None if state in COUNTS else state,
        ),
        raw=plain(element),
    )


def _lines(element: Element) -> Iterator[Element]:
    yield from children(element, "VoucherLine")
    for group in children(element, "VoucherLines"):
        yield from children(group, "VoucherLine")


def _posting(line: Element, row: int, on: date) -> Posting:
    amount = forms.decimal(text(line, "LineSum"))
    if amount is None:
        raise ValueError("no LineSum")
    vat = child(line, "VatPercent")
    code = (text(line, "VatCode") or attribute(vat, "vatcode") or "").strip()
    code = "" if code == NO_CODE else code
    dimensions, more = _dimensions(line)
    return Posting(
        external_id=text(line, "NetvisorKey") or "",
        row=row,
        date=on,
        account=needed(line, "AccountNumber"),
        amount=amount,
        vat_code=code or None,
        vat_rate=_rate(text(vat)),
        tax_role=TaxRole.BASE if code and code.upper() != OUTSIDE_VAT else TaxRole.NONE,
        dimensions=dimensions,
        text=text(line, "Description") or "",
        custom=filled(account_dimension=text(line, "AccountDimension"), more_dimensions=more or None),
    )


def _rate(told: str | None) -> Decimal | None:
    """A percentage; `-` says as little as it does of a code."""
    plain = (told or "").removesuffix("%").strip()
    return None if plain == NO_CODE else forms.decimal(plain)


def _dimensions(line: Element) -> tuple[dict[str, str], list[list[str]]]:
    """Item by dimension, both by name; an item can be blank. A second item of one dimension is kept apart."""
    found: dict[str, str] = {}
    more: list[list[str]] = []
    for element in children(line, "Dimension"):
        name, item = text(element, "DimensionName") or "", text(element, "DimensionItem") or ""
        if not name or not item:
            continue
        if name in found and found[name] != item:
            more.append([name, item])
        found.setdefault(name, item)
    return found, more


def dimension_items(element: Element) -> list[Dimension]:
    """The items of one dimension. Vouchers name items by their name, so that is the code."""
    kind = needed(element, "Name")
    rows = [row for row in descendants(element, "DimensionDetail") if text(row, "Name")]  # vouchers name no other
    names = {text(row, "NetvisorKey"): text(row, "Name") for row in rows}
    hidden = forms.flag(text(element, "IsHidden")) is True
    return [_item(row, kind, names.get(text(row, "FatherID")), hidden=hidden) for row in rows]


def _item(row: Element, kind: str, parent: str | None, *, hidden: bool) -> Dimension:
    name = needed(row, "Name")
    return Dimension(
        external_id=needed(row, "NetvisorKey"),
        kind=kind,
        code=name,
        name=name,
        parent=parent,
        active=not hidden and forms.flag(text(row, "IsHidden")) is not True,
        custom=filled(code=text(row, "Code"), label=text(row, "Label")),
        raw=plain(row),
    )


def balances(element: Element) -> dict[date, tuple[Decimal | None, Decimal | None, Decimal]]:
    """Debit, credit and balance of one account by day. The balance is turned to debit positive where it is not.

    An amount that stands there empty is nothing; where all three are missing, it is no balance.
    """
    found = {}
    for row in descendants(element, "AccountBalance"):
        on = forms.day(attribute(row, "date") or text(row, "Date"))
        told = [text(row, name) for name in ("Debet", "Kredit", "Balance")]
        if on is None or all(amount is None for amount in told):
            raise ValueError("a balance without its day or amount")
        debit, credit, balance = (forms.decimal(amount) for amount in told)
        net = abs(debit or ZERO) - abs(credit or ZERO)
        if balance is None or (debit is not None and credit is not None and balance == -net):
            balance = net
        found[on] = (debit, credit, balance)
    return found
