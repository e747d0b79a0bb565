"""Troubles of taking in clients that are nobody else's. `{name}` is filled from the facts."""

from apps.clients.remedies import Fault
from apps.connectors.sdk.failures import Failure, Remedy, Who
from apps.connectors.sdk.text import _
from apps.notifications.actions import Trouble

NUMBERS_BUSY = Remedy(
    code="onboarding.numbers_busy",
    who=Who.VENDOR,
    title=_("Client numbers are being given out elsewhere at the same time."),
    steps=(_("Press “Try again”."),),
)


def not_allowed(actor: str) -> Trouble:
    return Trouble(
        code="onboarding.not_allowed",
        failure=Failure.PERMISSION,
        who=Who.BUREAU,
        title=_("{actor} started this and is no longer an owner or manager of the bureau."),
        steps=(_("Another owner or manager can go on with it."),),
        facts={"actor": actor},
    )


def connector_gone() -> Trouble:
    return Trouble(
        code="onboarding.connector_gone",
        failure=Failure.SETUP,
        who=Who.BUREAU,
        title=_("The bureau's connector is no longer there."),
        steps=(_("Add it again, then begin anew."),),
    )


def fed_already(other: str) -> Trouble:
    return Trouble(
        code="onboarding.fed_already",
        failure=Failure.SETUP,
        who=Who.BUREAU,
        title=_("The connection works, but the client's books come from “{other}” already."),
        steps=(_("To read them from here, give that feed its last day; then try again."),),
        facts={"other": other},
    )


def crashed(detail: str) -> Trouble:
    return Trouble(
        code="onboarding.crashed",
        failure=Failure.UNKNOWN,
        who=Who.SUPPORT,
        title=_("This stopped because of a fault in Kontor."),
        steps=(_("Send the reference and the technical detail to support."),),
        detail=detail,
    )


def changed_meanwhile(column: str) -> Fault:
    return Fault(
        code="line.changed_meanwhile",
        title=_("The client was changed by somebody else after the file was checked."),
        step=_("Choose the file again: it is compared with the client as it is now."),
        column=column,
    )


def no_number() -> Fault:
    return Fault(
        code="company.no_number",
        title=_("The other system tells no organisation number for this company."),
        step=_("Enter the number there, or add the client by hand and give it its own key."),
        column="organisation_number",
    )


def twins(number: str) -> Fault:
    return Fault(
        code="company.twins",
        title=_("The key reaches more than one company with organisation number {number}."),
        step=_("Close the copy or test company to the key in the other system, then list the companies again."),
        column="organisation_number",
        facts={"number": number},
    )
