"""What every list has in common: names in any case, filters, substring search, sorting, pages."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from apps.connectors.providers.fortnox.sandbox import answers
from apps.connectors.providers.fortnox.sandbox.ledger import Ledger

Obj = dict[str, Any]
LIMIT, MAX_LIMIT = 100, 500
STAMP = re.compile(r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d)(?::\d\d)?)?")


@dataclass(slots=True)
class Query:
    """One request to a company's data. `values`: the query's names in lower case."""

    values: Mapping[str, str]
    ledger: Ledger
    preselected: int  # the Id of the financial year that counts where none is asked for
    hidden: bool = False  # the lists of vouchers show nothing

    def text(self, name: str) -> str:
        return self.values.get(name, "").strip()

    def number(self, name: str, default: int) -> int:
        text = self.text(name)
        if not text:
            return default
        if not re.fullmatch(r"-?\d{1,9}", text):
            raise answers.not_numeric()
        return int(text)

    def day(self, name: str) -> str:
        """An ISO day or ""."""
        text = self.text(name)
        if not text:
            return ""
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            raise answers.bad_parameter() from None

    def year(self) -> Obj:
        """The year asked for by Id or by a day in it; without either the preselected one, not the year of any date."""
        day = self.day("financialyeardate")
        ledger = self.ledger
        found = ledger.year_on(day) if day else ledger.year(self.number("financialyear", self.preselected))
        if found is None:
            raise answers.not_found("financialyears")
        return found

    def modified(self, rows: Iterable[Obj]) -> list[Obj]:
        """Those changed at `lastmodified` or later; to the minute."""
        text = self.text("lastmodified")
        if not text:
            return list(rows)
        found = STAMP.fullmatch(text)
        if found is None:
            raise answers.bad_parameter()
        since = f"{found[1]} {found[2] or '00:00'}"
        return [row for row in rows if row["changed"] >= since]

    def containing(self, rows: Iterable[Obj], fields: Mapping[str, str]) -> list[Obj]:
        """Search as the vendor does it (ILIKE %value%): parameter -> key of the row."""
        found = list(rows)
        for name, key in fields.items():
            part = self.text(name).lower()
            if part:
                found = [row for row in found if part in str(row.get(key) or "").lower()]
        return found

    def active(self, rows: Iterable[Obj]) -> list[Obj]:
        """`filter=active|inactive`; any other filter is refused."""
        wanted = self.text("filter")
        if wanted not in ("", "active", "inactive"):
            raise answers.bad_filter()
        return [row for row in rows if not wanted or row["active"] == (wanted == "active")]

    def no_filter(self) -> None:
        if self.text("filter"):
            raise answers.bad_filter()

    def sorted(self, rows: list[Obj], fields: Mapping[str, Callable[[Obj], Any]]) -> list[Obj]:
        """`sortby` one of `fields`, `sortorder` ascending or descending."""
        name, order = self.text("sortby").lower(), self.text("sortorder").lower()
        if order not in ("", "ascending", "descending") or (name and name not in fields):
            raise answers.bad_parameter()
        if name:
            return sorted(rows, key=fields[name], reverse=order == "descending")
        return rows[::-1] if order == "descending" else rows

    def page(self, key: str, rows: list[Obj], shape: Callable[[Obj], Obj]) -> Obj:
        """One page of a list with its counts; beyond the last one it is empty."""
        limit, page, offset = self.number("limit", LIMIT), self.number("page", 1), self.number("offset", 0)
        if not 1 <= limit <= MAX_LIMIT or page < 1 or offset < 0:
            raise answers.bad_parameter()
        start = offset + (page - 1) * limit
        pages = math.ceil(max(len(rows) - offset, 0) / limit)
        meta = {"@TotalResources": len(rows), "@TotalPages": pages, "@CurrentPage": page}
        return {"MetaInformation": meta, key: [shape(row) for row in rows[start : start + limit]]}
