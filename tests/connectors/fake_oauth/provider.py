"""A provider of nobody's that signs in by OAuth. Loaded through KONTOR_PROVIDER_PACKAGES."""

from dataclasses import replace
from datetime import timedelta

from apps.connectors.sdk.declaration import Field, FieldScope, HostRule, OAuth2Client, OAuth2Code, Provider
from apps.connectors.sdk.session import Session
from apps.records.ledger import Identity

APPLICATION = (
    Field(name="client_id", label="Client id"),
    Field(name="client_secret", label="Client secret", secret=True),
)
TENANT = Field(name="tenant", label="Tenant", scope=FieldScope.CONNECTION)
CONSENT = OAuth2Code(
    fields=APPLICATION,
    authorize_url="https://login.fake-oauth.example/auth",
    token_url="https://login.fake-oauth.example/token",
    revoke_url="https://login.fake-oauth.example/revoke",
    scopes=("books", "company"),
    authorize_params={"access_type": "offline", "account_type": "service"},
    refresh_lifetime=timedelta(days=45),
    learn=lambda answer: {"tenant": str(answer.get("tenant", ""))},
)


def verify(session: Session) -> Identity:
    row = session.read("/company").data
    return Identity(company_id=row["id"], name=row["name"], organisation_number=row["number"])


PROVIDER = Provider(
    slug="fake_oauth",
    label="Fake OAuth",
    countries=("NO",),
    auth=(
        CONSENT,
        OAuth2Client(
            fields=(*APPLICATION, TENANT),
            token_url="https://login.fake-oauth.example/token",
            scopes=("books",),
            token_headers=lambda values: {"TenantId": values["tenant"]},
            consent=replace(CONSENT, authorize_params={"account_type": "service"}),
        ),
    ),
    guide=(),
    base_url=lambda _values: "https://fake-oauth.example/api",
    hosts=(
        HostRule(pattern=r"fake-oauth\.example", sends_credentials=True),
        HostRule(pattern=r"login\.fake-oauth\.example", sends_credentials=True),
        HostRule(pattern=r"files\.fake-oauth\.example"),
    ),
    secret_paths=("header:TenantId",),
    verify=verify,
    resources={},
    refusals=(),
)
