"""Entry points of django-q2: find, open the scope, call one action."""

from apps.core.scope import organisation_scope, system_scope
from apps.onboarding import work as working
from apps.onboarding.models import Batch


def work(batch_id: int) -> str:
    """Work a batch for one slice. A late or doubled task finds nothing to claim and ends."""
    with system_scope("finds the batch of a task"):
        organisation = Batch.objects.filter(pk=batch_id).values_list("organisation_id", flat=True).first()
    if organisation is None:
        return "gone"
    with organisation_scope({organisation}, "task"):
        return working.work(batch_id) or "not ours"
