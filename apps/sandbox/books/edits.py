"""What happens in the source between two nights: vouchers picked by a rule, so that it fits any day of the year."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from apps.connectors.sdk.sandbox import Books, Edit
from apps.records.enums import Counts, TaxRole, VoucherKind
from apps.records.ledger import Posting, Voucher
from apps.sandbox.books.plans import PLANS
from apps.sandbox.books.spec import WINDOW, add_months, month_end

KINDS = ("changed", "deleted", "moved", "backdated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One edit as a story tells it.

    `action`: change, delete, redate, post, reverse, book (a draft). The voucher is picked among those `since` to
    `until` days back. `day` of redate: "near" or "before_window"; of post: "today", "last_month", "before_window".
    """

    action: str
    since: int = 60
    until: int = 3
    day: str = "today"
    account: str = "6790"
    amount: Decimal = Decimal(0)
    text: str = ""


class Editor:
    """Makes the edits of one company; no voucher is picked twice, none that the source has locked."""

    def __init__(self, books: Books, today: date) -> None:
        self.books = books
        self.payable = PLANS[books.country].at.payable
        self.today = today
        self.used: set[str] = set()
        self.made = 0
        self.last: Counter[date | None] = Counter()
        for voucher in books.vouchers:
            if voucher.number:
                year = voucher.fiscal_year_start
                self.last[year] = max(self.last[year], int(voucher.number))

    def edit(self, wish: Wish) -> Edit:
        """The edit that the wish asks for. Raises ValueError when the books hold no voucher for it."""
        if wish.action == "post":
            voucher = self._new(wish)
            return Edit(action="post", external_id=voucher.external_id, voucher=voucher)
        if wish.action == "book":
            return self._book_draft()
        for voucher in self._purchases(wish):
            if found := self._apply(wish, voucher):
                self.used.add(voucher.external_id)
                return found
        raise ValueError(f"{self.books.company}: no voucher to {wish.action}")

    def _apply(self, wish: Wish, voucher: Voucher) -> Edit | None:
        key = voucher.external_id
        if wish.action == "delete":
            return Edit(action="delete", external_id=key)
        if wish.action == "reverse":
            return Edit(action="reverse", external_id=key, day=self.today, new_id=self._key())
        if wish.action == "change":
            return Edit(action="change", external_id=key, voucher=_to_account(voucher, wish.account))
        if wish.action != "redate":
            raise ValueError(f"unknown action {wish.action!r}")
        day = self._other_day(voucher, wish.day)
        return Edit(action="redate", external_id=key, day=day) if day else None

    def _purchases(self, wish: Wish) -> list[Voucher]:
        """Unlocked supplier invoices of the asked days, the middle of the span first."""
        first, last = self.today - timedelta(days=wish.since), self.today - timedelta(days=wish.until)
        middle = first + (last - first) / 2
        found = [v for v in self.books.vouchers if first <= v.date <= last and self._free(v)]
        return sorted(found, key=lambda v: (abs((v.date - middle).days), v.date, v.external_id))

    def _free(self, voucher: Voucher) -> bool:
        ordinary = voucher.kind is VoucherKind.ORDINARY and voucher.counts is Counts.POSTED
        lone = not voucher.reversed_by and voucher.external_id not in self.used
        invoice = any(p.account == self.payable and p.amount < 0 and not p.currency for p in voucher.postings)
        return ordinary and lone and invoice and self._open(voucher.date)

    def _open(self, day: date) -> bool:
        locked = self.books.locked_until
        return day >= self.books.fiscal_years[0].start and (locked is None or day > locked)

    def _other_day(self, voucher: Voucher, wanted: str) -> date | None:
        """A near day in the voucher's own year, or one before the window (in its own year where that is possible)."""
        window = self.today - timedelta(days=WINDOW)
        if wanted == "before_window":
            day = window - timedelta(days=9)
            return day if self._open(day) and voucher.date >= window else None
        for days in (-6, -5, 5, 6):
            day = voucher.date + timedelta(days=days)
            if window < day <= self.today and self._year(day) == self._year(voucher.date) and self._open(day):
                return day
        return None

    def _day(self, wanted: str) -> date:
        if wanted == "today":
            return self.today
        if wanted == "last_month":
            return month_end(add_months(self.today.replace(day=1), -1)) - timedelta(days=2)
        if wanted != "before_window":
            raise ValueError(f"unknown day {wanted!r}")
        window, year_end = self.today - timedelta(days=WINDOW), self.books.fiscal_years[0].end
        if year_end < window and self._open(year_end):
            return year_end
        return window.replace(day=1) - timedelta(days=1)

    def _year(self, day: date) -> date:
        return next(year.start for year in self.books.fiscal_years if year.start <= day <= year.end)

    def _key(self) -> str:
        self.made += 1
        return f"e{self.made}"

    def _number(self, day: date) -> str:
        year = self._year(day)
        self.last[year] += 1
        return str(self.last[year])

    def _new(self, wish: Wish) -> Voucher:
        """A bill without deduction of VAT: the cost against the supplier."""
        day = self._day(wish.day)
        party, _, _ = wish.text.partition(":")
        cost = Posting(
            row=1, date=day, account=wish.account, amount=wish.amount, text=wish.text, dimensions={"department": "1"}
        )
        owed = Posting(row=2, date=day, account=self.payable, amount=-wish.amount, text=wish.text, party=party)
        return Voucher(
            external_id=self._key(),
            date=day,
            postings=(cost, owed),
            number=self._number(day),
            fiscal_year_start=self._year(day),
            text=wish.text,
        )

    def _book_draft(self) -> Edit:
        draft = next(v for v in self.books.vouchers if v.counts is Counts.PROVISIONAL)
        self.used.add(draft.external_id)
        booked = replace(draft, counts=Counts.POSTED, number=self._number(draft.date))
        return Edit(action="change", external_id=draft.external_id, voucher=booked)


