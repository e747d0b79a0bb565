"""Records to and from JSON: decimals as strings with their digits, ISO dates, aware ISO times, nulls left out."""

import dataclasses
import types
import typing
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")
_NAMES = {"from_": "from"}


def to_json(record: Any, *, raw: bool = False) -> dict[str, Any]:
    """The record as JSON values; fields that are None or empty are left out, `raw` too unless asked for."""
    out: dict[str, Any] = {}
    for spec in dataclasses.fields(record):
        value = getattr(record, spec.name)
        if spec.name == "raw" and not raw:
            continue
        if (
            value is None
            or (value == "" and spec.name == "external_id")
            or (value in ({}, ()) and spec.name != "postings")
        ):
            continue
        out[_NAMES.get(spec.name, spec.name)] = value if spec.name == "raw" else _plain(value)
    return out


def from_json(kind: type[T], data: dict[str, Any]) -> T:
    """The record that `to_json` printed. Raises KeyError or ValueError naming the field that does not fit."""
    hints = _hints(kind)  # type: ignore[arg-type]  # classes are hashable
    values = {}
    for spec in dataclasses.fields(kind):  # type: ignore[arg-type]
        name = _NAMES.get(spec.name, spec.name)
        if name in data:
            values[spec.name] = data[name] if spec.name == "raw" else _typed(hints[spec.name], data[name], name)
    return kind(**values)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_json(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _typed(hint: Any, value: Any, name: str) -> Any:
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        hint = next(arm for arm in typing.get_args(hint) if arm is not type(None))
        return _typed(hint, value, name)
    if origin is tuple:
        return tuple(_typed(typing.get_args(hint)[0], item, name) for item in value)
    if origin is dict or hint in (Any, str, int, bool):
        return value
    try:
        if dataclasses.is_dataclass(hint):
            return from_json(typing.cast("type[Any]", hint), value)
        if hint in (date, datetime):
            return hint.fromisoformat(value)
        return hint(value)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise ValueError(f"{name}: {value!r} is not a {hint.__name__}") from error
