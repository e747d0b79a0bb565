"""Fortnox' refusals: each answer's failure and what people do about it. Places in brackets: vendors/fortnox/README.md.

Judged by status and `Code`; messages are Swedish and may change [Errors].
"""

from collections.abc import Callable
from typing import Any

from apps.connectors.sdk import remedies
from apps.connectors.sdk.failures import Failure, Refusal, Remedy, Seen, Who
from apps.connectors.sdk.text import _

# [Errors, G] a 400 for a missing right or licence comes with other codes too, and only these words tell (NOTES.md)
RIGHT_WORDS = ("behörighet", "scope", "licens")
LICENCE, API_LICENCE = "2001101", "2001103"  # [Errors]
SERVICE_TEXT = "does not allow service account"  # [Authorization code, D]: OAuth has no error code for it

ACCESS_REFUSED = Remedy(  # [Errors] 401 {"message":"unauthorized"}, after the token was renewed; 2000310, 2000311
    code="fortnox.access_refused",
    who=Who.CLIENT,
    title=_("Fortnox no longer lets Kontor into the company."),
    steps=(
        _("Somebody may have removed Kontor under Inställningar, Integrationer in Fortnox."),
        _("Open the connection, press Connect again, and consent as a system administrator of the company."),
    ),
)
CONSENT_UNKNOWN = Remedy(  # [Client credentials with TenantId, T] the consent lasts until the customer revokes it
    code="fortnox.consent_unknown",
    who=Who.CLIENT,
    title=_("Fortnox does not have the company's consent for Kontor, or no longer."),
    steps=(
        _("Press Connect again. A system administrator of the company signs in to Fortnox and accepts."),
        _("Kontor then learns the TenantId by itself. Was it typed wrong before, nothing else is needed."),
    ),
)
LICENCE_MISSING = Remedy(  # [Errors] error_missing_license, Code 2001101
    code="fortnox.licence_missing",
    who=Who.CLIENT,
    title=_("The company lacks the Fortnox licence for this part."),
    steps=(
        _("In Fortnox order the licence that the part needs: Bokföring, Fakturering, Order, or Integration."),
        _("If the company has it, a system administrator gives it to the user who consented, under Användare."),
        _("Then press Try again. Connecting anew does not help."),
    ),
)
API_LICENCE_MISSING = Remedy(  # [Errors] Code 2001103 "Api-licens saknas."
    code="fortnox.api_licence_missing",
    who=Who.CLIENT,
    title=_("The company lacks Fortnox' licence for integrations."),
    steps=(_("In Fortnox order the licence Fortnox Integration for the company."), _("Then press Try again.")),
)
ADMIN_NEEDED = Remedy(  # [Errors] error_missing_system_admin_right; [Authorization code]: service accounts
    code="fortnox.admin_needed",
    who=Who.CLIENT,
    title=_("Only a system administrator of the company can give this consent."),
    steps=(
        _("Ask a person who is Systemadministratör in Fortnox to sign in and consent."),
        _("Or have yourself made one under Inställningar, Användare."),
    ),
)
SERVICE_OFF = Remedy(  # [Authorization code]: must be switched on in the developer portal
    code="fortnox.service_accounts_off",
    who=Who.SUPPORT,
    title=_("Kontor's application at Fortnox does not allow service accounts."),
    steps=(_("The operator opens the application in Fortnox' developer portal and switches service accounts on."),),
)
REGISTER_CLOSED = Remedy(  # [Errors] 403 Code 2003275, 403 without body, 400 with such a text: never an expired token
    code="fortnox.register_closed",
    who=Who.CLIENT,
    title=_("Kontor may not read this part of Fortnox."),
    steps=(
        _("In Fortnox open Inställningar, Användare, and give the user who consented the right to the register."),
        _("The consent must cover the part too: where it was added later, press Connect again."),
        _("Then press Try again."),
    ),
)
NOT_FOUND = Remedy(  # [Errors] 404 with a Code per register
    code="fortnox.not_found",
    who=Who.BUREAU,
    title=_("Fortnox does not have this any more."),
    steps=(_("Nothing is needed if it was removed in Fortnox."),),
)
RECORD_REFUSED = Remedy(  # [Errors] validation: one message only
    code="fortnox.refused",
    who=Who.BUREAU,
    title=_("Fortnox refuses this."),
    steps=(_("Read the reason beside it, correct it and try again."),),
)
REQUEST_REFUSED = Remedy(  # [Errors] bad filter or parameter, wrong field name, empty body: our own request was wrong
    code="fortnox.request_refused",
    who=Who.SUPPORT,
    title=_("Fortnox did not understand what Kontor asked."),
    steps=(_("Send the reference to support; the answer is kept in the log."),),
)


