"""Findings about the books: what is true now is open, what is no longer true is resolved (LEDGER 3)."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from apps.clients.models import Client
from apps.ledger.enums import FindingKind, KeptOut
from apps.ledger.models import Finding, Source, Voucher
from apps.ledger.periods import month_of
from apps.ledger.queries import RESULT_TYPES, ZERO, Books
from apps.ledger.reports import UnknownAccountsError, balance_sheet_of
from apps.records.enums import AccountType

# Kinds that are judged here, from the books alone; the others are noted by what compares with the source.
KINDS = (
    FindingKind.OPENING_SUM,
    FindingKind.OPENING_DIFFERS,
    FindingKind.OPENING_RESULT,
    FindingKind.NOT_BALANCED,
    FindingKind.UNKNOWN_ACCOUNT,
    FindingKind.UNBALANCED,
    FindingKind.KEPT_OUT,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A fact about the books. `key` names it within its kind; `amount` is debit positive."""

    kind: FindingKind
    key: str
    period: int | None = None
    amount: Decimal | None = None
    facts: dict[str, str] = field(default_factory=dict)


def opening_findings(books: Books) -> Iterator[Found]:
    """What is odd about the openings that the source gave: their sum, the year before, income and expense."""
    for year in books.years:
        given = books.given.get(year.pk)
        if not given:
            continue
        start, period = year.start.isoformat(), month_of(year.start)
        beyond = books.opening_sum(year) + books.untransferred(year)
        if beyond:
            yield Found(kind=FindingKind.OPENING_SUM, key=start, period=period, amount=beyond)
        for number, amount in sorted(given.items()):
            if books.type_of(year, number) in RESULT_TYPES and amount:
                yield Found(
                    kind=FindingKind.OPENING_RESULT, key=f"{start} {number}", period=period, amount=amount,
                    facts={"account": number, "name": books.names[number]},
                )  # fmt: skip
        before = books.before(year)
        closing = {key[0]: amount for key, amount in books.closing(before).items()} if before else {}
        for number in sorted({*given, *closing}) if any(closing.values()) else ():
            opened, closed = given.get(number, ZERO), closing.get(number, ZERO)
            if opened != closed and books.type_of(year, number) not in RESULT_TYPES:
                facts = {"account": number, "name": books.names[number], "opening": str(opened), "closing": str(closed)}
                yield Found(
                    kind=FindingKind.OPENING_DIFFERS, key=f"{start} {number}", period=period, amount=opened - closed,
                    facts=facts,
                )  # fmt: skip


def balance_findings(books: Books) -> Iterator[Found]:
    """Accounts without a type that something stands on; and by how much the books of a year do not balance."""
    unknown = {
        number
        for year in books.years
        for number in books.active(year)
        if books.type_of(year, number) == AccountType.UNKNOWN
    }
    for number in sorted(unknown):
        facts = {"account": number, "name": books.names[number]}
        yield Found(kind=FindingKind.UNKNOWN_ACCOUNT, key=number, facts=facts)
    for year in books.years:
        try:
            sheet = balance_sheet_of(books, year.end)
        except UnknownAccountsError:
            continue
        if sheet.rest:
            yield Found(
                kind=FindingKind.NOT_BALANCED, key=year.start.isoformat(), period=sheet.period, amount=sheet.rest
            )


def kept_out_findings(client: Client) -> Iterator[Found]:
    for voucher in Voucher.objects.filter(client=client, deleted_at=None).exclude(kept_out=KeptOut.NO):
        unbalanced = voucher.kept_out == KeptOut.UNBALANCED
        yield Found(
            kind=FindingKind.UNBALANCED if unbalanced else FindingKind.KEPT_OUT,
            key=f"{voucher.source_id} {voucher.external_id}"[:160],
            period=voucher.period,
            amount=voucher.difference if unbalanced else None,
            facts={
                "series": voucher.series,
                "number": voucher.number,
                "date": voucher.date.isoformat(),
                "reason": voucher.kept_out,
            },
        )


def open_finding(
    client: Client,
    kind: FindingKind,
    key: str,
    *,
    period: int | None = None,
    amount: Decimal | None = None,
    facts: dict[str, str] | None = None,
) -> Finding:
    """Open a finding that is judged elsewhere, or bring the open one up to date."""
    values = {"period": period, "amount": amount, "facts": facts or {}}
    row: Finding = Finding.objects.update_or_create(
        client=client, kind=kind, key=key[:160], resolved_at=None, defaults=values
    )[0]
    return row


@transaction.atomic
def note_findings(client: Client, _source: Source | None = None) -> int:
    """Open, update and resolve the findings that the books themselves show; returns how many are open.

    They are judged over all sources: a source's voucher may unbalance what another gave.
    """
    books = Books(client)
    found = {
        (one.kind.value, one.key): one
        for one in (*opening_findings(books), *balance_findings(books), *kept_out_findings(client))
    }
    held = {(row.kind, row.key): row for row in Finding.objects.filter(client=client, kind__in=KINDS, resolved_at=None)}
    gone = [row.pk for key, row in held.items() if key not in found]
    Finding.objects.filter(pk__in=gone).update(resolved_at=timezone.now())
    new, changed = [], []
    for key, one in found.items():
        row = held.get(key)
        values = (one.period, one.amount, one.facts)
        if row is None:
            new.append(Finding(client=client, **asdict(one)))
        elif (row.period, row.amount, row.facts) != values:
            row.period, row.amount, row.facts = values
            changed.append(row)
    Finding.objects.bulk_create(new, batch_size=500)
    Finding.objects.bulk_update(changed, ["period", "amount", "facts"], batch_size=200)
    return len(found)
