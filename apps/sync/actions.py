"""Starting runs: by hand, by the night, and recalculations. One live run per feed: a second start joins the first."""

from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.utils import timezone

from apps.audit.actions import note
from apps.clients.models import Client
from apps.connectors.actions import BOOKS_HIDDEN, change_organisation_number
from apps.connectors.sdk.failures import Failure
from apps.connectors.sessions import credential_and_places
from apps.flows.models import Feed
from apps.ledger.models import FiscalYear, Source
from apps.sync.claims import enqueue
from apps.sync.enums import LIVE, Lane, RunKind, RunState, Stage
from apps.sync.models import Run, SeenVoucher


def start_sync(
    *,
    client: Client,
    actor: Any,
    days: int | None = None,
    window_from: date | None = None,
    window_to: date | None = None,
    this_year: bool = False,
) -> list[Run]:
    """Synchronize all of the client's feeds; returns the run of each, new or already under way.

    Without dates: the usual window. `this_year`: from the start of the fiscal year that today lies in.
    """
    today = timezone.now().astimezone(client.zone).date()
    if days is not None:
        window_from = today - timedelta(days=days)
    elif this_year:
        year = FiscalYear.objects.filter(client=client, start__lte=today, end__gte=today).first()
        window_from = year.start if year else today.replace(month=1, day=1)
    return [
        start_run(feed=feed, kind=RunKind.MANUAL, actor=actor, window_from=window_from, window_to=window_to)
        for feed in Feed.objects.filter(client=client, enabled=True).order_by("pk")
    ]


@transaction.atomic
def start_run(
    *,
    feed: Feed,
    kind: RunKind,
    actor: Any = None,
    night: date | None = None,
    window_from: date | None = None,
    window_to: date | None = None,
) -> Run:
    """Make a run and queue its first slice in the same transaction, or return the live one."""
    live = Run.objects.filter(feed=feed, state__in=LIVE).first()
    if live is not None:
        return live
    feed = Feed.objects.select_related("client", "connection__connector").get(
        pk=feed.pk
    )  # the caller's may be from before the last run
    credential, places = credential_and_places(feed.connection)
    run = Run(
        client=feed.client,
        feed=feed,
        credential=credential,
        places=places,
        kind=kind,
        lane=Lane.NIGHTLY if kind == RunKind.NIGHTLY else Lane.INTERACTIVE,
        night=night,
        first_load=feed.loaded_at is None,
        window_from=window_from,
        window_to=window_to,
        actor=str(actor or ""),
        lease_until=timezone.now() + timedelta(seconds=settings.KONTOR_LEASE_SECONDS * 4),
    )
    same = models.Q(state__in=LIVE)
    if night is not None:
        same |= models.Q(night=night)  # made and ended by another process since the caller looked
    return _made(run, actor, Run.objects.filter(same, feed=feed))


@transaction.atomic
def start_recalculation(*, client: Client, actor: Any) -> Run:
    """Recalculate all balances of the client in the background; returns the run, new or already under way."""
    live = Run.objects.filter(client=client, kind=RunKind.RECALCULATION, state__in=LIVE)
    run = Run(
        client=client,
        kind=RunKind.RECALCULATION,
        lane=Lane.INTERACTIVE,
        stage=Stage.RECALCULATE,
        actor=str(actor or ""),
        lease_until=timezone.now() + timedelta(seconds=settings.KONTOR_LEASE_SECONDS * 4),
    )
    return live.first() or _made(run, actor, live)


@transaction.atomic
def release_disappearance(*, feed: Feed, actor: Any) -> Run:
    """Staff say that the many missing vouchers are really gone: the next pass may delete them, and starts now."""
    Feed.objects.filter(pk=feed.pk).update(release_disappearance=True)
    note(
        organisation_id=feed.client.organisation_id,
        actor=actor,
        action="feed.disappearance_released",
        subject=feed,
    )
    return start_run(feed=feed, kind=RunKind.MANUAL, actor=actor)


@transaction.atomic
def change_number(*, client: Client, number: str, actor: Any, reason: str = "") -> bool:
    """Change the client's organisation number, with everything that hangs on it. See the action of connectors.

    Runs that are under way end here: their workers find the lease lost at their next step, and write nothing more.
    """
    live = Run.objects.filter(client=client, feed__isnull=False, state__in=LIVE)
    # before the client's row: a worker that ends its run locks them in this order too
    ending = list(live.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))
    read = Source.objects.filter(client=client).exists()
    if not change_organisation_number(client=client, number=number, actor=actor, reason=reason, read=read):
        return False
    ended = {"state": RunState.BLOCKED, "token": "", "lease_until": None, "finished_at": timezone.now()}
    told = {"failure": Failure.SETUP.value, "remedy": BOOKS_HIDDEN, "detail": "the organisation number was changed"}
    Run.objects.filter(pk__in=ending).update(**ended, **told)
    SeenVoucher.objects.filter(run__in=ending).delete()
    return True


def try_again(*, feed: Feed, actor: Any) -> Run:
    """Run the feed now, after its problem was mended."""
    return start_run(feed=feed, kind=RunKind.MANUAL, actor=actor)


def _made(run: Run, actor: Any, live: Any) -> Run:
    try:
        with transaction.atomic():
            run.save()
    except IntegrityError:
        found: Run | None = live.first()  # another process was faster
        if found is None:
            raise
        return found
    note(
        organisation_id=run.client.organisation_id,
        actor=actor,
        action=f"run.{run.kind}",
        subject=run,
        details={"from": str(run.window_from or ""), "to": str(run.window_to or "")},
    )
    enqueue(run)
    return run
