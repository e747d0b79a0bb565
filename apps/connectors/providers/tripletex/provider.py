"""Tripletex (Norway), API 2: the whole declaration. Sources and quirks: NOTES.md."""

from datetime import timedelta

from apps.connectors.providers.tripletex.auth import BASE_URL, check_values, renew, sign
from apps.connectors.providers.tripletex.company import discover, read_company, resolve, verify
from apps.connectors.providers.tripletex.periods import read_fiscal_years, read_locks
from apps.connectors.providers.tripletex.read import (
    read_accounts,
    read_control_balances,
    read_dimensions,
    read_opening_balances,
)
from apps.connectors.providers.tripletex.refusals import REFUSALS, error_codes
from apps.connectors.providers.tripletex.vouchers import get_vouchers, read_vouchers
from apps.connectors.sdk.declaration import (
    ApiKey,
    Deletes,
    Endpoint,
    Field,
    FieldScope,
    GuideStep,
    HostRule,
    LimitScope,
    Provider,
    RateLimit,
    SpecGap,
)
from apps.connectors.sdk.text import _
from apps.records.enums import Resource

README = "vendors/tripletex/README.md"
SAMPLES = "vendors/tripletex/samples"
EVERY = "every operation"

KEY = ApiKey(
    fields=(
        Field(
            name="api_key",
            label=_("API key"),
            help=_("The long text that Tripletex shows once, when the key is made. Not the Brukernøkkel-ID."),
            secret=True,
        ),
        Field(
            name="org_nr",
            label=_("OrgNr"),
            help=_("Only with a bureau's key: %ORGNR% stands for each client's number. Empty for a single company."),
            example="%ORGNR%",
            required=False,
            templated=True,
        ),
        Field(
            name="consumer_token",
            label=_("Consumer token"),
            help=_("Issued by Tripletex to the operator of this Kontor."),
            secret=True,
            scope=FieldScope.OPERATOR,
        ),
    ),
    sign=sign,
    renew=renew,
)

GUIDE = (
    GuideStep(
        text=_("The company needs the add-on Integrasjoner (API 2.0) in Tripletex."),
        link="https://tripletex.no/integrasjoner/visma-finale",
    ),
    GuideStep(text=_("In Tripletex open your user, API access, and make a new key for the application Kontor.")),
    GuideStep(
        text=_(
            "For all clients of a bureau: do it as a user with the role Brukeradministrator i klientkontoer, and tick"
            " Regnskapskontorets brukernøkkel."
        )
    ),
    GuideStep(text=_("Give the key the right to read the ledger: accounts, vouchers and reports.")),
    GuideStep(text=_("Copy the key at once: it is shown only once. The Brukernøkkel-ID in the list is not the key.")),
    GuideStep(
        text=_("With a bureau's key enter %ORGNR% as OrgNr, and open each client to your user under Klienttilgang.")
    ),
)

SPEC_GAPS = (
    SpecGap(where=EVERY, what="answers 400, 401, 403, 404, 409, 422, 429, 500", source=f"{SAMPLES}/error_*.json"),
    SpecGap(where=EVERY, what="HTML error pages", source=f"{README}, Errors"),
    SpecGap(where=EVERY, what="request header If-None-Match and answer 304", source=f"{README}, Conventions [K]"),
    SpecGap(where=EVERY, what="headers X-Rate-Limit-*, x-tlx-request-id", source=f"{README}, Conventions"),
    SpecGap(where=EVERY, what="versionDigest null or a sentence", source=f"{SAMPLES}/list_vatType_outgoing.json"),
    SpecGap(where=EVERY, what="null in any field", source=f"{SAMPLES}/get_voucher.json"),
)

PROVIDER = Provider(
    slug="tripletex",
    label="Tripletex",
    countries=("NO",),
    auth=(KEY,),
    guide=GUIDE,
    base_url=lambda _values: BASE_URL,
    hosts=(
        HostRule(pattern=r"tripletex\.no", sends_credentials=True),
        HostRule(pattern=r"api-test\.tripletex\.tech", sends_credentials=True),
    ),
    secret_paths=(
        "query:consumerToken",
        "query:employeeToken",
        "json:consumerToken",
        "json:employeeToken",
        "json:value.token",
        "json:value.encryptionKey",
        "json:value.consumerToken.token",
        "json:value.employeeToken.token",
        r"path:/token/session/([^/?]+)",
    ),
    limits=(
        RateLimit(
            scope=LimitScope.CREDENTIAL,
            remaining_header="x-rate-limit-remaining",
            reset_header="x-rate-limit-reset",
        ),
    ),
    check_values=check_values,
    identity_fields=("org_nr",),
    verify=verify,
    resolve=resolve,
    company_lost=(401, 403),
    discover=discover,
    resources={
        Resource.COMPANY: Endpoint(read=read_company),
        Resource.FISCAL_YEARS: Endpoint(read=read_fiscal_years),
        Resource.LOCKS: Endpoint(read=read_locks),
        Resource.ACCOUNTS: Endpoint(read=read_accounts),
        Resource.DIMENSIONS: Endpoint(read=read_dimensions),
        Resource.VOUCHERS: Endpoint(read=read_vouchers, get=get_vouchers, deletes=Deletes.BY_GET),
        Resource.OPENING_BALANCES: Endpoint(read=read_opening_balances),
        Resource.CONTROL_BALANCES: Endpoint(read=read_control_balances),
    },
    refusals=REFUSALS,
    shape_params=("fields",),
    error_codes=error_codes,
    timeout=timedelta(seconds=60),
    spec_gaps=SPEC_GAPS,
)
