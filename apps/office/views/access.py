"""Who sees a client: its responsible accountant, substitutes, named people and auditors; and restricted clients."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.clients.access import assign, set_responsible, unassign
from apps.clients.models import Assignment, AssignmentKind, Client
from apps.clients.reach import SEE_ALL
from apps.core.requests import number_in
from apps.core.scope import system_scope
from apps.notifications.machines import Machine, machines_naming
from apps.notifications.machines import restrict as restrict_client
from apps.office.forms import AssignmentForm
from apps.office.pages import seen_by
from apps.office.views.page import allowed, found, page
from apps.organisations.enums import Role
from apps.organisations.models import Membership, User

RIGHT = "clients.client.assign"
ROWS = ("organisation", "responsible")


@require_GET
def access(request: HttpRequest, pk: int) -> HttpResponse:
    client = found(request, RIGHT, Client.objects.select_related(*ROWS), pk)
    people = Membership.objects.filter(organisation=client.organisation_id).select_related("user").order_by("user")
    named = Assignment.objects.filter(client=client).select_related("membership__user")
    everybody = [] if client.restricted else [one for one in people if one.role in SEE_ALL]
    return page(
        request,
        "office/access.html",
        f"{client} · {_('Access')}",
        client=client,
        named=named,
        everybody=everybody,
        machines="" if client.restricted else _names(machines_naming(client)),
        staff=[one for one in people if one.role != Role.AUDITOR],
        auditors=[one for one in people if one.role == Role.AUDITOR],
        kinds=[kind for kind in AssignmentKind if kind != AssignmentKind.AUDIT],
    )


@require_POST
def name_person(request: HttpRequest, pk: int) -> HttpResponse:
    client = found(request, RIGHT, Client.objects.select_related(*ROWS), pk)
    form = AssignmentForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(str(text) for texts in form.errors.values() for text in texts))
        return redirect("office:access", pk)
    values = form.cleaned_data
    person = _member(client.organisation_id, values["membership"])
    years = (values["first_year"], values["last_year"]) if values["first_year"] and values["last_year"] else None
    _told(
        request,
        lambda: assign(
            client=client, membership=person, kind=values["kind"], actor=request.user, years=years,
            ends_on=values["ends_on"],
        ),
    )  # fmt: skip
    return redirect("office:access", pk)


@require_POST
def end(request: HttpRequest, pk: int) -> HttpResponse:
    row = found(request, RIGHT, Assignment.objects.select_related("client__organisation", "membership__user"), pk)
    client = row.client_id
    unassign(assignment=row, actor=request.user)
    if Client.objects.filter(pk=client).exists():
        return redirect("office:access", client)
    return redirect("admin:index")


@require_POST
def responsible(request: HttpRequest, pk: int) -> HttpResponse:
    client = found(request, RIGHT, Client.objects.select_related(*ROWS), pk)
    asked = request.POST.get("membership", "")
    user = _member(client.organisation_id, number_in(asked)).user if asked else None
    _told(request, lambda: set_responsible(client=client, user=user, actor=request.user))
    return redirect("office:access", pk)


@require_POST
def restrict(request: HttpRequest, pk: int) -> HttpResponse:
    client = found(request, RIGHT, Client.objects.select_related(*ROWS), pk)
    user = allowed(request, RIGHT, client.organisation_id)
    dropped = restrict_client(client=client, restricted=request.POST.get("restricted") == "1", actor=user)
    if dropped:
        told = _("Taken off: %(machines)s. People named for the client can add it again.")
        messages.warning(request, told % {"machines": _names(dropped)})
    return redirect("office:access", pk)


@require_GET
def restricted(request: HttpRequest) -> HttpResponse:
    """Owners find restricted clients by their number, with who is named: nothing else of them is shown."""
    user = allowed(request, "clients.client.find_restricted", None)
    with _beyond(user):
        rows = list(_restricted(user))
    mine = set(Client.objects.filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True))
    shown = [(row, _people(row), row.pk in mine) for row in rows]
    return page(request, "office/restricted.html", _("Restricted clients"), rows=shown)


@require_POST
def find_restricted(request: HttpRequest, pk: int) -> HttpResponse:
    """An owner names himself: so that a client whose people have left can be given to others. It stays in the log."""
    user = allowed(request, "clients.client.find_restricted", None)
    with _beyond(user):
        client = get_object_or_404(_restricted(user), pk=pk)
        own = get_object_or_404(Membership.objects.filter(user=user), organisation=client.organisation_id)
        assign(client=client, membership=own, kind=AssignmentKind.NAMED, actor=user)
    return redirect("office:access", pk)


def _beyond(_user: User) -> Any:
    return system_scope("an owner looks for restricted clients of the own bureaus")


def _restricted(user: User) -> Any:
    rows = Client.objects.filter(restricted=True).select_related("organisation", "responsible").order_by("number")
    return seen_by(user, "clients.client.find_restricted", rows, "organisation")


def _people(client: Client) -> list[str]:
    with system_scope("who is named for a restricted client"):
        rows = Assignment.objects.filter(client=client).select_related("membership__user")
        named = [f"{row.membership.user} ({row.get_kind_display()})" for row in rows]
    return [*([f"{client.responsible} ({_('responsible')})"] if client.responsible else []), *named]


def _names(machines: list[Machine]) -> str:
    return ", ".join(f"{machine._meta.verbose_name} “{machine}”" for machine in machines)


def _member(organisation_id: int, pk: int | None) -> Membership:
    rows = Membership.objects.filter(organisation=organisation_id).select_related("user")
    person: Membership = get_object_or_404(rows, pk=pk)
    return person


def _told(request: HttpRequest, action: Any) -> None:
    try:
        action()
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, _("Saved. It holds from the next page on."))
