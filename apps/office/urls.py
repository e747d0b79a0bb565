"""Pages of office, under /admin/ and behind its sign-in."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.urls import URLPattern, path

from apps.office.views import (
    access,
    balances,
    bell,
    clients,
    connections,
    connectors,
    consents,
    files,
    numbers,
    onboarding,
    problems,
    webhooks,
)

app_name = "office"


def _page(address: str, view: Callable[..., Any], name: str) -> URLPattern:
    return path(address, admin.site.admin_view(view), name=name)


urlpatterns = [
    _page("clients/client/<int:pk>/synchronize/", clients.synchronize, "synchronize"),
    _page("clients/client/<int:pk>/recalculate/", clients.recalculate, "recalculate"),
    _page("clients/client/<int:pk>/files/add/", files.add, "file_add"),
    _page("clients/client/<int:pk>/progress/", clients.progress, "progress"),
    _page("clients/client/<int:pk>/balances/", balances.balances, "balances"),
    _page("clients/client/<int:pk>/balances/<str:number>/", balances.postings, "postings"),
    _page("clients/client/<int:pk>/integrations/add/", connectors.choose_for_client, "integration_add"),
    _page("clients/client/<int:pk>/integrations/add/<slug:slug>/", connectors.client_form, "integration_form"),
    _page(
        "clients/client/<int:pk>/integrations/shared/<int:connector_pk>/", connections.use_shared, "integration_shared"
    ),
    _page("clients/client/<int:pk>/number/", numbers.number, "number"),
    _page("clients/client/<int:pk>/number/release/", numbers.release, "books_release"),
    _page("clients/client/<int:pk>/access/", access.access, "access"),
    _page("clients/client/<int:pk>/access/assign/", access.name_person, "access_assign"),
    _page("clients/client/<int:pk>/access/responsible/", access.responsible, "access_responsible"),
    _page("clients/client/<int:pk>/access/restrict/", access.restrict, "access_restrict"),
    _page("assignments/<int:pk>/end/", access.end, "access_end"),
    _page("restricted/", access.restricted, "restricted"),
    _page("restricted/<int:pk>/", access.find_restricted, "restricted_name"),
    _page("connectors/new/", connectors.choose_for_bureau, "connector_add"),
    _page("connectors/new/<int:pk>/<slug:slug>/", connectors.bureau_form, "connector_form"),
    _page("connectors/<int:pk>/", connectors.change, "connector"),
    _page("connections/<int:pk>/", connections.connection, "connection"),
    _page("connections/<int:pk>/consent/", consents.begin, "connection_consent"),
    _page("connections/<int:pk>/consent/give-up/", consents.give_up, "connection_give_up"),
    _page("connections/<int:pk>/fields/", connections.fields, "connection_fields"),
    path("consent/", consents.answered, name="consent"),  # sends to the sign-in itself: the address holds a code
    _page("connections/<int:pk>/activate/", connections.activate, "connection_activate"),
    _page("connections/<int:pk>/examine/", connections.examine, "connection_examine"),
    _page("connections/<int:pk>/accept-form/", connections.accept_form, "connection_accept_form"),
    _page("connections/<int:pk>/confirm/", connections.confirm, "connection_confirm"),
    _page("onboarding/", onboarding.overview, "onboarding"),
    _page("onboarding/file/", onboarding.upload, "onboarding_file"),
    _page("onboarding/discover/<int:pk>/", onboarding.discover, "onboarding_discover"),
    _page("onboarding/clients/<int:pk>.csv", onboarding.export, "clients_export"),
    _page("onboarding/<int:pk>/", onboarding.batch, "onboarding_batch"),
    _page("onboarding/<int:pk>/start/", onboarding.begin, "onboarding_start"),
    _page("onboarding/<int:pk>/again/", onboarding.again, "onboarding_again"),
    _page("onboarding/<int:pk>/progress/", onboarding.progress, "onboarding_progress"),
    _page("onboarding/<int:pk>/report.csv", onboarding.report_file, "onboarding_report"),
    _page("problems/<int:pk>/again/", problems.again, "problem_again"),
    _page("problems/<int:pk>/mute/", problems.mute, "problem_mute"),
    _page("problems/<int:pk>/unmute/", problems.unmute, "problem_unmute"),
    _page("bell/", bell.bell, "bell"),
    _page("bell/looked/", bell.looked_at, "bell_looked"),
    _page("problems/<int:pk>/release/", problems.release, "problem_release"),
    _page("webhooks/<int:pk>/test/", webhooks.test, "webhook_test"),
    _page("webhooks/<int:pk>/renew/", webhooks.renew, "webhook_renew"),
    _page("webhooks/<int:pk>/pause/", webhooks.pause, "webhook_pause"),
    _page("webhooks/<int:pk>/resume/", webhooks.resume, "webhook_resume"),
]
