"""Troubles that the engine itself finds, whatever the vendor. `{name}` is filled from the facts."""

from apps.connectors.sdk.failures import Failure, Who
from apps.connectors.sdk.text import _
from apps.notifications.actions import Trouble

CRASHED = "run.crashed"


def mass_disappearance(gone: int, held: int, vendor: str) -> Trouble:
    return Trouble(
        code="ledger.mass_disappearance",
        failure=Failure.RECORD,
        who=Who.BUREAU,
        title=_("{gone} of {held} vouchers were no longer returned by {vendor}. Nothing was deleted."),
        steps=(
            _("Look in the other system whether the vouchers are really gone."),
            _("If they are still there, a right of the key was withdrawn: give it back and synchronize again."),
            _("If they are really gone, press “Let them be deleted”."),
        ),
        facts={"gone": str(gone), "held": str(held), "vendor": vendor},
    )


def differs(count: int, first: dict[str, str], vendor: str) -> Trouble:
    return Trouble(
        code="ledger.differs",
        failure=Failure.RECORD,
        who=Who.BUREAU,
        title=_("{count} accounts differ from {vendor}; first account {account}, {period}: {difference}."),
        steps=(
            _("The whole period was read again and still differs; the accounts are listed on the client's page."),
            _("Compare the account's postings of the period with the other system."),
            _("Check whether the key may see all vouchers, salaries included."),
        ),
        facts={"count": str(count), "vendor": vendor, **first},
    )


def kept_out(count: int, first: dict[str, str]) -> Trouble:
    return Trouble(
        code="ledger.kept_out",
        failure=Failure.RECORD,
        who=Who.BUREAU,
        title=_("{count} vouchers could not be taken in; first {voucher} of {date}, off by {difference}."),
        steps=(
            _("Look at the voucher in the other system: its lines do not sum to zero as we received them."),
            _("Mend it there, then synchronize again."),
        ),
        facts={"count": str(count), **first},
    )


def not_finished(stage: str, reason: str, vendor: str) -> Trouble:
    return Trouble(
        code="run.not_finished",
        failure=Failure.TRANSIENT,
        who=Who.VENDOR,
        title=_("{vendor} could not be read to the end; it stopped at: {stage}."),
        steps=(
            _("Nothing was deleted and nothing is half-written. The next run goes on from the start."),
            _("If it stays so, look at the run's log and the vendor's status page."),
        ),
        facts={"vendor": vendor, "stage": stage},
        detail=reason,
    )


def crashed(detail: str) -> Trouble:
    return Trouble(
        code=CRASHED,
        failure=Failure.UNKNOWN,
        who=Who.SUPPORT,
        title=_("A run stopped because of a fault in Kontor."),
        steps=(_("Send the reference and the technical detail to support."),),
        detail=detail,
    )


NIGHT_LATE = "night.late"


def night_late(late: int, of: int, never: int, facts: dict[str, str]) -> Trouble:
    """`late` of `of` clients were not read by their hour; `never` of them have not even been begun."""
    titles = {
        "all": _("Nothing was read in the night of {night}: the workers do not work."),
        "some": _(
            "{late} of {of} clients were not read by {hour} in the night of {night}; {never} have not been begun."
        ),
    }
    return Trouble(
        code=NIGHT_LATE,
        failure=Failure.UNKNOWN,
        who=Who.SUPPORT,
        title=titles["all" if never == of else "some"],
        steps=(
            _("Look whether the workers run (manage.py work); they catch up by themselves when they do."),
            _("If they run, look at the clients below: a run that takes all night says where it is."),
        ),
        facts={"late": str(late), "of": str(of), "never": str(never), **facts},
        news=("night",),  # its counts change every minute
    )
