"""Events on their way to other systems: signed as Standard Webhooks has it, at least once, oldest first.

A text is made when it is sent, from the rows as they then are and within what the webhook may see: a retry after hours
tells how things stand, under the same `webhook-id`.
"""

import json
import logging
import time
import uuid
from datetime import datetime, timedelta
from typing import Any

import requests
from django.conf import settings
from django.db import models, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext_noop as _
from standardwebhooks.webhooks import Webhook as Signer

from apps.clients.models import Client
from apps.clients.reach import reach_of_machine
from apps.core.addresses import AddressRefusedError, check_address
from apps.core.encryption import InvalidToken
from apps.core.scope import reader_scope
from apps.notifications.actions import Trouble, raise_problem, resolve_problems
from apps.notifications.models import Affected, Problem, Webhook, WebhookEvent
from apps.notifications.posting import post
from apps.notifications.queries import WEBHOOK_REFUSED
from apps.notifications.webhooks import enqueue, patience, wake

log = logging.getLogger(__name__)

SLICE_SECONDS = 5.0  # of a slow receiver one call, then it is another's turn
LONGEST_WAIT = timedelta(hours=6)
CLIENTS_NAMED = 100
REFUSED = WEBHOOK_REFUSED
TOLD_AFTER = 3  # failures in a row before people are told
GONE = 410
# Kept as they are here, filled and translated when shown (Webhook.failure)
LOST = _("Kontor was cut off while it sent")
UNREADABLE = _("its address or secret cannot be read with FERNET_KEYS")
NO_ADDRESS = _("{host} is no address that Kontor sends to")
INSIDE = _("{host} leads to a private address")  # which one would tell of the network that Kontor stands in
LATE = _("no answer within {seconds} s")
NO_MORE = _("HTTP 410: it wants no more")


class NotTakenError(Exception):
    """The receiver has not taken the event. `final`: it never will again."""

    def __init__(self, text: str, *, final: bool = False) -> None:
        super().__init__(text)
        self.final = final


def deliver(webhook_id: int) -> str:
    """Send what waits, for a slice's time; what came of it. A late or doubled task finds nothing to claim."""
    hook = _claimed(webhook_id)
    if hook is None:
        return "not ours"
    ends = time.monotonic() + SLICE_SECONDS
    told = 0
    while event := WebhookEvent.objects.filter(webhook=hook, ended_at=None).order_by("pk").first():
        if time.monotonic() > ends or not _held(hook).update(lease_until=_lease()):
            break
        try:
            told += _told(hook, event)
        except NotTakenError as error:
            return _failed(hook, event, error)
        except InvalidToken:
            return _failed(hook, event, NotTakenError(UNREADABLE))
        except Exception as error:  # noqa: BLE001 - any fault of ours: one webhook's, and never the worker's
            return _failed(hook, event, NotTakenError(type(error).__name__))  # its words may hold the address
    if _held(hook).update(token="", lease_until=None) and _waits(hook.pk):
        wake(hook.pk)
    return f"{told} told"


def reap() -> int:
    """Take up what was left: retries that are due, senders that are gone, tasks that got lost."""
    now = timezone.now()
    waiting = WebhookEvent.objects.filter(webhook=models.OuterRef("pk"), ended_at=None)
    free = models.Q(lease_until=None) | models.Q(lease_until__lt=now)
    due = models.Q(not_before__lte=now) | models.Q(
        models.Exists(waiting.filter(at__lt=now - patience())), not_before=None
    )
    left = due | models.Q(lease_until__lt=now)
    count = 0
    for hook in Webhook.objects.filter(free, left, models.Exists(waiting), paused_at=None):
        with transaction.atomic():
            same = Webhook.objects.filter(pk=hook.pk, not_before=hook.not_before, lease_until=hook.lease_until)
            # asked again if this task is lost too; whoever claims meanwhile clears it
            count += (claimable := same.update(not_before=now, lease_until=now + patience(), token=""))
            if claimable:
                enqueue(hook.pk)
    return count


def _claimed(webhook_id: int) -> Webhook | None:
    now = timezone.now()
    # without a token the lease is only a task's that is on its way
    free = models.Q(token="") | models.Q(lease_until__lt=now)
    due = models.Q(not_before=None) | models.Q(not_before__lte=now)
    token = str(uuid.uuid4())
    rows = Webhook.objects.filter(free, due, pk=webhook_id, paused_at=None)
    if not rows.update(token=token, lease_until=_lease(), not_before=None):
        return None
    return Webhook.objects.select_related("organisation").get(pk=webhook_id)


def _lease() -> datetime:
    return timezone.now() + timedelta(seconds=max(settings.KONTOR_LEASE_SECONDS, settings.KONTOR_WEBHOOK_SECONDS * 4))


def _held(hook: Webhook) -> models.QuerySet[Webhook]:
    return Webhook.objects.filter(pk=hook.pk, token=hook.token, paused_at=None)


def _waits(webhook_id: int) -> bool:
    return WebhookEvent.objects.filter(webhook=webhook_id, ended_at=None).exists()


def _told(hook: Webhook, event: WebhookEvent) -> int:
    if event.begun_at is not None:
        raise NotTakenError(LOST)  # another sender ended without a word
    rows = WebhookEvent.objects.filter(pk=event.pk)
    rows.update(begun_at=timezone.now(), attempts=models.F("attempts") + 1)
    body = body_of(hook, event)
    if body is not None:
        _post(hook, event, body)
        now = timezone.now()
        recovered = bool(hook.failures)
        _held(hook).update(failures=0, failing_since=None, last_error="", last_sent_at=now)
        if recovered:
            _works_again(hook)
            hook.failures, hook.failing_since = 0, None
    rows.update(ended_at=timezone.now(), told=body is not None)
    return int(body is not None)


