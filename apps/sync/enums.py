from django.db import models
from django.utils.translation import gettext_lazy as _


class RunState(models.TextChoices):
    """`queued` and `running` are live; a run between two slices is queued again."""

    QUEUED = "queued", _("waiting")
    RUNNING = "running", _("running")
    SUCCEEDED = "succeeded", _("complete")
    PARTIAL = "partial", _("not complete")
    FAILED = "failed", _("failed")
    BLOCKED = "blocked", _("blocked")


LIVE = (RunState.QUEUED, RunState.RUNNING)


class RunKind(models.TextChoices):
    NIGHTLY = "nightly", _("nightly")
    MANUAL = "manual", _("by hand")
    RECALCULATION = "recalculation", _("recalculation")


class Lane(models.TextChoices):
    """A person waits in the first; the second can take the night."""

    INTERACTIVE = "interactive", _("interactive")
    NIGHTLY = "nightly", _("nightly")


class Stage(models.TextChoices):
    """The steps of a ledger run, in order."""

    COMPANY = "company", _("Checking the company")
    REGISTERS = "registers", _("Fiscal years, accounts and dimensions")
    OPENINGS = "openings", _("Opening balances")
    VOUCHERS = "vouchers", _("Vouchers")
    MISSING = "missing", _("Looking up what was not returned")
    RECALCULATE = "recalculate", _("Recalculating balances")
    PROVE = "prove", _("Comparing with the source")
    DONE = "done", _("Done")
