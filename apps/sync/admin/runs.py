from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.connectors.models import Exchange
from apps.core.admin import BureauAdmin, ago, amount_text, badge, number_text, seconds_text
from apps.core.requests import number_in
from apps.ledger.models import Proof, VoucherVersion
from apps.notifications.queries import of_client
from apps.sync.enums import RunState, Stage
from apps.sync.models import Run
from apps.sync.state import PARTS, missing_lines
from apps.sync.status import progress_text

COLOURS = {
    RunState.QUEUED: "blue",
    RunState.RUNNING: "blue",
    RunState.SUCCEEDED: "green",
    RunState.PARTIAL: "amber",
    RunState.FAILED: "red",
    RunState.BLOCKED: "red",
}
COUNTS = {
    "new": _("new"),
    "changed": _("changed"),
    "moved": _("moved to another date"),
    "backdated": _("back-dated"),
    "deleted": _("deleted"),
    "meta": _("text or reference only"),
    "unchanged": _("unchanged"),
    "kept_out": _("kept out"),
    "postings": _("postings written"),
    "cells": _("balances recalculated"),
}
SHOWN = 100  # rows of exchanges and moves on the page of a run


class RunningFilter(admin.SimpleListFilter):
    title = _("question")
    parameter_name = "ask"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:  # noqa: ARG002 - Django's signature
        return (("live", _("running now")), ("bad", _("did not end well")), ("moved", _("the books moved")))

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ARG002 - Django's signature
        if self.value() == "live":
            return queryset.filter(state__in=(RunState.QUEUED, RunState.RUNNING))
        if self.value() == "bad":
            return queryset.filter(state__in=(RunState.PARTIAL, RunState.FAILED, RunState.BLOCKED))
        if self.value() == "moved":
            moved = VoucherVersion.objects.filter(run_id__isnull=False).values("run_id")
            return queryset.filter(pk__in=moved)
        return queryset


def run_badge(run: Run, *, grade: int | None = None) -> SafeString:
    """Green only with grade 1 or 2; a run whose grade is not known here shows the plain end of its state."""
    state = RunState(run.state)
    if state == RunState.SUCCEEDED and grade == 3:
        return badge("outline", _("complete, not provable"))
    return badge(COLOURS[state], run.get_state_display())


@admin.register(Run)
class RunAdmin(BureauAdmin):
    change_form_template = "office/run.html"
    list_display = ("client", "state_shown", "why", "step", "progress", "brought", "took", "requests", "since")
    list_filter = (RunningFilter, "state", "kind", "lane")
    list_select_related = ("client",)
    search_fields = ("client__name", "client__number", "client__organisation_number")
    fieldsets = (
        (_("For support"), {
            "classes": ("collapse",),
            "fields": ("id", "lane", "worker", "attempts", "slices", "remedy", "resume", "detail"),
        }),
    )  # fmt: skip

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        extra = {**(extra_context or {}), **run_page(object_id, request.user)}
        return super().change_view(request, object_id, form_url, extra)

    @display(description=_("state"), ordering="state")
    def state_shown(self, run: Run) -> SafeString:
        return run_badge(run)

    @display(description=_("why"), ordering="kind")
    def why(self, run: Run) -> str:
        return run.get_kind_display()

    @display(description=_("step"), ordering="stage")
    def step(self, run: Run) -> str:
        return "–" if run.stage == Stage.DONE else run.get_stage_display()

    @display(description=_("progress"))
    def progress(self, run: Run) -> str:
        if run.state in (RunState.QUEUED, RunState.RUNNING):
            return progress_text(run)
        return number_text(run.done) if run.done else "–"

    @display(description=_("what it brought"))
    def brought(self, run: Run) -> str:
        words = [f"{number_text(n)} {COUNTS[name]}" for name, n in run.counts.items() if n and name in _NEWS]
        return ", ".join(words) or "–"

    @display(description=_("took"))
    def took(self, run: Run) -> str:
        if not run.started_at or not run.finished_at:
            return "–"
        return seconds_text((run.finished_at - run.started_at).total_seconds())

    @display(description=_("started"), ordering="id")
    def since(self, run: Run) -> str:
        return ago(run.created_at)


_NEWS = ("new", "changed", "moved", "backdated", "deleted", "kept_out")


def run_page(object_id: str, user: Any) -> dict[str, Any]:
    """What the page of a run shows besides the run itself; nothing where it is not in scope."""
    run = Run.objects.filter(pk=number_in(object_id) or 0).select_related("client").first()
    if run is None:
        return {}
    proof = Proof.objects.filter(run_id=run.pk).first()
    moved = VoucherVersion.objects.filter(client=run.client_id, run_id=run.pk).exclude(move="meta")
    versions = moved.select_related("voucher")
    sees = user.may("connectors.exchange.view", run.client.organisation_id)
    made = Exchange.objects.filter(run_id=run.pk) if sees else Exchange.objects.none()
    exchanges = list(made.defer("url", "request", "error").order_by("pk")[: SHOWN + 1])
    ended = run.finished_at or run.started_at
    return {
        "run": run,
        "run_badge": run_badge(run, grade=proof.grade if proof else None),
        "run_sentence": _sentence(run),
        "run_counts": [(COUNTS.get(name, name), number_text(n)) for name, n in run.counts.items() if n],
        "run_took": seconds_text((ended - run.started_at).total_seconds()) if ended and run.started_at else "–",
        "proof": proof,
        "proof_lines": missing_lines(proof) if proof else [],
        "proof_differences": differences_of(proof),
        "versions": list(versions[:SHOWN]),
        "exchanges": exchanges[:SHOWN],
        "more_exchanges": len(exchanges) > SHOWN,
        "problems": of_client(run.client) if run.remedy else [],
    }


def _sentence(run: Run) -> str | SafeString:
    if run.state in (RunState.QUEUED, RunState.RUNNING):
        return progress_text(run)
    return format_html("{}", run.get_state_display())


def differences_of(proof: Proof | None) -> list[dict[str, Any]]:
    """The differing accounts with their amounts in the reader's form."""
    rows = proof.differences if proof else []
    return [
        {
            **row,
            "part": PARTS.get(row["part"], row["part"]),
            **{name: amount_text(Decimal(row[name])) for name in ("ours", "theirs", "difference")},
        }
        for row in rows
    ]
