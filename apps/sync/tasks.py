"""Entry points of django-q2: find, open the scope, call one action."""

from structlog.contextvars import bound_contextvars

from apps.core.scope import organisation_scope, system_scope
from apps.sync import engine
from apps.sync.models import Run


def work(run_id: int) -> str:
    """Work one slice of a run. A late or doubled task finds nothing to claim and ends."""
    with system_scope("finds the run of a task"):
        organisation = Run.objects.filter(pk=run_id).values_list("client__organisation_id", flat=True).first()
    if organisation is None:
        return "gone"
    with bound_contextvars(run=run_id), organisation_scope({organisation}, "task"):
        run = engine.work(run_id)
    return run.state if run else "not ours"
