"""The organisation number as a key to books: what a change will do, the change, and the release of what was read."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.clients.models import Client
from apps.connectors.actions import release_books
from apps.connectors.admin import connection_badge
from apps.connectors.models import Connection
from apps.connectors.registry import label_of
from apps.office.forms import NumberForm
from apps.office.views.page import found, page
from apps.sync.actions import change_number

ROWS = "organisation"


@require_http_methods(["GET", "POST"])
def number(request: HttpRequest, pk: int) -> HttpResponse:
    client = found(request, "clients.client.number", Client.objects.select_related(ROWS), pk)
    form = NumberForm(request.POST or None, initial={"number": client.organisation_number})
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            changed = change_number(client=client, number=values["number"], actor=request.user, reason=values["reason"])
        except ValidationError as error:
            form.add_error("number", error.messages)
            client.refresh_from_db()
        else:
            if changed:
                messages.success(request, _("The organisation number is changed."))
            return redirect("admin:clients_client_change", pk)
    connections = Connection.objects.filter(client=client).select_related("connector", "client")
    rows = [(row, label_of(row.connector.provider), connection_badge(row)) for row in connections]
    title = f"{client} · {_('Organisation number')}"
    return page(request, "office/number.html", title, client=client, form=form, rows=rows)


@require_POST
def release(request: HttpRequest, pk: int) -> HttpResponse:
    client = found(request, "clients.client.open_books", Client.objects.select_related(ROWS), pk)
    try:
        release_books(client=client, actor=request.user, reason=request.POST.get("reason", "")[:300])
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("office:number", pk)
    messages.success(request, _("The books are shown again, and are read from the next night on."))
    return redirect("admin:clients_client_change", pk)
