"""The buttons of the client's page, and its live progress."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from apps.clients.models import Client
from apps.office.forms import SynchronizeForm
from apps.office.pages import progress as progress_of
from apps.office.views.page import found
from apps.sync.actions import start_recalculation, start_sync


@require_POST
def synchronize(request: HttpRequest, pk: int) -> HttpResponse:
    client = found(request, "clients.client.synchronize", Client.objects.select_related("organisation"), pk)
    form = SynchronizeForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(str(text) for texts in form.errors.values() for text in texts))
        return _back(pk)
    runs = start_sync(client=client, actor=request.user, **form.window())
    if runs:
        told = ngettext(
            "%(count)d run is started or already under way.", "%(count)d runs are started or under way.", len(runs)
        )
        messages.success(request, told % {"count": len(runs)})
    else:
        messages.warning(request, _("There is nothing to synchronize yet: add an integration first."))
    return _back(pk)


@require_POST
def recalculate(request: HttpRequest, pk: int) -> HttpResponse:
    client = found(request, "clients.client.recalculate", Client.objects.select_related("organisation"), pk)
    start_recalculation(client=client, actor=request.user)
    messages.success(request, _("The balances are being recalculated."))
    return _back(pk)


@require_GET
def progress(request: HttpRequest, pk: int) -> JsonResponse:
    client = found(request, "clients.client.view", Client.objects.all(), pk)
    return JsonResponse(progress_of(client, request.user), headers={"Cache-Control": "no-store"})


def _back(pk: int) -> HttpResponse:
    return redirect("admin:clients_client_change", pk)
