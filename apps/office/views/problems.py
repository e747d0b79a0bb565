from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.connectors.models import Connection
from apps.flows.models import Feed
from apps.notifications.models import Problem
from apps.office.problems import DISAPPEARANCE
from apps.office.views.page import found
from apps.sync.actions import release_disappearance, try_again


@require_POST
def again(request: HttpRequest, pk: int) -> HttpResponse:
    problem = found(request, "notifications.problem.again", Problem.objects.all(), pk)
    try_again(feed=_feed(problem), actor=request.user)
    messages.success(request, _("A run is started or already under way."))
    return _back(problem)


@require_POST
def release(request: HttpRequest, pk: int) -> HttpResponse:
    problem = found(
        request, "notifications.problem.release", Problem.objects.filter(code=DISAPPEARANCE, resolved_at=None), pk
    )
    release_disappearance(feed=_feed(problem), actor=request.user)
    messages.success(request, _("A run is started; it may delete what is no longer returned."))
    return _back(problem)


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
