"""How vouchers were before: the lines that changed, side by side."""

from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.core.admin import ReadOnlyInline, ago, amount_cell, amount_text, badge
from apps.ledger.enums import Move
from apps.ledger.models import VoucherVersion

MOVE_ICONS = {
    Move.DELETED: "delete",
    Move.MOVED: "event",
    Move.BACKDATED: "history",
    Move.CHANGED: "edit",
    Move.META: "notes",
}
Lines = dict[tuple[str, str], Decimal]


def move_badge(version: VoucherVersion) -> SafeString:
    colour = "amber" if version.in_closed else "grey"
    return badge(colour, version.get_move_display(), icon=MOVE_ICONS[Move(version.move)])


def side(snapshot: dict[str, Any], other: dict[str, Any]) -> SafeString | str:
    """A snapshot's date and lines; what the other side has as well is paler."""
    if not snapshot:
        return translate("not there")
    mine, theirs = _lines(snapshot), _lines(other)
    rows = [
        ("k-same" if theirs.get(key) == amount else "k-differs", key[0], amount_text(amount))
        for key, amount in sorted(mine.items())
    ]
    same_day = snapshot.get("date") == other.get("date")
    head = format_html('<span class="{}">{}</span>', "k-same" if same_day else "k-differs", snapshot.get("date", ""))
    body = format_html_join("", '<tr class="{}"><td>{}</td><td class="k-num">{}</td></tr>', rows)
    return format_html('{}<table class="k-lines">{}</table>', head, body)


def _lines(snapshot: dict[str, Any]) -> Lines:
    sums: Lines = {}
    for row in snapshot.get("postings", []):
        key = (str(row["account"]), str(row.get("dimensions", "")))
        sums[key] = sums.get(key, Decimal(0)) + Decimal(row["amount"])
    return sums


class VersionInline(ReadOnlyInline):
    model = VoucherVersion
    fk_name = "voucher"
    fields = ("seen", "what", "before_shown", "after_shown", "effect_shown")
    readonly_fields = fields
    verbose_name_plural = _("earlier versions")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("voucher")

    @display(description=_("seen"))
    def seen(self, row: VoucherVersion) -> str:
        return ago(row.seen_at)

    @display(description=_("what happened"))
    def what(self, row: VoucherVersion) -> SafeString:
        return move_badge(row)

    @display(description=_("before"))
    def before_shown(self, row: VoucherVersion) -> SafeString | str:
        return side(row.before, row.after)

    @display(description=_("after"))
    def after_shown(self, row: VoucherVersion) -> SafeString | str:
        return side(row.after, row.before)

    @display(description=_("effect on result"))
    def effect_shown(self, row: VoucherVersion) -> SafeString:
        return amount_cell(row.effect)
