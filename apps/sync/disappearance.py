"""Absence is not deletion: what the pass did not return is looked up one by one, and many at once delete nothing."""

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from apps.connectors.registry import label_of
from apps.connectors.sdk import remedies as sdk_remedies
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.queries import Gone
from apps.ledger.content import fingerprint
from apps.ledger.disappearance import too_many
from apps.ledger.enums import FindingKind
from apps.ledger.findings import open_finding
from apps.ledger.intake import Tally
from apps.ledger.models import Finding, Source, Voucher
from apps.notifications.actions import raise_problem
from apps.records import ledger as records
from apps.records.enums import Counts, Resource, VoucherKind
from apps.sync import remedies
from apps.sync.context import Context
from apps.sync.enums import Stage
from apps.sync.models import SeenVoucher
from apps.sync.proving import agree_without

TOGETHER = 20  # look-ups between two commits


def missing(context: Context) -> None:
    """Look up what was held in the window and not returned; then delete what is really gone, unless it is too much."""
    from apps.sync.stages import added, source_of

    run = context.run
    source = source_of(context.feed)
    held = _held(context, source)
    deleted = _told(context, source)
    elsewhere = deleted.exclude(date__gte=run.window_from, date__lte=run.window_to)
    total = held.count() + elsewhere.count()
    released = bool(run.resume.get("released")) or context.feed.release_disappearance
    if not released and _shows_nothing(context, held):
        _guard(context, _absent(context, held).count(), total)
        return
    _resolve_left_out(context)
    gone: list[str] = list(run.resume.get("gone") or deleted.values_list("external_id", flat=True))
    gone += _unlisted(context, _absent(context, held).exclude(external_id__in=gone))
    while rows := _next(context, held, gone):
        found = _looked_up(context, rows, gone)
        with context.step() as changes:
            tally, left_out = Tally(), []
            for key, record in found.items():
                one = context.intake(source).take([record], exchange_id=context.exchange_id)
                tally.add(one)
                if rows[key].hash == fingerprint(record) or (one.meta and _as_it_was(rows[key], record)):
                    left_out.append(rows[key])
            _note_left_out(context, left_out)
            not_whole = bool(left_out or run.resume.get("not_whole"))
            SeenVoucher.objects.bulk_create(
                [SeenVoucher(run=run, external_id=key) for key in found], ignore_conflicts=True
            )
            changes["counts"] = added(run, tally)
            changes["resume"] = {**run.resume, "gone": gone, "not_whole": not_whole}
        if not released and too_many(len(gone), total):
            break
        if context.time_is_up:
            return
    if not released and too_many(len(gone), total):
        _guard(context, _absent(context, held).count(), total)
        return
    with context.step() as changes:
        changes["counts"] = added(run, context.intake(source).delete(gone))
        changes["resume"] = {**run.resume, "gone": [], "released": released}
        changes["stage"] = Stage.RECALCULATE


def _told(context: Context, source: Source) -> QuerySet[Voucher]:
    """What the vendor's own list says is deleted, and we hold: of any date."""
    keys = context.run.resume.get("told", [])
    return _of(context, source).filter(external_id__in=keys)


def _unlisted(context: Context, absent: QuerySet[Voucher]) -> list[str]:
    """Without a look-up: gone is what a whole fiscal year no longer shows, or what control totals agree without."""
    endpoint = context.endpoint(Resource.VOUCHERS)
    if endpoint is not None and endpoint.get is not None:
        return []
    first, last = context.run.window_from, context.run.window_to
    assert first is not None and last is not None  # noqa: S101, PT018 - set by `registers`
    rows = list(absent.select_related("fiscal_year"))
    gone: list[str] = []
    for year in {row.fiscal_year for row in rows if row.fiscal_year is not None}:
        its = [row for row in rows if row.fiscal_year == year]
        whole = first <= year.start and year.end <= last
        if whole or agree_without(context, year, [row.pk for row in its]):
            gone += [row.external_id for row in its]
    return gone


