"""Connections and exchanges to read. Connectors have pages of their own in office: their form is the provider's."""

import json
from contextlib import suppress
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.connectors.enums import ConnectionState
from apps.connectors.exchanges import body_of
from apps.connectors.models import Connection, Exchange
from apps.connectors.registry import label_of
from apps.core.admin import BureauAdmin, ago, badge, number_text
from apps.core.requests import number_in

STATE_COLOURS = {
    ConnectionState.NEW: "grey",
    ConnectionState.ACTIVE: "green",
    ConnectionState.BLOCKED: "red",
    ConnectionState.PAUSED: "red",
}
LONGEST_SHOWN = 200_000  # characters of an answer on one page


def connection_badge(connection: Connection) -> SafeString:
    colour = STATE_COLOURS[ConnectionState(connection.state)]
    return badge(colour, connection.get_state_display(), icon="link" if colour == "green" else "")


@admin.register(Connection)
class ConnectionAdmin(BureauAdmin):
    list_display = ("client", "system", "state_shown", "company_shown", "verified")
    list_filter = ("state", "connector__provider")
    list_select_related = ("client", "connector")
    search_fields = ("client__name", "client__number", "client__organisation_number", "organisation_number")
    fields = (
        "client",
        "connector",
        "state_shown",
        "company_shown",
        "organisation_number",
        "company_key",
        "verified_at",
    )
    readonly_fields = ("state_shown", "company_shown")

    @display(description=_("system"), ordering="connector__provider")
    def system(self, connection: Connection) -> str:
        return label_of(connection.connector.provider)

    @display(description=_("state"), ordering="state")
    def state_shown(self, connection: Connection) -> SafeString:
        return connection_badge(connection)

    @display(description=_("company as verified"))
    def company_shown(self, connection: Connection) -> str:
        return connection.company or "–"

    @display(description=_("verified"), ordering="verified_at")
    def verified(self, connection: Connection) -> str:
        return ago(connection.verified_at)


@admin.register(Exchange)
class ExchangeAdmin(BureauAdmin):
    """What went out and came back, as it was kept: secrets were masked before."""

    big_table = True
    list_display = ("when", "method", "address", "answer_state", "took", "length", "connection")
    list_filter = ("method", "status", "connection__connector__provider")
    list_select_related = ("connection__client", "connection__connector")
    search_fields = ("place",)
    fields = (
        "at",
        "connection",
        "run_link",
        "method",
        "url",
        "answer_state",
        "seconds",
        "size",
        "sent",
        "error",
        "answer",
    )
    readonly_fields = ("run_link", "answer_state", "sent", "answer")

    def get_queryset(self, request: HttpRequest) -> Any:
        found = super().get_queryset(request).defer("url", "request", "error")  # a list decrypts nothing
        run = number_in(request.GET.get("run_id", ""))
        return found if run is None else found.filter(run_id=run)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup == "run_id" or super().lookup_allowed(lookup, value, request)

    @display(description=_("at"), ordering="id")
    def when(self, row: Exchange) -> str:
        return ago(row.at)

    @display(description=_("address"))
    def address(self, row: Exchange) -> SafeString:
        return format_html('<span class="k-code">{}</span>', row.place[:140])

    @display(description=_("status"), ordering="status")
    def answer_state(self, row: Exchange) -> SafeString:
        if row.status is None:
            return badge("red", _("no answer"))
        return badge("green" if row.status < 400 else "red", row.status, icon="check" if row.status < 400 else "")

    @display(description=_("seconds"), ordering="seconds")
    def took(self, row: Exchange) -> str:
        return f"{row.seconds:.2f}"

    @display(description=_("bytes"), ordering="size")
    def length(self, row: Exchange) -> str:
        return number_text(row.size)

    @display(description=_("run"))
    def run_link(self, row: Exchange) -> str | SafeString:
        if row.run_id is None:
            return "–"
        return format_html('<a class="k-link" href="../../../../sync/run/{}/change/">{}</a>', row.run_id, row.run_id)

    @display(description=_("sent"))
    def sent(self, row: Exchange) -> SafeString:
        return format_html('<pre class="k-payload">{}</pre>', row.request or "–")

    @display(description=_("answer"))
    def answer(self, row: Exchange) -> SafeString:
        body = body_of(row)
        if body is None:
            return format_html("<p>{}</p>", _("The answer is not kept, or no longer."))
        return format_html('<pre class="k-payload">{}</pre>', readable(body))


def readable(body: bytes) -> str:
    """A kept body as text; JSON indented."""
    text = body.decode("utf-8", "replace")
    if text[:1] in ("{", "["):
        with suppress(ValueError):
            text = json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}\n…"
