"""What a ledger file's rows become in the books: vouchers with an identity, balances, fiscal years, figures."""

import hashlib
from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.utils.translation import gettext as _

from apps.clients.models import Client
from apps.formats.sie import SieFile
from apps.ledger.content import dimension_key, fingerprint
from apps.ledger.enums import KeptOut, SourceKind
from apps.ledger.intake import Intake
from apps.ledger.models import DimensionSet, Figure, FiscalYear, Source, Voucher
from apps.ledger.periods import months_of, text_of
from apps.ledger.registers import take_fiscal_years
from apps.records import ledger as records
from apps.records.enums import VoucherKind

MOST_YEARS = 20  # between the years held and a file without years of its own: further away is a mistyped date
ID_LENGTH = 120


class FileRefusedError(ValueError):
    """The file is readable and may not be taken in; nothing was written. `code` is stable, the text is for people."""

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        super().__init__(text)


# -- Fiscal years ------------------------------------------------------------------------------------------------------


def place_years(client: Client, file: SieFile, warnings: list[str]) -> dict[int, FiscalYear]:
    """The file's years by their number (0, -1, ...), made where they are not held.

    A year that contradicts the held ones refuses the file; one before the file's own is left out with a warning.
    """
    held = list(FiscalYear.objects.filter(client=client).order_by("start"))
    wanted: list[records.FiscalYear] = []
    numbers: dict[date, int] = {}
    for year in file.fiscal_years:
        if year.start is None or year.end is None:
            continue
        clash = [
            other
            for other in held
            if other.start <= year.end
            and year.start <= other.end
            and (other.start, other.end) != (year.start, year.end)
        ]
        if clash and not _extends(year.start, year.end, clash):
            text = _("The file's fiscal year %(start)s to %(end)s contradicts the held year %(held)s.") % {
                "start": year.start,
                "end": year.end,
                "held": clash[0],
            }
            if year.number == 0:
                raise FileRefusedError("file.fiscal_year", text)
            warnings.append(text)
            continue
        numbers[year.start] = year.number
        if clash or all(other.start != year.start for other in held):
            wanted.append(records.FiscalYear(start=year.start, end=year.end, currency=file.currency))
    if wanted:
        held = take_fiscal_years(client, wanted, origin=SourceKind.FILE, currency=file.currency)
    return {numbers[year.start]: year for year in held if year.start in numbers}


def _extends(start: date, end: date, clash: Sequence[FiscalYear]) -> bool:
    """A year that earlier files knew shorter was prolonged; a connection knows its own years."""
    return len(clash) == 1 and clash[0].start == start and clash[0].end < end and clash[0].origin == SourceKind.FILE


def assume_years(client: Client, days: Iterable[date], currency: str, warnings: list[str]) -> None:
    """Make years for days that no held year holds: twelve months on from the held ones, else the calendar year."""
    held = list(FiscalYear.objects.filter(client=client).order_by("start"))
    spans = [(year.start, year.end) for year in held]
    made: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        for _step in range(MOST_YEARS):
            if any(start <= day <= end for start, end in spans):
                break
            later = [span for span in spans if span[0] > day]
            earlier = [span for span in spans if span[1] < day]
            if earlier:
                start = max(earlier)[1] + timedelta(days=1)
                end = _plus_year(start, 1) - timedelta(days=1)
                if later:
                    end = min(end, min(later)[0] - timedelta(days=1))
            elif later:
                end = min(later)[0] - timedelta(days=1)
                start = _plus_year(min(later)[0], -1)
            else:
                start, end = date(day.year, 1, 1), date(day.year, 12, 31)
            spans.append((start, end))
            made.append((start, end))
        else:
            raise FileRefusedError(
                "file.fiscal_year", _("No fiscal year holds %(day)s, nor is one near it.") % {"day": day}
            )
    if made:
        years = [records.FiscalYear(start=start, end=end, currency=currency) for start, end in made]
        take_fiscal_years(client, years, origin=SourceKind.FILE, currency=currency)
        warnings.extend(
            _("The file does not say its fiscal year; %(start)s to %(end)s is assumed.") % {"start": start, "end": end}
            for start, end in made
        )


