"""Compares the books with the source's own totals, account by account, and keeps the evidence (LEDGER 4)."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet, Sum
from django.utils import timezone

from apps.clients.models import Client
from apps.ledger.enums import Grade, KeptOut, Weight
from apps.ledger.models import Account, FiscalYear, LedgerState, Posting, Proof, Source, Voucher
from apps.ledger.periods import first_day, next_month, text_of
from apps.ledger.queries import ZERO, Books
from apps.ledger.registers import closed_to
from apps.records import ledger as records
from apps.records.enums import Basis, Counts, VoucherKind


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


def compare_year(
    year: FiscalYear, controls: Sequence[records.ControlBalance], *, without: Collection[int] = ()
) -> list[Difference]:
    """Every account of a fiscal year against the source's totals of that year; a side without it counts as zero.

    What the source does not say (an opening, where it gives closings as of a day) is not compared. `without`: as if
    these vouchers, by their keys, were not in the books.
    """
    books = Books(year.client)
    openings = {key[0]: amount for key, amount in books.opening(year).items()}
    closings = {key[0]: amount for key, amount in books.closing(year).items()}
    for number, amount in _postings(year).filter(voucher__in=without).values_list("account__number", "amount"):
        closings[number] = closings.get(number, ZERO) - amount
    day = _as_of(controls)
    if day is not None and day < year.end:
        closings = _closings_on(year, openings, day)
    ours = {
        number: (openings.get(number, ZERO), amount - openings.get(number, ZERO)) for number, amount in closings.items()
    }
    return _compare(year, controls, ours, str(year.end.year) if year.start.month == 1 else f"{year.start} – {year.end}")


def compare_month(year: FiscalYear, period: int, controls: Sequence[records.ControlBalance]) -> list[Difference]:
    """The movements of one month's days, or the closings as of its last; the openings are judged by the year.

    By the postings' dates, as the source counts them: a transfer of the result stands in period 13, whenever it was.
    Totals of other days say nothing about the month.
    """
    first = max(first_day(period), year.start)
    last = min(first_day(next_month(period)) - timedelta(days=1), year.end)
    fitting = [one for one in controls if one.to == last and (one.basis is Basis.AS_OF or one.from_ == first)]
    if controls and not fitting:
        return []
    if _as_of(fitting) is not None:
        openings = {key[0]: amount for key, amount in Books(year.client).opening(year).items()}
        closings = _closings_on(year, openings, last)
        ours = {number: (ZERO, amount) for number, amount in closings.items()}
        return _compare(year, fitting, ours, text_of(period))
    rows = _postings(year).filter(date__gte=first, date__lte=last).values_list("account__number")
    ours = {number: (ZERO, amount) for number, amount in rows.annotate(sum=Sum("amount"))}
    stripped = [
        records.ControlBalance(
            account=control.account,
            basis=control.basis,
            from_=control.from_,
            to=control.to,
            movement=_movement(control),
        )
        for control in fitting
    ]
    return _compare(year, stripped, ours, text_of(period))


def _postings(year: FiscalYear) -> QuerySet[Posting]:
    return Posting.objects.filter(client=year.client_id, fiscal_year=year, weight=Weight.POSTED)


def _closings_on(year: FiscalYear, openings: dict[str, Decimal], day: date) -> dict[str, Decimal]:
    closings = dict(openings)
    rows = _postings(year).filter(date__lte=day).values_list("account__number").annotate(sum=Sum("amount"))
    for number, amount in rows:
        closings[number] = closings.get(number, ZERO) + amount
    return closings


def _as_of(controls: Sequence[records.ControlBalance]) -> date | None:
    """The day that the source's closings stand for, where it gives nothing else."""
    return max((one.to for one in controls if one.basis is Basis.AS_OF), default=None)


def _movement(control: records.ControlBalance) -> Decimal | None:
    if control.movement is not None:
        return control.movement
    if control.debit is not None or control.credit is not None:
        return (control.debit or ZERO) - (control.credit or ZERO)
    if control.opening is not None and control.closing is not None:
        return control.closing - control.opening
    return None


def _told(control: records.ControlBalance | None, parts: Sequence[str]) -> dict[str, Decimal | None]:
    """What the source says of an account; one that it does not list stands at zero, in the `parts` it tells of others.

    A closing says nothing more where it is the opening and the movement; a source that contradicts itself agrees with
    nobody.
    """
    if control is None:
        return dict.fromkeys(parts, ZERO)
    if control.basis is Basis.AS_OF:  # its debit and credit are of days that nobody tells
        sides = (control.debit or ZERO) - (control.credit or ZERO)
        return {"closing": control.closing if control.closing is not None else sides}
    opening, movement = control.opening, _movement(control)
    implied = opening is not None and movement is not None and opening + movement == control.closing
    return {"opening": opening, "movement": movement, "closing": None if implied else control.closing}


def _compare(
    year: FiscalYear,
    controls: Sequence[records.ControlBalance],
    ours: dict[str, tuple[Decimal, Decimal]],
    period: str,
) -> list[Difference]:
    theirs = {control.account: control for control in controls if control.counts == Counts.POSTED}
    parts = _parts(list(theirs.values()))
    names = dict(Account.objects.filter(client=year.client_id).values_list("number", "name"))
    found = []
    for number in sorted({*theirs, *ours}):
        opening, movement = ours.get(number, (ZERO, ZERO))
        mine_of = {"opening": opening, "movement": movement, "closing": opening + movement}
        for part, given in _told(theirs.get(number), parts).items():
            mine = mine_of[part]
            if given is not None and mine != given:
                found.append(
                    Difference(
                        account=number, name=names.get(number, ""), period=period, part=part, ours=mine, theirs=given
                    )
                )
    return found


def _parts(controls: Sequence[records.ControlBalance]) -> tuple[str, ...]:
    if not controls or any(one.opening is not None for one in controls):
        return ("opening", "movement")
    return ("movement",) if any(one.basis is not Basis.AS_OF for one in controls) else ("closing",)


def control_difference(differences: Iterable[Difference]) -> Decimal:
    """The sum of absolute differences. An opening that is off because the year before is off counts once, there."""
    total = ZERO
    carried: dict[str, Decimal] = {}  # by account: what the year before ended off by
    for (account, _period), group in groupby(sorted(differences, key=_place), key=_place):
        by_part = {one.part: one.difference for one in group}
        opening = by_part.get("opening", ZERO)
        if list(by_part) == ["closing"]:  # as of a day: it has in it what earlier days were off by
            total += abs(by_part["closing"]) if by_part["closing"] != carried.get(account) else ZERO
            carried[account] = by_part["closing"]
            continue
        total += sum((abs(amount) for part, amount in by_part.items() if part != "opening"), ZERO)
        if opening != carried.get(account, ZERO):
            total += abs(opening)
        carried[account] = opening + by_part.get("movement", ZERO)
    return total


def _place(difference: Difference) -> tuple[str, str]:
    return difference.account, difference.period


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
