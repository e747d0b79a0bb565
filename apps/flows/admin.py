from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.audit.admin import AuditedAdmin
from apps.core.admin import ago, badge
from apps.flows.models import Feed


@admin.register(Feed)
class FeedAdmin(AuditedAdmin):
    list_display = ("client", "connection", "nightly", "read", "loaded")
    list_filter = ("enabled",)
    list_select_related = ("client", "connection__client", "connection__connector")
    search_fields = ("client__name", "client__number", "client__organisation_number")
    fields = (
        "client",
        "connection",
        "enabled",
        "history_from",
        "valid_from",
        "valid_to",
        "read_at",
        "loaded_at",
        "whole_pass_at",
    )
    readonly_fields = ("client", "connection", "read_at", "loaded_at", "whole_pass_at")

    @display(description=_("every night"), ordering="enabled")
    def nightly(self, feed: Feed) -> SafeString:
        return badge("green", _("every night")) if feed.enabled else badge("grey", _("paused"))

    @display(description=_("last read to the end"), ordering="read_at")
    def read(self, feed: Feed) -> str:
        return ago(feed.read_at)

    @display(description=_("first load finished"), ordering="loaded_at")
    def loaded(self, feed: Feed) -> str:
        return ago(feed.loaded_at)
