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

# (title, icon, name of the page, right) in groups.
_NAVIGATION: tuple[tuple[Any, tuple[tuple[Any, str, str, str], ...]], ...] = (
    ("", (
        (_("Home"), "home", "admin:index", "view"),
        (_("Clients"), "apartment", "admin:clients_client_changelist", "clients.client.view"),
        (_("Problems"), "error", "admin:notifications_problem_changelist", "notifications.problem.view"),
        (_("Runs"), "sync", "admin:sync_run_changelist", "sync.run.view"),
    )),
    (_("Integrations"), (
        (_("Connectors"), "key", "admin:connectors_connector_changelist", "connectors.connector.view"),
        (_("Connections"), "link", "admin:connectors_connection_changelist", "connectors.connection.view"),
        (_("Feeds"), "dynamic_feed", "admin:flows_feed_changelist", "flows.feed.view"),
        (_("Exchanges"), "swap_horiz", "admin:connectors_exchange_changelist", "connectors.exchange.view"),
        (_("Take in clients"), "group_add", "office:onboarding", "onboarding.batch.view"),
    )),
    (_("Books"), (
        (_("Vouchers"), "receipt_long", "admin:ledger_voucher_changelist", "ledger.voucher.view"),
        (_("Accounts"), "list_alt", "admin:ledger_account_changelist", "ledger.account.view"),
        (_("Balances"), "table_rows", "admin:ledger_balance_changelist", "ledger.balance.view"),
        (_("Findings"), "lightbulb", "admin:ledger_finding_changelist", "ledger.finding.view"),
        (_("Proofs"), "fact_check", "admin:ledger_proof_changelist", "ledger.proof.view"),
        (_("Ledger files"), "upload_file", "admin:ledger_ledgerfile_changelist", "ledger.ledgerfile.view"),
    )),
    (_("Bureau"), (
        (_("Organisations"), "business_center", "admin:organisations_organisation_changelist",
         "organisations.organisation.view"),
        (_("Memberships"), "badge", "admin:organisations_membership_changelist", "organisations.membership.view"),
        (_("Users"), "group", "admin:organisations_user_changelist", "organisations.user.view"),
        (_("Restricted clients"), "lock", "office:restricted", "clients.client.find_restricted"),
        (_("API tokens"), "vpn_key", "admin:clients_apitoken_changelist", "clients.apitoken.view"),
        (_("Webhooks"), "webhook", "admin:notifications_webhook_changelist", "notifications.webhook.view"),
        (_("Audit log"), "history", "admin:audit_auditline_changelist", "audit.auditline.view"),
    )),
)  # fmt: skip


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    may = getattr(request.user, "may", None)
    groups = []
    for title, items in _NAVIGATION:
        rows = []
        for name, icon, view, right in items:
            link = reverse(view)
            here = request.path == link or (view != "admin:index" and request.path.startswith(link))
            allowed = bool(may and may(right))
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
