"""What a voucher says, in a form that can be compared, hashed and kept as an earlier version."""

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from apps.core.fields import AmountError, from_units, to_units
from apps.ledger.enums import KeptOut, Weight
from apps.records import ledger as records
from apps.records.enums import AccountType, Counts

LONGEST_TEXT = 400  # of a voucher and of a posting, as they are held
CONTENT_VERSION = "1"  # part of every hash: raise it when `fingerprint` says more than before


def fingerprint(voucher: records.Voucher) -> str:
    """A hash over everything that is kept of the voucher; the vendor's version, stamps and raw payload are left out."""
    parts: list[Any] = [
        CONTENT_VERSION,
        voucher.date,
        voucher.series,
        voucher.number,
        voucher.kind.value,
        voucher.counts.value,
        voucher.period,
        voucher.text,
        voucher.reverses,
        voucher.reversed_by,
        sorted(voucher.custom.items(), key=str),
    ]
    parts.extend(
        (
            posting.row,
            posting.external_id,
            posting.date,
            posting.period,
            posting.account,
            posting.amount,
            posting.currency,
            posting.foreign_amount,
            posting.vat_code,
            posting.tax_role.value,
            posting.quantity,
            posting.text,
            posting.party,
            sorted(posting.dimensions.items()),
            [(part.kind, part.code, part.amount) for part in posting.allocations],
        )
        for posting in voucher.postings
    )
    return hashlib.blake2b("\x1f".join(map(_word, parts)).encode(), digest_size=16).hexdigest()


def restored(voucher: records.Voucher, text: str, lines: Mapping[int, str]) -> records.Voucher:
    """The voucher with the texts that its reading lost signs of as they are held: `text`, and `lines` by row number.

    A held text is kept where it has signs that `texts_through` lacks and says the same in letters and digits.
    """
    page = voucher.texts_through
    if page is None:
        return voucher
    known = {_letters(held, page): held for held in (*lines.values(), text) if _loses(held, page)}
    if not known:
        return voucher

    def exact(read: str, held: str) -> str:
        said = _letters(read, page)
        if read and _loses(held, page) and _letters(held, page) == said:
            return held
        return known.get(said, read) if said else read

    rows = tuple(replace(line, text=exact(line.text, lines.get(line.row, ""))) for line in voucher.postings)
    return replace(voucher, text=exact(voucher.text, text), postings=rows)


def _loses(text: str, page: str) -> bool:
    """Whether the code page cannot say the text whole. One that was cut to its column is not whole itself."""
    return len(text) < LONGEST_TEXT and not (text.isprintable() and text.encode(page, "ignore").decode(page) == text)


def _letters(text: str, page: str) -> str:
    """What is left of a text whatever was put in the place of a sign that the code page lacks."""
    kept = unicodedata.normalize("NFC", text).encode(page, "ignore").decode(page)
    return "".join(sign for sign in kept if sign.isalnum())


def _word(part: Any) -> str:
    if isinstance(part, Decimal):
        return str(part.normalize())
    if isinstance(part, tuple | list):
        return "\x1e".join(map(_word, part))
    return str(part)


def dimension_key(dimensions: dict[str, str]) -> str:
    return ";".join(f"{kind}={code}" for kind, code in sorted(dimensions.items()) if code)


def lines(posting: records.Posting) -> list[tuple[int, dict[str, str]]]:
    """(ten-thousandths, dimensions) of each part of a posting that is spread over several items of a dimension.

    What the allocations leave is a part of its own, so that the account's total never changes. Raises AmountError.
    """
    whole = to_units(posting.amount)
    if not posting.allocations:
        return [(whole, posting.dimensions)]
    parts = [(to_units(part.amount), {**posting.dimensions, part.kind: part.code}) for part in posting.allocations]
    rest = whole - sum(units for units, _ in parts)
    return [*parts, (rest, posting.dimensions)] if rest else parts


def difference(voucher: records.Voucher, types: dict[str, str]) -> Decimal:
    """What the voucher fails to sum to zero by; one-sided off-balance accounts are exempt."""
    return sum(
        (posting.amount for posting in voucher.postings if types.get(posting.account) != AccountType.OFF_BALANCE),
        Decimal(0),
    )


def judge(voucher: records.Voucher, types: dict[str, str]) -> tuple[KeptOut, Decimal]:
    """Whether the voucher may be taken in, and what it is off by."""
    try:
        for posting in voucher.postings:
            lines(posting)
            to_units(posting.foreign_amount or Decimal(0))
    except AmountError:
        return KeptOut.AMOUNT, Decimal(0)
    off = difference(voucher, types)
    if off and voucher.counts != Counts.PROVISIONAL:
        return KeptOut.UNBALANCED, off
    return KeptOut.NO, Decimal(0)


def weight(counts: Counts, kept_out: KeptOut) -> Weight:
    if kept_out != KeptOut.NO:
        return Weight.OUT
    return {
        Counts.POSTED: Weight.POSTED,
        Counts.PROVISIONAL: Weight.PROVISIONAL,
        Counts.OPENING: Weight.OPENING,
        Counts.VOID: Weight.OUT,
    }[counts]


def snapshot(*, day: date, counts: str, text: str, rows: list[tuple[str, int, int, str]]) -> dict[str, Any]:
    """How a voucher stood: `rows` are (account, ten-thousandths, period, dimensions). Amounts become strings."""
    return {
        "date": day.isoformat(),
        "counts": counts,
        "text": text,
        "postings": [
            {"account": account, "amount": str(from_units(units)), "period": period, "dimensions": dimensions}
            for account, units, period, dimensions in rows
        ],
    }
