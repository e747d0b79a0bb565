"""What the bell at the top of every page shows: what waits for a hand, and what runs."""

from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.notifications.queries import clients_named, shown_to, unread_of, waiting_problems
from apps.office.onboarding import progress_text as onboarding_text
from apps.office.pages import seen_by
from apps.office.problems import problem_colour
from apps.onboarding.enums import BUSY, FINISHED
from apps.onboarding.models import Batch, Line
from apps.sync.enums import LIVE
from apps.sync.models import Run
from apps.sync.status import progress_text

SHOWN = 8


def bell_of(user: Any) -> dict[str, Any]:
    """Of the bureaus in scope, in a fixed number of questions and a few per problem shown."""
    rows = seen_by(user, "notifications.problem.view", shown_to(user, waiting_problems()), "organisation")
    problems = list(rows.select_related("client").order_by("-told_at")[: SHOWN + 1])
    live = seen_by(user, "sync.run.view", Run.objects.filter(state__in=LIVE), "organisation")
    runs = list(live.select_related("client").order_by("-started_at", "pk")[: SHOWN + 1])
    busy = Batch.objects.filter(state__in=BUSY).order_by("-pk")
    batches = list(seen_by(user, "onboarding.batch.view", busy, "organisation")[:SHOWN])
    return {
        "unread": unread_of(user, rows),
        "waiting": rows.count(),
        "problems": [_problem(problem) for problem in problems[:SHOWN]],
        "more_problems": len(problems) > SHOWN,
        "running": live.count() + len(batches),
        "runs": [_batch(batch) for batch in batches] + [_run(run) for run in runs[:SHOWN]],
        "all": reverse("admin:notifications_problem_changelist"),
        "at": timezone.now().isoformat(),
    }


def _problem(problem: Any) -> dict[str, Any]:
    named, more = ([problem.client], 0) if problem.client else clients_named(problem, 3)
    who = ", ".join(client.name for client in named)
    return {
        "id": problem.pk,
        "title": problem.title,
        "clients": f"{who} {_('and %(n)d more') % {'n': more}}" if more else who,
        "colour": problem_colour(problem),
        "since": problem.first_at.isoformat(),
        "url": reverse("admin:notifications_problem_change", args=[problem.pk]),
    }


def _run(run: Run) -> dict[str, Any]:
    percent = min(99, round(run.done * 100 / run.expected)) if run.expected and run.done else None
    return {
        "title": str(run.client),
        "text": progress_text(run),
        "percent": percent,
        "url": reverse("admin:sync_run_change", args=[run.pk]),
    }


def _batch(batch: Batch) -> dict[str, Any]:
    lines = Line.objects.filter(batch=batch, chosen=True)
    done, total = lines.filter(state__in=FINISHED).count(), lines.count()
    return {
        "title": _("Take in clients"),
        "text": onboarding_text(batch, done, total),
        "percent": round(done * 100 / total) if total else None,
        "url": reverse("office:onboarding_batch", args=[batch.pk]),
    }
