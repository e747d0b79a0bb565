"""Takes ledger files into the books (LEDGER 6): whole or not at all, and the same file again changes nothing."""

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit.actions import note
from apps.clients.identifiers import same_number
from apps.clients.models import Client
from apps.core.fields import AmountError, to_units
from apps.formats.sie import PeriodBalance, SieFile, YearBalance, read_sie
from apps.ledger.balances import recalculate_touched, touched
from apps.ledger.disappearance import too_many
from apps.ledger.enums import Grade, KeptOut, SourceKind, TypeOrigin
from apps.ledger.file_content import (
    BalanceIntake,
    FileRefusedError,
    assume_years,
    balance_vouchers,
    closings,
    identify,
    openings,
    place_years,
    take_figures,
)
from apps.ledger.findings import note_findings
from apps.ledger.intake import TOGETHER, Intake, Tally
from apps.ledger.models import Account, FiscalYear, LedgerFile, LedgerState, OpeningBalance, Source, Voucher
from apps.ledger.periods import month_of, text_of
from apps.ledger.proof import Difference, keep_proof
from apps.ledger.queries import ZERO, Books
from apps.ledger.registers import source_for, take_accounts, take_dimensions, take_openings
from apps.records import ledger as records
from apps.records.enums import VoucherKind

__all__ = ["FileRefusedError", "Outcome", "Owner", "import_file"]


