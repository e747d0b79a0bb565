"""Consent in the vendor's own pages: sent there, and come back."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from apps.clients.models import Client
from apps.connectors.forms import ConnectorForm
from apps.connectors.models import Connection, Connector
from apps.connectors.oauth import Browser, callback, start, start_again
from apps.connectors.sdk.failures import ConnectorError
from apps.notifications.models import Problem
from apps.office.views.connections import attach_feed
from apps.office.views.page import allowed, found, page


@require_POST
def begin(request: HttpRequest, pk: int) -> HttpResponse:
    """Once more for a connection that is there."""
    row = found(request, "work", Connection.objects.select_related("client__organisation", "connector"), pk)
    try:
        return _onward(request, start_again(connection=row, browser=_browser(request), redirect_uri=_back(request)))
    except ConnectorError as error:
        messages.error(request, _(error.remedy.title))
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
    """Where the vendor sends the browser back to."""
    user = allowed(request, "work", None)
    outcome = callback(query=request.GET.dict(), browser=_browser(request), actor=user)
    if outcome.ok and outcome.connection is not None:
        attach_feed(request, outcome.connection)
    trouble = outcome.trouble
    told = Problem(title_text=trouble.title, step_texts=list(trouble.steps), facts=trouble.facts) if trouble else None
    response = page(request, "office/consent.html", _("Consent"), outcome=outcome, trouble=trouble, told=told)
    response.headers["Referrer-Policy"] = "no-referrer"  # the address holds the code
    return response


def _browser(request: HttpRequest) -> Browser:
    return Browser(user_id=request.user.pk or 0, session_key=request.session.session_key or "")


def _back(request: HttpRequest) -> str:
    return request.build_absolute_uri(reverse("office:consent"))
