"""What the client's page and home show; read here, so that templates and admin classes hold no queries."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.clients.models import Client
from apps.connectors.models import Connection
from apps.connectors.queries import connections_using_number, consents
from apps.connectors.registry import label_of
from apps.core.admin import time_text
from apps.core.requests import number_in
from apps.flows.models import Feed
from apps.ledger.admin.versions import move_badge
from apps.ledger.enums import Move
from apps.ledger.models import Finding, LedgerState, Source, VoucherVersion
from apps.notifications.queries import of_client, shown_to, waiting_problems
from apps.office.problems import problem_card
from apps.sync.admin.runs import differences_of, run_badge
from apps.sync.enums import LIVE, RunKind, RunState
from apps.sync.models import Run
from apps.sync.state import missing_lines
from apps.sync.status import Status, progress_text, status_of, with_status

RUNS_SHOWN, MOVES_SHOWN, FINDINGS_SHOWN, PROBLEMS_SHOWN = 8, 30, 20, 30
LAST_NIGHT = timedelta(hours=24)


def client_page(object_id: str, user: Any) -> dict[str, Any]:
    """Nothing where the client is not in scope: Django's own view answers for that."""
    found = with_status(Client.objects.filter(pk=number_in(object_id) or 0)).first()
    if found is None:
        return {}
    status = status_of(found)
    here = found.organisation_id
    if not user.may("sync.run.view", here):  # an auditor: the state in words, and the books of the named years
        return {"status": status, "client": found, "brief": True}
    problems = list(of_client(found).select_related("client"))
    told = {problem.code for problem in problems}
    runs = list(Run.objects.filter(client=found).order_by("-pk")[:RUNS_SHOWN])
    return {
        "status": status,
        "client": found,
        "may_work": user.may("clients.client.synchronize", here),
        "may_manage": user.may("clients.client.assign", here),
        "window_days": settings.KONTOR_WINDOW_DAYS,
        "integrations": integrations(found),
        "cards": [problem_card(problem, user) for problem in problems],
        "findings": list(Finding.objects.filter(client=found, resolved_at=None)[:FINDINGS_SHOWN]),
        "differences": differences_of(status.proof),
        "missing": missing_lines(status.proof, told=told) if status.proof else [],
        "runs": [(run, run_badge(run)) for run in runs],
        "recalculated_at": LedgerState.objects.filter(client=found).values_list("recalculated_at", flat=True).first(),
        "this_year": timezone.localdate().replace(month=1, day=1),
        **moves_of(runs),
    }


def number_is_key(client: Client) -> bool:
    """Whether something was read for the client: a change of its organisation number then has consequences."""
    used = client.hidden_at is not None or connections_using_number(client)
    return bool(used or Source.objects.filter(client=client).exists())


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    connection: Connection
    system: str
    shared: bool
    consents: bool
    feed: Feed | None
    last: Run | None


def integrations(client: Client) -> list[Integration]:
    connections = list(Connection.objects.filter(client=client).select_related("connector", "client"))
    feeds = {feed.connection_id: feed for feed in Feed.objects.filter(client=client)}
    ended = Run.objects.filter(client=client, feed__isnull=False).exclude(state__in=LIVE)
    last: dict[int | None, Run] = {}
    for run in ended.order_by("-pk")[:20]:
        last.setdefault(run.feed_id, run)
    return [
        Integration(
            connection=connection,
            system=label_of(connection.connector.provider),
            shared=connection.connector.client_id is None,
            consents=consents(connection.connector),
            feed=feeds.get(connection.pk),
            last=last.get(feeds[connection.pk].pk) if connection.pk in feeds else None,
        )
        for connection in connections
    ]


def moves_of(runs: list[Run]) -> dict[str, Any]:
    """“The books moved”: what the latest reading found changed, with the effect of all of it on the result."""
    read = (RunState.SUCCEEDED, RunState.PARTIAL)
    reading = next((run for run in runs if run.kind != RunKind.RECALCULATION and run.state in read), None)
    if reading is None:
        return {"moved_run": None, "moves": [], "moves_more": 0}
    found = VoucherVersion.objects.filter(client=reading.client_id, run_id=reading.pk).exclude(move=Move.META)
    # a renumbering at the source moves every voucher there is: each row holds the whole of it, twice
    told = found.aggregate(all=Count("pk"), closed=Count("pk", filter=Q(in_closed=True)), effect=Sum("effect"))
    rows = found.select_related("voucher").order_by("-in_closed", "pk")[:MOVES_SHOWN]
    return {
        "moved_run": reading,
        "moves": [(row, move_badge(row)) for row in rows],
        "moves_count": told["all"],
        "moves_more": max(0, told["all"] - MOVES_SHOWN),
        "moves_closed": told["closed"],
        "moves_effect": told["effect"],
    }