def _plus_year(day: date, years: int) -> date:
    last = monthrange(day.year + years, day.month)[1]
    return day.replace(year=day.year + years, day=min(day.day, last))


# -- Vouchers ----------------------------------------------------------------------------------------------------------


def identify(
    client: Client, source: Source, vouchers: Sequence[records.Voucher], *, only_add: bool
) -> tuple[list[records.Voucher], int]:
    """Each voucher under the id it has in the books: fiscal year, series, number, date, n-th of equals.

    Among equals the same content is the same voucher. With `only_add` nothing held is changed: other content is a
    further voucher, and one that was taken in before and is gone since is left out; the second value counts those.
    """
    if not vouchers:
        return [], 0
    years = list(FiscalYear.objects.filter(client=client))
    days = [voucher.date for voucher in vouchers]
    held: dict[str, dict[int, tuple[str, datetime | None]]] = defaultdict(dict)
    rows = Voucher.objects.filter(client=client, source_id=source.pk, date__range=(min(days), max(days)))
    for key, mark, gone in rows.values_list("external_id", "hash", "deleted_at"):
        base, _bar, place = key.rpartition("|")
        if place.isascii() and place.isdigit():
            held[base][int(place)] = (mark, gone)
    groups: dict[str, list[records.Voucher]] = defaultdict(list)
    for voucher in vouchers:
        groups[_base(voucher, years)].append(_plain(voucher))
    found: list[records.Voucher] = []
    passed = 0
    for base, group in groups.items():
        places = _places(group, held[base], only_add=only_add)
        passed += places.count(None)
        found += [
            replace(voucher, external_id=f"{base}|{place}")
            for voucher, place in zip(group, places, strict=True)
            if place is not None
        ]
    return found, passed


def _places(
    group: Sequence[records.Voucher], held: dict[int, tuple[str, datetime | None]], *, only_add: bool
) -> list[int | None]:
    """Which n-th of equals each is; None: it was there and is gone, and is not added again."""
    free = dict(sorted(held.items(), key=lambda item: (item[1][1] is not None, item[0])))  # the living ones first
    places: list[int | None] = []
    for voucher in group:
        mark = fingerprint(voucher)
        place = next((number for number, (other, _gone) in free.items() if other == mark), None)
        if place is not None and only_add and free[place][1] is not None:
            free.pop(place)
            place = None
        elif place is not None:
            free.pop(place)
        else:
            place = 0
        places.append(place)
    highest = max(held, default=0)
    rest = [] if only_add else sorted(free)
    for index, place in enumerate(places):
        if place == 0:
            if rest:
                places[index] = rest.pop(0)
            else:
                highest += 1
                places[index] = highest
    return places


def _base(voucher: records.Voucher, years: Sequence[FiscalYear]) -> str:
    year = next((year for year in years if year.start <= voucher.date <= year.end), None)
    words = voucher.external_id.split("|")[1:-1]  # the reader's own, without its guess of the year
    base = "|".join([str(year.end.year if year else voucher.date.year), *words])
    if len(base) > ID_LENGTH - 8:
        base = base[:60] + hashlib.blake2b(base.encode(), digest_size=16).hexdigest()
    return base


def _plain(voucher: records.Voucher) -> records.Voucher:
    """Without what says where in the file it stood: the same voucher on another line is unchanged."""
    custom = {name: value for name, value in voucher.custom.items() if name != "line"}
    postings = tuple(replace(posting, external_id="") for posting in voucher.postings)
    return replace(voucher, custom=custom, postings=postings)


# -- Balances ----------------------------------------------------------------------------------------------------------


class BalanceIntake(Intake):
    """Takes balances in as the file gives them: that they do not sum to zero is a finding, no reason to leave one out."""

    def _fill(
        self, row: Voucher, record: records.Voucher, mark: str, now: datetime, exchange_id: int | None
    ) -> Voucher:
        row = super()._fill(row, record, mark, now, exchange_id)
        if row.kept_out == KeptOut.UNBALANCED:
            row.kept_out = KeptOut.NO
        return row


def closings(file: SieFile, number: int) -> dict[str, Decimal]:
    """The file's closing by account: #UB where given, else #RES."""
    of_year = {row.account: row.amount for row in file.results if row.year == number}
    return of_year | {row.account: row.amount for row in file.closings if row.year == number}


