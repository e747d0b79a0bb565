"""A ledger file sent through the client's page."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from apps.clients.models import Client
from apps.core.admin import number_text
from apps.core.uploads import TOO_LARGE, was_cut
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
    most = f"{settings.KONTOR_PAGE_UPLOAD_BYTES / 2**20:.3g}"
    faults: list[str] = []
    if request.method == "POST" and was_cut(request):
        faults = [_too_large(client, most)]
    elif request.method == "POST" and form.is_valid():
        sent = form.cleaned_data["file"]
        try:
            outcome = import_ledger_file(
                client=client, name=sent.name, data=sent.read(), actor=request.user,
                replace=form.cleaned_data["replace"], largest=settings.KONTOR_PAGE_UPLOAD_BYTES,
            )  # fmt: skip
        except SieError as error:
            faults = [str(problem) for problem in error.problems[:MOST_SHOWN]]
        except FileRefusedError as error:
            faults = [_too_large(client, most) if error.code == TOO_LARGE else str(error)]
        else:
            _tell(request, outcome)
            return redirect("admin:clients_client_change", client.pk)
    return page(
        request, "office/file_add.html", _("Import a ledger file"), client=client, form=form, faults=faults, most=most
    )


def _too_large(client: Client, most: str) -> str:
    """Larger ones take longer than a page may: whoever runs Kontor has the command."""
    text = _(
        "The file is larger than the %(most)s MB that this page takes in. Export one fiscal year at a time, or have it"
        " taken in where Kontor runs: manage.py ledger import --client %(client)s FILE"
    )
    return text % {"most": most, "client": f"{client.organisation.slug}/{client.number}"}


def _tell(request: HttpRequest, outcome: Outcome) -> None:
    counts = (
        ngettext("%(count)s voucher", "%(count)s vouchers", outcome.vouchers) % _count(outcome.vouchers),
        ngettext("%(count)s posting", "%(count)s postings", outcome.postings) % _count(outcome.postings),
        ngettext("%(count)s account", "%(count)s accounts", outcome.accounts) % _count(outcome.accounts),
    )
    told = _("Taken in: %(counts)s. %(grade)s.") % {"counts": ", ".join(counts), "grade": outcome.grade.label}
    messages.success(request, told)
    for warning in outcome.warnings[:MOST_SHOWN]:
        messages.warning(request, warning)


def _count(number: int) -> dict[str, str]:
    return {"count": number_text(number)}
