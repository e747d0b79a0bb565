"""Findings and proofs."""

from typing import Any

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.core.admin import BureauAdmin, ago, amount_cell, badge
from apps.ledger.admin.books import OF_CLIENT
from apps.ledger.enums import Grade
from apps.ledger.models import Finding, LedgerFile, Proof
from apps.ledger.periods import text_of

GRADE_COLOURS = {
    Grade.CONTROL_TOTALS: "green",
    Grade.FILE_TOTALS: "green",
    Grade.NOT_PROVABLE: "outline",
    Grade.NOT_COMPLETE: "red",
}


def grade_badge(proof: Proof) -> SafeString:
    return badge(GRADE_COLOURS[Grade(proof.grade)], proof.get_grade_display())


def facts_text(facts: dict[str, Any]) -> str:
    return ", ".join(str(value) for value in facts.values() if value not in ("", None))


@admin.register(Finding)
class FindingAdmin(BureauAdmin):
    list_display = ("what", "client", "month", "amount_shown", "facts_shown", "since", "state")
    list_filter = (("resolved_at", admin.EmptyFieldListFilter), "kind")
    list_select_related = ("client",)
    search_fields = ("key", *OF_CLIENT)
    fields = ("client", "kind", "month", "amount_shown", "facts_shown", "first_at", "resolved_at")
    readonly_fields = ("month", "amount_shown", "facts_shown")

    @display(description=_("finding"), ordering="kind")
    def what(self, row: Finding) -> str:
        return row.get_kind_display()

    @display(description=_("period"), ordering="period")
    def month(self, row: Finding) -> str:
        return text_of(row.period) if row.period else "–"

    @display(description=_("amount"), ordering="amount")
    def amount_shown(self, row: Finding) -> SafeString:
        return amount_cell(row.amount)

    @display(description=_("details"))
    def facts_shown(self, row: Finding) -> str:
        return facts_text(row.facts) or row.key

    @display(description=_("since"), ordering="first_at")
    def since(self, row: Finding) -> str:
        return ago(row.first_at)

    @display(description=_("state"), ordering="resolved_at")
    def state(self, row: Finding) -> SafeString:
        return (
            badge("grey", _("no longer so"), icon="check") if row.resolved_at else badge("amber", _("so"), icon="info")
        )


@admin.register(Proof)
class ProofAdmin(BureauAdmin):
    """Evidence of each comparison, kept as long as the books."""

    list_display = (
        "when",
        "client",
        "grade_shown",
        "source_label",
        "difference",
        "accounts",
        "last_entry",
        "closed_to",
    )
    list_filter = ("grade",)
    list_select_related = ("client",)
    search_fields = OF_CLIENT
    fields = (
        "client", "at", "grade_shown", "source_label", "difference", "accounts", "last_entry", "closed_to",
        "differences_shown", "missing",
    )  # fmt: skip
    readonly_fields = ("grade_shown", "difference", "differences_shown")

    @display(description=_("at"), ordering="id")
    def when(self, row: Proof) -> str:
        return ago(row.at)

    @display(description=_("grade"), ordering="grade")
    def grade_shown(self, row: Proof) -> SafeString:
        return grade_badge(row)

    @display(description=_("control difference"))
    def difference(self, row: Proof) -> SafeString:
        return amount_cell(row.control_difference)

    @display(description=_("differences"))
    def differences_shown(self, row: Proof) -> str | SafeString:
        if not row.differences:
            return "–"
        lines = "\n".join(
            f"{one['account']} {one['name']} · {one['period']} · {one['part']}: {one['ours']} / {one['theirs']}"
            for one in row.differences
        )
        return format_html('<pre class="k-payload">{}</pre>', lines)


@admin.register(LedgerFile)
class LedgerFileAdmin(BureauAdmin):
    list_display = ("name", "client", "when")
    list_select_related = ("client",)
    search_fields = ("name", *OF_CLIENT)
    fields = ("client", "name", "taken_at", "outcome")

    @display(description=_("taken in"), ordering="taken_at")
    def when(self, row: LedgerFile) -> str:
        return ago(row.taken_at)
