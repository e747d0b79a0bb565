"""What the status API says of a client; all of it came in one query (`sync.admin.status`)."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from django.utils import timezone

from apps.ledger.enums import Grade
from apps.notifications.models import Problem
from apps.sync.status import RunFacts, Status, status_of, with_problems, with_status

BASIS = {
    Grade.CONTROL_TOTALS: "control_totals",
    Grade.FILE_TOTALS: "counts_and_file_totals",
    Grade.NOT_PROVABLE: "none",
    Grade.NOT_COMPLETE: "incomplete",
}


def overall(clients: Any) -> dict[str, Any]:
    statuses = [status_of(client) for client in with_status(clients.order_by("name"))]
    by_grade = {str(grade.value): 0 for grade in Grade} | {"none": 0}
    for status in statuses:
        by_grade[str(status.state.grade or "none")] += 1
    return {
        "clients": len(statuses),
        "complete": sum(1 for status in statuses if status.state.is_complete),
        "by_grade": by_grade,
        "problems": sum(status.open_problems for status in statuses),
        "running": sum(1 for status in statuses if status.live),
        "at": _instant(timezone.now()),
        "each": [_short(status) for status in statuses],
    }


def _short(status: Status) -> dict[str, Any]:
    return {
        "number": status.client.number,
        "name": status.client.name,
        "state": _state(status),
        "last_entry": _day(status.proof.last_entry) if status.proof else None,
        "problems": status.open_problems,
        "running": status.live is not None,
    }


def one_client(clients: Any, number: str) -> dict[str, Any] | None:
    """The client with its open problems; None where the token sees no such client."""
    rows = list(with_problems(with_status(clients.filter(number=number))))
    if not rows:
        return None
    status = status_of(rows[0])
    proof = status.proof
    return {
        "number": status.client.number,
        "name": status.client.name,
        "organisation_number": status.client.organisation_number or None,
        "state": _state(status),
        "basis": BASIS[Grade(proof.grade)] if proof else None,
        "control_difference": format(proof.control_difference, "f") if proof else None,
        "read_at": _instant(proof.at) if proof else None,
        "last_entry": _day(proof.last_entry) if proof else None,
        "closed_to": _day(proof.closed_to) if proof else None,
        "last_run": _run(status.last),
        "next_run": _instant(status.next_run),
        "running": _progress(status.live),
        "problems": _problems(rows, hidden=status.client.hidden_at is not None),
    }


def _state(status: Status) -> dict[str, Any]:
    state = status.state
    return {"grade": state.grade, "code": state.code, "sentence": state.sentence}


def _problems(rows: Sequence[Any], *, hidden: bool) -> list[dict[str, Any]]:
    """While the books are hidden, what was found in them is too: its words hold figures."""
    now = timezone.now()
    shown: Iterable[Any] = (
        row for row in rows if row.problem_code and not (row.problem_muted and row.problem_muted > now)
    )
    if hidden:
        shown = (row for row in shown if not row.problem_code.startswith("ledger."))
    return [
        {
            "code": row.problem_code,
            "title": Problem(title_text=row.problem_title, facts=row.problem_facts or {}).title,
            "since": _instant(row.problem_since),
        }
        for row in shown
    ]


def _run(run: RunFacts | None) -> dict[str, Any] | None:
    if run is None:
        return None
    return {
        "id": run.id,
        "state": run.state,
        "started_at": _instant(run.started_at),
        "finished_at": _instant(run.finished_at),
    }


def _progress(run: RunFacts | None) -> dict[str, Any] | None:
    if run is None:
        return None
    left = run.seconds_left
    return {
        "id": run.id,
        "stage": run.stage,
        "done": run.done,
        "expected": run.expected,
        "seconds_left": None if left is None else round(left),
    }


def _instant(at: datetime | None) -> str | None:
    return timezone.localtime(at).isoformat(timespec="seconds") if at else None


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
