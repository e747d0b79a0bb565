"""Tripletex' refusals: each answer's failure and what people do about it. Places in brackets: vendors/tripletex/README.md.

Judged by status and code, then by the field named in `validationMessages`; texts come in the user's language [Errors].
"""

from typing import Any

from apps.connectors.sdk.failures import Failure, Refusal, Remedy, Seen, Who
from apps.connectors.sdk.text import _

SESSION_PATH = "/token/session/:create"
# [Q] "That message is the test for 'this is a bureau key'": the vendor gives no code of its own for it (NOTES.md).
BUREAU_TEXT = "can only access /token/session/>whoAmI & /company/>withLoginAccess"

KEY_IS_ID = Remedy(  # [F] the "Brukernøkkel-ID" in the list of keys is not usable
    code="tripletex.key_is_id",
    who=Who.BUREAU,
    title=_("This is the Brukernøkkel-ID, not the key itself."),
    steps=(
        _("Tripletex shows the key only once, when it is made. The Brukernøkkel-ID in the list cannot be used."),
        _("In Tripletex make a new key under API access, copy the long text shown and enter it here."),
    ),
)
WRONG_ENVIRONMENT = (
    Remedy(  # issue Tripletex/tripletex-api2#53, [Hosts]: keys of one environment do not work in the other
        code="tripletex.wrong_environment",
        who=Who.SUPPORT,
        title=_("Tripletex does not know this Kontor's consumer token."),
        steps=(
            _("Production and test environment have keys of their own: check which one this Kontor is connected to."),
            _("The operator compares the consumer token with the one that Tripletex issued."),
        ),
    )
)
BAD_KEY = Remedy(  # [Errors] `arg:employeeToken`, 401 code 3000
    code="tripletex.bad_key",
    who=Who.CLIENT,
    title=_("Tripletex does not accept the key."),
    steps=(
        _("It may be mistyped, deleted or expired, or made for another application than Kontor."),
        _("In Tripletex make a new key under API access, choose Kontor as the application, and copy the key at once."),
        _("Enter it in the connector and press Activate."),
    ),
)
API_ADDON_MISSING = Remedy(  # [F] the customer needs the add-on "Integrasjoner" (API 2.0), module API_V2
    code="tripletex.api_addon_missing",
    who=Who.CLIENT,
    title=_("The company lacks Tripletex' add-on for API 2.0."),
    steps=(
        _("In Tripletex order the add-on Integrasjoner (API 2.0) for the company."),
        _("Then press Try again."),
    ),
)
ENTITLEMENT_MISSING = (
    Remedy(  # [Errors] 403 code 9000: entitlement of the key or missing package, the body does not tell
        code="tripletex.entitlement_missing",
        who=Who.CLIENT,
        title=_("The key may not read this in Tripletex."),
        steps=(
            _("In Tripletex open the key under API access and give it the right to read the ledger and its vouchers."),
            _("The employee who owns the key needs the same right; some parts need a larger Tripletex package."),
            _("Then press Try again."),
        ),
    )
)
COMPANY_NOT_OPENED = Remedy(  # [Bureau mode] no grant, no row in the list; the vendor does not tell why
    code="tripletex.company_not_opened",
    who=Who.BUREAU,
    title=_("No company with organisation number {org_nr} is open to this key."),
    steps=(
        _("Check the organisation number on the client's card."),
        _("If it is right, open the company to the key's employee: customer list, the client, Klienttilgang."),
        _("Then press Activate."),
    ),
)
COMPANY_AMBIGUOUS = Remedy(
    code="tripletex.company_ambiguous",
    who=Who.BUREAU,
    title=_("The key opens several companies with organisation number {org_nr}: {companies}."),
    steps=(_("Close all but one of them to the key's employee under Klienttilgang, then press Activate."),),
)
ACCESS_WITHDRAWN = Remedy(  # [Bureau mode] no grant, no row; [Unconfirmed] 401 or 403 as the client
    code="tripletex.access_withdrawn",
    who=Who.BUREAU,
    title=_("The key no longer opens the company with organisation number {org_nr}."),
    steps=(
        _("Open the company to the key's employee again: customer list, the client, Klienttilgang."),
        _("If the client has left, end the connection. What was read stays as it is."),
    ),
)
ORGNR_ON_SINGLE_KEY = Remedy(  # [F] for a single company the field stays empty
    code="tripletex.orgnr_on_single_key",
    who=Who.BUREAU,
    title=_("The key belongs to the single company {company}, so OrgNr must stay empty."),
    steps=(
        _("Empty the field OrgNr, and check that the key is this client's."),
        _("For many clients with one key make one with Regnskapskontorets brukernøkkel ticked."),
    ),
)
BUREAU_KEY_WITHOUT_ORGNR = Remedy(  # [Q], [F2]
    code="tripletex.bureau_key_without_orgnr",
    who=Who.BUREAU,
    title=_("This is the bureau's key for all clients; it needs to be told which company is meant."),
    steps=(_("Enter %ORGNR% in the field OrgNr: each client's own organisation number takes its place."),),
)
NOT_FOUND = Remedy(  # [Errors] 404 code 6000
    code="tripletex.not_found",
    who=Who.BUREAU,
    title=_("Tripletex does not have this any more."),
    steps=(_("Nothing is needed if it was deleted in Tripletex."),),
)
TOO_MANY = Remedy(  # [Conventions] 422 code 23000, more than 10,000 hits
    code="tripletex.too_many",
    who=Who.SUPPORT,
    title=_("More than 10,000 vouchers stand on one day; Tripletex does not give them out."),
    steps=(_("Send the reference to support."),),
)
RECORD_REFUSED = Remedy(  # [Errors] 422 code 18000, 409
    code="tripletex.refused",
    who=Who.BUREAU,
    title=_("Tripletex refuses this."),
    steps=(_("Read the reason beside it, correct it and try again."),),
)
REQUEST_REFUSED = Remedy(  # [Errors] 400, 404 code 21000, 422 codes 12000 to 22000: our own request was wrong
    code="tripletex.request_refused",
    who=Who.SUPPORT,
    title=_("Tripletex did not understand what Kontor asked."),
    steps=(_("Send the reference to support; the answer is kept in the log."),),
)