def _next(context: Context, held: QuerySet[Voucher], gone: list[str]) -> dict[str, Voucher]:
    """Some of those that are still to be looked up."""
    endpoint = context.endpoint(Resource.VOUCHERS)
    if endpoint is None or endpoint.get is None:
        return {}
    return {row.external_id: row for row in _absent(context, held).exclude(external_id__in=gone)[:TOGETHER]}


def _looked_up(context: Context, rows: dict[str, Voucher], gone: list[str]) -> dict[str, records.Voucher]:
    """What the vendor still has of these; the others are added to `gone`."""
    endpoint = context.endpoint(Resource.VOUCHERS)
    assert endpoint is not None and endpoint.get is not None  # noqa: S101, PT018 - `_next` has looked
    found: dict[str, records.Voucher] = {}
    for record in endpoint.get(context.session, list(rows)):
        if isinstance(record, Gone):
            gone.append(record.external_id)
        elif isinstance(record, records.Voucher):
            found[record.external_id] = record
    unanswered = set(rows) - set(found) - set(gone)
    if unanswered:
        detail = f"no answer about voucher {min(unanswered)}"
        raise ConnectorError(Failure.TRANSIENT, sdk_remedies.BAD_PAGE, detail=detail)
    return found


def _as_it_was(row: Voucher, record: records.Voucher) -> bool:
    return row.date == record.date and row.counts == record.counts


def _note_left_out(context: Context, rows: list[Voucher]) -> None:
    """The list did not have them, the look-up does, with the same lines: the list was not whole."""
    for row in rows:
        facts = {"voucher": str(row), "date": row.date.isoformat()}
        open_finding(context.client, FindingKind.NOT_WHOLE, row.external_id, period=row.period, facts=facts)


def _resolve_left_out(context: Context) -> None:
    """What an earlier pass left out and this one shows is no finding any more; nor is what is gone."""
    here = Voucher.objects.filter(client=context.client, deleted_at=None).values("external_id")
    shown = SeenVoucher.objects.filter(run=context.run).values("external_id")
    held = Finding.objects.filter(client=context.client, kind=FindingKind.NOT_WHOLE, resolved_at=None)
    held.filter(Q(key__in=shown) | ~Q(key__in=here)).update(resolved_at=timezone.now())


def _shows_nothing(context: Context, held: QuerySet[Voucher]) -> bool:
    """Booked vouchers are held, and the pass returned no booked one; drafts may be listed under another right."""
    shown = SeenVoucher.objects.filter(run=context.run).values("external_id")
    booked = Voucher.objects.filter(client=context.client, counts=Counts.POSTED, external_id__in=shown)
    return held.filter(counts=Counts.POSTED).exists() and not booked.exists()


def _held(context: Context, source: Source) -> QuerySet[Voucher]:
    run = context.run
    return _of(context, source).filter(date__gte=run.window_from, date__lte=run.window_to)


def _of(context: Context, source: Source) -> QuerySet[Voucher]:
    held = Voucher.objects.filter(client=context.client, source_id=source.pk, deleted_at=None)
    return held.exclude(kind=VoucherKind.BALANCE_IMPORT)


def _absent(context: Context, held: QuerySet[Voucher]) -> QuerySet[Voucher]:
    shown = SeenVoucher.objects.filter(run=context.run, external_id=OuterRef("external_id"))
    return held.filter(~Exists(shown))


def _guard(context: Context, gone: int, held: int) -> None:
    vendor = label_of(context.connection.connector.provider)
    trouble = remedies.mass_disappearance(gone, held, vendor)
    with context.step() as changes:
        raise_problem(client=context.client, subject=context.connection, trouble=trouble)
        changes["resume"] = {**context.run.resume, "guard": {"gone": gone, "held": held}, "gone": []}
        changes["stage"] = Stage.RECALCULATE
