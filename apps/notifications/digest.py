"""The morning's digest: what concerns one person, as plain text in the person's language."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.clients.reach import scope_of
from apps.notifications.models import Affected, Mail, Problem
from apps.notifications.queries import clients_named, waiting_problems
from apps.organisations.models import User
from apps.organisations.rights import MANAGE, WORK

LISTED = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    subject: str
    body: str


def concerning(user: User) -> QuerySet[Problem]:
    """Waiting problems of clients the person is responsible for; managers also get those that nobody is.

    To be asked in the scope of what the person sees: nobody's and restricted ones are among all managers' otherwise.
    A shared cause concerns whoever is responsible for one of the clients that it hits, and every manager.
    """
    roles = user.roles()
    works = [pk for pk, role in roles.items() if role in WORK]
    manages = [pk for pk, role in roles.items() if role in MANAGE]
    hit = Affected.objects.filter(problem=OuterRef("pk"), cleared_at=None)
    mine = Exists(hit.filter(client__responsible=user))
    nobodys = Q(client=None) | Q(client__responsible=None) | Q(client__responsible__is_active=False)
    concerns = Q(mine, organisation__in=works) | Q(nobodys, organisation__in=manages)
    return waiting_problems().filter(concerns)


def digest_of(mail: Mail) -> Digest | None:
    """The text as things are now; None where nothing new is left to tell, or nobody to tell it to."""
    user = User.objects.get(pk=mail.user_id)
    if not user.is_active or not user.email:
        return None
    with (
        scope_of(user, "the digest of a person"),
        translation.override(user.language),
        timezone.override(user.time_zone),
    ):
        found = list(concerning(user).select_related("client").order_by("first_at"))
        fresh = [problem for problem in found if problem.told_at > mail.since]
        if not fresh:
            return None
        still = len(found) - len(fresh)
        subject = ngettext(
            "Kontor: %(count)d problem needs a hand", "Kontor: %(count)d problems need a hand", len(fresh)
        )
        return Digest(subject=subject % {"count": len(fresh)}, body=_body(user, fresh, still))


def _body(user: User, fresh: list[Problem], still: int) -> str:
    lines = [_("Good morning, %(name)s.") % {"name": user}, ""]
    for problem in fresh[:LISTED]:
        lines += [f"* {problem.title}", f"  {_clients(problem)}"]
        lines += [f"  {number}. {step}" for number, step in enumerate(problem.steps, start=1)]
        lines += [f"  {problem.page}"] if problem.page else []
        lines.append("")
    if len(fresh) > LISTED:
        lines += [_("… and %(count)d more.") % {"count": len(fresh) - LISTED}, ""]
    if still:
        told = ngettext(
            "%(count)d problem told earlier is still open.", "%(count)d told earlier are still open.", still
        )
        lines += [told % {"count": still}, ""]
    lines.append(
        _("You get this at most once a night, and nothing when nothing is new. Mute a problem to hear no more of it.")
    )
    return "\n".join(lines) + "\n"


def _clients(problem: Problem) -> str:
    named, more = ([problem.client], 0) if problem.client else clients_named(problem)
    names = ", ".join(str(client) for client in named)
    return f"{names} {_('and %(n)d more') % {'n': more}}" if more else names


def has_news(user: User, since: datetime) -> bool:
    with scope_of(user, "the digest of a person"):
        return concerning(user).filter(told_at__gt=since).exists()
