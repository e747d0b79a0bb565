"""The bureau's morning: once after each night, its people are owed a digest of what is new and concerns them."""

from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Max, Min

from apps.notifications import outbox
from apps.notifications.digest import has_news
from apps.notifications.enums import MailState
from apps.notifications.models import Mail, Morning
from apps.organisations.models import Organisation, User
from apps.organisations.rights import WORK
from apps.sync.deadman import ready_at
from apps.sync.timetable import due_night

LATEST = timedelta(hours=6)  # after the hour: a digest of the afternoon is no morning's


def greet(now: datetime) -> int:
    """Put the mails of the mornings that have come into the outbox; how many."""
    return sum(_greet(organisation, now) for organisation in Organisation.objects.all())


def _greet(organisation: Organisation, now: datetime) -> int:
    night, _at = due_night(organisation.zone, organisation.night_hour, now)
    ready = ready_at(organisation, night)
    if not ready <= now < ready + LATEST or Morning.objects.filter(organisation=organisation, night=night).exists():
        return 0
    with transaction.atomic():
        if not Morning.objects.get_or_create(organisation=organisation, night=night)[1]:
            return 0
        people = User.objects.filter(
            membership__organisation=organisation, membership__role__in=WORK, is_active=True
        ).distinct()
        return sum(_owe(organisation, user, night=night, now=now) for user in people)


def _told_until(user: User) -> datetime | None:
    """When the last mail was made that could tell; what the failed ones after it were to tell was told in none."""
    mails = Mail.objects.filter(user=user)
    failed = mails.filter(state=MailState.FAILED)
    good = mails.exclude(state=MailState.FAILED).aggregate(at=Max("made_at"))["at"]
    if good is not None:
        failed = failed.filter(made_at__gt=good)
    untold: datetime | None = failed.aggregate(since=Min("since"))["since"]
    return untold or good


def _owe(organisation: Organisation, user: User, *, night: date, now: datetime) -> int:
    since = _told_until(user) or now - timedelta(days=1)
    if not has_news(user, since):
        return 0
    mail, made = Mail.objects.get_or_create(
        user=user,
        night=night,
        defaults={
            "organisation": organisation, "since": since, "message_id": outbox.new_message_id(),
            "lease_until": outbox.patience(),
        },
    )  # fmt: skip
    if made:
        outbox.enqueue(mail)
    return int(made)
