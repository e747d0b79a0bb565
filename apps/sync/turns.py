"""Whose turn it is: of the runs that may be worked now, the fairest. A task only says that there is something to do.

A worker that is free takes a run of the bureau that has fewest at work and has had least of the lane's time; within the
bureau the oldest. A bureau that comes new begins where the others stand: nobody catches up for time it did not want.
"""

from collections import Counter
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models.functions import Greatest
from django.utils import timezone

from apps.core.scope import system_scope
from apps.organisations.models import Organisation
from apps.sync.broker import lanes_with_tasks
from apps.sync.claims import claim, enqueue, is_due, rows
from apps.sync.enums import Lane, RunState
from apps.sync.models import Run, Turn

ROUNDS = 5  # looks at the field before a worker goes without; each lost one was won by another
FIELD = 8  # bureaus tried in one look


def claimable(lane: str, now: datetime | None = None) -> models.QuerySet[Run]:
    """The lane's runs that may be worked now: their time has come, and their credential has a place for them."""
    return _due(lane, now or timezone.now()).exclude(credential__in=_full(lane))


def _due(lane: str, now: datetime) -> models.QuerySet[Run]:
    return rows().filter(is_due(now), state=RunState.QUEUED, lane=lane)


def _full(lane: str) -> set[str]:
    """Credentials without a place. The night leaves the last one to a person who waits for it."""
    working = rows().filter(state=RunState.RUNNING, places__gt=0).values_list("credential", "places")
    places = dict(working)
    taken = Counter(credential for credential, _places in working)
    if lane == Lane.NIGHTLY:
        for credential, wanted in _asked_for_by_people():
            places[credential] = wanted
            taken[credential] += 1
    return {credential for credential, count in taken.items() if count >= places[credential]}


def _asked_for_by_people() -> set[tuple[str, int]]:
    waiting = _due(Lane.INTERACTIVE, timezone.now()).filter(places__gt=0)
    return set(waiting.order_by().values_list("credential", "places").distinct())


def take(lane: str) -> Run | None:
    """Claim the run whose turn it is; None where nothing may be worked now."""
    with system_scope("whose turn it is, over all bureaus"):
        for _round in range(ROUNDS):
            field = claimable(lane)
            order, times, level = _order(lane, field)
            for organisation in order[:FIELD]:
                first = field.filter(organisation=organisation).order_by("id").values_list("pk", flat=True).first()
                run = claim(first) if first is not None else None
                if run is not None:
                    _begin(run, times[organisation], level)
                    return run
            if not order:
                return None
    return None


def _order(lane: str, field: models.QuerySet[Run]) -> tuple[list[int], dict[int, float], float]:
    """The bureaus with runs in the field, who is next first; how long each was served; and where the lane stands.

    That only rises: it is the least that any bureau in the field was served when somebody's turn came.
    """
    mine = field.filter(organisation=models.OuterRef("pk")).order_by()
    wanting = Organisation.objects.filter(models.Exists(mine)).order_by().values_list("pk", flat=True)
    working = Counter(rows().filter(state=RunState.RUNNING, lane=lane).values_list("organisation_id", flat=True))
    held = list(Turn.objects.filter(lane=lane).values_list("organisation_id", "served", "level"))
    level = max((level for _organisation, _served, level in held), default=0.0)
    served = {organisation: seconds for organisation, seconds, _level in held}
    times = {organisation: max(level, served.get(organisation, 0.0)) for organisation in wanting}
    order = sorted(times, key=lambda one: (working[one], times[one], one))
    return order, times, min(times.values(), default=level)


def _begin(run: Run, served: float, level: float) -> None:
    """Both only rise: what another worker has booked meanwhile stays."""
    new = {"served": served, "level": level}
    mine, made = Turn.objects.get_or_create(organisation_id=run.organisation_id, lane=run.lane, defaults=new)
    if not made:
        higher = {name: Greatest(models.F(name), models.Value(value)) for name, value in new.items()}
        Turn.objects.filter(pk=mine.pk).update(**higher)


def count(run: Run, seconds: float) -> None:
    """Book the time of a slice on the run's bureau."""
    with system_scope("whose turn it is"):
        mine = Turn.objects.filter(organisation=run.organisation_id, lane=run.lane)
        mine.update(served=models.F("served") + seconds)


def others_wait(run: Run) -> bool:
    """Whether a worker of this lane could do something else now."""
    return claimable(run.lane).exclude(pk=run.pk).exists()


def is_wanted_by_people(run: Run) -> bool:
    """Whether somebody waits for a place that this run of the night holds."""
    return run.lane == Lane.NIGHTLY and run.places > 0 and _holds_last_place(run)


def _holds_last_place(run: Run) -> bool:
    waiting = _due(Lane.INTERACTIVE, timezone.now()).filter(credential=run.credential).exists()
    return waiting and rows().filter(state=RunState.RUNNING, credential=run.credential).count() >= run.places


def wake() -> None:
    """After a slice: a place may be free, and tasks that found none are gone. One task for each lane that has none."""
    busy = lanes_with_tasks()
    for lane in settings.KONTOR_LANES:
        if lane not in busy:
            waiting = claimable(lane).order_by("id").first()
            if waiting is not None:
                enqueue(waiting)