def error_codes(body: Any) -> tuple[str, ...]:
    """The code of an error body, and the names of the fields it complains about; nothing for any other body."""
    if not isinstance(body, dict) or "code" not in body:
        return ()
    messages = body.get("validationMessages")
    found = [item for item in messages if isinstance(item, dict)] if isinstance(messages, list) else []
    return (str(body["code"]), *(str(item["field"]) for item in found if item.get("field")))


def says_bureau_key(seen: Seen) -> bool:
    """The documented text, wherever in the error body it stands."""
    return isinstance(seen.body, dict) and any(
        BUREAU_TEXT in str(value)
        for value in (seen.body.get("message"), seen.body.get("developerMessage"), _first(seen.body))
    )


def _first(body: dict[str, Any]) -> Any:
    return body.get("validationMessages") or ""


def _session(seen: Seen) -> bool:
    return seen.path == SESSION_PATH


REFUSALS = (
    Refusal(
        failure=Failure.SETUP, remedy=WRONG_ENVIRONMENT, statuses=(422,), codes=("arg:consumerToken", "consumerToken")
    ),
    Refusal(
        failure=Failure.RECONNECT,
        remedy=BAD_KEY,
        statuses=(422,),
        codes=("arg:employeeToken", "employeeToken"),
        field="api_key",
    ),
    # the wording for a bad key is unconfirmed: whatever else refuses to make a session is taken for one,
    # less what refuses another field of the question
    Refusal(
        failure=Failure.UNKNOWN,
        remedy=REQUEST_REFUSED,
        statuses=(422,),
        codes=("arg:expirationDate", "expirationDate"),
        when=_session,
    ),
    Refusal(
        failure=Failure.RECONNECT, remedy=BAD_KEY, statuses=(422,), codes=("18000",), when=_session, field="api_key"
    ),
    Refusal(failure=Failure.RECONNECT, remedy=BAD_KEY, statuses=(400, 401, 403), when=_session, field="api_key"),
    Refusal(
        failure=Failure.SETUP,
        remedy=BUREAU_KEY_WITHOUT_ORGNR,
        statuses=(401, 403, 422),
        when=says_bureau_key,
        field="org_nr",
    ),
    Refusal(failure=Failure.RECONNECT, remedy=BAD_KEY, statuses=(401,), field="api_key"),
    Refusal(failure=Failure.PERMISSION, remedy=ENTITLEMENT_MISSING, statuses=(403,), codes=("9000",)),
    Refusal(failure=Failure.RECORD, remedy=NOT_FOUND, statuses=(404,), codes=("6000",)),
    Refusal(failure=Failure.RECORD, remedy=TOO_MANY, statuses=(422,), codes=("23000",)),
    Refusal(failure=Failure.RECORD, remedy=RECORD_REFUSED, statuses=(422,), codes=("18000",)),
    Refusal(failure=Failure.RECORD, remedy=RECORD_REFUSED, statuses=(409,), codes=("7000", "8000", "10000", "14000")),
    Refusal(
        failure=Failure.UNKNOWN,
        remedy=REQUEST_REFUSED,
        statuses=(400, 404, 422),
        codes=("4000", "11000", "12000", "15000", "16000", "17000", "21000", "22000"),
    ),
)
