"""Webhooks: what they are owed, and what people do with them. How it gets there is in `delivery`."""

import base64
import secrets
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone
from django_q.tasks import async_task

from apps.audit.actions import note
from apps.clients.models import Client
from apps.core.encryption import InvalidToken
from apps.core.scope import system_scope
from apps.notifications.enums import EventKind
from apps.notifications.models import Problem, Webhook, WebhookEvent, WebhookSecret

LANE = "nightly>"  # before the runs of the lane, and one at a time: sync.broker
PREFIX = "whsec_"
SECRET_BYTES = 32
FORMER_FOR = timedelta(hours=24)


def tell(problems: Iterable[Problem], kind: EventKind) -> None:
    """Owe each webhook of the bureau the event; to be called in the transaction of what it tells.

    The same event of the same problem that waits already is told once. Its row is written all the same, so that a
    sender that is about to read the problem waits until this transaction has ended.
    """
    for problem in problems:
        if problem.subject_kind == Webhook._meta.label_lower:
            continue  # that a receiver fails is told to people
        with system_scope("the webhooks of a bureau, whoever is at work"):
            hooks = list(Webhook.objects.filter(organisation=problem.organisation_id, paused_at=None))
            for hook in hooks:
                waiting = WebhookEvent.objects.filter(webhook=hook, problem=problem, kind=kind, begun_at=None)
                if not waiting.update(times=models.F("times") + 1):
                    WebhookEvent.objects.create(webhook=hook, problem=problem, kind=kind)
                    _wake_later(hook.pk)


def _wake_later(webhook_id: int) -> None:
    """Once the event can be seen: whoever is at work then tells it, or has ended and a task is queued.

    Were we killed in between, `delivery.reap` comes upon the event.
    """
    transaction.on_commit(partial(wake, webhook_id), robust=True)


def wake(webhook_id: int) -> None:
    """Queue one slice, where none is on its way, nobody is at work and no wait is on: 300 events are one task."""
    now = timezone.now()
    free = models.Q(lease_until=None) | models.Q(lease_until__lt=now)
    due = models.Q(not_before=None) | models.Q(not_before__lte=now)
    with transaction.atomic(), system_scope("compare-and-set on a webhook"):
        # a lease without a token is of the task that is on its way
        rows = Webhook.objects.filter(free, due, pk=webhook_id, token="", paused_at=None)
        if rows.update(lease_until=now + patience()):
            enqueue(webhook_id)


def patience() -> timedelta:
    """How long a queued task is waited for before it is taken to be lost: doubled, it finds nothing to claim."""
    return timedelta(seconds=settings.KONTOR_LEASE_SECONDS * 20)


def enqueue(webhook_id: int) -> None:
    """With the ORM broker this is an insert: it commits with the caller."""
    async_task("apps.notifications.tasks.tell", webhook_id, cluster=LANE)


# -- What people do with them -------------------------------------------------------------------------------------------


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def host_of(url: str) -> str:
    """What of an address may be shown in lists; the path may hold a secret."""
    return (urlsplit(url).hostname or "")[:255]


def send_test(*, webhook: Webhook, actor: Any) -> None:
    """One that waits already is enough."""
    with transaction.atomic():
        Webhook.objects.filter(pk=webhook.pk).update(not_before=None)
        waiting = WebhookEvent.objects.filter(webhook=webhook, kind=EventKind.TEST, begun_at=None, ended_at=None)
        if not waiting.update(times=models.F("times") + 1):
            WebhookEvent.objects.create(webhook=webhook, kind=EventKind.TEST)
        _note(webhook, actor, "webhook.tested")
        _wake_later(webhook.pk)


def drop_unseen(*, webhook: Webhook, actor: Any) -> int:
    """Who takes a webhook into his hands gets no more of clients that he does not see; how many it tells of no longer.

    To be asked in the scope of that person.
    """
    with system_scope("clients of the webhook that the person does not see"):
        before = set(webhook.clients.values_list("pk", flat=True))
    unseen = before - set(Client.objects.filter(pk__in=before).values_list("pk", flat=True))
    if unseen:
        with transaction.atomic(), system_scope("clients of the webhook that the person does not see"):
            webhook.clients.remove(*unseen)
            _note(webhook, actor, "webhook.clients_dropped", clients=len(unseen))
    return len(unseen)


def renew_secret(*, webhook: Webhook, actor: Any) -> tuple[str, int]:
    """The new secret, readable only now, and how many clients were dropped; the former one signs too for a day."""
    with transaction.atomic():
        Webhook.objects.select_for_update(of=("self",)).get(pk=webhook.pk)
        rows = WebhookSecret.objects.filter(webhook=webhook)
        try:
            former = rows.values_list("secret", flat=True).get() or ""
        except InvalidToken:
            former = ""  # a new one is the way out
        new = new_secret()
        rows.update(secret=new, former_secret=former, former_until=timezone.now() + FORMER_FOR)
        _note(webhook, actor, "webhook.secret_renewed")
        return new, drop_unseen(webhook=webhook, actor=actor)


def pause(*, webhook: Webhook, actor: Any) -> None:
    """Nothing more is sent, and what happens meanwhile is not told later."""
    with transaction.atomic():
        if Webhook.objects.filter(pk=webhook.pk, paused_at=None).update(paused_at=timezone.now(), token=""):
            _note(webhook, actor, "webhook.paused")


def resume(*, webhook: Webhook, actor: Any) -> int:
    """How many clients were dropped."""
    with transaction.atomic():
        rows = Webhook.objects.filter(pk=webhook.pk).exclude(paused_at=None)
        if rows.update(paused_at=None, not_before=None, failing_since=None, token="", lease_until=None):
            _note(webhook, actor, "webhook.resumed")
            enqueue(webhook.pk)
            return drop_unseen(webhook=webhook, actor=actor)
    return 0


def _note(webhook: Webhook, actor: Any, action: str, **details: int) -> None:
    note(organisation_id=webhook.organisation_id, actor=actor, action=action, subject=webhook, details=details)
