"""What is asked of a reader, and the pages it gives back (shared/SDK.md 2)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol

from apps.records.enums import Resource
from apps.records.ledger import Record


@dataclass(frozen=True, slots=True)
class Window:
    """Accounting dates from `start` to `end`, both inclusive."""

    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Since:
    """Changes since an opaque cursor of the vendor's own clock."""

    cursor: str


def rewound(cursor: str, overlap: timedelta) -> str:
    """The cursor so much earlier: changes that the vendor was still writing are asked for twice. ISO times only."""
    try:
        return (datetime.fromisoformat(cursor) - overlap).isoformat()
    except ValueError:
        return cursor


@dataclass(frozen=True, slots=True)
class Full:
    """Everything."""


Query = Window | Since | Full


class UnsupportedQueryError(ValueError):
    """The vendor has nothing to answer this kind of question with; the text says what may be asked instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """An id the vendor says is no more; it may belong to another resource than the one read."""

    external_id: str
    resource: Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page. Every record on it is whole.

    `key` names the page for its digest; `unchanged` means that the vendor confirmed the digest and sent no records.
    `resume` continues after this page; None on a page that is not the last: the vendor's pages shift, start again. Such
    pages are read to their end in one slice, and are no progress before it: keep what follows one of them short.
    `last` is set only when the vendor said so. `share`: how much of what was asked for lies behind, 0 to 1.
    """

    records: tuple[Record, ...] = ()
    gone: tuple[Gone, ...] = ()
    resume: str | None = None
    key: str | None = None
    digest: str | None = None
    unchanged: bool = False
    vendor_count: int | None = None
    last: bool = False
    watermark: str | None = None
    share: float | None = None
    warnings: tuple[str, ...] = field(default=())


class Digests(Protocol):
    """The digests of pages read before. A reader asks with the page's key."""

    def get(self, key: str) -> str | None: ...


NO_DIGESTS: Mapping[str, str] = {}
Records = Iterable[Record]