def openings(file: SieFile, number: int) -> dict[str, Decimal]:
    return {row.account: row.amount for row in file.openings if row.year == number}


def balance_vouchers(file: SieFile, number: int, year: FiscalYear) -> list[records.Voucher]:
    """The movements of a year that the file gives as balances, one internal voucher a month.

    #PSALDO by month; without any the year's change stands in its last month.
    """
    months: dict[int, dict[tuple[str, str], tuple[Decimal, dict[str, str]]]] = defaultdict(dict)
    held = list(months_of(year))
    rows = [row for row in file.period_balances if row.year == number and not row.part]
    for row in rows:
        period = int(row.period.replace("-", ""))
        if period not in held:
            text = _("line %(line)s: %(period)s is not a month of the fiscal year %(year)s.")
            raise FileRefusedError("file.period", text % {"line": row.line, "period": row.period, "year": year})
        key = (row.account, dimension_key(row.dimensions))
        amount = months[period].get(key, (Decimal(0), {}))[0] + row.amount
        months[period][key] = (amount, row.dimensions)
    if not rows:
        closing, opening = closings(file, number), openings(file, number)
        for account in sorted({*closing, *opening}) if closing else ():
            change = closing.get(account, Decimal(0)) - opening.get(account, Decimal(0))
            months[held[-1]][account, ""] = (change, {})
    return [
        _balance_voucher(year, period, [(key[0], *value) for key, value in sorted(cells.items()) if value[0]])
        for period, cells in sorted(months.items())
        if any(amount for amount, _dimensions in cells.values())
    ]


def _balance_voucher(
    year: FiscalYear, period: int, cells: Sequence[tuple[str, Decimal, dict[str, str]]]
) -> records.Voucher:
    last = date(period // 100, period % 100, monthrange(period // 100, period % 100)[1])
    day = min(last, year.end)
    return records.Voucher(
        external_id=f"balances|{year.start.isoformat()}|{period}",
        date=day,
        kind=VoucherKind.BALANCE_IMPORT,
        text=_("Balances of %(period)s from a ledger file") % {"period": text_of(period)},
        postings=tuple(
            records.Posting(row=row, date=day, account=account, amount=amount, dimensions=dimensions)
            for row, (account, amount, dimensions) in enumerate(cells, start=1)
        ),
    )


# -- Figures -----------------------------------------------------------------------------------------------------------


def take_figures(client: Client, source: Source, file: SieFile) -> int:
    """#PBUDGET as figures: those of the months that the file budgets replace the ones held. Returns how many changed."""
    if not file.budgets:
        return 0
    values: dict[tuple[int, str, str], Decimal] = defaultdict(Decimal)
    items: dict[str, dict[str, str]] = {}
    for figure in file.budgets:
        key = dimension_key(figure.dimensions)
        items[key] = figure.dimensions
        values[int((figure.period or "").replace("-", "")), figure.key[:60], key] += figure.value
    DimensionSet.objects.bulk_create(
        [DimensionSet(client=client, key=key, items=one) for key, one in items.items()], ignore_conflicts=True
    )
    sets = dict(DimensionSet.objects.filter(client=client, key__in=items).values_list("key", "pk"))
    months = {period for period, _key, _set in values}
    held = {
        (row.period, row.key, row.dimension_set.key): row
        for row in Figure.objects.filter(
            client=client, source_id=source.pk, series="budget", period__range=(min(months), max(months))
        ).select_related("dimension_set")
    }
    gone = [row.pk for key, row in held.items() if key not in values]
    changed = [row for key, row in held.items() if key in values and row.value != values[key]]
    for row in changed:
        row.value = values[row.period, row.key, row.dimension_set.key]
    new = [
        Figure(
            client=client, source_id=source.pk, series="budget", period=period, key=key, dimension_set_id=sets[dimensions],
            value=value, unit=file.currency,
        )
        for (period, key, dimensions), value in values.items()
        if (period, key, dimensions) not in held
    ]  # fmt: skip
    Figure.objects.filter(pk__in=gone).delete()
    Figure.objects.bulk_update(changed, ["value"], batch_size=200)
    Figure.objects.bulk_create(new, batch_size=500)
    return len(gone) + len(changed) + len(new)
