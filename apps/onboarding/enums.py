from django.db import models
from django.utils.translation import gettext_lazy as _


class Origin(models.TextChoices):
    DISCOVER = "discover", _("companies that the key reaches")
    FILE = "file", _("file")


class BatchState(models.TextChoices):
    """`listing` and `working` are worked in the background; the others wait for people."""

    LISTING = "listing", _("asking the other system")
    OPEN = "open", _("to be looked at")
    WORKING = "working", _("working")
    STOPPED = "stopped", _("stopped")
    ENDED = "ended", _("done")


BUSY = (BatchState.LISTING, BatchState.WORKING)


class LineState(models.TextChoices):
    LISTED = "listed", _("not chosen")
    WAITING = "waiting", _("waiting")
    MADE = "made", _("made")
    CHANGED = "changed", _("changed")
    THERE = "there", _("already there")
    REFUSED = "refused", _("refused")


FINISHED = (LineState.MADE, LineState.CHANGED, LineState.THERE, LineState.REFUSED)