def _to_account(voucher: Voucher, account: str) -> Voucher:
    """The voucher with its cost on another account; VAT and supplier stay as they were."""
    postings = tuple(
        replace(p, account=account) if p.tax_role is not TaxRole.TAX and p.account >= "4000" else p
        for p in voucher.postings
    )
    return replace(voucher, postings=postings)


def moved(books: Books, edits: Iterable[Edit], last_reading: date) -> dict[str, int]:
    """How many vouchers of the company a night must report as moved, by the rule of LEDGER 4.

    A voucher counts once, as the first of: deleted (or void), moved (other date), back-dated (first seen, dated in an
    earlier month than the last reading, or in a closed period), changed. A draft that is booked enters the books then.
    A voucher that is only reversed keeps its lines and is not counted.
    """
    before = {voucher.external_id: voucher for voucher in books.vouchers}
    seen: dict[str, set[str]] = {}
    for edit in edits:
        key = (edit.new_id or "") if edit.action == "reverse" else edit.external_id
        for kind in _kind(before, edit, last_reading, books.locked_until):
            seen.setdefault(key, set()).add(kind)
    order = ("deleted", "moved", "backdated", "changed")
    counts = Counter(next(kind for kind in order if kind in kinds) for kinds in seen.values())
    return {kind: counts[kind] for kind in KINDS}


def _kind(before: Mapping[str, Voucher], edit: Edit, last_reading: date, locked: date | None) -> Iterable[str]:
    old = before.get(edit.external_id) if edit.action != "reverse" else None
    day = edit.voucher.date if edit.voucher else edit.day
    if edit.action == "delete":
        yield "deleted"
    elif old is not None and old.counts is Counts.POSTED:
        if day != old.date:
            yield "moved"
        elif edit.voucher is not None and edit.voucher != old:
            yield "changed"
    elif day is not None and (day < last_reading.replace(day=1) or (locked is not None and day <= locked)):
        yield "backdated"
