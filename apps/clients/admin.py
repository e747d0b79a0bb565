"""API tokens. The client's own page stands in office: it needs books, runs and problems."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.audit.admin import AuditedAdmin
from apps.clients.models import ApiToken, ChosenClients, Client, new_token, token_digest
from apps.core.admin import ago, badge
from apps.core.scope import system_scope
from apps.organisations.models import User


class ChosenClientsForm(forms.ModelForm):  # type: ignore[type-arg] # its fields are made by the admin, inside a scope
    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        organisation = values.get("organisation") or getattr(self.instance, "organisation", None)
        clients = values.get("clients") or []
        if organisation and any(client.organisation_id != organisation.pk for client in clients):
            self.add_error("clients", _("Choose clients of this bureau only."))
        if not values.get("all_clients") and not clients and not self.instance.pk:
            self.add_error("clients", _("Choose the clients, or tick “all clients”."))
        return values


class ChosenClientsAdmin(AuditedAdmin):
    """Base of machines that see chosen clients."""

    form = ChosenClientsForm
    filter_horizontal = ("clients",)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        """Clients that the reader does not see were not in the form, and stay named unless the reader takes it over."""
        machine: ChosenClients = form.instance
        with system_scope("clients of the machine that the reader does not see"):
            before = set(machine.clients.values_list("pk", flat=True))
        unseen = before - set(Client.objects.filter(pk__in=before).values_list("pk", flat=True))
        super().save_related(request, form, formsets, change)
        with system_scope("clients of the machine that the reader does not see"):
            machine.clients.add(*unseen)
        if unseen and self.takes_over(form):
            self.drop_unseen(request, machine)

    def takes_over(self, form: Any) -> bool:  # noqa: ARG002 - for those whose form can lead what is told elsewhere
        return False

    def drop_unseen(self, request: HttpRequest, machine: Any) -> None:
        raise NotImplementedError

    @display(description=_("sees"), ordering="all_clients")
    def sees(self, machine: ChosenClients) -> str:
        return str(_("all clients") if machine.all_clients else _("chosen clients"))


def tell_once(request: HttpRequest, words: Any, secret: str) -> None:
    """What can be read only now, on the next page."""
    messages.warning(request, format_html('{} <code class="k-token">{}</code>', words, secret))


@admin.register(ApiToken)
class ApiTokenAdmin(ChosenClientsAdmin):
    """The token itself is shown once, when it is made; afterwards only its hash is known."""

    list_display = ("name", "organisation", "sees", "state", "made")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("organisation",)
    search_fields = ("name",)
    actions = ("revoke",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002 - Django's signature
        return ("organisation", "name", "all_clients", "clients", *(("created_at", "revoked_at") if obj else ()))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002 - Django's signature
        return ("organisation", "created_at", "revoked_at") if obj else ()

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        token = ""
        if not change:
            token = new_token()
            obj.digest = token_digest(token)
        super().save_model(request, obj, form, change)
        if token:
            tell_once(request, _("Copy the token now; it is not shown again:"), token)

    @admin.action(description=_("Revoke the chosen tokens"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        for token in queryset.filter(revoked_at=None):
            if isinstance(request.user, User) and request.user.may("clients.apitoken.change", token.organisation_id):
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
