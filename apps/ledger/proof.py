"""Compares the books with the source's own totals, account by account, and keeps the evidence (LEDGER 4)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Max, Sum
from django.utils import timezone

from apps.clients.models import Client
from apps.ledger.enums import Grade, KeptOut, Weight
from apps.ledger.models import (
    Account,
    Balance,
    FiscalYear,
    LedgerState,
    OpeningBalance,
    Posting,
    Proof,
    Source,
    Voucher,
)
from apps.ledger.periods import months_of, text_of
from apps.ledger.registers import closed_to
from apps.records import ledger as records
from apps.records.enums import AccountType, Counts, VoucherKind

ZERO = Decimal("0.00")
RESULT_TYPES = (AccountType.INCOME, AccountType.EXPENSE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where an account differs. `part` is opening, movement or closing; `difference` is the source's minus ours."""

    account: str
    name: str
    period: str
    part: str
    ours: Decimal
    theirs: Decimal

    @property
    def difference(self) -> Decimal:
        return self.theirs - self.ours

    def as_json(self) -> dict[str, str]:
        amounts = {"ours": self.ours, "theirs": self.theirs, "difference": self.difference}
        return {**asdict(self), **{name: f"{amount:.2f}" for name, amount in amounts.items()}}


def compare_year(year: FiscalYear, controls: Sequence[records.ControlBalance]) -> list[Difference]:
    """Every account of a fiscal year against the source's totals of that year; a side without it counts as zero."""
    ours = _opening_and_movement(year, list(months_of(year)))
    return _compare(year, controls, ours, str(year.end.year) if year.start.month == 1 else f"{year.start} – {year.end}")


def compare_month(year: FiscalYear, period: int, controls: Sequence[records.ControlBalance]) -> list[Difference]:
    """The movements of one month's days; the openings are judged by the year.

    By the postings' dates, as the source counts them: a transfer of the result stands in period 13, whenever it was.
    """
    posted = Posting.objects.filter(
        client=year.client_id,
        fiscal_year=year,
        weight=Weight.POSTED,
        date__year=period // 100,
        date__month=period % 100,
    )
    rows = posted.values_list("account__number").annotate(sum=Sum("amount"))
    ours = {number: (ZERO, amount) for number, amount in rows}
    stripped = [
        records.ControlBalance(
            account=control.account,
            basis=control.basis,
            from_=control.from_,
            to=control.to,
            movement=_movement(control),
        )
        for control in controls
    ]
    return _compare(year, stripped, ours, text_of(period))


def _movement(control: records.ControlBalance) -> Decimal:
    if control.movement is not None:
        return control.movement
    if control.debit is not None or control.credit is not None:
        return (control.debit or ZERO) - (control.credit or ZERO)
    return (control.closing or ZERO) - (control.opening or ZERO)


def _compare(
    year: FiscalYear,
    controls: Sequence[records.ControlBalance],
    ours: dict[str, tuple[Decimal, Decimal]],
    period: str,
) -> list[Difference]:
    theirs = {control.account: control for control in controls if control.counts == Counts.POSTED}
    names = dict(Account.objects.filter(client=year.client_id).values_list("number", "name"))
    found = []
    for number in sorted({*theirs, *ours}):
        opening, movement = ours.get(number, (ZERO, ZERO))
        control = theirs.get(number)
        pairs = [("opening", opening, control.opening if control else ZERO)]
        pairs.append(("movement", movement, _movement(control) if control else ZERO))
        for part, mine, given in pairs:
            if given is not None and mine != given:
                found.append(
                    Difference(
                        account=number, name=names.get(number, ""), period=period, part=part, ours=mine, theirs=given
                    )
                )
    return found


def _opening_and_movement(year: FiscalYear, months: list[int]) -> dict[str, tuple[Decimal, Decimal]]:
    openings = openings_of(year)
    periods = [*months, *([year.last_period] if months[-1:] == list(months_of(year))[-1:] else [])]
    rows = (
        Balance.objects.filter(client=year.client_id, fiscal_year=year, period__in=periods)
        .values_list("account__number")
        .annotate(debit=Sum("debit"), credit=Sum("credit"))
    )
    movements = {number: debit - credit for number, debit, credit in rows}
    return {number: (openings.get(number, ZERO), movements.get(number, ZERO)) for number in {*openings, *movements}}


