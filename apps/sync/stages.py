"""The stages of a ledger run, in order. Each leaves the run at the next stage, or at its own when time is up."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import TypeVar, cast

from django.conf import settings
from django.utils import timezone

from apps.connectors.actions import activate_connection, books_hidden, credential_works
from apps.connectors.enums import ConnectionState
from apps.connectors.guard import check_company
from apps.connectors.models import PageDigest
from apps.connectors.registry import label_of
from apps.connectors.sdk import remedies as sdk_remedies
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.queries import Full, Page, Query, Since, Window
from apps.flows.models import Feed
from apps.ledger import registers as books
from apps.ledger.balances import recalculate_touched
from apps.ledger.enums import SourceKind, TypeOrigin
from apps.ledger.intake import Tally
from apps.ledger.models import FiscalYear, OpeningBalance, Source, Voucher
from apps.notifications.actions import Trouble
from apps.notifications.models import Problem
from apps.records import ledger as records
from apps.records.enums import Resource
from apps.sync.changes import changes_from, is_forgotten, told
from apps.sync.context import NO_DIGESTS, Context, StoredDigests
from apps.sync.disappearance import missing
from apps.sync.enums import Stage
from apps.sync.models import Run, SeenVoucher
from apps.sync.proving import prove

__all__ = [
    "BlockedError", "company", "forget_seen", "missing", "openings", "prove", "recalculate", "registers", "source_of",
    "vouchers",
]  # fmt: skip

R = TypeVar("R", bound=records.Record)


class BlockedError(Exception):
    """The connection may not be read: nothing is asked and nothing is stored until people act."""

    def __init__(self, trouble: Trouble, identity: records.Identity | None = None) -> None:
        super().__init__(trouble.code)
        self.trouble = trouble
        self.identity = identity


def source_of(feed: Feed) -> Source:
    label = label_of(feed.connection.connector.provider)
    return books.source_for(feed.client, SourceKind.CONNECTION, feed.connection_id, label)


def company(context: Context) -> None:
    """Ask the vendor whose books these are, every time, before anything is stored."""
    if context.client.hidden_at is not None:
        raise BlockedError(books_hidden(context.client))
    connection = context.connection
    if connection.state != ConnectionState.ACTIVE:  # what stopped it may be over: it is judged afresh, and told
        outcome = activate_connection(connection=connection, actor=None, run_id=context.run.pk)
        if outcome.error is not None:
            raise outcome.error
        if outcome.trouble is not None:
            raise BlockedError(outcome.trouble, outcome.identity)
        connection.refresh_from_db()
    else:
        asked_at = timezone.now()
        identity = context.provider.verify(context.session)
        credential_works(connection.connector, before=asked_at)
        verdict = check_company(identity=identity, client=context.client, connection=connection)
        if verdict is not None:
            raise BlockedError(verdict, identity)
    with context.step() as changes:
        source_of(context.feed)
        changes["stage"] = Stage.REGISTERS


def read_all(context: Context, resource: Resource, kind: type[R], query: Query | None = None) -> list[R] | None:
    """All records of a resource that fits in memory. None where the provider has none of it."""
    endpoint = context.endpoint(resource)
    if endpoint is None or endpoint.read is None:
        return None
    found: list[R] = []
    last = False
    for page in endpoint.read(context.session, query=query or Full(), resume=None, digests=NO_DIGESTS):
        found.extend(cast("Iterable[R]", page.records))
        last = page.last
        context.warn(page)
    if not last:
        raise unfinished(resource)
    wrong = [record for record in found if not isinstance(record, kind)]
    if wrong:
        raise TypeError(f"{resource} read a {type(wrong[0]).__name__}")
    return found


def read_where_allowed(context: Context, resource: Resource, kind: type[R]) -> list[R] | None:
    """Like `read_all`, for what the books can do without. None too where it may not be read: that becomes a finding."""
    try:
        return read_all(context, resource, kind)
    except ConnectorError as error:
        if error.failure is not Failure.PERMISSION:
            raise
        title = Problem(title_text=error.remedy.title, facts=error.facts).title
        context.warn(Page(warnings=(f"{resource.value}: {title} ({error.remedy.code})",)))
        return None


def unfinished(resource: Resource) -> ConnectorError:
    return ConnectorError(Failure.TRANSIENT, sdk_remedies.BAD_PAGE, detail=f"{resource} ended without its last page")


def registers(context: Context) -> None:
    """Fiscal years, locks, accounts and dimensions; then the window is known."""
    years = read_all(context, Resource.FISCAL_YEARS, records.FiscalYear)
    # Vouchers name their dimensions themselves, and no balance hangs on a lock: neither stops the night.
    locks = read_where_allowed(context, Resource.LOCKS, records.Lock)
    accounts = read_all(context, Resource.ACCOUNTS, records.Account) or []
    dimensions = read_where_allowed(context, Resource.DIMENSIONS, records.Dimension) or []
    if years == [] and not FiscalYear.objects.filter(client=context.client).exists():
        # books without a year are books that the key may not see: nothing to begin with, and nothing to agree with
        raise ConnectorError(Failure.PERMISSION, sdk_remedies.NOT_ALLOWED, detail="no fiscal years were returned")
    held = dict(FiscalYear.objects.filter(client=context.client).values_list("start", "end"))
    with context.step() as changes:
        if years:
            start = history_start(context, years)
            kept = [year for year in years if year.start >= start]
            currency = context.connection.identity.get("currency") or "NOK"
            books.take_fiscal_years(context.client, kept, origin=SourceKind.CONNECTION, currency=currency)
            if locks is not None:
                books.take_locks(context.client, locks)  # no years at all: a right is hidden, keep what is held
        books.take_accounts(context.client, accounts, origin=TypeOrigin.VENDOR)
        books.take_dimensions(context.client, dimensions)
        redrawn = [year.start for year in years or () if held.get(year.start, year.end) != year.end]
        _set_window(context, changes, min(redrawn, default=None))
        changes["stage"] = Stage.OPENINGS


def history_start(context: Context, years: Sequence[records.FiscalYear]) -> date:
    """The first day of the books we hold: chosen, or the start of the fiscal year before the present one."""
    held = FiscalYear.objects.filter(client=context.client).order_by("start").first()
    if held is not None:
        return held.start
    begun = [year for year in years if year.start <= context.today] or list(years)
    if context.feed.history_from is not None:
        fitting = [year.start for year in years if year.end >= context.feed.history_from]
        return min(fitting, default=context.feed.history_from)
    back: int = settings.KONTOR_HISTORY_YEARS + 1
    return begun[-min(back, len(begun))].start


def _set_window(context: Context, changes: dict[str, object], redrawn: date | None) -> None:
    """`redrawn`: the start of the first year whose end is another now; what lies in it may belong elsewhere."""
    run = context.run
    if run.resume.get("reread"):
        return  # the window was set by the comparison that asked for this reading
    years = list(FiscalYear.objects.filter(client=context.client).order_by("start"))
    first = years[0].start if years else context.window_start()
    last = years[-1].end if years else context.today
    by_hand = run.window_from is not None
    forgotten = not by_hand and is_forgotten(context)
    whole = run.first_load or forgotten or (not by_hand and context.is_whole_pass_due())
    if whole and not run.first_load and not forgotten:
        first_open = next((year.start for year in years if not year.closed), first)
        start = min(first_open, context.window_start())
    elif whole:
        start = first
    else:
        start = run.window_from or context.window_start()
    end = last if run.first_load else min(last, run.window_to or last)
    if redrawn is not None:
        whole, start, end = True, min(start, redrawn), last
    # a day of a client belongs to one feed
    first = max(first, context.feed.valid_from or first)
    end = min(end, context.feed.valid_to or end)
    changes.update(window_from=max(first, start), window_to=end, whole=whole)
    expected = Voucher.objects.filter(client=context.client, deleted_at=None, date__gte=max(first, start)).count()
    changes["expected"] = expected or None


def openings(context: Context) -> None:
    """The vendor's openings: on the first load, on whole passes, and when a comparison asked for them."""
    run = context.run
    found: dict[FiscalYear, list[records.OpeningBalance]] = {}
    real: set[FiscalYear] = set()  # without openings, although the source does show its balances
    if run.whole or run.resume.get("reread"):
        for year in FiscalYear.objects.filter(client=context.client).order_by("start"):
            window = Window(year.start, year.start)
            given = read_all(context, Resource.OPENING_BALANCES, records.OpeningBalance, window)
            if given is not None:
                found[year] = [opening for opening in given if opening.fiscal_year_start == year.start]
                if not found[year] and _shows_balances(context, year):
                    real.add(year)
    source = source_of(context.feed)
    with context.step() as changes:
        for year, given in found.items():
            held = OpeningBalance.objects.filter(fiscal_year=year).exists()
            if given or not held or year in real:  # else a right is hidden, which is no change in the books
                pairs = [(opening.account, opening.amount) for opening in given]
                books.take_openings(context.client, source, year, pairs)
        changes["stage"] = Stage.VOUCHERS


