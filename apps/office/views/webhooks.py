from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.clients.admin import tell_once
from apps.notifications import webhooks
from apps.notifications.models import Webhook
from apps.office.admin.webhooks import tell_dropped
from apps.office.views.page import found

RIGHT = "notifications.webhook.change"


@require_POST
def test(request: HttpRequest, pk: int) -> HttpResponse:
    webhook = found(request, RIGHT, Webhook.objects.all(), pk)
    if webhook.paused_at:
        messages.error(request, _("The webhook is paused: resume it first."))
    else:
        webhooks.send_test(webhook=webhook, actor=request.user)
        messages.success(request, _("A test is on its way; load this page again to see what came of it."))
    return _back(pk)


@require_POST
def renew(request: HttpRequest, pk: int) -> HttpResponse:
    webhook = found(request, RIGHT, Webhook.objects.all(), pk)
    secret, dropped = webhooks.renew_secret(webhook=webhook, actor=request.user)
    tell_once(
        request, _("The former secret signs too for 24 hours. Copy the new one now; it is not shown again:"), secret
    )
    tell_dropped(request, dropped)
    return _back(pk)


@require_POST
def pause(request: HttpRequest, pk: int) -> HttpResponse:
    webhooks.pause(webhook=found(request, RIGHT, Webhook.objects.all(), pk), actor=request.user)
    messages.success(request, _("Paused: nothing is sent until you resume it."))
    return _back(pk)


@require_POST
def resume(request: HttpRequest, pk: int) -> HttpResponse:
    dropped = webhooks.resume(webhook=found(request, RIGHT, Webhook.objects.all(), pk), actor=request.user)
    messages.success(request, _("Resumed: what waits is sent now."))
    tell_dropped(request, dropped)
    return _back(pk)


def _back(pk: int) -> HttpResponse:
    return redirect("admin:notifications_webhook_change", pk)
