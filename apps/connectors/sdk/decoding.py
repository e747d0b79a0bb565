"""How answers are read. A provider names one of these, or its own `(body, headers) -> (data, readable)`."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

LARGEST_EXPONENT = 40  # no amount, quantity or rate is near it; 1e999999999 would fill the memory when written out
Decode = Callable[[bytes, Mapping[str, str]], tuple[Any, bool]]


def parse_json(body: bytes, _headers: Mapping[str, str] | None = None) -> tuple[Any, bool]:
    """The body as JSON (decimals as Decimal) whatever its content type says, and whether it was JSON at all."""
    try:
        return json.loads(body, parse_float=_decimal, parse_constant=_decimal), True
    except (ValueError, ArithmeticError, RecursionError):  # the last: brackets in brackets in brackets ...
        return body[:2000].decode("utf-8", "replace"), False


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite() or abs(value.adjusted()) > LARGEST_EXPONENT:
        raise ValueError(f"{text[:40]} is no number of books")
    return value
