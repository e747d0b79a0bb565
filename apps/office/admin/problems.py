from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display

from apps.connectors.sdk.failures import Who
from apps.core.admin import BureauAdmin, ago, badge
from apps.core.requests import number_in
from apps.notifications.models import Affected, Problem
from apps.notifications.queries import not_muted, shown_to
from apps.office.problems import problem_card, problem_colour

WHO = {
    Who.CLIENT: _("the client"),
    Who.BUREAU: _("the bureau"),
    Who.VENDOR: _("nobody: tried again by itself"),
    Who.SUPPORT: _("support"),
}


class OpenFilter(admin.SimpleListFilter):
    """Open ones unless asked otherwise."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:  # noqa: ARG002 - Django's signature
        return (("open", _("open")), ("muted", _("muted")), ("resolved", _("resolved")), ("all", _("all")))

    def choices(self, changelist: Any) -> Any:
        for value, title in self.lookup_choices:
            query = changelist.get_query_string({self.parameter_name: value})
            chosen = (self.value() or "open") == value
            yield {"selected": chosen, "query_string": query, "display": title}

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ARG002 - Django's signature
        if self.value() == "all":
            return queryset
        if self.value() == "resolved":
            return queryset.filter(resolved_at__isnull=False)
        open_ones = queryset.filter(resolved_at=None)
        return open_ones.exclude(not_muted()) if self.value() == "muted" else open_ones.filter(not_muted())


class WhoFilter(admin.SimpleListFilter):
    title = _("who acts")
    parameter_name = "who"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:  # noqa: ARG002 - Django's signature
        return [(str(value), title) for value, title in WHO.items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ARG002 - Django's signature
        return queryset.filter(who=self.value()) if self.value() else queryset


@admin.register(Problem)
class ProblemAdmin(BureauAdmin):
    change_form_template = "office/problem.html"
    list_display = ("what", "whom", "acts", "since", "last_seen", "times", "state")
    list_filter = (OpenFilter, WhoFilter, "code")
    list_select_related = ("client",)
    search_fields = ("title_text", "code", "client__name", "client__number", "client__organisation_number")
    fieldsets = (
        (_("For support"), {
            "classes": ("collapse",),
            "fields": ("code", "failure", "subject_label", "field", "times", "detail"),
        }),
    )  # fmt: skip

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        problem = Problem.objects.filter(pk=number_in(object_id) or 0).select_related("client").first()
        extra = {**(extra_context or {}), "card": problem_card(problem, request.user, named=200) if problem else None}
        return super().change_view(request, object_id, form_url, extra)

    @display(description=_("problem"), ordering="title_text")
    def what(self, problem: Problem) -> str:
        return problem.title

    @display(description=_("client"), ordering="client")
    def whom(self, problem: Any) -> str:
        if problem.client_id:
            return str(problem.client)
        if not problem.hit:
            return str(_("the bureau"))
        return ngettext("%(count)d client", "%(count)d clients", problem.hit) % {"count": problem.hit}

    def get_queryset(self, request: HttpRequest) -> Any:
        hit = Affected.objects.filter(problem=OuterRef("pk"), cleared_at=None).order_by().values("problem")
        count = Coalesce(Subquery(hit.annotate(n=Count("pk")).values("n")), 0)  # of those that the reader sees
        return shown_to(request.user, super().get_queryset(request)).annotate(hit=count)

    @display(description=_("who acts"), ordering="who")
    def acts(self, problem: Problem) -> str:
        return str(WHO.get(Who(problem.who), problem.who)) if problem.who else "–"

    @display(description=_("since"), ordering="first_at")
    def since(self, problem: Problem) -> str:
        return ago(problem.first_at)

    @display(description=_("last seen"), ordering="last_at")
    def last_seen(self, problem: Problem) -> str:
        return ago(problem.last_at)

    @display(description=_("state"), ordering="resolved_at")
    def state(self, problem: Problem) -> SafeString:
        if problem.resolved_at:
            return badge("grey", _("resolved"), icon="check")
        if problem.is_muted:
            return badge("grey", _("muted"), icon="notifications_off", title=problem.muted_reason)
        return badge(problem_colour(problem), _("open"))
