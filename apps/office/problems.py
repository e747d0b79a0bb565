"""A problem as people see it: the sentence, who acts, the numbered steps, and the button that does it."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.connectors.actions import BOOKS_HIDDEN
from apps.connectors.models import Connection
from apps.connectors.sdk.failures import Failure, Who
from apps.notifications.models import Problem
from apps.sync.status import BY_ITSELF

DISAPPEARANCE = "ledger.mass_disappearance"

ACTS: dict[str, Any] = {
    Who.CLIENT: gettext_lazy("The client acts."),
    Who.BUREAU: gettext_lazy("The bureau acts."),
    Who.VENDOR: gettext_lazy("Nobody has to act: Kontor tries again by itself."),
    Who.SUPPORT: gettext_lazy("Support acts."),
}
# Kinds that a corrected key or setting mends: the way leads through Activate.
_BY_ACTIVATE = (Failure.RECONNECT, Failure.SETUP, Failure.PERMISSION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """`post`: the address changes something and is sent as a form; else it is a link."""

    label: str
    url: str
    post: bool = True
    main: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    problem: Problem
    colour: str
    acts: str
    buttons: tuple[Button, ...]
    url: str


def problem_colour(problem: Problem) -> str:
    return "amber" if problem.failure in BY_ITSELF else "red"


def problem_card(problem: Problem, user: Any) -> Card:
    right = "clients.client.open_books" if problem.code == BOOKS_HIDDEN else "notifications.problem.again"
    works = bool(user.may(right, problem.organisation_id))
    return Card(
        problem=problem,
        colour=problem_colour(problem),
        acts=str(ACTS.get(problem.who, "")),
        buttons=_buttons(problem) if works and problem.resolved_at is None else (),
        url=reverse("admin:notifications_problem_change", args=[problem.pk]),
    )


def _buttons(problem: Problem) -> tuple[Button, ...]:
    if problem.code == BOOKS_HIDDEN:
        look = reverse("office:number", args=[problem.subject_id])
        return (Button(label=_("Look and release"), url=look, post=False, main=True),)
    if problem.subject_kind != Connection._meta.label_lower:
        return ()
    again = Button(label=_("Try again"), url=reverse("office:problem_again", args=[problem.pk]))
    if problem.code == DISAPPEARANCE:
        release = reverse("office:problem_release", args=[problem.pk])
        return (again, Button(label=_("Let them be deleted"), url=release))
    if problem.failure in _BY_ACTIVATE:
        form = reverse("office:connection", args=[problem.subject_id])
        activate = reverse("office:connection_activate", args=[problem.subject_id])
        return (
            Button(label=_("Activate"), url=activate, main=True),
            Button(label=_("Open the connection"), url=form, post=False),
        )
    return (again,)
