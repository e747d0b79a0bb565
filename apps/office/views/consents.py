"""Consent in the vendor's own pages: sent there, and come back."""

from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from apps.clients.models import Client
from apps.connectors.forms import ConnectorForm
from apps.connectors.models import Connection, Connector
from apps.connectors.oauth import Browser, callback, start, start_again, withdraw
from apps.connectors.sdk.failures import ConnectorError
from apps.connectors.troubles import trouble_of
from apps.notifications.models import Problem
from apps.office.views.connections import attach_feed, tell
from apps.office.views.page import allowed, found, page


@require_POST
def begin(request: HttpRequest, pk: int) -> HttpResponse:
    """Once more for a connection that is there."""
    row = found(
        request,
        "connectors.connection.activate",
        Connection.objects.select_related("client__organisation", "connector"),
        pk,
    )
    try:
        return _onward(request, start_again(connection=row, browser=_browser(request), redirect_uri=_back(request)))
    except ConnectorError as error:
        told = trouble_of(error)
        messages.error(request, Problem(title_text=told.title, facts=told.facts).title)
        return redirect("office:connection", pk)


@require_POST
def give_up(request: HttpRequest, pk: int) -> HttpResponse:
    """The bureau wants the consent no longer."""
    row = found(
        request,
        "connectors.connection.give_up",
        Connection.objects.select_related("client__organisation", "connector"),
        pk,
    )
    if withdraw(connection=row, actor=request.user):
        messages.success(request, _("The consent is given up, here and in the other system."))
    else:
        told = _("The consent is given up here. The other system could not be told: take it back in its own pages too.")
        messages.warning(request, told)
    return redirect("office:connection", pk)


def begin_from_form(
    request: HttpRequest, form: ConnectorForm, client: Client, connector: Connector | None
) -> HttpResponse:
    """With fields that were just typed; nothing of them is kept before the consent has come back. Raises ConnectorError."""
    values, secrets = form.split()
    address = start(
        client=client, provider=form.provider.slug, auth=form.auth.name, values=values, entered=secrets,
        browser=_browser(request), redirect_uri=_back(request), connector=connector,
    )  # fmt: skip
    return _onward(request, address)


def _onward(request: HttpRequest, address: str) -> HttpResponse:
    """A page that leads on by itself, not a redirect.

    Our policy holds what a form leads to, through every redirect of the vendor's own sign-in, to our own address.
    """
    return page(request, "office/consent_onward.html", _("Consent"), address=address)


@never_cache
@require_GET
def answered(request: HttpRequest) -> HttpResponse:
    """Where the vendor sends the browser back to. What worked leads on, so that no address with a code stays open."""
    response = _answered(request)
    # The address holds the code. Not no-referrer: it makes the browser say `Origin: null`, and "Connect again" is refused.
    response.headers["Referrer-Policy"] = "strict-origin"
    return response


def _answered(request: HttpRequest) -> HttpResponse:
    if not admin.site.has_permission(request):
        # Signed out meanwhile: the code is dropped here, it is of no use in another session.
        state = urlencode({"state": request.GET.get("state", "")[:200]})
        return redirect_to_login(f"{reverse('office:consent')}?{state}", reverse("admin:login"))
    user = allowed(request, "connectors.connection.activate", None)
    outcome = callback(
        query=request.GET.dict(), browser=_browser(request), actor=user,
        may=lambda organisation: user.may("connectors.connection.activate", organisation),
    )  # fmt: skip
    trouble = outcome.trouble
    if trouble is None and outcome.connection is not None:
        tell(request, outcome)
        attach_feed(request, outcome.connection)
        return redirect("admin:clients_client_change", outcome.connection.client_id)
    told = Problem(title_text=trouble.title, step_texts=list(trouble.steps), facts=trouble.facts) if trouble else None
    return page(request, "office/consent.html", _("Consent"), outcome=outcome, trouble=trouble, told=told)


def _browser(request: HttpRequest) -> Browser:
    return Browser(user_id=request.user.pk or 0, session_key=request.session.session_key or "")


def _back(request: HttpRequest) -> str:
    return request.build_absolute_uri(reverse("office:consent"))
