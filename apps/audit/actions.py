"""One audit line, written inside the transaction of what it tells."""

from typing import Any

from django.db import models

from apps.audit.models import AuditLine
from apps.core.scope import client_of


def note(
    *, organisation_id: int, actor: Any, action: str, subject: models.Model, details: dict[str, Any] | None = None
) -> None:
    """`actor`: a user, or None for Kontor itself. `details` hold no secrets: names of fields, before and after."""
    AuditLine.objects.create(
        organisation_id=organisation_id,
        client_id=client_of(subject),
        actor_id=getattr(actor, "pk", None),
        actor=str(actor) if actor is not None else "Kontor",
        action=action,
        subject_kind=subject._meta.label_lower,
        subject_id=str(subject.pk),
        subject=str(subject)[:200],
        details=details or {},
    )
