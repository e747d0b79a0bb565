"""Navigation, style and script of the admin, and what is taken out of it."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django_q.models import Failure, OrmQ, Schedule, Success
from unfold.dataclasses import Favicon

# Our runs say what the queue does; its own rows belong to no bureau.
for model in (Failure, OrmQ, Schedule, Success):
    if admin.site.is_registered(model):
        admin.site.unregister(model)

# (title, icon, admin name or name with its namespace, level) in groups.
_NAVIGATION: tuple[tuple[Any, tuple[tuple[Any, str, str, str], ...]], ...] = (
    ("", (
        (_("Home"), "home", "index", "view"),
        (_("Clients"), "apartment", "clients_client_changelist", "view"),
        (_("Problems"), "error", "notifications_problem_changelist", "view"),
        (_("Runs"), "sync", "sync_run_changelist", "view"),
    )),
    (_("Integrations"), (
        (_("Connectors"), "key", "connectors_connector_changelist", "view"),
        (_("Connections"), "link", "connectors_connection_changelist", "view"),
        (_("Feeds"), "dynamic_feed", "flows_feed_changelist", "view"),
        (_("Exchanges"), "swap_horiz", "connectors_exchange_changelist", "view"),
        (_("Take in clients"), "group_add", "office:onboarding", "manage"),
    )),
    (_("Books"), (
        (_("Vouchers"), "receipt_long", "ledger_voucher_changelist", "view"),
        (_("Accounts"), "list_alt", "ledger_account_changelist", "view"),
        (_("Balances"), "table_rows", "ledger_balance_changelist", "view"),
        (_("Findings"), "lightbulb", "ledger_finding_changelist", "view"),
        (_("Proofs"), "fact_check", "ledger_proof_changelist", "view"),
        (_("Ledger files"), "upload_file", "ledger_ledgerfile_changelist", "view"),
    )),
    (_("Bureau"), (
        (_("Organisations"), "business_center", "organisations_organisation_changelist", "view"),
        (_("Memberships"), "badge", "organisations_membership_changelist", "view"),
        (_("Users"), "group", "organisations_user_changelist", "manage"),
        (_("API tokens"), "vpn_key", "clients_apitoken_changelist", "manage"),
        (_("Audit log"), "history", "audit_auditline_changelist", "view"),
    )),
)  # fmt: skip


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    may = getattr(request.user, "may", None)
    groups = []
    for title, items in _NAVIGATION:
        rows = []
        for name, icon, view, level in items:
            link = reverse(view if ":" in view else f"admin:{view}")
            here = request.path == link or (view != "index" and request.path.startswith(link))
            allowed = bool(may and may(level))
            rows.append({"title": name, "icon": icon, "link": link, "active": here, "has_permission": allowed})
        groups.append({"title": title, "items": rows, "separator": bool(title)})
    return groups


def office_context(context: dict[str, Any], request: HttpRequest) -> dict[str, Any]:
    """Unfold's hook for what every page gets; its settings are for the operator, this belongs to the program."""
    if admin.site.has_permission(request):
        context["sidebar_navigation"] = navigation(request)
    context["styles"] = [*context.get("styles", []), static("office/office.css")]
    context["scripts"] = [*context.get("scripts", []), static("office/office.js"), static("office/bell.js")]
    icon = Favicon(rel="icon", type="image/svg+xml", href=static("office/kontor.svg"))
    context |= {"site_favicons": [icon], "site_symbol": "account_balance"}
    return context


admin.site.extra_context = office_context  # type: ignore[attr-defined]
admin.site.index_title = _("Home")
admin.site.enable_nav_sidebar = True
