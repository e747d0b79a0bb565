"""The state of many clients in one query: books, feeds, live and last run, open problems."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Count, Exists, F, FilteredRelation, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, JSONObject
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from apps.clients.models import Client
from apps.connectors.sdk.failures import Failure
from apps.core.admin import number_text, seconds_text
from apps.flows.models import Feed
from apps.ledger.models import Proof
from apps.notifications.models import Affected
from apps.notifications.queries import not_muted
from apps.sync.enums import LIVE, RunKind, RunState, Stage
from apps.sync.models import Run
from apps.sync.state import Facts, State, state_of
from apps.sync.timetable import next_night

# Problems of these kinds are retried by Kontor itself; all others wait for a person.
BY_ITSELF = (Failure.TRANSIENT, Failure.UNCERTAIN)
_ENDED_BADLY = (RunState.FAILED, RunState.BLOCKED, RunState.PARTIAL)
_RUN = {
    name: name
    for name in ("id", "kind", "state", "stage", "done", "expected", "created_at", "started_at", "finished_at")
}


def with_status(clients: QuerySet[Client]) -> QuerySet[Client]:
    """The clients with everything that `status_of` needs, still in one query."""
    runs = Run.objects.filter(client=OuterRef("pk"))
    reading = runs.exclude(state__in=LIVE).exclude(kind=RunKind.RECALCULATION)
    feeds = Feed.objects.filter(client=OuterRef("pk"))
    problems = Affected.objects.filter(client=OuterRef("pk"), cleared_at=None).order_by().values("client")
    shown = problems.filter(not_muted("problem__"))
    return clients.select_related("organisation", "ledger_state__proof").annotate(
        live_run=Subquery(runs.filter(state__in=LIVE).order_by("-pk").values(row=JSONObject(**_RUN))[:1]),
        last_run=Subquery(reading.order_by("-pk").values(row=JSONObject(**_RUN))[:1]),
        has_feeds=Exists(feeds),
        is_fed=Exists(feeds.filter(enabled=True)),
        open_problems=Coalesce(Subquery(shown.annotate(n=Count("pk")).values("n")), Value(0)),
        muted_problems=Exists(problems.exclude(not_muted("problem__"))),
        waiting_problems=Coalesce(
            Subquery(problems.exclude(problem__failure__in=BY_ITSELF).annotate(n=Count("pk")).values("n")), Value(0)
        ),
    )


def with_problems(clients: QuerySet[Client]) -> QuerySet[Client]:
    """A row per client *and* open problem (or one without): the join of both, for a single query of one client."""
    return clients.annotate(
        trouble=FilteredRelation("affected", condition=Q(affected__cleared_at=None)),
        problem_code=F("trouble__problem__code"),
        problem_title=F("trouble__problem__title_text"),
        problem_facts=F("trouble__problem__facts"),
        problem_since=F("trouble__problem__first_at"),
        problem_muted=F("trouble__problem__muted_until"),
    ).order_by("pk", "trouble__problem__first_at")


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run as it came with the client's row."""

    id: int
    kind: str
    state: str
    stage: str
    done: int
    expected: int | None
    created_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, row: dict[str, Any] | None) -> "RunFacts | None":
        if not row:
            return None
        times = {name: _instant(row[name]) for name in ("created_at", "started_at", "finished_at")}
        return cls(**{**row, **times})

    @property
    def state_word(self) -> str:
        return str(RunState(self.state).label)

    @property
    def stage_word(self) -> str:
        return str(Stage(self.stage).label)

    @property
    def seconds_left(self) -> float | None:
        """By the pace so far; None while that says nothing."""
        if not (self.started_at and self.expected and 0 < self.done < self.expected):
            return None
        return (timezone.now() - self.started_at).total_seconds() / self.done * (self.expected - self.done)


def _instant(text: Any) -> datetime | None:
    """JSON of SQLite gives an instant as bare UTC, PostgreSQL with its offset."""
    found = parse_datetime(text) if isinstance(text, str) else text
    return found.replace(tzinfo=UTC) if isinstance(found, datetime) and found.tzinfo is None else found


@dataclass(frozen=True, slots=True)
class Status:
    client: Client
    state: State
    proof: Proof | None
    live: RunFacts | None
    last: RunFacts | None
    open_problems: int

    @property
    def next_run(self) -> datetime | None:
        """When the feed is read next by itself."""
        if not self.client.is_fed:  # type: ignore[attr-defined]
            return None
        organisation = self.client.organisation
        return next_night(organisation.zone, organisation.night_hour, timezone.now())


def status_of(client: Client) -> Status:
    """Of a client that came through `with_status`; asks nothing more."""
    row: Any = client
    held = getattr(client, "ledger_state", None)
    proof = held.proof if held and client.hidden_at is None else None
    live, last = RunFacts.of(row.live_run), RunFacts.of(row.last_run)
    stopped = last is not None and last.state in _ENDED_BADLY and (proof is None or proof.run_id != last.id)
    if stopped and proof is not None and last is not None and last.finished_at and last.finished_at < proof.at:
        stopped = False  # a ledger file was taken in since
    facts = Facts(
        proof=proof,
        fed=row.is_fed,
        feeds=row.has_feeds,
        running=live is not None,
        stopped=stopped,
        waiting=row.waiting_problems > 0,
        hidden=client.hidden_at is not None,
    )
    return Status(client, state_of(facts), proof, live, last, row.open_problems)


def progress_text(run: RunFacts | Run) -> str:
    """`1 240 of about 3 100 vouchers, 2 min left`, or the step in words."""
    facts = run if isinstance(run, RunFacts) else RunFacts(**{name: getattr(run, name) for name in _RUN})
    if facts.state == RunState.QUEUED and facts.started_at is None:
        return _("waiting for its turn")
    word = facts.stage_word
    if not facts.done or facts.stage not in (Stage.VOUCHERS, Stage.RECALCULATE):
        return word
    values: dict[str, Any] = {"step": word, "done": number_text(facts.done)}
    if not facts.expected or facts.expected < facts.done:
        if facts.stage == Stage.RECALCULATE:
            return word
        return _("%(done)s vouchers so far") % values
    values["expected"] = number_text(facts.expected)
    if facts.stage == Stage.RECALCULATE:
        text = _("%(step)s: %(done)s of %(expected)s") % values
    else:
        text = _("%(done)s of about %(expected)s vouchers") % values
    left = facts.seconds_left
    return text if left is None else f"{text}, {_('%(time)s left') % {'time': seconds_text(left)}}"
