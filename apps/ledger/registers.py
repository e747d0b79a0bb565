"""Takes in what vouchers stand on: fiscal years, accounts, dimensions, locks, openings. Run inside a transaction."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise

from django.db import transaction

from apps.clients.models import Client
from apps.ledger.enums import SourceKind, TypeOrigin
from apps.ledger.models import (
    Account,
    AccountYear,
    DimensionItem,
    FiscalYear,
    Lock,
    OpeningBalance,
    Posting,
    Source,
    TouchedCell,
    Voucher,
)
from apps.records import ledger as records
from apps.records.enums import AccountType


class RegisterError(ValueError):
    """A register that contradicts itself or what is held; the text names what and where."""


def source_for(client: Client, kind: SourceKind, ref: int, label: str) -> Source:
    source, _made = Source.objects.get_or_create(client=client, kind=kind, ref=ref, defaults={"label": label})
    return source


@transaction.atomic
def take_fiscal_years(
    client: Client, years: Iterable[records.FiscalYear], *, origin: SourceKind, currency: str
) -> list[FiscalYear]:
    """Keep the years as the source has them. Raises RegisterError where they would overlap."""
    held = {year.start: year for year in FiscalYear.objects.filter(client=client)}
    for record in sorted(years, key=lambda year: year.start):
        year = held.get(record.start) or FiscalYear(client=client, start=record.start, origin=origin)
        wanted = (record.end, bool(record.closed), record.currency or currency)
        if year.pk and (year.end, year.closed, year.currency) == wanted:
            continue
        last_period = year.last_period if year.pk else 0
        year.end, year.closed, year.currency = wanted
        if last_period not in (0, year.last_period):
            _rename_last_period(year, last_period)
        held[record.start] = year
    ordered = sorted(held.values(), key=lambda year: year.start)
    for earlier, later in pairwise(ordered):
        if earlier.end >= later.start:
            raise RegisterError(f"fiscal years {earlier} and {later} overlap")
    for year in ordered:
        year.save()
        _take_strays(client, year)
    return ordered


def _rename_last_period(year: FiscalYear, old: int) -> None:
    """Period 13 is called by the calendar year that the fiscal year ends in, which has changed; no voucher has."""
    lines = Posting.objects.filter(client=year.client_id, fiscal_year=year, period=old)
    cells = lines.order_by().values_list("period", "account", "dimension_set").distinct()
    TouchedCell.objects.bulk_create(
        [
            TouchedCell(
                client_id=year.client_id, fiscal_year=year, period=period, account_id=account, dimension_set_id=items
            )
            for before, account, items in cells
            for period in (before, year.last_period)
        ]
    )
    lines.update(period=year.last_period)
    Voucher.objects.filter(client=year.client_id, fiscal_year=year, period=old).update(period=year.last_period)


def _take_strays(client: Client, year: FiscalYear) -> None:
    """Lines of vouchers of another year, dated in this one before it was known: from now on they count here."""
    strays = Posting.objects.filter(client=client, fiscal_year=None, date__gte=year.start, date__lte=year.end)
    cells = strays.order_by().values_list("period", "account", "dimension_set").distinct()
    TouchedCell.objects.bulk_create(
        [
            TouchedCell(client=client, fiscal_year=year, period=period, account_id=account, dimension_set_id=items)
            for period, account, items in cells
        ]
    )
    strays.update(fiscal_year=year)


@transaction.atomic
def take_accounts(client: Client, accounts: Iterable[records.Account], *, origin: TypeOrigin) -> int:
    """Add and update accounts; a type chosen by staff stays. Returns how many were new or changed.

    Where the source keeps a chart per year, an account is as the latest year has it; other years keep what differs.
    """
    accounts, earlier = _by_year(accounts)
    held = {account.number: account for account in Account.objects.filter(client=client)}
    new: list[Account] = []
    changed: list[Account] = []
    for record in accounts:
        account = held.get(record.number)
        if account is None:
            account = held[record.number] = Account(client=client, number=record.number)
            new.append(account)
        before = (account.name, account.type, account.vat_code, account.active)
        account.name = record.name[:200]
        account.vat_code = record.vat_code or ""
        account.active = record.active
        if account.type_origin != TypeOrigin.STAFF and record.type != AccountType.UNKNOWN:
            account.type, account.type_origin = record.type, origin
        if account.pk and before != (account.name, account.type, account.vat_code, account.active):
            changed.append(account)
    Account.objects.bulk_create(new, batch_size=500)
    Account.objects.bulk_update(changed, ["name", "type", "type_origin", "vat_code", "active"], batch_size=200)
    if earlier:
        _take_years(client, held, earlier)
    return len(new) + len(changed)


def _by_year(accounts: Iterable[records.Account]) -> tuple[list[records.Account], list[records.Account]]:
    """The record of each account's latest year, and those of the years before it."""
    latest: dict[str, records.Account] = {}
    earlier: list[records.Account] = []
    for record in sorted(accounts, key=lambda one: one.fiscal_year_start or date.min):
        if record.fiscal_year_start is not None and record.number in latest:
            earlier.append(latest[record.number])
        latest[record.number] = record
    return list(latest.values()), earlier


