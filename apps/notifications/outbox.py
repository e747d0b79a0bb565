"""Mails go out here: claimed by compare-and-set, tried again with growing waits, never sent twice knowingly.

Nobody can know how a sending ended that was cut between the server's "accepted" and our mark. Such a mail is sent once
more, with the same Message-ID, and after a second cut it is given up: at most one duplicate, rather than none told.
"""

import logging
import smtplib
import uuid
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import make_msgid
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import models, transaction
from django.utils import timezone
from django_q.tasks import async_task

from apps.core.scope import system_scope
from apps.notifications.digest import digest_of
from apps.notifications.enums import MailState
from apps.notifications.models import Mail

log = logging.getLogger(__name__)

LANE = "nightly+"  # before the runs of the lane: sync.broker
MOST_ATTEMPTS = 8
MOST_UNSURE = 2
SMTP_SECONDS = 20


def new_message_id() -> str:
    return make_msgid(domain=settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">") or "localhost")


def enqueue(mail: Mail) -> None:
    """With the ORM broker this is an insert: it commits with the caller."""
    async_task("apps.notifications.tasks.send", mail.pk, cluster=LANE)


def rows() -> models.QuerySet[Mail]:
    with system_scope("compare-and-set on a mail"):
        return Mail.objects.all()


def send(mail_id: int) -> str:
    """Send the mail if it waits and its time has come; its state afterwards, or why it was left alone."""
    now = timezone.now()
    due = models.Q(not_before=None) | models.Q(not_before__lte=now)
    token = str(uuid.uuid4())
    taken = (
        rows()
        .filter(due, pk=mail_id, state=MailState.WAITING)
        .update(
            state=MailState.SENDING, token=token, attempts=models.F("attempts") + 1,
            lease_until=now + timedelta(seconds=max(settings.KONTOR_LEASE_SECONDS, SMTP_SECONDS * 4)),
        )
    )  # fmt: skip
    if not taken:
        return "not ours"
    mail = Mail.objects.select_related("user").get(pk=mail_id)
    found = digest_of(mail)
    if found is None:
        return _set(mail, MailState.DROPPED)
    server = get_connection(timeout=SMTP_SECONDS)
    message = EmailMessage(
        found.subject, found.body, settings.DEFAULT_FROM_EMAIL, [mail.user.email],
        headers={"Message-ID": mail.message_id, "Auto-Submitted": "auto-generated"}, connection=server,
    )  # fmt: skip
    try:
        server.open()
    except OSError as error:  # of smtplib too
        return _refused(mail, error)  # cut or silent before it had the mail: nothing can have been sent
    try:
        message.send()
    except (smtplib.SMTPServerDisconnected, TimeoutError) as error:
        return _unsure(mail, str(error))
    except OSError as error:
        return _refused(mail, error)
    else:
        return _set(mail, MailState.SENT, sent_at=timezone.now())
    finally:
        with suppress(OSError):  # its word on the mail is given
            server.close()


def reap() -> int:
    """Take up what was left: sendings whose worker is gone, waits that are over, tasks that got lost."""
    now = timezone.now()
    for mail in rows().filter(state=MailState.SENDING, lease_until__lt=now):
        _unsure(mail, "the worker was lost while sending")
    count = 0
    for mail in rows().filter(state=MailState.WAITING, lease_until__lt=now):
        with transaction.atomic():
            same = rows().filter(pk=mail.pk, state=MailState.WAITING, lease_until=mail.lease_until)
            if same.update(lease_until=patience()):
                enqueue(mail)
                count += 1
    return count


def patience() -> datetime:
    """Until when a queued task is waited for before it is taken to be lost: doubled, it finds nothing to claim."""
    return timezone.now() + timedelta(seconds=settings.KONTOR_LEASE_SECONDS * 20)


def _refused(mail: Mail, error: Exception) -> str:
    """The server has not taken it: tried again later, unless it says that it never will."""
    codes = _codes(error)
    final = (
        bool(codes)
        and all(500 <= code < 600 for code in codes)
        and not isinstance(error, smtplib.SMTPAuthenticationError)
    )
    text = f"{type(error).__name__} {' '.join(map(str, codes))}".strip()  # the server's words may repeat the address
    if final or mail.attempts >= MOST_ATTEMPTS:
        log.error("mail %s was not sent: %s", mail.pk, text)
        return _set(mail, MailState.FAILED, error=text)
    return _later(mail, text)


def _codes(error: Exception) -> list[int]:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return [code for code, _text in error.recipients.values()]
    return [error.smtp_code] if isinstance(error, smtplib.SMTPResponseException) else []


def _unsure(mail: Mail, text: str) -> str:
    if mail.unsure + 1 >= MOST_UNSURE:
        log.error("mail %s was given up: nobody knows whether it arrived", mail.pk)
        return _set(mail, MailState.FAILED, unsure=models.F("unsure") + 1, error=text[:300])
    return _later(mail, text, unsure=models.F("unsure") + 1)


def _later(mail: Mail, text: str, **values: Any) -> str:
    wait = settings.KONTOR_MAIL_RETRY_SECONDS * 2 ** max(0, mail.attempts - 1)
    at = timezone.now() + timedelta(seconds=wait)
    return _set(mail, MailState.WAITING, error=text[:300], not_before=at, lease_until=at, **values)


def _set(mail: Mail, state: MailState, **values: Any) -> str:
    held = rows().filter(pk=mail.pk, state=MailState.SENDING, token=mail.token)
    return str(state) if held.update(**{"state": state, "token": "", "lease_until": None, **values}) else "not ours"
