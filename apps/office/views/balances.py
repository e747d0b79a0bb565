"""Balances of one client: trial balance, balance sheet, profit and loss; and the postings behind a figure."""

from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from apps.clients.models import Client
from apps.core.admin import amount_text
from apps.core.scope import system_scope
from apps.core.tables import csv_answer
from apps.ledger.enums import Weight
from apps.ledger.models import Account, FiscalYear, LedgerState, Posting
from apps.ledger.periods import text_of
from apps.ledger.reports import NoFiscalYearError, UnknownAccountsError
from apps.office.balances import Picked, account_rows, pick, profit_parts, sheet_parts
from apps.office.views.page import found, page

POSTINGS_A_PAGE = 100
TRIAL, SHEET, PROFIT = "trial", "sheet", "profit"


@require_GET
def balances(request: HttpRequest, pk: int) -> HttpResponse:
    client = found(request, "ledger.balance.view", Client.objects.select_related("organisation"), pk)
    years = list(FiscalYear.objects.filter(client=client).order_by("start"))
    picked = pick(client, years, request.GET)
    asked = request.GET.get("show", TRIAL)
    show = asked if asked in (TRIAL, SHEET, PROFIT) else TRIAL
    context: dict[str, Any] = {"client": client, "years": years, "picked": picked, "show": show}
    if picked is not None:
        with system_scope("what the years before carry into the chosen one"):
            if show == TRIAL and request.GET.get("as") == "csv":
                return _csv(client, picked)
            context |= _report(client, picked, show)
        context["query"] = urlencode({"year": picked.year.pk, "first": picked.first, "last": picked.last})
        context["recalculated_at"] = (
            LedgerState.objects.filter(client=client).values_list("recalculated_at", flat=True).first()
        )
    tabs = [(TRIAL, _("Trial balance")), (SHEET, _("Balance sheet")), (PROFIT, _("Profit and loss"))]
    return page(request, "office/balances.html", f"{client} · {_('Balances')}", tabs=tabs, **context)


def _csv(client: Client, picked: Picked) -> HttpResponse:
    rows, _total = account_rows(client, picked)
    heads = [_("Account"), _("Name"), _("Opening"), _("Debit"), _("Credit"), _("Closing")]
    name = f"{client.number}-{text_of(picked.first)}-{text_of(picked.last)}"
    cells = ((row.number, row.name, row.opening, row.debit, row.credit, row.closing) for row in rows)
    return csv_answer(name, heads, cells)


def _report(client: Client, picked: Picked, show: str) -> dict[str, Any]:
    try:
        if show == SHEET:
            parts, rest, owed = sheet_parts(client, picked)
            return {"parts": parts, "rest": rest, "owed": owed}
        if show == PROFIT:
            parts, result = profit_parts(client, picked.year)
            return {"parts": parts, "result": result}
    except UnknownAccountsError as error:
        return {"unknown": error.accounts}
    except NoFiscalYearError:
        return {"parts": []}
    rows, total = account_rows(client, picked)
    return {"rows": rows, "total": total}


@require_GET
def postings(request: HttpRequest, pk: int, number: str) -> HttpResponse:
    """What a figure is the sum of, each line with its voucher and the exchange it came in with."""
    client = found(request, "ledger.balance.view", Client.objects.select_related("organisation"), pk)
    account = get_object_or_404(Account, client=client, number=number)
    years = list(FiscalYear.objects.filter(client=client).order_by("start"))
    picked = pick(client, years, request.GET)
    rows = Posting.objects.filter(client=client, account=account, weight=Weight.POSTED)
    if picked is not None:
        chosen = [period for period, _text in picked.choices]
        wanted = chosen[chosen.index(picked.first) : chosen.index(picked.last) + 1]
        rows = rows.filter(fiscal_year=picked.year, period__in=wanted)
    rows = rows.select_related("voucher").order_by("date", "pk")
    shown = Paginator(rows, POSTINGS_A_PAGE).get_page(request.GET.get("page"))
    lines = [
        {
            "posting": row,
            "debit": amount_text(row.amount) if row.amount >= 0 else "",
            "credit": amount_text(-row.amount) if row.amount < 0 else "",
        }
        for row in shown
    ]
    return page(
        request,
        "office/postings.html",
        f"{account} · {client}",
        client=client,
        account=account,
        picked=picked,
        lines=lines,
        shown=shown,
        query=urlencode({"year": picked.year.pk, "first": picked.first, "last": picked.last}) if picked else "",
    )
