"""The parameters of one request, names compared without case. What a resource does not know is ignored."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from apps.connectors.providers.netvisor.sandbox.company import Company
from apps.connectors.providers.netvisor.sandbox.wire import invalid, too_many
from apps.connectors.sdk.sandbox import Store

_DAY = re.compile(r"\d{4}-\d{1,2}-\d{1,2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One request for rows of one company. `hidden`: a fault leaves the caller without rows."""

    values: dict[str, str]
    company: Company
    store: Store
    language: str
    now: datetime
    hidden: bool = False

    @property
    def key(self) -> str:
        return str(self.company.doc["key"])

    def text(self, name: str) -> str:
        return self.values.get(name, "").strip()

    def day(self, name: str) -> str:
        """An ISO day, `` when it is not given; noughts may be missing (`2018-5-29`)."""
        text = self.text(name)
        if not text:
            return ""
        found = read_day(text)
        if found is None:
            raise invalid(f"Date is not valid: {name}")
        return found.isoformat()

    def moment(self, name: str, *, end: bool = False) -> str:
        """A day or a time as `YYYY-MM-DDThh:mm:ss`; a day alone is its first second, or its last."""
        text = self.text(name).replace(" ", "T", 1)
        if not text:
            return ""
        day, _, clock = text.partition("T")
        found = read_day(day)
        try:
            told = datetime.fromisoformat(f"{found}T{clock}") if clock else None
        except ValueError:
            found = None
        if found is None:
            raise invalid(f"Date is not valid: {name}")
        if told is None:
            return f"{found}T{'23:59:59' if end else '00:00:00'}"
        return f"{told:%Y-%m-%dT%H:%M:%S}"

    def keys(self, one: str, many: str, *, limit: int) -> set[int] | None:
        """The keys asked for, by a single parameter or a list; None when neither is given."""
        parts = [part.strip() for part in f"{self.text(one)},{self.text(many)}".split(",") if part.strip()]
        if not parts:
            return None
        if not all(part.isdigit() for part in parts):
            raise invalid(f"Netvisor identifier is not valid: {many}")
        if len(parts) > limit:
            raise too_many(many, limit)
        return {int(part) for part in parts}

    def days_back(self, days: int) -> str:
        return (self.now.date() - timedelta(days=days)).isoformat()


def read_day(text: str) -> date | None:
    if not _DAY.fullmatch(text):
        return None
    year, month, day = (int(part) for part in text.split("-"))
    try:
        return date(year, month, day)
    except ValueError:
        return None
