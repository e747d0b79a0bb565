"""Vouchers, postings, accounts, fiscal years and balances."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.core.admin import BureauAdmin, ReadOnlyInline, ago, amount_cell, badge, day_text
from apps.ledger.admin.versions import VersionInline
from apps.ledger.enums import KeptOut
from apps.ledger.models import Account, Balance, FiscalYear, Posting, Voucher
from apps.ledger.periods import text_of
from apps.records.enums import Counts

OF_CLIENT = ("client__name", "client__number", "client__organisation_number")


class PostingInline(ReadOnlyInline):
    model = Posting
    fields = ("row", "account", "debit", "credit", "vat_code", "dimension_set", "party", "text")
    readonly_fields = fields
    per_page = 200

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("account", "dimension_set")

    @display(description=_("debit"))
    def debit(self, row: Posting) -> str | SafeString:
        return amount_cell(row.amount) if row.amount >= 0 else ""

    @display(description=_("credit"))
    def credit(self, row: Posting) -> str | SafeString:
        return amount_cell(-row.amount) if row.amount < 0 else ""


def voucher_badge(voucher: Voucher) -> SafeString:
    if voucher.deleted_at:
        return badge("grey", _("deleted"), icon="delete")
    if voucher.kept_out:
        return badge("red", _("kept out"), title=voucher.get_kept_out_display())
    if voucher.counts == Counts.POSTED:
        return badge("green", _("posted"), icon="check")
    return badge("grey", voucher.get_counts_display(), icon="edit_note")


@admin.register(Voucher)
class VoucherAdmin(BureauAdmin):
    big_table = True
    list_display = ("name", "client", "day", "state", "kind", "short_text", "seen")
    list_filter = ("counts", "kept_out", ("deleted_at", admin.EmptyFieldListFilter), "kind")
    list_select_related = ("client",)
    search_fields = ("number__exact", "text", *OF_CLIENT)
    date_hierarchy = None
    inlines = (PostingInline, VersionInline)
    fieldsets = (
        (None, {"fields": ("client", "name", "day", "state", "text", "kind", "fiscal_year", "difference_shown", "source")}),
        (_("For support"), {
            "classes": ("collapse",),
            "fields": ("external_id", "version", "first_seen_at", "changed_at", "reverses", "reversed_by", "custom"),
        }),
    )  # fmt: skip
    readonly_fields = ("name", "day", "state", "difference_shown", "source")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The exchange it was read in is told to those who may look at it."""
        (title, shown), *rest = super().get_fieldsets(request, obj)
        user: Any = request.user
        if obj is None or user.may("connectors.exchange.view", obj.client.organisation_id):
            return ((title, shown), *rest)
        return ((title, {**shown, "fields": [name for name in shown["fields"] if name != "source"]}), *rest)

    @display(description=_("voucher"), ordering="number")
    def name(self, row: Voucher) -> str:
        return f"{row.series} {row.number}".strip() or row.external_id

    @display(description=_("date"), ordering="date")
    def day(self, row: Voucher) -> str:
        return day_text(row.date, year=True)

    @display(description=_("state"))
    def state(self, row: Voucher) -> SafeString:
        return voucher_badge(row)

    @display(description=_("text"))
    def short_text(self, row: Voucher) -> str:
        return row.text[:60] or "–"

    @display(description=_("last change seen"), ordering="changed_at")
    def seen(self, row: Voucher) -> str:
        return ago(row.changed_at)

    @display(description=_("off by"))
    def difference_shown(self, row: Voucher) -> str | SafeString:
        return amount_cell(row.difference) if row.kept_out == KeptOut.UNBALANCED else "–"

    @display(description=_("as it came in"))
    def source(self, row: Voucher) -> str | SafeString:
        parts = []
        if row.exchange_id:
            address = reverse("admin:connectors_exchange_change", args=[row.exchange_id])
            parts.append(format_html('<a class="k-link" href="{}">{}</a>', address, _("the exchange it was read in")))
        if row.url.startswith("https://"):
            text = _("open at the source")
            parts.append(format_html('<a class="k-link" rel="noopener noreferrer" href="{}">{}</a>', row.url, text))
        return format_html_join(" · ", "{}", ((part,) for part in parts)) if parts else "–"


@admin.register(Account)
class AccountAdmin(BureauAdmin):
    list_display = ("number", "name", "client", "type", "active")
    list_filter = ("type", "active")
    list_select_related = ("client",)
    search_fields = ("number__startswith", "name", *OF_CLIENT)
    fields = ("client", "number", "name", "type", "type_origin", "vat_code", "active")


@admin.register(FiscalYear)
class FiscalYearAdmin(BureauAdmin):
    list_display = ("client", "start", "end", "closed", "currency", "origin")
    list_filter = ("closed",)
    list_select_related = ("client",)
    search_fields = OF_CLIENT
    fields = list_display


@admin.register(Balance)
class BalanceAdmin(BureauAdmin):
    """The cells themselves; the client's page shows them as a trial balance."""

    big_table = True
    list_display = ("client", "month", "account", "dimension_set", "debit_shown", "credit_shown", "postings")
    list_select_related = ("client", "account", "dimension_set")
    list_display_links = None
    search_fields = ("account__number__startswith", *OF_CLIENT)
    ordering = ("-id",)

    @display(description=_("period"), ordering="period")
    def month(self, row: Balance) -> str:
        return text_of(row.period)

    @display(description=_("debit"))
    def debit_shown(self, row: Balance) -> SafeString:
        return amount_cell(row.debit)

    @display(description=_("credit"))
    def credit_shown(self, row: Balance) -> SafeString:
        return amount_cell(row.credit)
