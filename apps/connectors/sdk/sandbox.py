"""What a provider's `sandbox.py` is written against: one request in, one answer out, state in one file.

`apps/sandbox` serves every sandbox over HTTP under `/<slug>/...` and drives it under `/__sandbox__/<slug>/...`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

from apps.records.ledger import Account, Dimension, FiscalYear, Voucher


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request as the vendor would see it: `path` starts with the vendor's own path, already decoded.

    `target` is what was asked for to the letter, our own prefix and the query included, for vendors that sign it.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]  # names in lower case
    body: bytes = b""
    target: str = ""


@dataclass(slots=True, kw_only=True)
class Answer:
    """One HTTP answer. `cut_after`: close the connection after so many bytes of the body; `delay` in seconds."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut_after: int | None = None
    delay: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """A company and its ledger, told without any vendor's words; a sandbox turns it into its own rows.

    Vouchers carry an `external_id` of the story ("v17"), unique in the company; the sandbox gives its own ids and
    keeps the story's. `openings`: account number -> amount at the start of the first fiscal year, debit positive.
    `locked_until`: the last day the books are closed.
    """

    company: str  # the story's key for this company
    name: str
    organisation_number: str
    country: str
    currency: str
    fiscal_years: tuple[FiscalYear, ...]
    accounts: tuple[Account, ...]
    dimensions: tuple[Dimension, ...]
    openings: Mapping[str, Decimal]
    vouchers: tuple[Voucher, ...]
    locked_until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Something that happened in the source between two nights.

    `action`: "post" (a new voucher), "change" (`voucher` replaces the one of the same external_id), "delete",
    "redate" (to `day`), "reverse" (a new voucher with the lines turned, on `day`, external_id `new_id`).
    """

    action: str
    external_id: str
    voucher: Voucher | None = None
    day: date | None = None
    new_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing the store keeps: found by company, kind and id; `day` (ISO) orders it and can be asked for."""

    id: str
    data: dict[str, Any]
    day: str = ""


class Store(Protocol):
    """The sandbox's own file (`apps.sandbox.store.Store`); every method is safe from several threads.

    Company "" holds what belongs to no company (sessions, keys). `stamp` grows with every write of a company's
    rows, so that what was worked out of them can be kept in memory until they change, by whichever process.
    """

    def put(self, company: str, kind: str, rows: Iterable[Row]) -> None: ...
    def drop(self, company: str, kind: str, ids: Iterable[str] | None = None) -> None: ...
    def get(self, company: str, kind: str, id: str) -> dict[str, Any] | None: ...
    def rows(
        self, company: str, kind: str, *, from_: str = "", to: str = "", offset: int = 0, limit: int = -1
    ) -> list[dict[str, Any]]:
        """In order of day and id; `from_` inclusive, `to` exclusive, both may be empty."""

    def companies(self) -> list[str]: ...
    def stamp(self, company: str) -> int: ...
    def setting(self, name: str, default: Any = None, *, company: str = "") -> Any: ...
    def set(self, name: str, value: Any, *, company: str = "") -> None: ...
    def faults(self, company: str) -> dict[str, dict[str, Any]]: ...
    def set_fault(self, company: str, switch: str, settings: Mapping[str, Any] | None) -> None: ...
    def hit(self, company: str, switch: str) -> int:
        """Count one more chance for the fault to strike since it was turned on; answers how many there were."""

    def count(self, name: str, by: int = 1) -> None: ...
    def counters(self) -> dict[str, int]:
        """`requests`, `answers.<status>` (counted by the server), `changes` (state changes, by the sandbox), ..."""


class Sandbox(Protocol):
    """One vendor, imitated. Made once per process with an open store; `handle` is called from several threads.

    A provider's `sandbox` module exports `make_sandbox(store: Store) -> Sandbox`.
    """

    @property
    def store(self) -> Store: ...

    def seed(self, books: Books, access: Mapping[str, Any]) -> None:
        """Take in a company. `access`: how the story lets it be reached (keys, bureau, opened to the key or not)."""

    def edit(self, company: str, change: Edit) -> None:
        """Do one edit in the company with the story's key `company`."""

    def fault(self, company: str, switch: str, settings: Mapping[str, Any] | None) -> None:
        """Turn a fault switch on with its settings, or off with None. Raises ValueError naming the known switches."""

    def handle(self, request: Request) -> Answer:
        """Answer one request as the vendor does."""