@dataclass(frozen=True, slots=True)
class Owner:
    """Another source that these days of the client belong to; None is open."""

    label: str
    start: date | None = None
    end: date | None = None

    def owns(self, first: date, last: date) -> bool:
        return (self.start is None or self.start <= last) and (self.end is None or first <= self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`vouchers` and `kept_out` together are the file's vouchers, also those that were there before.

    `differences`: the file's closing minus ours; empty where the file has no closings. `period` is what it covers.
    """

    accounts: int
    vouchers: int
    postings: int
    kept_out: list[dict[str, str]]
    differences: list[dict[str, str]]
    warnings: list[str]
    period: tuple[date, date] | None = None
    grade: Grade = Grade.NOT_PROVABLE

    def as_json(self) -> dict[str, Any]:
        return {
            "accounts": self.accounts,
            "vouchers": self.vouchers,
            "postings": self.postings,
            "kept_out": self.kept_out,
            "differences": self.differences,
            "warnings": self.warnings,
        }


@dataclass(slots=True)
class _Job:
    client: Client
    source: Source
    file: SieFile
    owners: Sequence[Owner]
    replace: bool
    run_id: int | None
    years: dict[int, FiscalYear] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    @property
    def changed(self) -> bool:
        still = ("unchanged", "postings", "kept_out")
        return any(count for what, count in self.tally.as_dict().items() if what not in still)


def import_file(
    *,
    client: Client,
    name: str,
    data: bytes,
    actor: Any,
    replace: bool = False,
    run_id: int | None = None,
    owners: Sequence[Owner] = (),
    file: SieFile | None = None,
) -> Outcome:
    """Take a SIE file in, prove it by its own closings, and keep the outcome. `file`: where it is read already.

    `owners` are the days that other sources own; `replace` takes them over. Raises SieError (with line numbers) where
    the file cannot be read to its end, and FileRefusedError where it may not be taken in; then nothing was written.
    """
    file = file or read_sie(data)
    warnings = [*map(str, file.warnings), *_company(client, file)]
    _lengths(file)
    with transaction.atomic():
        Client.objects.select_for_update().get(pk=client.pk)
        source = source_for(client, SourceKind.FILE, 0, _("ledger files"))
        job = _Job(client, source, file, owners, replace, run_id, warnings=warnings)
        vouchers, passed, period = _take(job)
        if touched(client):
            recalculate_touched(client)
        outcome, differences, compared = _outcome(job, vouchers, passed, period)
        digest = hashlib.sha256(data).hexdigest()
        return _keep(job, outcome, differences, compared, name=name, digest=digest, actor=actor)


def _company(client: Client, file: SieFile) -> list[str]:
    """Refuses another company's file; what cannot be compared is a warning."""
    names = {
        "client": f"{client.name} {client.organisation_number}".strip(),
        "company": f"{file.company} {file.organisation_number}".strip() or "–",
    }
    if client.organisation_number and file.organisation_number:
        if same_number(client.country, client.organisation_number, file.organisation_number):
            return []
        text = _("The file is of %(company)s, the client is %(client)s. Nothing was taken in.")
        raise FileRefusedError("file.wrong_company", text % names)
    if client.organisation_number:
        text = _("The file has no organisation number (%(company)s): whether it is of %(client)s was not checked.")
    else:
        text = _(
            "The client has no organisation number: whether the file of %(company)s is of %(client)s was not checked."
        )
    return [text % names]


def _lengths(file: SieFile) -> None:
    """Refuses names and amounts that the books cannot hold as they are; they are never cut or rounded."""
    numbers = {account.number for account in (*file.accounts, *file.undeclared_accounts)}
    objects = {word for item in (*file.dimensions, *file.undeclared_dimensions) for word in (item.kind, item.code)}
    for words, most in ((numbers, 30), (objects, 60)):
        for word in sorted(words):
            if len(word) > most:
                text = _("“%(word)s” is longer than %(most)s characters.") % {"word": word, "most": most}
                raise FileRefusedError("file.too_long", text)
    rows: list[YearBalance | PeriodBalance] = [*file.openings, *file.closings, *file.results, *file.period_balances]
    for row in rows:
        try:
            to_units(row.amount)
        except AmountError as error:
            raise FileRefusedError(
                "file.amount", _("line %(line)s: %(what)s") % {"line": row.line, "what": error}
            ) from error


# -- Taking in ---------------------------------------------------------------------------------------------------------


def _take(job: _Job) -> tuple[list[records.Voucher], int, tuple[date, date] | None]:
    """Write everything the file says; returns its vouchers under their ids, how many were passed over, its days."""
    file, client = job.file, job.client
    days = {day for voucher in file.vouchers for day in (voucher.date, *(line.date for line in voucher.postings))}
    job.years = place_years(client, file, job.warnings)
    if not job.years:
        assume_years(client, days, file.currency, job.warnings)
    year = job.years.get(0)
    if year is not None and not file.is_import:
        days |= {year.start, year.end}
    period = (min(days), max(days)) if days else None
    if period:
        _claim(job, period)
    _registers(job)
    if file.is_import and period:
        _refuse_beside_balances(job, period)
    vouchers, passed = identify(client, job.source, file.vouchers, only_add=file.is_import)
    if passed:
        text = _("%(count)s vouchers were taken in before and replaced since by a complete file: not added again.")
        job.warnings.append(text % {"count": passed})
    intake = Intake(client=client, source=job.source, run_id=job.run_id)
    for start in range(0, len(vouchers), TOGETHER):
        job.tally.add(intake.take(vouchers[start : start + TOGETHER]))
    if file.sie_type == 4 and year is not None and not file.is_import:
        _openings(job, 0, year)
        _drop(job, intake, year, vouchers)
    for number, one in sorted(job.years.items()):
        told = number == 0 and file.sie_type < 4
        if told or (number < 0 and (closings(file, number) or openings(file, number))):
            _balances(job, number, one)
    take_figures(client, job.source, file)
    return vouchers, passed, period


def _claim(job: _Job, period: tuple[date, date]) -> None:
    """Refuses days of another source, or takes them over."""
    others = _of_others(job, period)
    owner = next((one.label for one in job.owners if one.owns(*period)), None)
    if owner is None and others:
        owner = Source.objects.get(client=job.client, pk=others[0][0]).label
    if owner is None:
        return
    facts = {"start": period[0], "end": period[1], "owner": owner}
    if job.file.is_import:
        text = _("%(start)s to %(end)s belongs to %(owner)s; a file of type 4I only adds, so it cannot replace that.")
        raise FileRefusedError("file.owned_period", text % facts)
    if not job.replace:
        text = _("%(start)s to %(end)s belongs to %(owner)s. Import with --replace to take these days over.")
        raise FileRefusedError("file.owned_period", text % facts)
    by_source: dict[int, list[str]] = {}
    for key, external_id in others:
        by_source.setdefault(key, []).append(external_id)
    for key, ids in by_source.items():
        source = Source.objects.get(client=job.client, pk=key)
        job.tally.add(Intake(client=job.client, source=source, run_id=job.run_id).delete(ids))
        text = _("%(count)s vouchers of %(owner)s were replaced.")
        job.warnings.append(text % {"count": len(ids), "owner": source.label})


def _of_others(job: _Job, period: tuple[date, date]) -> list[tuple[int, str]]:
    found = Voucher.objects.filter(client=job.client, deleted_at=None, date__range=period)
    return list(found.exclude(source_id=job.source.pk).values_list("source_id", "external_id"))


def _registers(job: _Job) -> None:
    """Accounts and dimensions. What a connection keeps is not renamed by a file, nor anything by a mere use of it."""
    client, file = job.client, job.file
    held = set(Account.objects.filter(client=client).values_list("number", flat=True))
    connected = Source.objects.filter(client=client, kind=SourceKind.CONNECTION).exists()
    declared = [account for account in file.accounts if not (connected and account.number in held)]
    used = [account for account in file.undeclared_accounts if account.number not in held]
    typed = [account for account in declared if "ktyp" in account.custom]
    take_accounts(client, typed, origin=TypeOrigin.VENDOR)
    charted = [account for account in (*declared, *used) if "ktyp" not in account.custom]
    take_accounts(client, charted, origin=TypeOrigin.CHART)
    take_dimensions(client, (*file.dimensions, *file.undeclared_dimensions) if not connected else ())
    if file.undeclared_accounts:
        text = _("Accounts that the file uses and does not declare: %(accounts)s.")
        job.warnings.append(text % {"accounts": ", ".join(account.number for account in file.undeclared_accounts)})


def _refuse_beside_balances(job: _Job, period: tuple[date, date]) -> None:
    years = FiscalYear.objects.filter(client=job.client, start__lte=period[1], end__gte=period[0])
    held = _live(job).filter(fiscal_year__in=years, kind=VoucherKind.BALANCE_IMPORT).first()
    if held is not None:
        text = _("The books hold only balances of %(year)s: vouchers added to them would count twice.")
        raise FileRefusedError("file.beside_balances", text % {"year": held.fiscal_year})


def _live(job: _Job) -> Any:
    return Voucher.objects.filter(client=job.client, source_id=job.source.pk, deleted_at=None)


def _drop(job: _Job, intake: Intake, year: FiscalYear, vouchers: Sequence[records.Voucher]) -> None:
    """A complete file replaces the period it covers: what it no longer has is gone, and so are mere balances."""
    kept = {voucher.external_id for voucher in vouchers}
    until = min(job.file.covers_until or year.end, year.end)
    held = list(_live(job).filter(fiscal_year=year).values_list("external_id", "date", "kind"))
    gone = [key for key, day, kind in held if key not in kept and (day <= until or kind == VoucherKind.BALANCE_IMPORT)]
    if gone:
        lost = sum(kind != VoucherKind.BALANCE_IMPORT for key, _day, kind in held if key in set(gone))
        if not job.replace and too_many(lost, len(held)):
            text = _(
                "The file would take out %(lost)s of the %(held)s vouchers of %(year)s, so nothing was changed. "
                "Import with --replace if they are really gone."
            )
            raise FileRefusedError("file.mass_disappearance", text % {"lost": lost, "held": len(held), "year": year})
        job.tally.add(intake.delete(gone))
        text = _("%(count)s vouchers that the file no longer has were taken out; their earlier lines are kept.")
        job.warnings.append(text % {"count": len(gone)})


def _balances(job: _Job, number: int, year: FiscalYear) -> None:
    """Fill a year from the file's balances, unless vouchers of that year are held: never both."""
    span = (year.start, year.end)
    beside = _live(job).filter(fiscal_year=year).exclude(kind=VoucherKind.BALANCE_IMPORT).exists()
    owned = number < 0 and (bool(_of_others(job, span)) or any(owner.owns(*span) for owner in job.owners))
    if beside or owned:
        if number == 0:
            job.warnings.append(
                _("The books hold vouchers of %(year)s: the file's balances were only compared.") % {"year": year}
            )
        return
    _openings(job, number, year)
    wanted = balance_vouchers(job.file, number, year)
    ids = {voucher.external_id for voucher in wanted}
    intake = BalanceIntake(client=job.client, source=job.source, run_id=job.run_id)
    job.tally.add(intake.take(wanted))
    job.tally.add(intake.delete(key for key in _held_ids(job, year) if key not in ids))


def _held_ids(job: _Job, year: FiscalYear) -> list[str]:
    return list(_live(job).filter(fiscal_year=year).values_list("external_id", flat=True))


def _openings(job: _Job, number: int, year: FiscalYear) -> None:
    wanted = {account: amount for account, amount in openings(job.file, number).items() if amount}
    held = dict(OpeningBalance.objects.filter(fiscal_year=year).values_list("account__number", "amount"))
    if wanted != held:
        take_openings(job.client, job.source, year, wanted.items())
        job.tally.changed += 1


# -- Outcome -----------------------------------------------------------------------------------------------------------


def _outcome(
    job: _Job, vouchers: Sequence[records.Voucher], passed: int, period: tuple[date, date] | None
) -> tuple[Outcome, list[Difference], int]:
    ids = {one.external_id for one in vouchers}
    out = {row.external_id: row for row in _live(job).exclude(kept_out=KeptOut.NO) if row.external_id in ids}
    differences, compared = _compare(job)
    outcome = Outcome(
        accounts=len(job.file.accounts),
        vouchers=len(vouchers) + passed - len(out),
        postings=sum(len(one.postings) for one in vouchers if one.external_id not in out),
        kept_out=[
            {
                "series": row.series,
                "number": row.number,
                "date": row.date.isoformat(),
                "difference": format(row.difference, "f"),
            }
            for row in (out[one.external_id] for one in vouchers if one.external_id in out)
        ],
        differences=[{"account": one.account, "amount": format(one.difference, "f")} for one in differences.get(0, [])],
        warnings=job.warnings,
        period=period,
        grade=_grade(compared, whole=not out and not any(differences.values())),
    )
    return outcome, [one for found in differences.values() for one in found], compared


def _grade(compared: int, *, whole: bool) -> Grade:
    if not whole:
        return Grade.NOT_COMPLETE
    return Grade.FILE_TOTALS if compared else Grade.NOT_PROVABLE


def _compare(job: _Job) -> tuple[dict[int, list[Difference]], int]:
    """The file's closings with ours, by its years, and how many accounts of its own year were compared."""
    books = Books(job.client)
    found: dict[int, list[Difference]] = {}
    compared = 0
    for number, year in sorted(job.years.items(), reverse=True):
        theirs = closings(job.file, number)
        if not theirs:
            continue
        until = job.file.covers_until if number == 0 else None
        month = month_of(min(until, year.end)) if until and until >= year.start else month_of(year.end)
        ours = {key[0]: amount for key, amount in books.closing(year, month).items()}
        found[number] = [
            Difference(
                account=account, name=books.names.get(account, ""), period=text_of(month), part="closing",
                ours=ours.get(account, ZERO), theirs=_cents(theirs.get(account, ZERO)),
            )
            for account in sorted({*ours, *theirs})
            if ours.get(account, ZERO) != theirs.get(account, ZERO)
        ]  # fmt: skip
        if number == 0:
            compared = len({*ours, *theirs})
            continue
        text = _("Account %(account)s: the file's closing of %(period)s is %(theirs)s, the books have %(ours)s.")
        job.warnings.extend(
            text % {"account": one.account, "period": one.period, "theirs": one.theirs, "ours": one.ours}
            for one in found[number]
        )
    return found, compared


def _cents(amount: Decimal) -> Decimal:
    """With two places at least, and never fewer than it has."""
    return amount if -int(amount.as_tuple().exponent) >= 2 else amount.quantize(Decimal("0.01"))


def _keep(
    job: _Job, outcome: Outcome, differences: list[Difference], compared: int, *, name: str, digest: str, actor: Any
) -> Outcome:
    """Keep proof, outcome and an audit line, unless all of it is there already."""
    news = outcome.as_json()
    held = LedgerFile.objects.filter(client=job.client, digest=digest).first()
    state = LedgerState.objects.filter(client=job.client).select_related("proof").first()
    before = state.proof if state else None
    same = held is not None and all(held.outcome.get(what) == news[what] for what in news if what != "warnings")
    if same and before is not None and not job.changed:
        return outcome
    note_findings(job.client)
    proof = keep_proof(
        client=job.client,
        source=job.source,
        grade=outcome.grade,
        run_id=job.run_id,
        differences=differences,
        accounts=compared,
    )
    if before is not None and before.source_id != job.source.pk and before.grade >= proof.grade:
        LedgerState.objects.filter(client=job.client).update(proof=before)  # a file never hides what is worse
    LedgerFile.objects.update_or_create(
        client=job.client, digest=digest, defaults={"name": name[:200], "outcome": news}
    )
    note(
        organisation_id=job.client.organisation_id,
        actor=actor,
        action="ledger.file_taken_in",
        subject=job.client,
        details={"file": name, "vouchers": outcome.vouchers, "kept_out": len(outcome.kept_out), "replace": job.replace},
    )
    return dataclasses.replace(outcome, grade=Grade(proof.grade))