def _post(hook: Webhook, event: WebhookEvent, body: str) -> None:
    now = timezone.now()
    sealed = hook.sealed
    signatures = [Signer(sealed.secret or "").sign(str(event.event_id), now, body)]
    if sealed.former_secret and sealed.former_until and sealed.former_until > now:
        signatures.append(Signer(sealed.former_secret).sign(str(event.event_id), now, body))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Kontor",
        "webhook-id": str(event.event_id),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    url = sealed.url or ""
    allowed = frozenset(settings.CONNECTOR_ALLOW_PRIVATE_HOSTS)
    try:
        check_address(url, allow_private=allowed)
    except AddressRefusedError as error:
        raise NotTakenError(NO_ADDRESS) from error
    try:
        status = post(url, body.encode(), headers, seconds=settings.KONTOR_WEBHOOK_SECONDS, allow_private=allowed)
    except AddressRefusedError as error:
        raise NotTakenError(INSIDE) from error
    except (TimeoutError, requests.ReadTimeout) as error:
        raise NotTakenError(LATE) from error
    except (requests.RequestException, OSError) as error:
        raise NotTakenError(type(error).__name__) from error  # its words hold the address
    if status == GONE:
        raise NotTakenError(NO_MORE, final=True)
    if not 200 <= status < 300:
        raise NotTakenError(f"HTTP {status}")


def _failed(hook: Webhook, event: WebhookEvent, error: NotTakenError) -> str:
    now = timezone.now()
    failures = hook.failures + 1
    since = hook.failing_since or now
    wait = min(timedelta(seconds=settings.KONTOR_WEBHOOK_RETRY_SECONDS * 2 ** min(failures - 1, 20)), LONGEST_WAIT)
    given_up = error.final or now - since > timedelta(days=settings.KONTOR_WEBHOOK_DAYS)
    log.warning("webhook %s was not taken (%s in a row): %s", hook.pk, failures, error)
    with transaction.atomic():
        # what happens until the next attempt is told by it
        WebhookEvent.objects.filter(pk=event.pk, ended_at=None).update(begun_at=None)
        held = _held(hook).update(
            token="", lease_until=None, not_before=now + wait, failures=failures, failing_since=since,
            last_error=str(error)[:300], paused_at=now if given_up else None,
        )  # fmt: skip
        if held and (given_up or failures >= TOLD_AFTER):
            _complain(hook, str(error), given_up=given_up)
    return "paused" if given_up else "failed"


# -- What it says -------------------------------------------------------------------------------------------------------


def body_of(hook: Webhook, event: WebhookEvent) -> str | None:
    """The event as JSON; None where the webhook may not see the problem."""
    data: dict[str, Any] = {"bureau": {"id": hook.organisation_id, "name": hook.organisation.name}}
    if event.problem_id is not None:
        told = _problem(hook, event.problem_id)
        if told is None:
            return None
        data["problem"] = told
    return json.dumps({"type": event.kind, "timestamp": event.at.isoformat(), "data": data}, ensure_ascii=False)


def _problem(hook: Webhook, pk: int) -> dict[str, Any] | None:
    organisation = hook.organisation
    with (
        reader_scope({organisation.pk}, reach_of_machine(hook), "what a webhook tells"),
        translation.override(organisation.language),
        timezone.override(organisation.time_zone),
    ):
        problem = Problem.objects.filter(pk=pk).first()
        if problem is None:
            return None
        hit = Affected.objects.filter(problem=problem)
        if problem.client_id is None and not hook.all_clients and not _seen(hit).exists():
            return None
        # the rows of whom it hit to the end are cleared in the instant of its end
        clients = _seen(hit.filter(cleared_at=problem.resolved_at)).order_by("name")
        return {
            "id": problem.pk,
            "code": problem.code,
            "kind": problem.failure,
            "who": problem.who,
            "title": problem.title,
            "steps": problem.steps,
            "state": "resolved" if problem.resolved_at else "muted" if problem.is_muted else "open",
            "since": problem.first_at.isoformat(),
            "last_seen": problem.last_at.isoformat(),
            "times": problem.times,
            "resolved_at": problem.resolved_at.isoformat() if problem.resolved_at else None,
            "muted_until": problem.muted_until.isoformat() if problem.muted_until else None,
            "clients": [
                {"number": one.number, "name": one.name, "organisation_number": one.organisation_number}
                for one in clients[:CLIENTS_NAMED]
            ],
            "clients_in_all": clients.count(),
            "url": problem.page,
        }


def _seen(hit: models.QuerySet[Affected]) -> models.QuerySet[Client]:
    return Client.objects.filter(pk__in=hit.values("client"))


# -- When nobody takes it -----------------------------------------------------------------------------------------------


def _complain(hook: Webhook, error: str, *, given_up: bool) -> None:
    more = {
        True: _("Nothing more is sent there until it is resumed on the webhook's page; what waits is then sent."),
        False: _("Nothing is lost: what waits is sent when it answers again."),
    }
    raise_problem(
        client=None,
        subject=hook,
        url=f"/admin/notifications/webhook/{hook.pk}/change/",
        trouble=Trouble(
            code=REFUSED,
            failure="setup" if given_up else "transient",
            who="bureau",
            title=_("The webhook “{webhook}” is not taken: {error_text}."),
            steps=(
                _("Ask whoever runs {host} whether it is up, and whether it still knows the address and the secret."),
                _("Send a test from the webhook's page."),
                more[given_up],
            ),
            facts={"webhook": hook.name, "error_text": error, **hook.failure_facts},
        ),
    )


def _works_again(hook: Webhook) -> None:
    resolve_problems(subject=hook)
