"""Fortnox (Sweden), API 3: the whole declaration. Sources and quirks: NOTES.md."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from apps.connectors.providers.fortnox.calls import OVERLAP
from apps.connectors.providers.fortnox.read import (
    discover,
    read_accounts,
    read_company,
    read_control_balances,
    read_dimensions,
    read_fiscal_years,
    read_locks,
    read_opening_balances,
    verify,
)
from apps.connectors.providers.fortnox.refusals import OAUTH, OAUTH_CLIENT, REFUSALS, error_codes
from apps.connectors.providers.fortnox.registers import ARTICLES, CUSTOMERS, SUPPLIERS, Register
from apps.connectors.providers.fortnox.shapes import API
from apps.connectors.providers.fortnox.vouchers import get_vouchers, read_vouchers
from apps.connectors.sdk.declaration import (
    Deletes,
    Endpoint,
    Field,
    FieldScope,
    GuideStep,
    HostRule,
    LimitScope,
    OAuth2Client,
    OAuth2Code,
    Provider,
    RateLimit,
    SpecGap,
)
from apps.connectors.sdk.oauth import claims
from apps.connectors.sdk.text import _
from apps.records.enums import Resource

README = "vendors/fortnox/README.md"
SAMPLES = "vendors/fortnox/samples"
SIGN_IN = "https://apps.fortnox.se/oauth-v1"
SCOPES = ("companyinformation", "bookkeeping", "settings", "costcenter", "project", "customer", "supplier", "article")

APPLICATION = (
    Field(
        name="client_id",
        label=_("Client id"),
        help=_("Of the application that the operator of this Kontor registered with Fortnox."),
        scope=FieldScope.OPERATOR,
    ),
    Field(
        name="client_secret",
        label=_("Client secret"),
        help=_("Shown beside the client id in Fortnox' developer portal."),
        secret=True,
        scope=FieldScope.OPERATOR,
    ),
)


def learn(answer: Mapping[str, Any]) -> dict[str, str]:
    """The company that consented (claim `tenantId` [T]) and what it granted."""
    tenant = claims(str(answer.get("access_token", ""))).get("tenantId")
    found = {"tenant_id": tenant, "scope": answer.get("scope")}
    return {name: str(value) for name, value in found.items() if value}


CONSENT = OAuth2Code(
    fields=APPLICATION,
    authorize_url=f"{SIGN_IN}/auth",
    token_url=f"{SIGN_IN}/token",
    revoke_url=f"{SIGN_IN}/revoke",
    scopes=SCOPES,
    # a service account does not hang on one person's licences, and the same consent serves the second way in
    authorize_params={"access_type": "offline", "account_type": "service"},
    pkce=False,
    refresh_lifetime=timedelta(days=45),
    rotates=True,
    learn=learn,
    refusals=OAUTH,
)
SERVICE = OAuth2Client(
    # without access_type=offline: a refresh token that nobody keeps is not asked for
    consent=replace(CONSENT, authorize_params={"account_type": "service"}),
    fields=(
        *APPLICATION,
        Field(
            name="tenant_id",
            label=_("TenantId"),
            help=_(
                "The company's database number. Leave it empty and press Connect: the consent tells it. A company that"
                " has consented to Kontor before needs no new consent: enter its number and press Activate."
            ),
            pattern=r"[0-9]{1,12}",
            example="29302",
            scope=FieldScope.CONNECTION,
        ),
    ),
    token_url=f"{SIGN_IN}/token",
    token_headers=lambda values: {"TenantId": values["tenant_id"]},
    refusals=OAUTH_CLIENT,
)

GUIDE = (
    GuideStep(text=_("The company needs the licence Fortnox Integration, and Bokföring for its ledger.")),
    GuideStep(text=_("Each company consents by itself: Fortnox has no key for all clients of a bureau.")),
    GuideStep(
        text=_(
            "Press Connect. Sign in to Fortnox as a system administrator; from Digital byrå choose this client there."
        ),
    ),
    GuideStep(text=_("Accept what Kontor asks for. It only reads, though Fortnox names every right read and write.")),
    GuideStep(text=_("You come back to Kontor, which compares the company with the client before it keeps anything.")),
    GuideStep(
        text=_(
            "Service account is the calmer choice: one consent holds until the company takes it back. The other sign-in"
            " ends when Kontor has not read for 45 days."
        )
    ),
    GuideStep(
        text=_("The TenantId is the database number under Inställningar, Företagsinställningar."),
        link="https://apps.fortnox.se",
    ),
)

LISTS = "every list"
SPEC_GAPS = (
    SpecGap(where=LISTS, what="query page, limit, sortby, sortorder", source=f"{README}, Conventions [L]"),
    SpecGap(where=LISTS, what="MetaInformation with @TotalResources ...", source=f"{SAMPLES}/customers__all.json"),
    SpecGap(
        where="/accounts, /accounts/{Number}",
        what="query financialyear; BalanceCarriedForward in the list",
        source=f"{README}, Endpoints, accounts",
    ),
    SpecGap(where="/vouchers", what="query fromdate, todate, lastmodified", source=f"{README}, Endpoints, vouchers"),
    SpecGap(where="/suppliers", what="query lastmodified", source=f"{README}, Conventions, global filters [L]"),
    SpecGap(where="/sie/{Type}", what="query financialyear in lower case", source=f"{README}, Conventions, Paging"),
    SpecGap(where="/sie/{Type}", what="answer 200 with a file, not 204", source=f"{README}, Endpoints, SIE"),
    SpecGap(where="/articles/{ArticleNumber}", what="numbers with letters", source=f"{README}, Endpoints, articles"),
    SpecGap(where="/financialyears", what="accountCharts", source=f"{SAMPLES}/docs__financialyears_list.json"),
    SpecGap(where="every answer", what="null, and numbers and booleans as texts", source=f"{README}, Conventions"),
    SpecGap(
        where="every refusal",
        what="error, message, code in lower case; 401 without ErrorInformation; 403 without body; 429",
        source=f"{README}, Errors; {SAMPLES}/invoices__filter_invalid.json, authentication__expired_token.json",
    ),
)


def place_of(path: str) -> str:
    """`/vouchers` is a list in short form, `/vouchers/*` one of its rows: series and numbers of articles have letters."""
    steps = urlsplit(path).path.removeprefix("/3").strip("/").split("/")
    return f"/{steps[0]}" + "/*" * (len(steps) > 1)


def register(of: Register) -> Endpoint:
    return Endpoint(read=of.read, get=of.get, overlap=OVERLAP)


PROVIDER = Provider(
    slug="fortnox",
    label="Fortnox",
    countries=("SE",),
    auth=(CONSENT, SERVICE),
    guide=GUIDE,
    base_url=lambda _values: API,
    hosts=(
        HostRule(pattern=r"api\.fortnox\.se", sends_credentials=True),
        HostRule(pattern=r"apps\.fortnox\.se"),
    ),
    secret_paths=("header:authorization", "json:access_token", "json:refresh_token", "query:code"),
    limits=(RateLimit(scope=LimitScope.COMPANY, count=25, seconds=5.0, sliding=True),),
    identity_fields=("tenant_id",),
    verify=verify,
    discover=discover,
    resources={
        Resource.COMPANY: Endpoint(read=read_company),
        Resource.FISCAL_YEARS: Endpoint(read=read_fiscal_years),
        Resource.LOCKS: Endpoint(read=read_locks),
        Resource.ACCOUNTS: Endpoint(read=read_accounts),
        Resource.DIMENSIONS: Endpoint(read=read_dimensions),
        Resource.VOUCHERS: Endpoint(read=read_vouchers, get=get_vouchers, deletes=Deletes.BY_GET, overlap=OVERLAP),
        Resource.OPENING_BALANCES: Endpoint(read=read_opening_balances),
        Resource.CONTROL_BALANCES: Endpoint(read=read_control_balances),
        Resource.CUSTOMERS: register(CUSTOMERS),
        Resource.SUPPLIERS: register(SUPPLIERS),
        Resource.PRODUCTS: register(ARTICLES),
    },
    refusals=REFUSALS,
    place_of=place_of,
    error_codes=error_codes,
    timeout=timedelta(seconds=120),  # a SIE file of a large year is made while we wait
    spec_gaps=SPEC_GAPS,
)
