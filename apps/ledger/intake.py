"""Takes vouchers into the books: unchanged ones are passed over by their hash, the rest replace what is held.

Everything a page brings (vouchers, postings, earlier versions, touched cells) is written in the caller's transaction
together with its resume point. A voucher that cannot be taken in is held, named and kept out of the balances.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.clients.models import Client
from apps.core import bulk
from apps.core.fields import PLACES, to_units
from apps.ledger.content import LONGEST_TEXT, dimension_key, fingerprint, judge, lines, restored, snapshot, weight
from apps.ledger.enums import KeptOut, Move, Weight
from apps.ledger.models import Account, DimensionSet, FiscalYear, Posting, Source, TouchedCell, Voucher, VoucherVersion
from apps.ledger.periods import period_of
from apps.ledger.queries import RESULT_TYPES
from apps.ledger.registers import account_ids, closed_to
from apps.records import ledger as records
from apps.records.enums import AccountType, Counts, VoucherKind

POSTING_COLUMNS = (
    "client", "voucher", "row", "external_id", "date", "fiscal_year", "period", "account", "dimension_set",
    "weight", "amount", "currency", "foreign_amount", "vat_code", "tax_role", "quantity", "text", "party",
)  # fmt: skip
CELL_COLUMNS = ("client", "fiscal_year", "period", "account", "dimension_set")
TOGETHER = 1000  # vouchers of one statement, where a caller may bring any number

Cell = tuple[int, int, int, int]  # fiscal year, period, account, dimension set


@dataclass(slots=True)
class Tally:
    """What a page, or a whole run, brought; vouchers by what happened to them."""

    new: int = 0
    unchanged: int = 0
    changed: int = 0
    deleted: int = 0
    moved: int = 0
    backdated: int = 0
    meta: int = 0
    postings: int = 0
    kept_out: int = 0

    def add(self, other: "Tally") -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def as_dict(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class _Old:
    """A held voucher as the page finds it, and its lines once they are needed."""

    row: Voucher
    lines: list[tuple[str, int, int, str, Cell | None, str]] = field(default_factory=list)


class Intake:
    """Takes pages of one client from one source. `last_reading`: the day the source was last read to its end."""

    def __init__(
        self,
        *,
        client: Client,
        source: Source,
        run_id: int | None = None,
        last_reading: date | None = None,
        first_load: bool = True,
    ) -> None:
        self.client = client
        self.source = source
        self.run_id = run_id
        self.last_reading = last_reading
        self.first_load = first_load
        self.closed_to = closed_to(client)
        self.years = list(FiscalYear.objects.filter(client=client).order_by("start"))
        self.accounts: dict[str, int] = {}
        self.types: dict[str, str] = {}
        for number, key, kind in Account.objects.filter(client=client).values_list("number", "pk", "type"):
            self.accounts[number], self.types[number] = key, kind
        self.sets: dict[str, int] = dict(DimensionSet.objects.filter(client=client).values_list("key", "pk"))

    @transaction.atomic
    def take(self, vouchers: Sequence[records.Voucher], *, exchange_id: int | None = None) -> Tally:
        """Take in whole vouchers; the same one twice on a page counts once, as it stood last."""
        tally = Tally()
        wanted = {voucher.external_id: voucher for voucher in vouchers}
        held = {
            row.external_id: row
            for row in Voucher.objects.filter(client=self.client, source_id=self.source.pk, external_id__in=wanted)
        }
        fresh: list[tuple[records.Voucher, str]] = []
        changed: list[tuple[records.Voucher, str, _Old]] = []
        for key, (voucher, mark) in self._marked(wanted, held).items():
            old = held.get(key)
            if old is not None and old.hash == mark and self._stands(old, voucher):
                tally.unchanged += 1
            elif old is None:
                fresh.append((voucher, mark))
            else:
                changed.append((voucher, mark, _Old(old)))
        if fresh or changed:
            self._know([item[0] for item in fresh] + [item[0] for item in changed])
            touched: set[Cell] = set()
            now = timezone.now()
            self._load_lines([old for _, _, old in changed])
            self._add(fresh, tally, touched, now, exchange_id)
            self._replace(changed, tally, touched, now, exchange_id)
            self._touch(touched)
        return tally

    @transaction.atomic
    def delete(self, external_ids: Iterable[str]) -> Tally:
        """The source no longer has these; their earlier lines are kept as a version, their postings go."""
        tally = Tally()
        ids = list(external_ids)
        for start in range(0, len(ids), TOGETHER):
            tally.deleted += self._delete(ids[start : start + TOGETHER])
        return tally

    # -- pieces --------------------------------------------------------------------------------------------------------

    def _delete(self, external_ids: Sequence[str]) -> int:
        deleted = 0
        found = Voucher.objects.filter(
            client=self.client, source_id=self.source.pk, external_id__in=external_ids, deleted_at=None
        )
        olds = [_Old(row) for row in found]
        self._load_lines(olds)
        now = timezone.now()
        touched: set[Cell] = set()
        versions = []
        for old in olds:
            touched.update(self._cells(old))
            if _in_books(old):
                deleted += 1
                effect = -_result(old.lines, self.types)
                versions.append(self._version(old.row, Move.DELETED, now, effect=effect, before=_shot(old)))
            old.row.deleted_at = old.row.changed_at = now
            old.row.version += 1
        VoucherVersion.objects.bulk_create(versions)
        Posting.objects.filter(voucher__in=[old.row for old in olds]).delete()
        Voucher.objects.bulk_update([old.row for old in olds], ["deleted_at", "changed_at", "version"], batch_size=200)
        self._touch(touched)
        return deleted

    def _marked(
        self, wanted: dict[str, records.Voucher], held: dict[str, Voucher]
    ) -> dict[str, tuple[records.Voucher, str]]:
        """Each voucher with its hash; texts that were read with losses are as they are held where those say more."""
        marked = {key: (voucher, fingerprint(voucher)) for key, voucher in wanted.items()}
        lossy = {
            held[key].pk: key
            for key, (voucher, mark) in marked.items()
            if voucher.texts_through is not None and key in held and held[key].hash != mark
        }
        texts: dict[int, dict[int, str]] = defaultdict(dict)
        for pk, row, text in Posting.objects.filter(voucher__in=lossy).values_list("voucher", "row", "text"):
            texts[pk][row] = text
        for pk, key in lossy.items():
            voucher = restored(wanted[key], held[key].text, texts[pk])
            marked[key] = (voucher, fingerprint(voucher))
        return marked

    def _know(self, vouchers: Sequence[records.Voucher]) -> None:
        """Make sure that every account and dimension set named has its row."""
        numbers = {posting.account for voucher in vouchers for posting in voucher.postings} - set(self.accounts)
        if numbers:
            self.accounts.update(account_ids(self.client, numbers))
            self.types.update(dict.fromkeys(numbers, AccountType.UNKNOWN.value))
        wanted: dict[str, dict[str, str]] = {"": {}}
        for voucher in vouchers:
            for posting in voucher.postings:
                wanted[dimension_key(posting.dimensions)] = posting.dimensions
                for part in posting.allocations:
                    items = {**posting.dimensions, part.kind: part.code}
                    wanted[dimension_key(items)] = items
        missing = {key: items for key, items in wanted.items() if key not in self.sets}
        if missing:
            DimensionSet.objects.bulk_create(
                [DimensionSet(client=self.client, key=key, items=items) for key, items in missing.items()],
                ignore_conflicts=True,
            )
            rows = DimensionSet.objects.filter(client=self.client, key__in=missing).values_list("key", "pk")
            self.sets.update(dict(rows))

    def _load_lines(self, olds: list[_Old]) -> None:
        by_id = {old.row.pk: old for old in olds}
        rows = Posting.objects.filter(voucher__in=by_id).order_by("row", "pk").values_list(
            "voucher", "account__number", "amount", "period", "dimension_set__key",
            "fiscal_year", "account", "dimension_set", "weight",
        )  # fmt: skip
        for voucher, number, amount, period, key, year, account, dimension_set, heft in rows:
            cell = (year, period, account, dimension_set) if year else None
            by_id[voucher].lines.append((number, to_units(amount), period, key, cell, heft))

    def _add(
        self,
        fresh: list[tuple[records.Voucher, str]],
        tally: Tally,
        touched: set[Cell],
        now: datetime,
        exchange_id: int | None,
    ) -> None:
        rows = [
            self._fill(
                Voucher(client=self.client, source_id=self.source.pk, external_id=record.external_id, first_seen_at=now),
                record, mark, now, exchange_id,
            )
            for record, mark in fresh
        ]  # fmt: skip
        Voucher.objects.bulk_create(rows, batch_size=200)
        news = [_Old(row) for row in rows]
        self._post([(record, new) for (record, _), new in zip(fresh, news, strict=True)], tally, touched)
        versions = []
        for new in news:
            tally.new += new.row.counts != Counts.VOID
            tally.kept_out += new.row.kept_out != KeptOut.NO
            if not self.first_load and _in_books(new) and self._is_backdated(new.row):
                tally.backdated += 1
                effect = _result(new.lines, self.types)
                versions.append(self._version(new.row, Move.BACKDATED, now, effect=effect, after=_shot(new)))
        VoucherVersion.objects.bulk_create(versions)

    def _replace(
        self,
        changed: list[tuple[records.Voucher, str, _Old]],
        tally: Tally,
        touched: set[Cell],
        now: datetime,
        exchange_id: int | None,
    ) -> None:
        if not changed:
            return
        before = []
        for record, mark, old in changed:
            touched.update(self._cells(old))
            before.append((_in_books(old), old.row.date, old.row.period, _shot(old), _result(old.lines, self.types)))
            old.row.version += 1
            self._fill(old.row, record, mark, now, exchange_id)
        rows = [old.row for _, _, old in changed]
        Posting.objects.filter(voucher__in=rows).delete()
        news = [_Old(row) for row in rows]
        self._post([(record, new) for (record, *_), new in zip(changed, news, strict=True)], tally, touched)
        versions = []
        for new, (was_in, day, period, shot, result) in zip(news, before, strict=True):
            tally.kept_out += new.row.kept_out != KeptOut.NO
            move = self._move(new, shot, day, was_in=was_in)
            effect = _result(new.lines, self.types) - result
            if move is None:
                tally.new += 1
                continue
            setattr(tally, move.value, getattr(tally, move.value) + 1)
            if move != Move.META:
                earliest = min(period or new.row.period, new.row.period)
                shots = {"before": shot if was_in else {}, "after": _shot(new)}
                version = self._version(new.row, move, now, effect=effect, period=earliest, **shots)
                version.version = new.row.version - 1
                version.in_closed = version.in_closed or (was_in and self._is_closed(day))
                versions.append(version)
        VoucherVersion.objects.bulk_create(versions)
        Voucher.objects.bulk_update(rows, WRITTEN, batch_size=100)

    def _move(self, new: _Old, before: dict[str, Any], day: date, *, was_in: bool) -> Move | None:
        """What kind of news it is; None: it was not in the books before and enters them as an ordinary new one."""
        is_in = _in_books(new)
        if not was_in and not is_in:
            return Move.META
        if was_in and new.row.counts == Counts.VOID:
            return Move.DELETED
        if was_in and new.row.date != day:
            return Move.MOVED  # also to a day that no fiscal year of ours holds
        if not is_in:
            return Move.CHANGED
        if not was_in:
            return Move.BACKDATED if not self.first_load and self._is_backdated(new.row) else None
        return Move.META if _lines_of(_shot(new)) == _lines_of(before) else Move.CHANGED

    def _is_closed(self, day: date) -> bool:
        return self.closed_to is not None and day <= self.closed_to

    def _is_backdated(self, row: Voucher) -> bool:
        if self._is_closed(row.date):
            return True
        return self.last_reading is not None and (row.date.year, row.date.month) < (
            self.last_reading.year,
            self.last_reading.month,
        )

    def _fill(
        self, row: Voucher, record: records.Voucher, mark: str, now: datetime, exchange_id: int | None
    ) -> Voucher:
        year = self._year(record.date)
        kept_out, off = judge(record, self.types)
        if year is None and record.counts not in (Counts.VOID, Counts.PROVISIONAL):  # a draft is in no balance anyway
            kept_out = KeptOut.NO_FISCAL_YEAR
        row.fiscal_year = year
        row.period = self._period(year, record.kind, record.period, record.date)
        row.series, row.number, row.date = record.series[:20], record.number[:40], record.date
        row.kind, row.counts = record.kind.value, record.counts.value
        row.kept_out, row.difference = kept_out, off if kept_out != KeptOut.AMOUNT else Decimal(0)
        row.text, row.url = record.text[:LONGEST_TEXT], (record.url or "")[:300]
        row.reverses, row.reversed_by = record.reverses or "", record.reversed_by or ""
        row.custom = {name: str(value) for name, value in record.custom.items()}
        row.hash, row.changed_at, row.exchange_id = mark, now, exchange_id
        row.deleted_at = now if record.counts == Counts.VOID else None
        return row

    def _post(self, pairs: list[tuple[records.Voucher, _Old]], tally: Tally, touched: set[Cell]) -> None:
        """Write the postings of vouchers that have their row, and note each line on its `_Old`."""
        rows: list[tuple[Any, ...]] = []
        for record, new in pairs:
            if record.counts == Counts.VOID or new.row.kept_out == KeptOut.AMOUNT:
                continue
            heft = weight(record.counts, KeptOut(new.row.kept_out))
            for posting in record.postings:
                year = self._year(posting.date)
                period = self._period(year, record.kind, posting.period, posting.date)
                for units, dimensions in lines(posting):
                    key = dimension_key(dimensions)
                    account, dimension_set = self.accounts[posting.account], self.sets[key]
                    cell = (year.pk, period, account, dimension_set) if year else None
                    new.lines.append((posting.account, units, period, key, cell, heft))
                    if cell and heft in (Weight.POSTED, Weight.PROVISIONAL):
                        touched.add(cell)
                    rows.append((
                        self.client.pk, new.row.pk, posting.row, posting.external_id[:60], posting.date,
                        year.pk if year else None, period, account, dimension_set, heft.value, units,
                        posting.currency or "",
                        None if posting.foreign_amount is None else to_units(posting.foreign_amount),
                        (posting.vat_code or "")[:20], posting.tax_role.value, _number(posting.quantity),
                        posting.text[:LONGEST_TEXT], (posting.party or "")[:160],
                    ))  # fmt: skip
        tally.postings += len(rows)
        bulk.insert(Posting, POSTING_COLUMNS, rows)

    def _cells(self, old: _Old) -> set[Cell]:
        return {cell for *_, cell, heft in old.lines if cell and heft in (Weight.POSTED, Weight.PROVISIONAL)}

    def _touch(self, cells: set[Cell]) -> None:
        bulk.insert(TouchedCell, CELL_COLUMNS, [(self.client.pk, *cell) for cell in sorted(cells)])

    def _version(
        self, voucher: Voucher, move: Move, now: datetime, *, effect: int, period: int | None = None, **shots: Any
    ) -> VoucherVersion:
        """`shots`: how it stood `before` and `after`; the one left out is empty. `effect` in ten-thousandths."""
        return VoucherVersion(
            client=self.client,
            voucher=voucher,
            version=voucher.version,
            move=move,
            **{"before": {}, "after": {}, **shots},
            effect=Decimal(effect).scaleb(-PLACES),
            period=period or voucher.period,
            in_closed=self._is_closed(voucher.date),
            run_id=self.run_id,
            seen_at=now,
        )

    def _stands(self, old: Voucher, record: records.Voucher) -> bool:
        """Whether what the source still says would be held as it is: years and types of accounts come later too."""
        if old.deleted_at is not None:
            return old.counts == record.counts == Counts.VOID
        if old.kept_out == KeptOut.UNBALANCED and judge(record, self.types)[0] == KeptOut.NO:
            return False
        year = self._year(record.date)
        held: tuple[int | None, int] = (old.fiscal_year_id, old.period)
        return held == (year.pk if year else None, self._period(year, record.kind, record.period, record.date))

    def _year(self, day: date) -> FiscalYear | None:
        return next((year for year in self.years if year.start <= day <= year.end), None)

    def _period(self, year: FiscalYear | None, kind: VoucherKind, number: int | None, day: date) -> int:
        if year is not None and kind in (VoucherKind.CLOSING, VoucherKind.RESULT_TRANSFER):
            return year.last_period
        return period_of(year, number, day)


WRITTEN = [
    "fiscal_year", "period", "series", "number", "date", "kind", "counts", "kept_out", "difference", "text", "url",
    "reverses", "reversed_by", "custom", "hash", "version", "changed_at", "exchange_id", "deleted_at",
]  # fmt: skip


def _in_books(old: _Old) -> bool:
    """Whether the voucher was posted and not kept out: only then does its change move the books."""
    return old.row.counts == Counts.POSTED and old.row.kept_out == KeptOut.NO and old.row.deleted_at is None


def _shot(old: _Old) -> dict[str, Any]:
    row = old.row
    return snapshot(
        day=row.date,
        counts=row.counts,
        text=row.text,
        rows=[(line[0], line[1], line[2], line[3]) for line in old.lines],
    )


def _lines_of(shot: dict[str, Any]) -> list[list[str]]:
    """The lines in an order of their own: a source may give the same ones in another."""
    return sorted([str(value) for value in line.values()] for line in shot["postings"])


def _result(posted: list[tuple[str, int, int, str, Cell | None, str]], types: dict[str, str]) -> int:
    """What the lines add to the result, in ten-thousandths: income positive."""
    sums: dict[bool, int] = defaultdict(int)
    for number, units, _period, _key, _cell, heft in posted:
        sums[heft == Weight.POSTED and types.get(number) in RESULT_TYPES] += units
    return -sums[True]


def _number(value: Decimal | None) -> Decimal | str | None:
    return None if value is None else str(value)
