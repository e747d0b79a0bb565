"""Entry points of django-q2: find, call one action."""

from apps.core.scope import system_scope
from apps.sync import engine, pulse
from apps.sync.models import Run


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
