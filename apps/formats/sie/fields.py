"""Typed access to the fields of one line; trailing fields may be absent."""

from apps.formats.sie.chart import kind_of
from apps.formats.sie.faults import FieldFault
from apps.formats.sie.tokens import Field

Objects = tuple[dict[str, str], dict[str, list[str]]]


def text_at(fields: list[Field], index: int) -> str:
    """The field stripped, "" when absent. Raises FieldFault for an object list."""
    if index >= len(fields):
        return ""
    found = fields[index]
    if isinstance(found, tuple):
        raise FieldFault("sie.fields", "An object list stands where a value belongs.", "Check the order of the fields.")
    return found.strip()


def required(fields: list[Field], index: int, what: str) -> str:
    if found := text_at(fields, index):
        return found
    raise FieldFault("sie.missing", f"The {what} is missing.", "The line may be cut off: export the file again.")


def take_objects(fields: list[Field], index: int) -> tuple[tuple[str, ...], list[Field]]:
    """The object list at `index` and the fields without it; some writers leave an empty list out."""
    if index < len(fields) and isinstance(found := fields[index], tuple):
        return found, fields[:index] + fields[index + 1 :]
    return (), fields


def read_objects(group: tuple[str, ...], kinds: dict[str, str]) -> Objects:
    """First object of each dimension, and the others: a posting has one item of a dimension, a file may name two."""
    if len(group) % 2:
        raise FieldFault(
            "sie.objects",
            "The object list is not made of pairs of dimension and object.",
            'Write it as {1 "code" 6 "code"}.',
        )
    first: dict[str, str] = {}
    more: dict[str, list[str]] = {}
    stripped = [token.strip() for token in group]
    for number, code in zip(stripped[::2], stripped[1::2], strict=True):
        if not number or not code:
            continue
        kind = kind_of(number, kinds)
        if first.setdefault(kind, code) != code:
            more.setdefault(kind, []).append(code)
    return first, more
