"""A ledger file sent through the client's page."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from apps.clients.models import Client
from apps.core.admin import number_text
from apps.core.uploads import was_cut
from apps.formats.sie import SieError
from apps.ledger.files import FileRefusedError, Outcome
from apps.office.forms import LedgerFileForm
from apps.office.views.page import found, page
from apps.sync.imports import import_ledger_file

MOST_SHOWN = 10


@require_http_methods(["GET", "POST"])
def add(request: HttpRequest, pk: int) -> HttpResponse:
    client = found(request, "ledger.ledgerfile.upload", Client.objects.select_related("organisation"), pk)
    form = LedgerFileForm(request.POST or None, request.FILES or None)
    most = settings.KONTOR_UPLOAD_BYTES // 2**20
    faults: list[str] = []
    if request.method == "POST" and was_cut(request):
        faults = [_("The file is larger than %(most)s MB. Export one fiscal year at a time.") % {"most": most}]
    elif request.method == "POST" and form.is_valid():
        sent = form.cleaned_data["file"]
        try:
            outcome = import_ledger_file(
                client=client, name=sent.name, data=sent.read(), actor=request.user,
                replace=form.cleaned_data["replace"], largest=settings.KONTOR_UPLOAD_BYTES,
            )  # fmt: skip
        except SieError as error:
            faults = [str(problem) for problem in error.problems[:MOST_SHOWN]]
        except FileRefusedError as error:
            faults = [str(error)]
        else:
            _tell(request, outcome)
            return redirect("admin:clients_client_change", client.pk)
    return page(
        request, "office/file_add.html", _("Import a ledger file"), client=client, form=form, faults=faults, most=most
    )


def _tell(request: HttpRequest, outcome: Outcome) -> None:
    told = _("Taken in: %(vouchers)s vouchers with %(postings)s postings, %(accounts)s accounts. %(grade)s.")
    facts = {
        "vouchers": number_text(outcome.vouchers),
        "postings": number_text(outcome.postings),
        "accounts": number_text(outcome.accounts),
        "grade": outcome.grade.label,
    }
    messages.success(request, told % facts)
    for warning in outcome.warnings[:MOST_SHOWN]:
        messages.warning(request, warning)
