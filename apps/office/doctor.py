"""The last examination of a connection as people see it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.safestring import SafeString

from apps.connectors.enums import Check, CheckState
from apps.connectors.models import Connection, Examination
from apps.core.admin import badge
from apps.notifications.models import Problem

COLOURS = {CheckState.OK: "green", CheckState.FAILED: "red", CheckState.NOT_REACHED: "grey"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    label: str
    state: SafeString
    detail: str
    remedy: Problem | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    at: datetime
    lines: list[Line]
    warnings: list[Problem]


def examination(connection: Connection) -> Shown | None:
    kept = Examination.objects.filter(connection=connection).first()
    if kept is None:
        return None
    return Shown(
        at=kept.at,
        lines=[_line(found) for found in kept.checks],
        warnings=[_text(trouble) for trouble in kept.warnings],
    )


def _line(found: dict[str, Any]) -> Line:
    state = CheckState(found["state"])
    return Line(
        label=str(Check(found["check"]).label),
        state=badge(COLOURS[state], state.label),
        detail=found["detail"],
        remedy=_text(found["trouble"]) if found["trouble"] else None,
    )


def _text(trouble: dict[str, Any]) -> Problem:
    """Never saved: it translates and fills the texts."""
    return Problem(
        code=trouble["code"],
        title_text=trouble["title"],
        step_texts=list(trouble["steps"]),
        link=trouble["link"],
        facts=trouble["facts"],
    )
