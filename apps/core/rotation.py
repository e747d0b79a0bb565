"""Re-encrypts what is stored with the newest key, value by value, while everything else goes on; and proves it.

The columns are found by walking all models, so that a new encrypted field is never forgotten. A value is written only
where it still is what was read (compare-and-set on the stored bytes): whoever changed it meanwhile has used the newest
key already. What the newest key alone decrypts is left as it is, so a rotation that was killed goes on where it was.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection, models

from apps.core.encryption import InvalidToken, newest, ring
from apps.core.fields import SafeEncryptedBytes, SafeEncryptedText

ROWS = 200  # keys looked up at once
BYTES = 4 * 2**20  # of values held at once
TRIES = 5  # of a value that others keep changing


@dataclass(slots=True, kw_only=True)
class Counts:
    """Of one encrypted column. `old`: not of the newest key; `unreadable`: of none of the keys given."""

    field: str
    values: int = 0
    rewritten: int = 0
    old: int = 0
    unreadable: int = 0

    @property
    def proven(self) -> bool:
        return not self.old and not self.unreadable


@dataclass(frozen=True, slots=True)
class Column:
    model: type[models.Model]
    field: Any

    @property
    def label(self) -> str:
        return f"{self.model._meta.label}.{self.field.name}"


Progress = Callable[[Counts], None]


def columns() -> list[Column]:
    """Every encrypted column there is."""
    return [
        Column(model, field)
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
        for field in model._meta.local_concrete_fields
        if isinstance(field, SafeEncryptedText | SafeEncryptedBytes)
    ]


def rotate(column: Column, progress: Progress) -> Counts:
    """Write every value anew that is not of the newest key."""
    counts = Counts(field=column.label)
    for pk, stored in _values(column):
        counts.values += 1
        try:
            counts.rewritten += _rewritten(column, pk, stored)
        except InvalidToken:
            counts.unreadable += 1
        progress(counts)
    return counts


def prove(column: Column, progress: Progress) -> Counts:
    """Read every value with the newest key alone, the other keys set aside. Nothing is written."""
    counts = Counts(field=column.label)
    for _pk, stored in _values(column):
        counts.values += 1
        if not _is_newest(column, stored):
            if _opened(column, stored) is None:
                counts.unreadable += 1
            else:
                counts.old += 1
        progress(counts)
    return counts


def _rewritten(column: Column, pk: Any, stored: bytes) -> bool:
    """Whether the value had to be written. Raises InvalidToken where no key decrypts it."""
    read: bytes | None = stored
    for _try in range(TRIES):
        if read is None or _is_newest(column, read):
            return False
        clear = ring().decrypt(column.field.token(read))
        if _replaced(column, pk, read, column.field.stored(newest().encrypt(clear))):
            return True
        read = _read(column, pk)  # changed meanwhile, or gone
    return False  # the proof tells what is left


def _is_newest(column: Column, stored: bytes) -> bool:
    try:
        newest().decrypt(column.field.token(stored))
    except InvalidToken:
        return False
    return True


def _opened(column: Column, stored: bytes) -> bytes | None:
    try:
        return ring().decrypt(column.field.token(stored))
    except InvalidToken:
        return None


# -- The stored bytes. In SQL: the fields themselves only ever show what is decrypted, to scopes ----------------------


def _values(column: Column) -> Iterator[tuple[Any, bytes]]:
    """(key, stored bytes) of every row that has a value, in the order of the keys, never many in memory."""
    table, key, name = _names(column)
    last: Any = None
    while True:
        after, values = (f"AND {key} > %s", [last]) if last is not None else ("", [])
        found = _rows(
            f"SELECT {key}, length({name}) FROM {table} WHERE {name} IS NOT NULL {after} ORDER BY {key} LIMIT {ROWS}",  # noqa: S608 - our own names
            values,
        )
        if not found:
            return
        for keys in _portions(found):
            marks = ", ".join(["%s"] * len(keys))
            read = f"SELECT {key}, {name} FROM {table} WHERE {key} IN ({marks}) AND {name} IS NOT NULL ORDER BY {key}"  # noqa: S608
            for pk, stored in _rows(read, keys):
                yield pk, bytes(stored)
        last = found[-1][0]


def _portions(found: list[tuple[Any, ...]]) -> Iterator[list[Any]]:
    keys: list[Any] = []
    size = 0
    for pk, length in found:
        if keys and size + length > BYTES:
            yield keys
            keys, size = [], 0
        keys.append(pk)
        size += length
    yield keys


def _read(column: Column, pk: Any) -> bytes | None:
    table, key, name = _names(column)
    found = _rows(f"SELECT {name} FROM {table} WHERE {key} = %s", [pk])  # noqa: S608 - our own names
    return bytes(found[0][0]) if found and found[0][0] is not None else None


def _replaced(column: Column, pk: Any, read: bytes, new: bytes) -> bool:
    table, key, name = _names(column)
    binary = connection.Database.Binary  # type: ignore[attr-defined] # the database's own module
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {name} = %s WHERE {key} = %s AND {name} = %s",  # noqa: S608 - our own names
            [binary(new), pk, binary(read)],
        )
        return bool(cursor.rowcount == 1)


def _rows(sql: str, values: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def _names(column: Column) -> tuple[str, str, str]:
    quoted = connection.ops.quote_name
    meta = column.model._meta
    assert meta.pk is not None  # noqa: S101 - every model has one
    return quoted(meta.db_table), quoted(str(meta.pk.column)), quoted(str(column.field.column))
