"""Which problems people are to hear of."""

from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from apps.clients.models import Client
from apps.notifications.models import Affected, Looked, Problem

NAMED = 5
WEBHOOK_REFUSED = "webhook.refused"


def not_muted(prefix: str = "") -> Q:
    return Q(**{f"{prefix}muted_until": None}) | Q(**{f"{prefix}muted_until__lte": timezone.now()})


def waiting_problems() -> QuerySet[Problem]:
    """Open, and not muted now."""
    return Problem.objects.filter(not_muted(), resolved_at=None)


def shown_to(user: Any, rows: QuerySet[Problem]) -> QuerySet[Problem]:
    """That a webhook is not taken names hosts and errors: for those who may see webhooks."""
    if user.is_superuser:
        return rows
    may = [pk for pk in user.roles() if user.may("notifications.webhook.view", pk)]
    return rows.exclude(~Q(organisation__in=may), code=WEBHOOK_REFUSED)


def of_client(client: Client) -> QuerySet[Problem]:
    """Open ones that hit the client: its own, and those of a shared cause; muted ones too."""
    hit = Affected.objects.filter(client=client, cleared_at=None)
    return Problem.objects.filter(resolved_at=None, pk__in=hit.values("problem"))


def clients_named(problem: Problem, most: int = NAMED) -> tuple[list[Client], int]:
    """The first clients that the problem hits, as the reader may see them, and how many more there are."""
    hit = Affected.objects.filter(problem=problem, cleared_at=None)
    found = Client.objects.filter(pk__in=hit.values("client")).order_by("name")
    return list(found[:most]), max(0, found.count() - most)


def unread_of(user: Any, rows: QuerySet[Problem]) -> int:
    """How many of these problems were told since the person last opened the bell, in each bureau by its own look."""
    seen = dict(Looked.objects.filter(user=user).values_list("organisation_id", "at"))
    fresh = Q()
    for organisation_id, at in seen.items():
        fresh |= Q(organisation=organisation_id, told_at__gt=at)
    fresh |= ~Q(organisation__in=list(seen))
    return int(rows.filter(fresh).aggregate(n=Count("pk"))["n"])