def _shows_balances(context: Context, year: FiscalYear) -> bool:
    window = Window(year.start, year.end)
    return bool(read_all(context, Resource.CONTROL_BALANCES, records.ControlBalance, window))


def vouchers(context: Context) -> None:
    """The pages of the window; each page, the ids it showed and the resume point are one transaction."""
    run = context.run
    endpoint = context.endpoint(Resource.VOUCHERS)
    if endpoint is None or endpoint.read is None:
        raise ConnectorError(Failure.SETUP, sdk_remedies.NOT_UNDERSTOOD, detail="the provider reads no vouchers")
    assert run.window_from is not None and run.window_to is not None  # noqa: S101, PT018 - set by `registers`
    while True:
        since = run.resume.get("since")
        query: Query = Since(since) if since else Window(run.window_from, run.window_to)
        digests = NO_DIGESTS if run.whole or since else _digests(context)
        last = False
        for page in endpoint.read(context.session, query=query, resume=run.resume.get("page"), digests=digests):
            last = page.last
            _take(context, page)
            # Where a page says no place to go on from, the next slice would read the same again, and again.
            if not last and page.resume is not None and context.time_is_up:
                return
        if not last:
            raise unfinished(Resource.VOUCHERS)
        cursor = None if since else changes_from(context, endpoint)
        with context.step() as changes:
            unread = not (since or run.resume.get("changes") or (run.whole and not run.resume.get("reread")))
            changes["resume"] = {**run.resume, "page": None, "since": cursor, "changes": not unread}
            if cursor is None:
                changes["stage"] = Stage.MISSING
        if cursor is None or context.time_is_up:
            return


