"""Amounts, quantities, dates and periods as SIE writes them. All raise FieldFault."""

import re
from datetime import date
from decimal import Decimal

from apps.formats.sie.faults import FieldFault

NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")
DIGITS = re.compile(r"[0-9]+")
WHOLE = re.compile(r"[+-]?[0-9]{1,3}")
PLACES = 4  # of the books (LEDGER 1); a zero beyond them is no amount
LARGEST = Decimal(10) ** 14  # ten-thousandths of it fit 64 bits
PLACES_QUANTITY = 10
LONGEST = 60


def read_amount(text: str) -> Decimal:
    """Debit positive, decimal point, at most four places that say something."""
    value = _read_number(text, "amount")
    if value != value.quantize(Decimal(1).scaleb(-PLACES)):
        raise FieldFault(
            "sie.places", f"The amount {text} has more than {PLACES} places.", "Round it in the source, not here."
        )
    if -value.as_tuple().exponent > PLACES:  # type: ignore[operator]
        value = value.quantize(Decimal(1).scaleb(-PLACES))
    return value or abs(value)


def read_quantity(text: str) -> Decimal | None:
    if not text:
        return None
    value = _read_number(text, "quantity")
    if value != value.quantize(Decimal(1).scaleb(-PLACES_QUANTITY)):
        raise FieldFault("sie.places", f"The quantity {text} has more than {PLACES_QUANTITY} places.", "Shorten it.")
    return value or abs(value)


def _read_number(text: str, what: str) -> Decimal:
    if not text:
        raise FieldFault("sie.missing", f"The {what} is missing.", "The line may be cut off: export the file again.")
    if len(text) > LONGEST or not NUMBER.fullmatch(text):
        raise FieldFault(
            "sie.number",
            f"The {what} {text[:LONGEST]!r} is not a number.",
            "Write it with a decimal point, a minus in front and no thousands separator.",
        )
    whole, _, places = text.partition(".")
    value = Decimal(f"{whole}.{places.rstrip('0') if len(places) > PLACES_QUANTITY else places}")
    if abs(value) >= LARGEST or len(value.as_tuple().digits) > 27:
        raise FieldFault("sie.number", f"The {what} {text} is too large or too long.", "Correct it in the source.")
    return value


def read_date(text: str) -> date | None:
    """None for an empty field."""
    if not text:
        return None
    if len(text) == 8 and DIGITS.fullmatch(text):
        try:
            return date(int(text[:4]), int(text[4:6]), int(text[6:]))
        except ValueError:
            pass
    raise FieldFault("sie.date", f"The date {text[:20]!r} is not a day.", "Write it as YYYYMMDD.")


def read_period(text: str) -> str:
    """`YYYYMM` of the file as `YYYY-MM`."""
    if len(text) == 6 and DIGITS.fullmatch(text) and text[:4] != "0000" and "01" <= text[4:] <= "12":
        return f"{text[:4]}-{text[4:]}"
    raise FieldFault("sie.period", f"The period {text[:20]!r} is not a month.", "Write it as YYYYMM.")


def read_year_no(text: str) -> int:
    """0 is the year of the file, -1 the one before."""
    if WHOLE.fullmatch(text):
        return int(text)
    raise FieldFault("sie.year_no", f"The year {text[:20]!r} is not a year number.", "Write 0, -1, -2 ...")
