"""API tokens. The client's own page stands in office: it needs books, runs and problems."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.audit.admin import AuditedAdmin
from apps.clients.models import ApiToken, new_token, token_digest
from apps.core.admin import ago, badge
from apps.organisations.models import Organisation, User


@admin.register(ApiToken)
class ApiTokenAdmin(AuditedAdmin):
    """The token itself is shown once, when it is made; afterwards only its hash is known."""

    level_view = level_add = level_change = "manage"
    list_display = ("name", "organisation", "state", "made")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("organisation",)
    search_fields = ("name",)
    actions = ("revoke",)
    filter_horizontal = ("clients",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002 - Django's signature
        return ("organisation", "name", "clients", *(("created_at", "revoked_at") if obj else ()))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002 - Django's signature
        return ("organisation", "created_at", "revoked_at") if obj else ()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "organisation" and isinstance(request.user, User):
            managed = [row.pk for row in Organisation.objects.all() if request.user.may("manage", row.pk)]
            kwargs["queryset"] = Organisation.objects.filter(pk__in=managed)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        token = ""
        if not change:
            token = new_token()
            obj.digest = token_digest(token)
        super().save_model(request, obj, form, change)
        if token:
            told = format_html(
                '{} <code class="k-token">{}</code>', _("Copy the token now; it is not shown again:"), token
            )
            messages.warning(request, told)

    @admin.action(description=_("Revoke the chosen tokens"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        for token in queryset.filter(revoked_at=None):
            if isinstance(request.user, User) and request.user.may("manage", token.organisation_id):
                token.revoked_at = timezone.now()
                token.save(update_fields=["revoked_at"])
                self._note(request, token, "revoked", {})
        messages.success(request, _("The chosen tokens no longer work."))

    @display(description=_("state"), ordering="revoked_at")
    def state(self, token: ApiToken) -> SafeString:
        return badge("grey", _("revoked")) if token.revoked_at else badge("green", _("valid"))

    @display(description=_("created"), ordering="created_at")
    def made(self, token: ApiToken) -> str:
        return ago(token.created_at)
