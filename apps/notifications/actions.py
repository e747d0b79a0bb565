"""Problems are raised and resolved here; the same cause seen again is the same row."""

from collections.abc import Collection
from dataclasses import dataclass, field

from django.db import models, transaction
from django.utils import timezone

from apps.clients.models import Client
from apps.notifications.models import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What went wrong and who must do what; texts are marked for translation where they are written."""

    code: str
    failure: str
    who: str
    title: str
    steps: tuple[str, ...] = ()
    link: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    field: str = ""
    detail: str = ""


def raise_problem(*, client: Client, subject: models.Model, trouble: Trouble, url: str = "") -> Problem:
    """Open the problem, or count it once more where it is open already."""
    kind, key = subject._meta.label_lower, str(subject.pk)
    values = {
        "client": client,
        "failure": trouble.failure,
        "who": trouble.who,
        "title_text": trouble.title[:300],
        "step_texts": list(trouble.steps),
        "link": trouble.link,
        "facts": trouble.facts,
        "field": trouble.field,
        "detail": trouble.detail[:4000],
        "subject_label": str(subject)[:200],
        "subject_url": url,
    }
    with transaction.atomic():
        problem, made = Problem.objects.get_or_create(
            organisation_id=client.organisation_id,
            code=trouble.code,
            subject_kind=kind,
            subject_id=key,
            resolved_at=None,
            defaults=values,
        )
        if not made:
            for name, value in values.items():
                setattr(problem, name, value)
            problem.times = models.F("times") + 1
            problem.save()
            problem.refresh_from_db()
    return problem


def resolve_problems(*, subject: models.Model, code: str = "", keep: Collection[str] = ()) -> int:
    """The subject is well again, in all or in this one code, but for those in `keep`; returns how many this ended."""
    ended = Problem.objects.filter(
        subject_kind=subject._meta.label_lower, subject_id=str(subject.pk), resolved_at=None
    ).exclude(code__in=keep)
    return (ended.filter(code=code) if code else ended).update(resolved_at=timezone.now())
