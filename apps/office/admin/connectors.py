from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.connectors.models import Connector
from apps.connectors.queries import with_clients
from apps.connectors.registry import label_of
from apps.core.admin import BureauAdmin, ago, badge


@admin.register(Connector)
class ConnectorAdmin(BureauAdmin):
    """The list; adding and changing is the form of the system's own declaration."""

    list_display = ("system", "owner", "state", "companies", "verified")
    list_filter = ("provider",)
    list_select_related = ("organisation", "client")
    search_fields = ("provider", "client__name", "client__number", "organisation__name")

    def get_queryset(self, request: HttpRequest) -> Any:
        return with_clients(super().get_queryset(request))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:  # noqa: ARG002 - Django's signature
        if not self.has_add_permission(request):
            raise PermissionDenied
        return redirect("office:connector_add")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None  # noqa: ARG002 - Django's signature
    ) -> HttpResponse:  # fmt: skip
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        return redirect("office:connector", row.pk)

    @display(description=_("system"), ordering="provider")
    def system(self, row: Connector) -> str:
        return label_of(row.provider)

    @display(description=_("belongs to"))
    def owner(self, row: Connector) -> str:
        return str(row.client) if row.client_id else f"{row.organisation} ({_('for all clients')})"

    @display(description=_("state"), ordering="verified_at")
    def state(self, row: Connector) -> SafeString:
        if row.verified_at:
            return badge("green", _("activated"), icon="link")
        return badge("grey", _("not activated"))

    @display(description=_("clients"), ordering="clients")
    def companies(self, row: Any) -> str:
        return str(row.clients)

    @display(description=_("verified"), ordering="verified_at")
    def verified(self, row: Connector) -> str:
        return ago(row.verified_at)
