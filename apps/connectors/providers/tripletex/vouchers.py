"""Vouchers: a window is read month by month, each month page by page, then the unposted ones of the whole window.

A month with more than 10,000 hits is halved (422 code 23000). `resume` is "set/start/end/from" of the next page, end
exclusive. Pages are sorted by id, so that what is booked meanwhile comes last instead of shifting the pages.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import quote

from apps.connectors.providers.tripletex import refusals, shapes
from apps.connectors.providers.tripletex.calls import PAGE, ask, bad_page, by_id, digest_of, everything, rows, value
from apps.connectors.providers.tripletex.periods import window_of
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.queries import Digests, Gone, Page, Query, Window
from apps.connectors.sdk.session import Answer, Session
from apps.connectors.sdk.text import _
from apps.records.enums import Resource
from apps.records.ledger import Record, Voucher

POSTING_FIELDS = (
    "id,version,row,date,description,account(id,number,type),amount,amountCurrency,amountGross,currency(id,code),"
    "vatType(id,number,percentage),department(id,departmentNumber),project(id,number),customer(id,name),"
    "supplier(id,name),employee(id),quantityAmount1,invoiceNumber,termOfPayment,externalRef,systemGenerated,"
    "freeAccountingDimension1(id,number),freeAccountingDimension2(id,number),freeAccountingDimension3(id,number)"
)
FIELDS = (
    "id,version,url,date,number,tempNumber,year,description,voucherType(id,name),reverseVoucher(id),"
    f"externalVoucherNumber,vendorInvoiceNumber,changes,postings({POSTING_FIELDS})"
)
FREE = tuple(f"freeAccountingDimension{index}" for index in (1, 2, 3))
# what a reference must carry, and where it is looked up if it came as a bare {id, url}
REFERENCES = (
    ("account", "/ledger/account", ("number", "type")),
    ("vatType", "/ledger/vatType", ("number", "percentage")),
    ("department", "/department", ("departmentNumber",)),
    ("project", "/project", ("number",)),
    ("currency", "/currency", ("code",)),
    *((name, "/ledger/accountingDimensionValue/search", ("number",)) for name in FREE),
)
POSTED, UNPOSTED = "posted", "unposted"
PATHS = {POSTED: "/ledger/voucher", UNPOSTED: "/ledger/voucher/>nonPosted"}
ASKED = hashlib.sha256(f"{PAGE} {FIELDS}".encode()).hexdigest()[:8]  # a digest is good for the same question only


@dataclass(frozen=True, slots=True)
class Part:
    """Where reading stands: `start` to `end` (exclusive) of one set, from row `at`."""

    of: str
    start: date
    end: date
    at: int = 0

    def __str__(self) -> str:
        return f"{self.of}/{self.start}/{self.end}/{self.at}"

    def following(self, window: Window) -> "Part | None":
        """The next part after this one is read to its end."""
        past = window.end + shapes.DAY
        if self.of == POSTED and self.end < past:
            return Part(POSTED, self.end, min(_next_month(self.end), past))
        if self.of == POSTED:
            return Part(UNPOSTED, window.start, past)
        return Part(UNPOSTED, self.end, past) if self.end < past else None

    def holds(self, row: dict[str, Any]) -> bool:
        """Whether the vendor's row lies in the days asked for; one that cannot be read is for the shapes to refuse."""
        when = str(row.get("date") or self.start)[:10]
        return str(self.start) <= when < str(self.end)

    def halved(self) -> "Part | None":
        days = (self.end - self.start).days
        return Part(self.of, self.start, self.start + shapes.DAY * (days // 2)) if days > 1 else None


def read_vouchers(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:
    """Pages of whole vouchers. Raises TRANSIENT for a page that is not whole, PERMISSION where lines are hidden."""
    window = window_of(session, query)
    if window.end < window.start:
        yield Page(last=True)
        return
    part: Part | None = _parsed(resume) if resume else _first(window)
    while part is not None:
        try:
            page, count = _page(session, part, digests)
        except ConnectorError as error:
            if error.remedy is refusals.TOO_MANY and (half := part.halved()) is not None:
                part = half
                continue
            if part.of == UNPOSTED and error.facts.get("status") in ("403", "404"):
                yield Page(last=True, warnings=(_("Unposted vouchers could not be read: the key may not."),))
                return
            raise
        ended = count < PAGE
        part = part.following(window) if ended else replace(part, at=part.at + count)
        behind = 1.0 if part is None else _share(part, window)
        yield replace(page, resume=str(part) if part else None, last=part is None, share=behind)


def get_vouchers(session: Session, ids: Iterable[str]) -> Iterator[Record | Gone]:
    for external_id in ids:
        try:
            answer = ask(session, f"/ledger/voucher/{quote(external_id, safe='')}", {"fields": FIELDS})
        except ConnectorError as error:
            if error.remedy is not refusals.NOT_FOUND:
                raise
            yield Gone(external_id=external_id, resource=Resource.VOUCHERS)
            continue
        yield from _vouchers(session, [value(answer)])


def dimension_names(session: Session) -> dict[int, str]:
    """The books' own names of their free dimensions (Pro package); nothing where the company has none."""
    if "dimension_names" not in session.memory:
        try:
            found = everything(
                session, "/ledger/accountingDimensionName", {"fields": "id,dimensionName,dimensionIndex"}
            )
        except ConnectorError as error:
            if error.failure is Failure.TRANSIENT:
                raise
            found = []
        session.memory["dimension_names"] = {
            int(row["dimensionIndex"]): str(row["dimensionName"])
            for row in found
            if row.get("dimensionIndex") and row.get("dimensionName")
        }
    names: dict[int, str] = session.memory["dimension_names"]
    return names


def _page(session: Session, part: Part, digests: Digests) -> tuple[Page, int]:
    """One page, and how many rows the vendor's page has (kept beside the digest: a 304 does not tell)."""
    key = f"vouchers:{part}"
    count, known = _known(digests.get(key))
    params: dict[str, Any] = {"dateFrom": part.start, "dateTo": part.end, "from": part.at, "count": PAGE}
    params |= {"sorting": "id", "fields": FIELDS}
    if part.of == UNPOSTED:
        params["includeNonApproved"] = "true"
    answer = ask(session, PATHS[part.of], params, headers={"If-None-Match": known or "any"}, accept=(304,))
    if answer.status == 304:
        if known is None:
            raise bad_page("304 to a question without a digest")
        return Page(key=key, digest=digests.get(key), unchanged=True, vendor_count=count), count
    found = rows(answer)
    _check_hidden(answer, found)
    seen: set[str] = session.memory.setdefault("unposted_seen", set())
    wanted = [row for row in found if part.holds(row) and (part.of == POSTED or str(row.get("id")) not in seen)]
    records = _vouchers(session, wanted)
    seen.update(str(row.get("id")) for row in found if not row.get("number"))
    digest = digest_of(answer)
    kept = f"{len(found)}:{ASKED}:{digest}" if digest else None
    return Page(records=tuple(records), key=key, digest=kept, vendor_count=len(found)), len(found)


def _known(kept: str | None) -> tuple[int, str | None]:
    count, _colon, rest = (kept or "").partition(":")
    asked, _colon, digest = rest.partition(":")
    return (int(count), digest) if asked == ASKED and digest else (0, None)


def _check_hidden(answer: Answer, found: list[dict[str, Any]]) -> None:
    """Rows can be hidden by the key's entitlements: vouchers that all lack lines, where there are lines, are that."""
    booked = [row for row in found if row.get("number")]
    if booked and not any(row.get("postings") for row in booked) and answer.data.get("totalNumberOfPostings"):
        raise _hidden("no voucher of the page has postings")


def _vouchers(session: Session, found: list[dict[str, Any]]) -> list[Voucher]:
    records = []
    for row in found:
        if not row.get("number") and not row.get("date"):
            continue  # a document in the inbox that has no accounting date yet is in no window
        if row.get("postings") is None:
            if row.get("number"):
                raise _hidden(f"voucher {row.get('id')} without postings")
            row["postings"] = []
        row["postings"] = [_whole(session, line) for line in row["postings"]]
        _complete(session, row)
        names = dimension_names(session) if any(line.get(name) for line in row["postings"] for name in FREE) else {}
        try:
            records.append(shapes.voucher(row, names))
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise bad_page(f"voucher {row.get('id')}: {error!r}") from error
    return records


def _whole(session: Session, line: dict[str, Any]) -> dict[str, Any]:
    """A posting that came as a bare {id, url} is read by itself."""
    if set(line) <= {"id", "url"}:
        return value(ask(session, f"/ledger/posting/{shapes.code(line['id'])}", {"fields": POSTING_FIELDS}))
    return line


def _complete(session: Session, row: dict[str, Any]) -> None:
    """Fill references that came unexpanded, and refuse lines without account or amount."""
    for line in row["postings"]:
        for name, path, needed in REFERENCES:
            given = line.get(name)
            if isinstance(given, dict) and not any(field in given for field in needed):
                line[name] = _looked_up(session, path, needed, given)
        account = line.get("account")
        if line.get("amount") is None or not isinstance(account, dict) or account.get("number") is None:
            raise _hidden(f"voucher {row.get('id')}: a posting without account or amount")


def _looked_up(session: Session, path: str, needed: tuple[str, ...], given: dict[str, Any]) -> dict[str, Any]:
    if path == "/currency" and given.get("id") == shapes.BOOKS_CURRENCY_ID:
        return {**given, "code": shapes.BOOKS_CURRENCY}
    try:
        known = by_id(session, path, ",".join(("id", *needed)))
    except ConnectorError as error:
        if path == "/ledger/account" or error.failure is Failure.TRANSIENT:
            raise
        return given  # the id is all we may know
    return {**given, **known.get(shapes.code(given.get("id")), {})}


def _hidden(detail: str) -> ConnectorError:
    return ConnectorError(Failure.PERMISSION, refusals.ENTITLEMENT_MISSING, detail=detail)


def _share(part: Part, window: Window) -> float:
    """How much of the window lies before the part; the unposted ones come after all of it."""
    if part.of == UNPOSTED:
        return 0.99
    return (part.start - window.start).days / ((window.end - window.start).days + 1)


def _first(window: Window) -> Part:
    return Part(POSTED, window.start, min(_next_month(window.start), window.end + shapes.DAY))


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _parsed(resume: str) -> Part:
    of, start, end, at = resume.split("/")
    return Part(of, date.fromisoformat(start), date.fromisoformat(end), int(at))
