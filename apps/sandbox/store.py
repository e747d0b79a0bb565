"""The sandbox's own file: rows, settings, faults and counters in one SQLite database. No Django here."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from apps.connectors.sdk.sandbox import Row

SCHEMA = """
create table if not exists row (
    company text not null, kind text not null, id text not null, day text not null, data text not null,
    primary key (company, kind, id)
) without rowid;
create index if not exists row_day on row (company, kind, day, id);
create table if not exists stamp (company text primary key, value integer not null) without rowid;
create table if not exists setting (
    company text not null, name text not null, value text not null, primary key (company, name)
) without rowid;
create table if not exists fault (
    company text not null, switch text not null, settings text not null, hits integer not null,
    primary key (company, switch)
) without rowid;
create table if not exists counter (name text primary key, value integer not null) without rowid;
"""
RAISE_STAMP = "insert into stamp values (?, 1) on conflict (company) do update set value = value + 1"


class Store:
    """Implements `apps.connectors.sdk.sandbox.Store`. One connection behind a lock: sandboxes are not busy places."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = off")  # a sandbox may lose its last second, never its file
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def put(self, company: str, kind: str, rows: Iterable[Row]) -> None:
        values = [(company, kind, row.id, row.day, json.dumps(row.data, ensure_ascii=False)) for row in rows]
        with self._lock:
            self._db.execute("begin immediate")
            self._db.executemany("insert or replace into row values (?, ?, ?, ?, ?)", values)
            self._db.execute(RAISE_STAMP, (company,))
            self._db.execute("commit")

    def drop(self, company: str, kind: str, ids: Iterable[str] | None = None) -> None:
        with self._lock:
            self._db.execute("begin immediate")
            if ids is None:
                self._db.execute("delete from row where company = ? and kind = ?", (company, kind))
            else:
                keys = [(company, kind, id) for id in ids]
                self._db.executemany("delete from row where company = ? and kind = ? and id = ?", keys)
            self._db.execute(RAISE_STAMP, (company,))
            self._db.execute("commit")

    def get(self, company: str, kind: str, id: str) -> dict[str, Any] | None:
        found = self._one("select data from row where company = ? and kind = ? and id = ?", company, kind, id)
        return json.loads(found) if found is not None else None

    def rows(
        self, company: str, kind: str, *, from_: str = "", to: str = "", offset: int = 0, limit: int = -1
    ) -> list[dict[str, Any]]:
        sql = (
            "select data from row where company = ? and kind = ? and day >= ? and (? = '' or day < ?)"
            " order by day, id limit ? offset ?"
        )
        with self._lock:
            found = self._db.execute(sql, (company, kind, from_, to, to, limit, offset)).fetchall()
        return [json.loads(data) for (data,) in found]

    def companies(self) -> list[str]:
        with self._lock:
            found = self._db.execute("select distinct company from row where company <> '' order by company").fetchall()
        return [company for (company,) in found]

    def stamp(self, company: str) -> int:
        return self._one("select value from stamp where company = ?", company) or 0

    def setting(self, name: str, default: Any = None, *, company: str = "") -> Any:
        found = self._one("select value from setting where company = ? and name = ?", company, name)
        return json.loads(found) if found is not None else default

    def set(self, name: str, value: Any, *, company: str = "") -> None:
        """Keep a setting; None takes it away."""
        if value is None:
            self._do("delete from setting where company = ? and name = ?", company, name)
        else:
            self._do("insert or replace into setting values (?, ?, ?)", company, name, json.dumps(value))
        self._do(RAISE_STAMP, company)

    def faults(self, company: str) -> dict[str, dict[str, Any]]:
        with self._lock:
            found = self._db.execute("select switch, settings from fault where company = ?", (company,)).fetchall()
        return {switch: json.loads(settings) for switch, settings in found}

    def set_fault(self, company: str, switch: str, settings: Mapping[str, Any] | None) -> None:
        if settings is None:
            self._do("delete from fault where company = ? and switch = ?", company, switch)
        else:
            self._do("insert or replace into fault values (?, ?, ?, 0)", company, switch, json.dumps(dict(settings)))
        self._do(RAISE_STAMP, company)

    def hit(self, company: str, switch: str) -> int:
        sql = "update fault set hits = hits + 1 where company = ? and switch = ? returning hits"
        return self._one(sql, company, switch) or 0

    def count(self, name: str, by: int = 1) -> None:
        self._do(
            "insert into counter values (?, ?) on conflict (name) do update set value = value + excluded.value",
            name,
            by,
        )

    def counters(self) -> dict[str, int]:
        with self._lock:
            return dict(self._db.execute("select name, value from counter order by name").fetchall())

    def _do(self, sql: str, *values: Any) -> None:
        with self._lock:
            self._db.execute(sql, values)

    def _one(self, sql: str, *values: Any) -> Any:
        with self._lock:
            found = self._db.execute(sql, values).fetchall()
        return found[0][0] if found else None