def error_information(body: Any) -> dict[str, Any]:
    """`ErrorInformation` with its keys in lower case: both spellings are recorded."""
    if not isinstance(body, dict):
        return {}
    lowered = {str(name).lower(): value for name, value in body.items()}
    found = lowered.get("errorinformation")
    return {str(name).lower(): value for name, value in found.items()} if isinstance(found, dict) else {}


def error_codes(body: Any) -> tuple[str, ...]:
    code = error_information(body).get("code")
    return () if code in (None, "") else (str(code),)


def has_code(seen: Seen) -> bool:
    return bool(error_codes(seen.body))


def says_right(seen: Seen) -> bool:
    body = seen.body if isinstance(seen.body, dict) else {}
    message = str(error_information(body).get("message") or body.get("message") or "").lower()
    return any(word in message for word in RIGHT_WORDS)


def signed_in(*words: str) -> Callable[[Seen], bool]:
    """Whether a sign-in's answer has one of these as its error, in its description, or as its Code.

    Which of them they stand in is not documented; the codes are the API's own [Errors].
    """

    def says(seen: Seen) -> bool:
        body = seen.body if isinstance(seen.body, dict) else {}
        told = f"{body.get('error', '')} {body.get('error_description', '')}".lower()
        return any(word in told for word in words) or bool(set(words) & set(error_codes(body)))

    return says


OAUTH = (
    Refusal(failure=Failure.PERMISSION, remedy=LICENCE_MISSING, when=signed_in("error_missing_license", LICENCE)),
    Refusal(failure=Failure.PERMISSION, remedy=ADMIN_NEEDED, when=signed_in("error_missing_system_admin_right")),
    Refusal(failure=Failure.SETUP, remedy=SERVICE_OFF, when=signed_in(SERVICE_TEXT)),
    Refusal(failure=Failure.PERMISSION, remedy=API_LICENCE_MISSING, when=signed_in(API_LICENCE)),
)
OAUTH_CLIENT = (
    *OAUTH,
    Refusal(failure=Failure.RECONNECT, remedy=CONSENT_UNKNOWN, codes=("invalid_grant",), field="tenant_id"),
)

REFUSALS = (
    # whatever their status: that of the first two was seen as 400 and as 403 [Unconfirmed]
    Refusal(failure=Failure.PERMISSION, remedy=LICENCE_MISSING, codes=(LICENCE,)),
    Refusal(failure=Failure.PERMISSION, remedy=API_LICENCE_MISSING, codes=(API_LICENCE,)),
    Refusal(failure=Failure.PERMISSION, remedy=REGISTER_CLOSED, codes=("2003275",)),
    Refusal(failure=Failure.RECONNECT, remedy=ACCESS_REFUSED, statuses=(401,)),
    Refusal(failure=Failure.RECONNECT, remedy=ACCESS_REFUSED, codes=("2000310", "2000311")),
    Refusal(failure=Failure.PERMISSION, remedy=REGISTER_CLOSED, statuses=(403,)),
    Refusal(failure=Failure.TRANSIENT, remedy=remedies.VENDOR_FAULT, codes=("1000003",)),  # [Errors] server
    Refusal(failure=Failure.RECORD, remedy=NOT_FOUND, codes=("2000428", "2000433", "2000434", "2001161")),
    Refusal(failure=Failure.RECORD, remedy=NOT_FOUND, statuses=(404,), when=has_code),
    Refusal(
        failure=Failure.UNKNOWN,
        remedy=REQUEST_REFUSED,
        codes=("2000587", "2000588", "2001399", "2001392", "2000108"),
    ),
    Refusal(
        failure=Failure.RECORD,
        remedy=RECORD_REFUSED,
        # the last: samples/orders__housework_othercoses_invalid.json
        codes=("2001304", "2000359", "2004167", "2000637", "2002980"),
    ),
    Refusal(failure=Failure.PERMISSION, remedy=REGISTER_CLOSED, statuses=(400,), when=says_right),
)
