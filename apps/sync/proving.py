"""The end of a ledger run: compare with the source, read again what disagrees, then say what is proved."""

from datetime import date, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from apps.clients.models import Client
from apps.connectors.grants import consent_warning
from apps.connectors.models import PageDigest
from apps.connectors.registry import label_of
from apps.connectors.sdk.queries import Window
from apps.flows.models import Feed
from apps.ledger.balances import recalculate_touched
from apps.ledger.enums import FindingKind, Grade
from apps.ledger.findings import note_findings, open_finding
from apps.ledger.models import Finding, FiscalYear, Proof
from apps.ledger.periods import first_day, months_of, next_month
from apps.ledger.proof import Difference, compare_month, compare_year, control_difference, keep_proof
from apps.notifications.actions import raise_problem, resolve_problems
from apps.records import ledger as records
from apps.records.enums import Resource
from apps.sync import remedies
from apps.sync.changes import marked, watermark_of
from apps.sync.claims import end
from apps.sync.context import Context
from apps.sync.enums import RunState, Stage
from apps.sync.models import SeenVoucher

FORGET_PAGES_AFTER = timedelta(days=30)


def prove(context: Context) -> None:
    """Compare every held fiscal year. What disagrees is read again whole, once, before anyone is called."""
    endpoint = context.endpoint(Resource.CONTROL_BALANCES)
    if endpoint is None or endpoint.read is None:
        _finish(context, Grade.NOT_PROVABLE, [], 0)
        return
    years = list(FiscalYear.objects.filter(client=context.client).order_by("start"))
    differing: dict[FiscalYear, list[Difference]] = {}
    accounts = 0
    begins = context.feed.valid_from
    for year in years:
        if begins is not None and year.start < begins:
            continue  # another source's days: what this one says of them is not what we hold
        controls = controls_of(context, year.start, year.end)
        accounts += len(controls)
        differences = compare_year(year, controls)
        if differences:
            differing[year] = differences
    if not differing:
        # No totals at all agree with no books at all: that proves nothing, the right to see them may be missing.
        _finish(context, Grade.CONTROL_TOTALS if accounts else Grade.NOT_PROVABLE, [], accounts)
    elif context.run.resume.get("reread") or context.run.resume.get("guard"):
        _finish(context, Grade.NOT_COMPLETE, _named(context, differing), accounts, list(differing.values()))
    else:
        _read_again(context, differing)


def controls_of(context: Context, start: date, end_: date) -> list[records.ControlBalance]:
    from apps.sync.stages import read_all

    return read_all(context, Resource.CONTROL_BALANCES, records.ControlBalance, Window(start, end_)) or []


def agree_without(context: Context, year: FiscalYear, vouchers: list[int]) -> bool:
    """Whether the source's totals of the year are ours when these vouchers are left out of them."""
    controls = controls_of(context, year.start, year.end)
    recalculate_touched(context.client)
    return bool(controls) and not compare_year(year, controls, without=vouchers)


def _read_again(context: Context, differing: dict[FiscalYear, list[Difference]]) -> None:
    """From the first month that disagrees to the end of the books, whole: openings, registers and every voucher."""
    year = min(differing, key=lambda item: item.start)
    start = year.start
    vouchers = context.endpoint(Resource.VOUCHERS)
    looked_up = vouchers is not None and vouchers.get is not None  # else only a whole year shows what is gone
    if looked_up and all(one.part != "opening" for one in differing[year]):
        start = next((day for day, found in _months(context, year) if found), year.start)
    with context.step() as changes:
        SeenVoucher.objects.filter(run=context.run).delete()
        changes.update(
            stage=Stage.REGISTERS,
            whole=True,
            window_from=start,
            window_to=_last_day(context),
            resume={**_released(context), **marked(context.run), "reread": True},
        )
    context.begin_again()


def _released(context: Context) -> dict[str, bool]:
    """Staff's word that many are really gone holds for the whole run."""
    return {"released": True} if context.run.resume.get("released") else {}


def _last_day(context: Context) -> date:
    return FiscalYear.objects.filter(client=context.client).order_by("-end").values_list("end", flat=True)[0]


def _months(context: Context, year: FiscalYear) -> "list[tuple[date, list[Difference]]]":
    """The year's months up to the first that disagrees in its movements, with what disagrees."""
    found: list[tuple[date, list[Difference]]] = []
    for period in _periods(context, year):
        differences = _month(context, year, period)
        found.append((max(first_day(period), year.start), differences))
        if differences:
            break
    return found


def _periods(context: Context, year: FiscalYear) -> list[int]:
    """The months that the source tells totals of."""
    endpoint = context.endpoint(Resource.CONTROL_BALANCES)
    return list(months_of(year)) if endpoint is not None and endpoint.by_month else []


