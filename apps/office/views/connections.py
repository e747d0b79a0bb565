"""A client's connection: its state, company and health, and Activate, examine, confirm, release."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from unfold.widgets import INPUT_CLASSES

from apps.clients.models import Client
from apps.clients.placeholders import PlaceholderError, fill
from apps.connectors.actions import Activation, activate_connection, confirm_company, connect
from apps.connectors.admin import connection_badge
from apps.connectors.doctor import changed_shapes
from apps.connectors.doctor import examine as examine_connection
from apps.connectors.forms import ConnectorForm, connection_form
from apps.connectors.models import Connection, Connector, OAuthGrant
from apps.connectors.queries import consents, placeholder_fields, way_of
from apps.connectors.registry import label_of, provider
from apps.connectors.shapes import accept_shapes
from apps.flows.actions import ensure_feed
from apps.flows.models import Feed
from apps.notifications.models import Problem
from apps.office.doctor import examination
from apps.office.forms import ReasonForm
from apps.office.problems import problem_card
from apps.office.views.page import allowed, found, page
from apps.records.enums import Resource

ROWS = ("client__organisation", "connector__organisation")


@require_GET
def connection(request: HttpRequest, pk: int) -> HttpResponse:
    return _show(request, found(request, "connectors.connection.view", Connection.objects.select_related(*ROWS), pk))


def _show(request: HttpRequest, row: Connection, own: ConnectorForm | None = None) -> HttpResponse:
    user = allowed(request, "connectors.connection.view", row.client.organisation_id)
    here = Q(subject_kind=Connection._meta.label_lower, subject_id=str(row.pk))
    shared_key = Q(subject_kind=Connector._meta.label_lower, subject_id=str(row.connector_id))
    problems = Problem.objects.filter(here | shared_key, resolved_at=None).select_related("client")
    return page(
        request,
        "office/connection.html",
        f"{label_of(row.connector.provider)} · {row.client}",
        connection=row,
        system=label_of(row.connector.provider),
        badge=connection_badge(row),
        shared=row.connector.client_id is None,
        consents=consents(row.connector),
        consent=OAuthGrant.objects.filter(connection=row).exclude(consented_at=None).first(),
        own=own or _own_form(row),
        becomes=_becomes(row),
        examination=examination(row),
        changed=changed_shapes(row),
        feed=Feed.objects.filter(connection=row).first(),
        cards=[problem_card(problem, user) for problem in problems],
        may_work=user.may("connectors.connection.activate", row.client.organisation_id),
        may_manage=user.may("connectors.connector.share", row.client.organisation_id),
    )


def _own_form(row: Connection, data: Any = None) -> ConnectorForm | None:
    """The client's own fields under the bureau's connector."""
    if row.connector.client_id is not None or way_of(row.connector) is None:
        return None
    form = connection_form(row)(data)
    for field in form.fields.values():
        field.widget.attrs["class"] = " ".join(INPUT_CLASSES)
    return form if form.fields else None


def _becomes(row: Connection) -> list[tuple[str, str, str]]:
    """(field, as entered, as it is sent for this client) of the fields that differ from client to client."""
    shown = []
    for name in placeholder_fields(row.connector):
        text = row.connector.values.get(name, "")
        try:
            shown.append((name, text, fill(text, row.client)))
        except PlaceholderError:
            shown.append((name, text, "–"))
    return shown


@require_POST
def activate(request: HttpRequest, pk: int) -> HttpResponse:
    row = found(request, "connectors.connection.activate", Connection.objects.select_related(*ROWS), pk)
    outcome = activate_connection(connection=row, actor=request.user)
    if tell(request, outcome):
        attach_feed(request, row)
        return redirect("admin:clients_client_change", row.client_id)
    return redirect("office:connection", pk)


@require_POST
def fields(request: HttpRequest, pk: int) -> HttpResponse:
    """The client's own fields under the bureau's connector; activated at once."""
    row = found(request, "connectors.connection.activate", Connection.objects.select_related(*ROWS), pk)
    form = _own_form(row, request.POST)
    if form is None:
        raise Http404
    if not form.is_valid():
        return _show(request, row, form)
    if tell(request, activate_connection(connection=row, actor=request.user, values=form.split()[0])):
        attach_feed(request, row)
        return redirect("admin:clients_client_change", row.client_id)
    return redirect("office:connection", pk)


@require_POST
def examine(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the other system step by step, while the person waits; nothing is stored but the result."""
    row = found(request, "connectors.connection.examine", Connection.objects.select_related(*ROWS), pk)
    if examine_connection(row).ok:
        messages.success(request, _("Examined: everything is in order."))
    else:
        messages.error(request, _("Examined: not everything is in order. What to do stands below."))
    return redirect("office:connection", pk)


@require_POST
def accept_form(request: HttpRequest, pk: int) -> HttpResponse:
    row = found(request, "connectors.connection.accept_form", Connection.objects.select_related(*ROWS), pk)
    accept_shapes(row, actor=request.user)
    messages.success(request, _("The new form of the answers is taken as right."))
    return redirect("office:connection", pk)


@require_POST
def confirm(request: HttpRequest, pk: int) -> HttpResponse:
    row = found(request, "connectors.connection.confirm", Connection.objects.select_related(*ROWS), pk)
    form = ReasonForm(request.POST)
    try:
        confirm_company(connection=row, actor=request.user, reason=form.data.get("reason", ""))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("office:connection", pk)
    attach_feed(request, row)
    messages.success(request, _("Confirmed: %(company)s.") % {"company": row.company})
    return redirect("admin:clients_client_change", row.client_id)


@require_POST
def use_shared(request: HttpRequest, pk: int, connector_pk: int) -> HttpResponse:
    """The client reads through the bureau's connector: connected and activated at once."""
    client = found(request, "clients.client.connect", Client.objects.select_related("organisation"), pk)
    shared = Connector.objects.filter(organisation=client.organisation_id, client=None)
    connector = get_object_or_404(shared, pk=connector_pk)
    row = connect(client=client, connector=connector, actor=request.user)
    if row.verified_at is None and (consents(row.connector) or _own_form(row) is not None):
        return redirect("office:connection", row.pk)  # something of the client's own is needed first
    if tell(request, activate_connection(connection=row, actor=request.user)):
        attach_feed(request, row)
        return redirect("admin:clients_client_change", pk)
    return redirect("office:connection", row.pk)


def tell(request: HttpRequest, outcome: Activation) -> bool:
    """Say what Activate found; True where the connection works."""
    if not outcome.ok:
        messages.error(request, _("Not activated. What to do stands below."))
        return False
    company = outcome.connection.company if outcome.connection else ""
    messages.success(request, _("Activated: %(company)s.") % {"company": company})
    return True


def attach_feed(request: HttpRequest, row: Connection) -> None:
    """The first connection that gives a ledger feeds the client's books."""
    if Resource.VOUCHERS not in provider(row.connector.provider).resources:
        return
    if Feed.objects.filter(client=row.client).exclude(connection=row).exists():
        messages.warning(request, _("The client's books come from another integration; this one is not read."))
        return
    ensure_feed(connection=row, actor=request.user)
