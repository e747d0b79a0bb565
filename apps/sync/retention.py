"""What goes when its days are over. Evidence (voucher versions, proofs, runs, audit) is in no rule: it stays."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from axes.models import AccessAttempt, AccessLog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Q
from django_q.models import Task

from apps.connectors import retention as connectors
from apps.core.retention import Rule, purge
from apps.notifications.enums import MailState
from apps.notifications.models import Affected, Mail, Morning, Problem, WebhookEvent
from apps.onboarding.enums import BatchState
from apps.onboarding.models import Batch

RULES = (
    *connectors.RULES,
    Rule(name="finished tasks", days=lambda: settings.KONTOR_TASK_DAYS, over=lambda at: Task.objects.filter(stopped__lt=at)),
    Rule(
        name="problems that are over",
        days=lambda: settings.KONTOR_PROBLEM_DAYS,
        over=lambda at: Problem.objects.filter(resolved_at__lt=at),
    ),
    Rule(
        name="clients that problems no longer hit",
        days=lambda: settings.KONTOR_PROBLEM_DAYS,
        over=lambda at: Affected.objects.filter(cleared_at__lt=at),
    ),
    Rule(
        name="mails", days=lambda: settings.KONTOR_TOLD_DAYS,
        over=lambda at: Mail.objects.filter(made_at__lt=at).exclude(state__in=(MailState.WAITING, MailState.SENDING)),
    ),
    Rule(name="mornings", days=lambda: settings.KONTOR_TOLD_DAYS, over=lambda at: Morning.objects.filter(at__lt=at)),
    Rule(
        name="events of webhooks", days=lambda: settings.KONTOR_TOLD_DAYS,
        over=lambda at: WebhookEvent.objects.filter(Q(ended_at__lt=at) | Q(webhook__paused_at__lt=at, at__lt=at)),
    ),
    Rule(  # names and addresses from files: also of those that nobody started
        name="batches of clients taken in", days=lambda: settings.KONTOR_BATCH_DAYS,
        over=lambda at: Batch.objects.filter(Q(ended_at__lt=at) | Q(state=BatchState.OPEN, made_at__lt=at)),
    ),
    Rule(
        name="wrong passwords", days=lambda: 0,
        over=lambda at: AccessAttempt.objects.filter(attempt_time__lt=at - settings.AXES_COOLOFF_TIME),
    ),
    # addresses and browsers that were kept before AXES_DISABLE_ACCESS_LOG
    Rule(name="sign-ins", days=lambda: 0, over=lambda at: AccessLog.objects.filter(attempt_time__lt=at)),
    Rule(name="ended sign-ins", days=lambda: 0, over=lambda at: Session.objects.filter(expire_date__lt=at)),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    what: str
    days: int
    rows: int
    finished: bool = True


def purge_all(now: datetime, *, dry_run: bool = False, seconds: float | None = None) -> Iterator[Purged]:
    """Each rule in turn; what would go, with `dry_run`. `seconds`: it stops after about so long."""
    deadline = None if seconds is None else time.monotonic() + seconds
    for rule in RULES:
        if dry_run:
            rows, finished = rule.rows(now).count(), True
        else:
            rows, finished = purge(rule, now, deadline=deadline)
        yield Purged(what=rule.name, days=rule.days(), rows=rows, finished=finished)
