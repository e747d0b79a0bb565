"""Taking in clients: from the companies that a bureau's key reaches, or from a file; and the clients as a file."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from apps.audit.actions import note
from apps.clients.imports import RefusedError, export_rows
from apps.clients.models import Client
from apps.clients.remedies import Fault, of_table
from apps.connectors.actions import lists_companies
from apps.connectors.models import Connector
from apps.core.requests import number_in
from apps.core.uploads import was_cut
from apps.formats.tables import MOST_BYTES, write_table
from apps.notifications.models import Problem
from apps.office.onboarding import (
    COLUMN_NAMES,
    answer_of,
    bureau,
    choosing,
    columns,
    counts_of,
    done_text,
    look_of,
    report,
    report_rows,
    to_choose,
)
from apps.office.onboarding import progress as progress_of
from apps.office.views.page import allowed, found, page
from apps.onboarding.actions import check_file, list_companies, start, try_again
from apps.onboarding.enums import BUSY, BatchState, LineState
from apps.onboarding.models import Batch, Line
from apps.organisations.models import Organisation

ROWS = ("organisation", "connector__organisation")
HIGHEST_NUMBER = 999_999_999


class FileForm(forms.Form):
    organisation = forms.IntegerField()
    connector = forms.IntegerField(required=False)
    file = forms.FileField(
        max_length=200, allow_empty_file=True, error_messages={"required": gettext_lazy("Choose a file first.")}
    )  # its size is looked at before it is read, and an empty one is told as such


@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    return _overview(request)


def _overview(request: HttpRequest, **context: Any) -> HttpResponse:
    user = allowed(request, "onboarding.batch.view", None)
    mine = [row for row in Organisation.objects.all() if user.may("onboarding.batch.add", row.pk)]
    return page(
        request,
        "office/onboarding.html",
        _("Take in clients"),
        bureaus=[bureau(row) for row in mine],
        several=len(mine) > 1,
        columns=columns(),
        most=_most(),
        **context,
    )


def _most() -> int:
    """MB of a file."""
    return min(MOST_BYTES, int(settings.KONTOR_UPLOAD_BYTES)) // 2**20


def _refused(request: HttpRequest, fault: Fault, file_name: str) -> HttpResponse:
    told = Problem(code=fault.code, title_text=fault.title, step_texts=[fault.step], facts=dict(fault.facts))
    return _overview(request, told=told, file_name=file_name)


@require_POST
def discover(request: HttpRequest, pk: int) -> HttpResponse:
    shared = Connector.objects.filter(client=None).select_related("organisation")
    connector = found(request, "onboarding.batch.add", shared, pk)
    if not lists_companies(connector):
        raise Http404
    return redirect("office:onboarding_batch", list_companies(connector=connector, actor=request.user).pk)


@require_POST
def upload(request: HttpRequest) -> HttpResponse:
    form = FileForm(request.POST, request.FILES)
    if was_cut(request):
        return _refused(request, of_table("too_large", {"most": str(_most())}), "")
    if not form.is_valid():
        messages.error(request, " ".join(str(text) for texts in form.errors.values() for text in texts))
        return redirect("office:onboarding")
    organisation = found(request, "onboarding.batch.add", Organisation.objects.all(), form.cleaned_data["organisation"])
    file = form.cleaned_data["file"]
    try:
        batch = check_file(
            organisation=organisation,
            connector=_connector(organisation, form.cleaned_data["connector"]),
            name=file.name,
            data=file.read(MOST_BYTES + 1),
            actor=request.user,
        )
    except RefusedError as refused:
        return _refused(request, refused.fault, file.name)
    return redirect("office:onboarding_batch", batch.pk)


def _connector(organisation: Organisation, pk: int | None) -> Connector | None:
    if not pk:
        return None
    return get_object_or_404(Connector.objects.filter(organisation=organisation, client=None), pk=pk)


@require_GET
def batch(request: HttpRequest, pk: int) -> HttpResponse:
    row = found(request, "onboarding.batch.view", Batch.objects.select_related(*ROWS), pk)
    rows = to_choose(row) if row.state == BatchState.OPEN else []
    context: dict[str, Any] = {"batch": row, "answer": answer_of(row, counts_of(row), rows), "told": row.told}
    if row.state == BatchState.OPEN:
        context |= {**choosing(row, rows), "column_names": COLUMN_NAMES}
    elif row.state != BatchState.LISTING:
        context["shown"] = shown = report(row, request.GET.get("page"))
        context["lines"] = [(line, look_of(line), done_text(line)) for line in shown]
        context["again"] = row.state == BatchState.STOPPED or bool(
            Line.objects.filter(batch=row, state=LineState.REFUSED, chosen=True).exists()
        )
    return page(
        request, "office/onboarding_batch.html", f"{_('Take in clients')} · {row}", live=row.state in BUSY, **context
    )


@require_POST
def begin(request: HttpRequest, pk: int) -> HttpResponse:
    row = found(request, "onboarding.batch.change", Batch.objects.all(), pk)
    chosen = {number for text in request.POST.getlist("line") if (number := number_in(text)) is not None}
    asked = request.POST.get("first_number", "").strip()
    first = number_in(asked or "0")
    if not chosen:
        messages.error(request, _("Tick at least one company."))
    elif first is None or first > HIGHEST_NUMBER:
        messages.error(request, _("The first client number must be a number."))
    elif not start(batch=row, chosen=chosen, first_number=first, actor=request.user):
        messages.warning(request, _("This was started already."))
    return redirect("office:onboarding_batch", pk)


@require_POST
def again(request: HttpRequest, pk: int) -> HttpResponse:
    row = found(request, "onboarding.batch.change", Batch.objects.all(), pk)
    if row.origin == "discover" and not row.lines.exists() and row.connector is not None:
        return redirect("office:onboarding_batch", list_companies(connector=row.connector, actor=request.user).pk)
    if not try_again(batch=row, actor=request.user):
        messages.warning(request, _("This is under way."))
    return redirect("office:onboarding_batch", pk)


@require_GET
def progress(request: HttpRequest, pk: int) -> JsonResponse:
    row = found(request, "onboarding.batch.view", Batch.objects.all(), pk)
    told = progress_of(row, number_in(request.GET.get("seen", "")) or 0)
    return JsonResponse(told, headers={"Cache-Control": "no-store"})


@require_GET
def report_file(request: HttpRequest, pk: int) -> HttpResponse:
    row = found(request, "onboarding.batch.view", Batch.objects.all(), pk)
    lines = Line.objects.filter(batch=row).select_related("client")
    return _file(f"report-{row.pk}", write_table(report_rows(lines)))


@require_GET
def export(request: HttpRequest, pk: int) -> HttpResponse:
    """The bureau's clients as a file: for a spreadsheet, or with commas for programs."""
    organisation = found(request, "clients.client.export", Organisation.objects.all(), pk)
    form = request.GET.get("form", "spreadsheet")
    if form not in ("spreadsheet", "plain"):
        raise PermissionDenied
    clients = Client.objects.filter(organisation=organisation).select_related("responsible").order_by("number")
    data = write_table(export_rows(clients), spreadsheet=form == "spreadsheet")
    note(
        organisation_id=organisation.pk, actor=request.user, action="clients.exported", subject=organisation,
        details={"clients": len(clients)},
    )  # fmt: skip
    return _file(f"clients-{organisation.slug}-{timezone.localdate():%Y-%m-%d}", data)


def _file(name: str, data: bytes) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "X-Content-Type-Options": "nosniff"}
    return HttpResponse(data, content_type="text/csv; charset=utf-8", headers=headers)
