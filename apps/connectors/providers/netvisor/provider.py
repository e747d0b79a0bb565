"""Netvisor (Finland), Web Service Interface: the whole declaration. Sources and quirks: NOTES.md."""

from datetime import timedelta

from apps.connectors.providers.netvisor import vouchers
from apps.connectors.providers.netvisor.calls import decode
from apps.connectors.providers.netvisor.periods import read_company, read_fiscal_years, read_locks, verify
from apps.connectors.providers.netvisor.read import (
    read_accounts,
    read_control_balances,
    read_dimensions,
    read_opening_balances,
)
from apps.connectors.providers.netvisor.refusals import REFUSALS, error_codes, refused
from apps.connectors.providers.netvisor.registers import (
    get_customers,
    get_products,
    get_suppliers,
    read_customers,
    read_products,
    read_suppliers,
)
from apps.connectors.providers.netvisor.sign import MAC, check_values, sign
from apps.connectors.sdk.declaration import (
    Deletes,
    Endpoint,
    Field,
    FieldScope,
    GuideStep,
    HostRule,
    LimitScope,
    Provider,
    RateLimit,
    Signed,
    SpecGap,
)
from apps.connectors.sdk.text import _
from apps.records.enums import Resource

BASE_URL = "https://integration.netvisor.fi"
README = "vendors/netvisor/README.md"
BUSINESS_ID = r"(?i)(FI)?\s*\d{7}\s*-?\s*\d"

KEYS = Signed(
    fields=(
        Field(
            name="customer_id",
            label=_("Customer id"),
            help=_("Of the API identifiers that a user of the company makes in Netvisor."),
        ),
        Field(
            name="customer_key",
            label=_("Customer key"),
            help=_("The key that belongs to the customer id."),
            secret=True,
        ),
        Field(
            name="organisation_id",
            label=_("Business id"),
            help=_("Of the company to read, 1234567-8. %ORGNR% stands for each client's number."),
            pattern=BUSINESS_ID,
            example="%ORGNR%",
            templated=True,
        ),
        Field(
            name="partner_id",
            label=_("Partner id"),
            help=_("Given by Netvisor to the operator of this Kontor."),
            scope=FieldScope.OPERATOR,
        ),
        Field(
            name="partner_key",
            label=_("Partner key"),
            help=_("The key that belongs to the partner id."),
            secret=True,
            scope=FieldScope.OPERATOR,
        ),
        Field(
            name="sender",
            label=_("Name of the integration"),
            help=_("Shown in Netvisor beside everything that this Kontor asks."),
            example="Kontor",
            scope=FieldScope.OPERATOR,
        ),
        Field(
            name="algorithm",
            label=_("Signature"),
            help=_("HMACSHA256, unless Netvisor told the operator to use SHA256."),
            pattern=r"(?i)HMACSHA256|SHA256",
            example="HMACSHA256",
            required=False,
            scope=FieldScope.OPERATOR,
        ),
    ),
    sign=sign,
)

GUIDE = (
    GuideStep(
        text=_("The company needs a Netvisor package with the Web Service Interface: Professional, Premium or Payroll.")
    ),
    GuideStep(text=_("In the company's Netvisor, as an administrator, open the API identifiers of your user and make new ones for Kontor.")),
    GuideStep(text=_("Copy the customer id and the key at once, and enter both here.")),
    GuideStep(
        text=_(
            "Open Rights of API resources, choose Kontor, and tick: accountlist, accountingperiodlist, accountingledger,"
            " deletedvouchers, accountbalance, dimensionlist, customerlist, getcustomer, getvendor, productlist,"
            " getproduct."
        )
    ),
    GuideStep(text=_("Enter the company's business id. Each company has identifiers of its own.")),
)  # fmt: skip

SPEC_GAPS = (
    SpecGap(where="every resource", what="HTTP statuses beside 200", source=f"{README}, Authentication (unconfirmed)"),
    SpecGap(where="deletedvouchers.nv", what="no answer is recorded: every key in it counts", source=f"{README}, Resources"),
    SpecGap(where="accountbalance.nv", what="what Debet and Kredit cover", source=f"{README}, Resources"),
)  # fmt: skip

PROVIDER = Provider(
    slug="netvisor",
    label="Netvisor",
    countries=("FI",),
    auth=(KEYS,),
    guide=GUIDE,
    base_url=lambda _values: BASE_URL,
    hosts=(
        HostRule(pattern=r"integration\.netvisor\.fi", sends_credentials=True),
        HostRule(pattern=r"isvapi\.netvisor\.fi", sends_credentials=True),
    ),
    secret_paths=(f"header:{MAC}",),
    limits=(RateLimit(scope=LimitScope.COMPANY, concurrency=1),),
    check_values=check_values,
    identity_fields=("organisation_id",),
    verify=verify,
    resources={
        Resource.COMPANY: Endpoint(read=read_company),
        Resource.FISCAL_YEARS: Endpoint(read=read_fiscal_years),
        Resource.LOCKS: Endpoint(read=read_locks),
        Resource.ACCOUNTS: Endpoint(read=read_accounts),
        Resource.DIMENSIONS: Endpoint(read=read_dimensions),
        Resource.VOUCHERS: Endpoint(
            read=vouchers.read_vouchers,
            get=vouchers.get_vouchers,
            deletes=Deletes.BY_LIST,
            overlap=vouchers.OVERLAP,
            memory=vouchers.MEMORY,
        ),
        Resource.OPENING_BALANCES: Endpoint(read=read_opening_balances),
        Resource.CONTROL_BALANCES: Endpoint(read=read_control_balances),
        Resource.CUSTOMERS: Endpoint(read=read_customers, get=get_customers),
        Resource.SUPPLIERS: Endpoint(read=read_suppliers, get=get_suppliers),
        Resource.PRODUCTS: Endpoint(read=read_products, get=get_products),
    },
    refusals=REFUSALS,
    error_codes=error_codes,
    decode=decode,
    refused=refused,
    media_type="application/xml, text/xml",
    concurrency=1,
    timeout=timedelta(seconds=150),
    spec_gaps=SPEC_GAPS,
)
