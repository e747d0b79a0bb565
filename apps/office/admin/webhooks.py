from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display
from unfold.widgets import UnfoldAdminURLInputWidget

from apps.clients.admin import ChosenClientsAdmin, ChosenClientsForm, tell_once
from apps.core.addresses import AddressRefusedError, check_address
from apps.core.admin import ago, badge
from apps.core.requests import number_in
from apps.notifications.actions import resolve_problems
from apps.notifications.models import Webhook, WebhookSecret, filled
from apps.notifications.webhooks import drop_unseen, host_of, new_secret

EVENTS_SHOWN = 20


class WebhookForm(ChosenClientsForm):
    url = forms.CharField(
        label=_("Address"),
        help_text=_("HTTPS; each event is sent there as JSON by POST."),
        widget=UnfoldAdminURLInputWidget,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:  # receivers know their sender by a word in the path: it is not shown again
            self.fields["url"].required = False
            self.fields["url"].help_text = _("It is kept and not shown. Enter another one to change it.")
            self.fields["url"].widget.attrs["placeholder"] = f"https://{self.instance.host}/…"

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"].strip()
        if not url and self.instance.pk:
            return ""
        try:
            check_address(url, allow_private=settings.CONNECTOR_ALLOW_PRIVATE_HOSTS)
        except AddressRefusedError as error:
            raise forms.ValidationError(
                _("Kontor does not send to this address: %(reason)s."),
                params={"reason": filled(error.text, error.facts)},
            ) from error
        return url


def tell_dropped(request: HttpRequest, count: int) -> None:
    if count:
        words = ngettext(
            "It no longer tells of %(count)d client that you do not see; people named for it can add it again.",
            "It no longer tells of %(count)d clients that you do not see; people named for them can add them again.",
            count,
        )
        messages.warning(request, words % {"count": count})


@admin.register(Webhook)
class WebhookAdmin(ChosenClientsAdmin):
    """The secret is shown once, when it is made or renewed."""

    form = WebhookForm
    change_form_template = "office/webhook.html"
    list_display = ("name", "organisation", "host", "sees", "state", "last")
    list_filter = (("paused_at", admin.EmptyFieldListFilter),)
    list_select_related = ("organisation",)
    search_fields = ("name", "host")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002 - Django's signature
        return ("organisation", "name", "url", "all_clients", "clients")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002 - Django's signature
        return ("organisation",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Webhook, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        url = form.cleaned_data["url"]
        if url:
            obj.host = host_of(url)
        super().save_model(request, obj, form, change)
        if change and url:
            WebhookSecret.objects.filter(webhook=obj).update(url=url)
        if not change:
            secret = new_secret()
            WebhookSecret.objects.create(webhook=obj, url=url, secret=secret)
            tell_once(request, _("Copy the secret now; it is not shown again:"), secret)

    def columns_changed(self, form: Any) -> set[str]:
        return super().columns_changed(form) | ({"host"} if form.cleaned_data["url"] else set())

    def takes_over(self, form: Any) -> bool:
        return "url" in form.changed_data

    def drop_unseen(self, request: HttpRequest, machine: Any) -> None:
        tell_dropped(request, drop_unseen(webhook=machine, actor=request.user))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        resolve_problems(subject=obj)
        super().delete_model(request, obj)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        found = Webhook.objects.filter(pk=number_in(object_id) or 0).first()
        extra = {**(extra_context or {}), "webhook": found}
        if found is not None:
            extra |= {
                "state": self.state(found),
                "events": found.events.select_related("problem").order_by("-pk")[:EVENTS_SHOWN],
                "may": self.has_change_permission(request, found),
            }
        return super().change_view(request, object_id, form_url, extra)

    @display(description=_("state"), ordering="paused_at")
    def state(self, webhook: Webhook) -> SafeString:
        if webhook.paused_at:
            return badge("grey", _("paused"), title=webhook.failure)
        if webhook.failures:
            return badge("amber", _("not taken, tried again"), title=webhook.failure)
        return badge("green", _("works")) if webhook.last_sent_at else badge("outline", _("not used yet"))

    @display(description=_("last told"), ordering="last_sent_at")
    def last(self, webhook: Webhook) -> str | SafeString:
        return ago(webhook.last_sent_at)
