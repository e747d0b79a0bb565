"""What a person sees of the bureaus they work for, by role and by the clients they are named for."""

from collections import defaultdict
from contextlib import AbstractContextManager

from django.db.models import Q
from django.utils import timezone

from apps.clients.models import Assignment, AssignmentKind, ChosenClients, Client
from apps.core.scope import Reach, reader_scope, system_scope
from apps.organisations.actions import nameless_to
from apps.organisations.enums import Role
from apps.organisations.models import User

# Every client that is not restricted; an accountant and an auditor see those they are named for.
SEE_ALL = frozenset({Role.OWNER, Role.MANAGER, Role.REVIEWER, Role.READ_ONLY})


def scope_of(user: User, reason: str) -> AbstractContextManager[None]:
    """What the person sees, for a page or for a mail."""
    return reader_scope(None if user.is_superuser else user.roles(), reach_of(user), reason)


def reach_of(user: User) -> Reach:
    """Asked at every request: what is taken away is gone with the next one. Three queries."""
    with system_scope("what this person may see"):
        if user.is_superuser:
            closed = Client.objects.filter(hidden_at__isnull=False).values_list("pk", flat=True)
            return Reach(closed=frozenset(closed))
        return _reach(user, user.roles())


def reach_of_machine(machine: ChosenClients) -> Reach:
    """To be asked in the scope of its bureau."""
    seen = dict(machine.seen_clients().values_list("pk", "hidden_at"))
    return Reach(named=frozenset(seen), closed=frozenset(pk for pk, hidden_at in seen.items() if hidden_at is not None))


def _reach(user: User, roles: dict[int, str]) -> Reach:
    own = Assignment.objects.filter(membership__user=user, client__organisation__in=roles)
    named: dict[int, set[int]] = defaultdict(set)  # by organisation
    audited: dict[int, set[int]] = defaultdict(set)
    years: dict[int, tuple[int, int]] = {}
    for row in own.select_related("client__organisation"):
        organisation = row.client.organisation
        if row.kind != AssignmentKind.AUDIT:
            named[organisation.pk].add(row.client_id)
        elif row.ends_on and row.ends_on >= timezone.now().astimezone(organisation.zone).date():
            audited[organisation.pk].add(row.client_id)
            if roles[organisation.pk] == Role.AUDITOR:
                years[row.client_id] = (row.first_year or 0, row.last_year or 0)
    marked = Client.objects.filter(organisation__in=roles).filter(
        Q(restricted=True) | Q(hidden_at__isnull=False) | Q(responsible=user)
    )
    restricted, closed = set(), set()
    for pk, organisation_id, is_restricted, hidden_at, responsible in marked.values_list(
        "pk", "organisation", "restricted", "hidden_at", "responsible"
    ):
        if responsible == user.pk:
            named[organisation_id].add(pk)
        if hidden_at is not None:
            closed.add(pk)
        if is_restricted:
            restricted.add(pk)
    one_by_one: set[int] = set()
    for organisation_id, role in roles.items():
        one_by_one |= (audited if role == Role.AUDITOR else named)[organisation_id]
    whole = frozenset(organisation_id for organisation_id, role in roles.items() if role in SEE_ALL)
    return Reach(
        whole=whole,
        hidden=frozenset(restricted - one_by_one),
        named=frozenset(one_by_one),
        closed=frozenset(closed),
        years=years,
        nameless=nameless_to(roles),
    )
