"""A problem as people see it: the sentence, who acts, the numbered steps, and the button that does it."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.clients.models import Client
from apps.connectors.actions import BOOKS_HIDDEN
from apps.connectors.models import Connection, Connector
from apps.connectors.sdk.failures import Failure, Who
from apps.notifications.delivery import REFUSED as WEBHOOK_REFUSED
from apps.notifications.models import Problem
from apps.notifications.queries import NAMED, clients_named
from apps.sync.remedies import NIGHT_LATE
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
    clients: list[Client]
    more_clients: int
    may_mute: bool


def problem_colour(problem: Problem) -> str:
    return "amber" if problem.failure in BY_ITSELF else "red"


def by_consent(problem: Problem) -> bool:
    """Whether a new consent is what mends it: so `connectors.sdk.remedies` names their codes."""
    return problem.code.partition(".")[2].startswith("consent_")


def problem_card(problem: Problem, user: Any, *, named: int = NAMED) -> Card:
    right = "clients.client.open_books" if problem.code == BOOKS_HIDDEN else "notifications.problem.again"
    works = bool(user.may(right, problem.organisation_id))
    clients, more = ([problem.client], 0) if problem.client else clients_named(problem, named)
    return Card(
        problem=problem,
        colour=problem_colour(problem),
        acts=str(ACTS.get(problem.who, "")),
        buttons=_buttons(problem) if works and problem.resolved_at is None else (),
        url=reverse("admin:notifications_problem_change", args=[problem.pk]),
        clients=clients,
        more_clients=more,
        may_mute=works and problem.resolved_at is None,
    )


def _page(label: str, view: str, problem: Problem) -> Button:
    return Button(label=label, url=reverse(view, args=[problem.subject_id]), post=False, main=True)


def _buttons(problem: Problem) -> tuple[Button, ...]:
    again = Button(label=_("Try again"), url=reverse("office:problem_again", args=[problem.pk]))
    if problem.subject_kind == Connector._meta.label_lower:
        return (_page(_("Open the connector"), "office:connector", problem), again)
    if problem.code == NIGHT_LATE:
        return (again,)
    if problem.subject_kind != Connection._meta.label_lower:
        pages = {
            BOOKS_HIDDEN: (_("Look and release"), "office:number"),
            WEBHOOK_REFUSED: (_("Open the webhook"), "admin:notifications_webhook_change"),
        }
        return (_page(*pages[problem.code], problem),) if problem.code in pages else ()
    if problem.code == DISAPPEARANCE:
        release = reverse("office:problem_release", args=[problem.pk])
        return (again, Button(label=_("Let them be deleted"), url=release))
    if problem.failure in _BY_ACTIVATE:
        page = Button(
            label=_("Open the connection"), url=reverse("office:connection", args=[problem.subject_id]), post=False
        )
        if by_consent(problem):
            consent = reverse("office:connection_consent", args=[problem.subject_id])
            return (Button(label=_("Connect again"), url=consent, main=True), page)
        activate = reverse("office:connection_activate", args=[problem.subject_id])
        return (Button(label=_("Activate"), url=activate, main=True), page)
    return (again,)