def _take(context: Context, page: Page) -> None:
    run, connection = context.run, context.connection
    found = [record for record in page.records if isinstance(record, records.Voucher)]
    if run.resume.get("since"):
        found = _of_our_days(context, found)
    ids = [voucher.external_id for voucher in found]
    context.warn(page)
    # A page that the next slice would read again must not hide that the slices come to nothing behind it.
    progress = page.last or page.resume not in (None, run.resume.get("page"))
    with context.step(progress=progress) as changes:
        tally = context.intake(source_of(context.feed)).take(found, exchange_id=context.exchange_id)
        if page.unchanged and page.key:
            known = PageDigest.objects.filter(connection=connection, resource=Resource.VOUCHERS, key=page.key).first()
            ids = known.ids.split() if known else []
            if known:
                known.save(update_fields=["read_at"])
            tally.unchanged += len(ids)
        elif page.key:
            # A page without a digest ends what was known of it
            PageDigest.objects.update_or_create(
                connection=connection,
                resource=Resource.VOUCHERS,
                key=page.key,
                defaults={"digest": page.digest or "", "ids": " ".join(ids)},
            )
        SeenVoucher.objects.bulk_create(
            [SeenVoucher(run=run, external_id=key) for key in dict.fromkeys(ids)], ignore_conflicts=True
        )
        changes["counts"] = added(run, tally)
        changes["done"] = run.done + len(ids)
        if page.share:
            changes["expected"] = max(run.expected or 0, round((run.done + len(ids)) / page.share))
        changes["resume"] = {**run.resume, "page": page.resume, **told(run, page)}


def _of_our_days(context: Context, found: list[records.Voucher]) -> list[records.Voucher]:
    """Changes of days that this feed's books hold. Those of other days are not ours, unless we hold the voucher."""
    feed = context.feed
    first = FiscalYear.objects.filter(client=context.client).order_by("start").values_list("start", flat=True).first()
    first = max(first or date.min, feed.valid_from or date.min)
    last = feed.valid_to or date.max
    strange = [record.external_id for record in found if not first <= record.date <= last]
    if not strange:
        return found
    held = Voucher.objects.filter(
        client=context.client, source_id=source_of(feed).pk, external_id__in=strange, deleted_at=None
    )
    others = set(strange) - set(held.values_list("external_id", flat=True))
    return [record for record in found if record.external_id not in others]


def added(run: Run, tally: Tally) -> dict[str, int]:
    """The run's counts with a tally on top."""
    return {name: run.counts.get(name, 0) + value for name, value in tally.as_dict().items()}


def _digests(context: Context) -> StoredDigests:
    rows = PageDigest.objects.filter(connection=context.connection, resource=Resource.VOUCHERS).exclude(digest="")
    return StoredDigests(dict(rows.values_list("key", "digest")))


def recalculate(context: Context) -> None:
    """Only what the pages touched."""
    cells = recalculate_touched(context.client)
    with context.step() as changes:
        counts = dict(context.run.counts)
        counts["cells"] = counts.get("cells", 0) + cells
        changes["counts"] = counts
        changes["stage"] = Stage.PROVE


def forget_seen(run: Run) -> None:
    SeenVoucher.objects.filter(run=run).delete()
