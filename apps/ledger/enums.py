from django.db import models
from django.utils.translation import gettext_lazy as _


class Grade(models.IntegerChoices):
    """How far a client's books are proved, best first (LEDGER 4). Only the first two are ever shown green."""

    CONTROL_TOTALS = 1, _("agrees with control totals")
    FILE_TOTALS = 2, _("agrees with counts and file totals")
    NOT_PROVABLE = 3, _("read to the end; the source gives nothing to compare with")
    NOT_COMPLETE = 4, _("not complete")


class SourceKind(models.TextChoices):
    CONNECTION = "connection", _("connection")
    FILE = "file", _("ledger files")


class TypeOrigin(models.TextChoices):
    VENDOR = "vendor", _("the source")
    CHART = "chart", _("chart of accounts")
    STAFF = "staff", _("bureau")


class KeptOut(models.TextChoices):
    """Why a voucher is held but not in the balances."""

    NO = "", _("taken in")
    UNBALANCED = "unbalanced", _("does not sum to zero")
    NO_FISCAL_YEAR = "no_fiscal_year", _("no fiscal year holds its date")
    AMOUNT = "amount", _("an amount has more than four decimals")


class Weight(models.TextChoices):
    """What a posting adds to; the voucher's `counts` and whether it is kept out, in one word."""

    POSTED = "posted", _("posted")
    PROVISIONAL = "provisional", _("provisional")
    OPENING = "opening", _("opening")
    OUT = "out", _("kept out")


class Move(models.TextChoices):
    """How the books moved since the last reading; a voucher counts once, as the first of these that holds."""

    DELETED = "deleted", _("deleted")
    MOVED = "moved", _("moved to another date")
    BACKDATED = "backdated", _("back-dated")
    CHANGED = "changed", _("changed")
    META = "meta", _("text or reference only")


class FindingKind(models.TextChoices):
    UNBALANCED = "unbalanced", _("A voucher does not sum to zero")
    KEPT_OUT = "kept_out", _("A voucher could not be taken in")
    DIFFERS = "differs", _("An account differs from the source")
    OPENING_SUM = "opening_sum", _("The opening balances do not sum to zero")
    OPENING_DIFFERS = "opening_differs", _("The opening differs from the closing of the year before")
    OPENING_RESULT = "opening_result", _("An income or expense account has an opening balance")
    NOT_BALANCED = "not_balanced", _("The books do not balance")
    UNKNOWN_ACCOUNT = "unknown_account", _("An account has no known type")
    NOT_WHOLE = "not_whole", _("The source left out a voucher that it still has")
    NOT_READ = "not_read", _("The source does not let us read a part")