def progress(client: Client, user: Any) -> dict[str, Any]:
    """What the page asks for every two seconds; of runs and problems only what the person may see."""
    found = with_status(Client.objects.filter(pk=client.pk)).get()
    status = status_of(found)
    live = status.live
    percent = None
    if live and live.expected and live.done:
        percent = min(99, round(live.done * 100 / live.expected))
    told: dict[str, Any] = {
        "state": {"colour": status.state.colour, "word": status.state.word, "sentence": status.state.sentence}
    }
    if user.may("sync.run.view", client.organisation_id):
        told |= {"live": live is not None, "text": progress_text(live) if live else "", "percent": percent}
    if user.may("notifications.problem.view", client.organisation_id):
        told["problems"] = status.open_problems
    return told


# -- Home -------------------------------------------------------------------------------------------------------------


def home(user: Any) -> dict[str, Any]:
    """Five questions to the database, however many clients there are."""
    statuses = [status_of(client) for client in with_status(Client.objects.order_by("name"))]
    waiting = seen_by(user, "notifications.problem.view", shown_to(user, waiting_problems()), "organisation")
    problems = list(waiting.select_related("client").order_by("-first_at")[: PROBLEMS_SHOWN + 1])
    since = timezone.now() - LAST_NIGHT
    nightly = Run.objects.filter(created_at__gte=since, kind=RunKind.NIGHTLY).select_related("client")
    runs = _latest(seen_by(user, "sync.run.view", nightly, "client__organisation"))
    live = [status for status in statuses if status.live]
    cards = [problem_card(problem, user) for problem in problems[:PROBLEMS_SHOWN]]
    return {
        "sentence": home_sentence(statuses, of_the_bureau=sum(not card.clients for card in cards)),
        "groups": by_state(statuses),
        "has_clients": bool(statuses),
        "cards": cards,
        "more_problems": len(problems) > PROBLEMS_SHOWN,
        "silent": [status for status in statuses if needs_hand(status) and not status.open_problems],
        "muted": sum(bool(status.client.muted_problems) for status in statuses),  # type: ignore[attr-defined]
        "night": night_text(runs),
        "night_bad": [(run, run_badge(run)) for run in runs if run.state not in (*LIVE, RunState.SUCCEEDED)],
        "live": [(status, progress_text(status.live)) for status in live if status.live],
        "may_manage": user.may("clients.client.add"),
    }


def seen_by(user: Any, right: str, rows: Any, path: str) -> Any:
    """The rows of the bureaus where the person has the right."""
    if user.is_superuser:
        return rows
    return rows.filter(**{f"{path}__in": [one for one in user.roles() if user.may(right, one)]})


def _latest(runs: Iterable[Run]) -> list[Run]:
    """The newest run of each feed: a client is told of once."""
    newest: dict[int | None, Run] = {}
    for run in sorted(runs, key=lambda run: -run.pk):
        newest.setdefault(run.feed_id, run)
    return list(newest.values())


def needs_hand(status: Status) -> bool:
    """What is muted is known already, until it changes."""
    known = status.client.muted_problems  # type: ignore[attr-defined]
    return status.open_problems > 0 or (status.state.colour in ("red", "amber") and not known)


def home_sentence(statuses: list[Status], *, of_the_bureau: int) -> str:
    """`of_the_bureau`: problems that hit no client."""
    agree = sum(1 for status in statuses if status.state.is_complete)
    hand = sum(1 for status in statuses if needs_hand(status))
    all_ = len(statuses)
    first = ngettext(
        "%(agree)d of %(all)d client agrees with its source.",
        "%(agree)d of %(all)d clients agree with their source.",
        all_,
    ) % {"agree": agree, "all": all_}
    if not hand and not of_the_bureau:
        return f"{first} {_('Nothing needs a hand.')}"
    more = []
    if hand:
        more.append(ngettext("%(count)d needs a hand.", "%(count)d need a hand.", hand) % {"count": hand})
    if of_the_bureau:
        own = ngettext(
            "%(count)d problem of the bureau needs a hand.",
            "%(count)d problems of the bureau need a hand.",
            of_the_bureau,
        )
        more.append(own % {"count": of_the_bureau})
    return " ".join([first, *more])


def by_state(statuses: list[Status]) -> list[tuple[str, str, int]]:
    """(colour, word, how many), the good ones first."""
    counts: dict[tuple[str, str], int] = {}
    for status in statuses:
        key = (status.state.colour, status.state.word)
        counts[key] = counts.get(key, 0) + 1
    order = ["green", "outline", "blue", "grey", "amber", "red"]
    return [(*key, counts[key]) for key in sorted(counts, key=lambda key: (order.index(key[0]), key[1]))]


def night_text(runs: list[Run]) -> str:
    """`night 02:00–02:41, 12 runs, 10 complete`; empty where nothing ran."""
    if not runs:
        return ""
    first = min(run.created_at for run in runs)
    ends: list[datetime] = [run.finished_at for run in runs if run.finished_at]
    done = sum(1 for run in runs if run.state == RunState.SUCCEEDED)
    values = {"from": time_text(first), "to": time_text(max(ends)) if ends else "…", "runs": len(runs), "done": done}
    return _("Night %(from)s – %(to)s: %(done)d of %(runs)d runs complete.") % values
