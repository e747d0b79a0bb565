from django.db import models
from django.utils.translation import gettext_lazy as _


class EventKind(models.TextChoices):
    """What a webhook tells; the values are what receivers see."""

    OPENED = "problem.opened", _("problem opened")
    CHANGED = "problem.changed", _("problem changed")
    RESOLVED = "problem.resolved", _("problem resolved")
    TEST = "webhook.test", _("test")


class MailState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    SENDING = "sending", _("being sent")
    SENT = "sent", _("sent")
    DROPPED = "dropped", _("nothing to tell any more")
    FAILED = "failed", _("failed")
