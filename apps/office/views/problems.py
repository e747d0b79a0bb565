from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.connectors.models import Connection, Connector
from apps.flows.models import Feed
from apps.notifications.actions import mute_problem, unmute_problem
from apps.notifications.models import Affected, Problem
from apps.notifications.queries import shown_to
from apps.office.forms import MuteForm
from apps.office.problems import DISAPPEARANCE
from apps.office.views.page import found
from apps.sync.actions import release_disappearance, try_again


@require_POST
def again(request: HttpRequest, pk: int) -> HttpResponse:
    problem = found(request, "notifications.problem.again", _shown(request), pk)
    for feed in _feeds(problem):
        try_again(feed=feed, actor=request.user)
    messages.success(request, _("A run is started or already under way."))
    return _back(problem)


@require_POST
def release(request: HttpRequest, pk: int) -> HttpResponse:
    rows = _shown(request).filter(code=DISAPPEARANCE, resolved_at=None)
    problem = found(request, "notifications.problem.release", rows, pk)
    release_disappearance(feed=_feed(problem), actor=request.user)
    messages.success(request, _("A run is started; it may delete what is no longer returned."))
    return _back(problem)


@require_POST
def mute(request: HttpRequest, pk: int) -> HttpResponse:
    problem = found(request, "notifications.problem.mute", _shown(request).select_related("organisation"), pk)
    form = MuteForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose a day and give a reason."))
        return redirect("admin:notifications_problem_change", pk)
    try:
        mute_problem(problem=problem, actor=request.user, **form.cleaned_data)
        messages.success(request, _("Muted: it comes back when it changes, or after that day."))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return redirect("admin:notifications_problem_change", pk)


@require_POST
def unmute(request: HttpRequest, pk: int) -> HttpResponse:
    problem = found(request, "notifications.problem.mute", _shown(request), pk)
    unmute_problem(problem=problem, actor=request.user)
    messages.success(request, _("The problem is shown again."))
    return redirect("admin:notifications_problem_change", pk)


def _shown(request: HttpRequest) -> QuerySet[Problem]:
    return shown_to(request.user, Problem.objects.all())


def _feeds(problem: Problem) -> list[Feed]:
    """What is run again: the connection's feed, or those of every client that a shared cause hits."""
    if problem.client_id is not None:
        return [_feed(problem)]
    hit = Affected.objects.filter(problem=problem, cleared_at=None)
    feeds = Feed.objects.filter(client__in=hit.values("client"), enabled=True).select_related("client__organisation")
    if problem.subject_kind == Connector._meta.label_lower:
        feeds = feeds.filter(connection__connector=int(problem.subject_id))
    return list(feeds)


def _feed(problem: Problem) -> Feed:
    if problem.subject_kind != Connection._meta.label_lower:
        raise Http404
    feed = Feed.objects.filter(connection=int(problem.subject_id)).select_related("client__organisation").first()
    if feed is None:
        raise Http404
    return feed


def _back(problem: Problem) -> HttpResponse:
    if problem.client_id is None:
        return redirect("admin:notifications_problem_changelist")
    return redirect("admin:clients_client_change", problem.client_id)
