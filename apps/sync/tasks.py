"""Entry points of django-q2: find, call one action."""

from datetime import datetime

from django.conf import settings
from django.utils import timezone
from django_q.tasks import async_task

from apps.connectors.doctor import examine as examine_connection
from apps.connectors.doctor import tell
from apps.connectors.enums import ConnectionState
from apps.connectors.models import Connection
from apps.core.scope import organisation_scope, system_scope
from apps.sync import engine, pulse
from apps.sync.broker import chores
from apps.sync.enums import Lane, RunState
from apps.sync.models import Run
from apps.sync.retention import purge_all


def work(run_id: int) -> str:
    """Work one slice of the run whose turn it is in this run's lane: the task only says that there is something to do.

    A late or doubled task finds nothing to claim and ends.
    """
    with system_scope("finds the lane of a task"):
        lane = Run.objects.filter(pk=run_id).values_list("lane", flat=True).first()
    if lane is None:
        return "gone"
    run = engine.work_next(lane)
    return f"{run.pk} {run.state}" if run else "nothing to do"


def beat(mark: str, number: int) -> None:
    """A lane's heartbeat, come through its queue."""
    pulse.arrived(mark, number)


def purge() -> str:
    """A slice of the daily purge; queues the next one where there is more."""
    with system_scope("retention of every organisation"):
        done = list(purge_all(timezone.now(), seconds=settings.KONTOR_SLICE_SECONDS))
    if not all(purged.finished for purged in done):
        async_task("apps.sync.tasks.purge", cluster=chores(Lane.NIGHTLY))
    return ", ".join(f"{purged.what}: {purged.rows}" for purged in done if purged.rows)


def examine_all(organisation_id: int, since: str) -> str:
    """Examine the bureau's connections after the night: what a run has read to its end is known to be well."""
    night = datetime.fromisoformat(since)
    with organisation_scope({organisation_id}, "task"):
        rows = Connection.objects.filter(
            client__organisation=organisation_id,
            state__in=(ConnectionState.ACTIVE, ConnectionState.PAUSED),
            verified_at__lt=night,
        ).select_related("client__organisation", "connector__organisation")
        asked = 0
        for connection in rows:
            read = Run.objects.filter(
                feed__connection=connection, state=RunState.SUCCEEDED, finished_at__gte=night
            ).order_by("pk")
            last = read.last()
            if last is not None:
                examine_connection(connection, detail=str(last))
            else:
                async_task("apps.sync.tasks.examine", connection.pk, cluster=chores(Lane.NIGHTLY))
                asked += 1
    return f"{asked} to be asked"


def examine(connection_id: int) -> str:
    """Examine one connection by asking the vendor; what is wrong becomes a problem."""
    with system_scope("finds the connection of a task"):
        found = Connection.objects.filter(pk=connection_id).values_list("client__organisation_id", flat=True).first()
    if found is None:
        return "gone"
    with organisation_scope({found}, "task"):
        rows = Connection.objects.select_related("client__organisation", "connector__organisation")
        report = examine_connection(rows.get(pk=connection_id))
        tell(report)
    return "in order" if report.ok else "not in order"
