"""How answers are read. A provider names one of these, or its own `(body, headers) -> (data, readable)`."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

Decode = Callable[[bytes, Mapping[str, str]], tuple[Any, bool]]


def parse_json(body: bytes, _headers: Mapping[str, str] | None = None) -> tuple[Any, bool]:
    """The body as JSON (decimals as Decimal) whatever its content type says, and whether it was JSON at all."""
    try:
        return json.loads(body, parse_float=Decimal), True
    except ValueError:
        return body[:2000].decode("utf-8", "replace"), False