def openings_of(year: FiscalYear) -> dict[str, Decimal]:
    """Opening by account: what the source gave for the year, else the closing of the year before (LEDGER 3)."""
    given = dict(OpeningBalance.objects.filter(fiscal_year=year).values_list("account__number", "amount"))
    if given:
        return given
    before = FiscalYear.objects.filter(client=year.client_id, end__lt=year.start).order_by("-end").first()
    return closings_of(before) if before else {}


def closings_of(year: FiscalYear) -> dict[str, Decimal]:
    """Closing by account of what carries over: every account but income and expense."""
    carried = set(
        Account.objects.filter(client=year.client_id).exclude(type__in=RESULT_TYPES).values_list("number", flat=True)
    )
    sums: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for number, amount in openings_of(year).items():
        sums[number] += amount
    rows = (
        Balance.objects.filter(client=year.client_id, fiscal_year=year)
        .values_list("account__number")
        .annotate(debit=Sum("debit"), credit=Sum("credit"))
    )
    for number, debit, credit in rows:
        sums[number] += debit - credit
    return {number: amount for number, amount in sums.items() if amount and number in carried}


def control_difference(differences: Iterable[Difference]) -> Decimal:
    """The sum of absolute differences. An opening that is off because the year before is off counts once, there."""
    seen: dict[tuple[str, str], Decimal] = {}
    total = ZERO
    for one in sorted(differences, key=lambda item: (item.account, item.period)):
        if one.part == "opening" and seen.get((one.account, "movement")) == one.difference:
            continue
        if one.part == "movement":
            seen[one.account, "movement"] = seen.get((one.account, "movement"), ZERO) + one.difference
        total += abs(one.difference)
    return total


@transaction.atomic
def keep_proof(
    *,
    client: Client,
    source: Source,
    grade: Grade,
    run_id: int | None = None,
    differences: Sequence[Difference] = (),
    missing: Sequence[dict[str, Any]] = (),
    accounts: int = 0,
    total: Decimal | None = None,
) -> Proof:
    """Write the outcome of a comparison and make it the client's state.

    While a voucher is kept out the books are not proved, whatever the totals say.
    """
    missing = [*missing, *_kept_out(client)]
    if missing or differences:
        grade = Grade.NOT_COMPLETE
    proof = Proof.objects.create(
        client=client,
        source_id=source.pk,
        run_id=run_id,
        grade=grade,
        source_label=source.label,
        at=timezone.now(),
        control_difference=control_difference(differences) if total is None else total,
        differences=[difference.as_json() for difference in differences],
        missing=missing,
        accounts=accounts,
        last_entry=last_entry(client),
        closed_to=closed_to(client),
    )
    LedgerState.objects.update_or_create(client=client, defaults={"proof": proof})
    return proof


def last_entry(client: Client) -> date | None:
    """The date of the latest posted voucher that is not in the future."""
    today = timezone.now().astimezone(client.zone).date()
    found = Voucher.objects.filter(
        client=client, counts=Counts.POSTED, deleted_at=None, kept_out=KeptOut.NO, date__lte=today
    ).exclude(kind=VoucherKind.BALANCE_IMPORT)
    last: date | None = found.aggregate(last=Max("date"))["last"]
    return last


def _kept_out(client: Client) -> list[dict[str, Any]]:
    found = Voucher.objects.filter(client=client, deleted_at=None).exclude(kept_out=KeptOut.NO).order_by("date")
    first = FiscalYear.objects.filter(client=client).order_by("start").first()
    if first is not None:  # one that was moved to before our books is in their opening balances
        found = found.exclude(kept_out=KeptOut.NO_FISCAL_YEAR, date__lt=first.start)
    return [
        {
            "kind": "kept_out",
            "reason": voucher.kept_out,
            "voucher": f"{voucher.series} {voucher.number}".strip() or voucher.external_id,
            "date": voucher.date.isoformat(),
            "period": text_of(voucher.period),
            "difference": str(voucher.difference),
        }
        for voucher in found[:100]
    ]
