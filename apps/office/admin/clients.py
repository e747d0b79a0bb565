from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.audit.admin import AuditedAdmin
from apps.clients.models import Client
from apps.core.admin import ago, badge, day_text
from apps.flows.models import Feed
from apps.ledger.enums import Grade, Move
from apps.ledger.models import VoucherVersion
from apps.notifications.models import Affected
from apps.notifications.queries import not_muted
from apps.office.pages import client_page, number_is_key
from apps.organisations.models import Membership, Organisation
from apps.sync.actions import change_number
from apps.sync.admin.runs import COLOURS
from apps.sync.enums import RunState
from apps.sync.status import Status, progress_text, status_of, with_status


class QuestionFilter(admin.SimpleListFilter):
    """The questions of the morning."""

    title = _("question")
    parameter_name = "ask"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:  # noqa: ARG002 - Django's signature
        return (
            ("hand", _("needs a hand")),
            ("mine", _("my clients")),
            ("differs", _("does not agree with the source")),
            ("agrees", _("agrees with the source")),
            ("none", _("not set up")),
            ("closed", _("moved in a closed period")),
        )

    def queryset(self, request: HttpRequest, queryset: QuerySet[Client]) -> QuerySet[Client]:
        value = self.value()
        if value == "mine":
            return queryset.filter(responsible=request.user.pk)
        conditions = {
            "hand": Exists(Affected.objects.filter(not_muted("problem__"), client=OuterRef("pk"), cleared_at=None)),
            "differs": Q(ledger_state__proof__grade__gte=Grade.NOT_PROVABLE)
            | Q(ledger_state__proof=None)
            | Q(hidden_at__isnull=False),
            "agrees": Q(ledger_state__proof__grade__lte=Grade.FILE_TOTALS, hidden_at=None),
            "none": Q(ledger_state__proof=None) & ~Exists(Feed.objects.filter(client=OuterRef("pk"))),
            "closed": Exists(
                VoucherVersion.objects.filter(client=OuterRef("pk"), in_closed=True).exclude(move=Move.META)
            ),
        }
        return queryset.filter(conditions[value]) if value in conditions else queryset


class ClientForm(forms.ModelForm):  # type: ignore[type-arg] # its fields are made by the admin, inside a scope
    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        organisation = values.get("organisation") or getattr(self.instance, "organisation", None)
        person = values.get("responsible")
        members = Membership.objects.filter(organisation=organisation, user=person)
        if organisation and person and not members.exists():
            self.add_error("responsible", translate("This person does not belong to the client's bureau."))
        return values


@admin.register(Client)
class ClientAdmin(AuditedAdmin):
    form = ClientForm
    change_form_template = "office/client.html"
    list_display = ("number", "name", "organisation_number", "books", "last_entry", "closed_to", "last_run", "problems")
    list_display_links = ("number", "name")
    list_filter = (QuestionFilter, ("responsible", admin.RelatedOnlyFieldListFilter), "organisation")
    search_fields = ("number", "name", "organisation_number")
    ordering = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Client]:
        return with_status(super().get_queryset(request))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002 - Django's signature
        return ("organisation", "number", "name", "country", "organisation_number", "time_zone", "responsible")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002 - Django's signature
        if obj is None:
            return ()
        return ("organisation", *(("country", "number_kept") if number_is_key(obj) else ()))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = list(self.get_fields(request, obj))
        if "number_kept" in self.get_readonly_fields(request, obj):
            fields[fields.index("organisation_number")] = "number_kept"
        return ((None, {"fields": fields}),)

    def get_list_filter(self, request: HttpRequest) -> Any:  # noqa: ARG002 - Django's signature
        several = Organisation.objects.count() > 1
        return self.list_filter if several else (QuestionFilter,)

    def save_model(self, request: HttpRequest, obj: Client, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        """The organisation number is a key to books: it goes its own, guarded way.

        Judged by its value: another country may be what brings it into another form.
        """
        number = obj.organisation_number
        super().save_model(request, obj, form, change)
        if change and number != form.initial.get("organisation_number", number):
            change_number(client=obj, number=number, actor=request.user)

    def columns_changed(self, form: Any) -> set[str]:
        return super().columns_changed(form) - {"organisation_number"}

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        extra = {**(extra_context or {}), **client_page(object_id, request.user)}
        extra |= {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().change_view(request, object_id, form_url, extra)

    # -- Columns ------------------------------------------------------------------------------------------------------

    @display(description=_("organisation number"))
    def number_kept(self, client: Client) -> SafeString:
        """Books were opened with it: changed on a page of its own, which says what will happen."""
        address, text = reverse("office:number", args=[client.pk]), _("Change the number")
        return format_html('{} · <a class="k-link" href="{}">{}</a>', client.organisation_number or "–", address, text)

    @display(description=_("books"), ordering="ledger_state__proof__grade")
    def books(self, client: Client) -> SafeString:
        status = _status(client)
        return badge(status.state.colour, status.state.word, title=status.state.sentence)

    @display(description=_("last entry"), ordering="ledger_state__proof__last_entry")
    def last_entry(self, client: Client) -> str:
        proof = _status(client).proof
        return day_text(proof.last_entry) if proof else "–"

    @display(description=_("closed to"), ordering="ledger_state__proof__closed_to")
    def closed_to(self, client: Client) -> str:
        proof = _status(client).proof
        return day_text(proof.closed_to) if proof else "–"

    @display(description=_("last run"))
    def last_run(self, client: Client) -> str | SafeString:
        status = _status(client)
        if status.live:
            return badge("blue", progress_text(status.live))
        if status.last is None:
            return "–"
        if status.last.state == RunState.SUCCEEDED:
            return ago(status.last.finished_at)
        return badge(COLOURS[RunState(status.last.state)], status.last.state_word)

    @display(description=_("open problems"), ordering="open_problems")
    def problems(self, client: Client) -> str:
        count = _status(client).open_problems
        return str(count) if count else "–"


def _status(client: Any) -> Status:
    """Made once per row: several columns ask."""
    if not hasattr(client, "status_held"):
        client.status_held = status_of(client)
    found: Status = client.status_held
    return found