def _month(context: Context, year: FiscalYear, period: int) -> list[Difference]:
    start = max(first_day(period), year.start)
    last = min(date.fromordinal(first_day(next_month(period)).toordinal() - 1), year.end)
    return compare_month(year, period, controls_of(context, start, last))


def _named(context: Context, differing: dict[FiscalYear, list[Difference]]) -> list[Difference]:
    """Each difference with the month it stands in; what no month shows stays with its year."""
    named: list[Difference] = []
    for year, differences in differing.items():
        named += [one for one in differences if one.part == "opening"]
        months: list[Difference] = []
        carried: dict[str, Decimal] = {}  # a closing has in it what earlier months were off by
        for period in _periods(context, year):
            found = _month(context, year, period)
            months += [one for one in found if one.part != "closing" or carried.get(one.account) != one.difference]
            carried = {one.account: one.difference for one in found if one.part == "closing"}
        named += months
        shown = {one.account for one in months}
        named += [one for one in differences if one.part != "opening" and one.account not in shown]
    return named


def _finish(
    context: Context,
    grade: Grade,
    differences: list[Difference],
    accounts: int,
    by_year: list[list[Difference]] | None = None,
) -> None:
    from apps.sync.stages import source_of

    run, client = context.run, context.client
    vendor = label_of(context.connection.connector.provider)
    guard = run.resume.get("guard")
    missing = [{"kind": "mass_disappearance", **{name: str(value) for name, value in guard.items()}}] if guard else []
    total: Decimal = control_difference([one for year in by_year or [] for one in year])
    # One transaction: killed between the two, the run would be at its last stage and never end.
    with transaction.atomic():
        with context.step() as changes:
            source = source_of(context.feed)
            note_findings(client, source)
            _note_unread(client, run.resume.get("warned", []))
            proof = keep_proof(
                client=client, source=source, run_id=run.pk, grade=grade, differences=differences, missing=missing,
                accounts=accounts, total=total,
            )  # fmt: skip
            codes = _tell(context, proof, differences, vendor)
            resolve_problems(subject=context.connection, keep=codes)
            whole = run.whole and not run.resume.get("reread") and not run.resume.get("not_whole")
            _close_feed(context, whole=whole, guarded=bool(guard))
            SeenVoucher.objects.filter(run=run).delete()
            changes["stage"] = Stage.DONE
            changes["resume"] = {}
        complete = proof.grade != Grade.NOT_COMPLETE
        end(run, RunState.SUCCEEDED if complete else RunState.PARTIAL, remedy="" if complete else codes[0])


def _note_unread(client: Client, warned: list[str]) -> None:
    """What the source did not let us read is a finding for as long as it is so."""
    for text in warned:
        open_finding(client, FindingKind.NOT_READ, text, facts={"what": text})
    over = Finding.objects.filter(client=client, kind=FindingKind.NOT_READ, resolved_at=None)
    over.exclude(key__in=[text[:160] for text in warned]).update(resolved_at=timezone.now())


def _tell(context: Context, proof: Proof, differences: list[Difference], vendor: str) -> list[str]:
    """Raise the problems that the proof shows; returns the codes of all that are open now."""
    codes = ["ledger.mass_disappearance"] if context.run.resume.get("guard") else []
    kept_out = [part for part in proof.missing if part["kind"] == "kept_out"]
    troubles = []
    if differences and not codes:  # vouchers that are not shown explain what differs: one cause, one problem
        first = max(differences, key=lambda one: abs(one.difference))
        facts = {"account": f"{first.account} {first.name}".strip(), "period": first.period}
        facts["difference"] = f"{first.difference:.2f}"
        troubles.append(remedies.differs(len({one.account for one in differences}), facts, vendor))
    if kept_out:
        facts = {name: str(kept_out[0][name]) for name in ("voucher", "date", "difference")}
        troubles.append(remedies.kept_out(len(kept_out), facts))
    warning = consent_warning(context.connection)
    if warning is not None:
        troubles.append(warning)
    for trouble in troubles:
        raise_problem(client=context.client, subject=context.connection, trouble=trouble)
        codes.append(trouble.code)
    return codes


def _close_feed(context: Context, *, whole: bool, guarded: bool) -> None:
    now = timezone.now()
    values: dict[str, object] = {}
    if context.run.resume.get("released"):
        values["release_disappearance"] = False  # used up; one that came too late for this run is for the next
    if not guarded:
        values["read_at"] = context.run.started_at or now
        values |= watermark_of(context.run)
        if context.run.first_load:
            values["loaded_at"] = now
        if whole:
            values["whole_pass_at"] = now
    if values:
        Feed.objects.filter(pk=context.feed.pk).update(**values)
    # the window moves by a day each night, and with it the keys of its first pages
    PageDigest.objects.filter(connection=context.connection, read_at__lt=now - FORGET_PAGES_AFTER).delete()