def _take_years(client: Client, held: dict[str, Account], earlier: Sequence[records.Account]) -> None:
    years = {year.start: year for year in FiscalYear.objects.filter(client=client)}
    rows = []
    for record in earlier:
        account = held[record.number]
        year = years.get(record.fiscal_year_start) if record.fiscal_year_start else None
        told = account.type_origin != TypeOrigin.STAFF and record.type != AccountType.UNKNOWN
        was = (record.name[:200], record.type.value if told else account.type, record.active)
        if year is not None and was != (account.name, account.type, account.active):
            rows.append(
                AccountYear(client=client, account=account, fiscal_year=year, name=was[0], type=was[1], active=was[2])
            )
    told_years = {year.pk for record in earlier if (year := years.get(record.fiscal_year_start or date.min))}
    AccountYear.objects.filter(client=client, fiscal_year__in=told_years).delete()
    AccountYear.objects.bulk_create(rows, batch_size=500)


@transaction.atomic
def take_dimensions(client: Client, dimensions: Iterable[records.Dimension]) -> int:
    """Add and update dimension items; returns how many were new or changed."""
    held = {(item.kind, item.code): item for item in DimensionItem.objects.filter(client=client)}
    new: list[DimensionItem] = []
    changed: list[DimensionItem] = []
    for record in dimensions:
        item = held.get((record.kind, record.code))
        if item is None:
            item = held[record.kind, record.code] = DimensionItem(client=client, kind=record.kind, code=record.code)
            new.append(item)
        before = (item.name, item.parent, item.active)
        item.name, item.parent, item.active = record.name[:200], record.parent or "", record.active
        if item.pk and before != (item.name, item.parent, item.active):
            changed.append(item)
    DimensionItem.objects.bulk_create(new, batch_size=500)
    DimensionItem.objects.bulk_update(changed, ["name", "parent", "active"], batch_size=200)
    return len(new) + len(changed)


@transaction.atomic
def take_locks(client: Client, locks: Sequence[records.Lock]) -> None:
    """The source's locks replace the ones held: a lock that was lifted is gone."""
    Lock.objects.filter(client=client).exclude(kind__in=[lock.kind for lock in locks]).delete()
    for lock in locks:
        Lock.objects.update_or_create(client=client, kind=lock.kind, defaults={"until": lock.until})


@transaction.atomic
def take_openings(
    client: Client, source: Source, fiscal_year: FiscalYear, openings: Iterable[tuple[str, Decimal]]
) -> int:
    """The source's openings of one fiscal year replace those held; returns how many accounts have one."""
    amounts = {number: amount for number, amount in openings if amount}
    ids = account_ids(client, amounts)
    OpeningBalance.objects.filter(fiscal_year=fiscal_year).delete()
    OpeningBalance.objects.bulk_create(
        [
            OpeningBalance(
                client=client, fiscal_year=fiscal_year, account_id=ids[number], amount=amount, source_id=source.pk
            )
            for number, amount in amounts.items()
        ],
        batch_size=500,
    )
    return len(amounts)


def account_ids(client: Client, numbers: Iterable[str]) -> dict[str, int]:
    """Ids by number; an account that the source never listed is made, with an unknown type."""
    wanted = set(numbers)
    ids = dict(Account.objects.filter(client=client, number__in=wanted).values_list("number", "pk"))
    missing = sorted(wanted - set(ids))
    Account.objects.bulk_create([Account(client=client, number=number) for number in missing], ignore_conflicts=True)
    if missing:
        ids.update(Account.objects.filter(client=client, number__in=missing).values_list("number", "pk"))
    return ids


def closed_to(client: Client) -> date | None:
    """The last day the source has locked, of any kind that closes the books."""
    return max((lock.until for lock in Lock.objects.filter(client=client, kind__in=("books", "period"))), default=None)
