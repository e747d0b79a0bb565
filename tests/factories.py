"""Rows for tests, with nothing surprising in them. Each opens a tenant scope of its own, so that a test need not.

A `voucher(...)` has its postings, its touched cells are not written: call `recalculate_all`, or take records in through
`Intake` where the way in matters.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import factory
from cryptography.fernet import Fernet
from django.db import connection as database
from factory.django import DjangoModelFactory

from apps.clients.models import Assignment, Client
from apps.connectors.enums import ConnectionState
from apps.connectors.models import Connection, Connector
from apps.core.scope import system_scope
from apps.flows.models import Feed
from apps.ledger.content import dimension_key
from apps.ledger.enums import SourceKind
from apps.ledger.models import Account, DimensionSet, FiscalYear, OpeningBalance, Posting, Source, Voucher
from apps.organisations.models import Membership, Organisation, User
from apps.records.enums import AccountType, Counts, VoucherKind

SEEN = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)


class ScopedFactory(DjangoModelFactory):
    class Meta:
        abstract = True

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **kwargs: Any) -> Any:
        with system_scope("tests"):
            return super()._create(model_class, *args, **kwargs)


class UserFactory(DjangoModelFactory):
    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"person{n}@nordvik.example")
    name = "Kari Nordmann"
    is_staff = True
    password = factory.django.Password("secret")


class OrganisationFactory(ScopedFactory):
    class Meta:
        model = Organisation

    slug = factory.Sequence(lambda n: f"bureau-{n}")
    name = factory.LazyAttribute(lambda row: row.slug.replace("-", " ").title())
    country = "NO"


class MembershipFactory(ScopedFactory):
    class Meta:
        model = Membership

    user = factory.SubFactory(UserFactory)
    organisation = factory.SubFactory(OrganisationFactory)
    role = "accountant"


class ClientFactory(ScopedFactory):
    class Meta:
        model = Client

    organisation = factory.SubFactory(OrganisationFactory)
    number = factory.Sequence(lambda n: str(1000 + n))
    name = factory.LazyAttribute(lambda row: f"Client {row.number} AS")
    country = "NO"
    organisation_number = ""


class AssignmentFactory(ScopedFactory):
    """A substitute of the client's bureau; give a membership of the same bureau."""

    class Meta:
        model = Assignment

    client = factory.SubFactory(ClientFactory)
    membership = factory.SubFactory(MembershipFactory, organisation=factory.SelfAttribute("..client.organisation"))
    kind = "substitute"


class ConnectorFactory(ScopedFactory):
    """The organisation's own; give `client` for a connector of one client."""

    class Meta:
        model = Connector

    organisation = factory.SubFactory(OrganisationFactory)
    provider = "tripletex"
    auth = "api_key"


class ConnectionFactory(ScopedFactory):
    class Meta:
        model = Connection

    client = factory.SubFactory(ClientFactory)
    connector = factory.SubFactory(ConnectorFactory, organisation=factory.SelfAttribute("..client.organisation"))
    state = ConnectionState.ACTIVE
    company_key = factory.Sequence(lambda n: str(5000 + n))
    pinned_company_id = factory.SelfAttribute("company_key")


class FeedFactory(ScopedFactory):
    class Meta:
        model = Feed

    connection = factory.SubFactory(ConnectionFactory)
    client = factory.SelfAttribute("connection.client")


class SourceFactory(ScopedFactory):
    class Meta:
        model = Source

    client = factory.SubFactory(ClientFactory)
    kind = SourceKind.CONNECTION
    ref = factory.Sequence(lambda n: n + 1)
    label = "Tripletex"


class FiscalYearFactory(ScopedFactory):
    """The calendar year 2026."""

    class Meta:
        model = FiscalYear

    client = factory.SubFactory(ClientFactory)
    start = date(2026, 1, 1)
    end = date(2026, 12, 31)
    currency = "NOK"
    origin = SourceKind.CONNECTION


class AccountFactory(ScopedFactory):
    """An account of type asset."""

    class Meta:
        model = Account

    client = factory.SubFactory(ClientFactory)
    number = factory.Sequence(lambda n: str(1900 + n))
    name = factory.LazyAttribute(lambda row: f"Account {row.number}")
    type = AccountType.ASSET


class OpeningBalanceFactory(ScopedFactory):
    class Meta:
        model = OpeningBalance

    client = factory.SelfAttribute("fiscal_year.client")
    fiscal_year = factory.SubFactory(FiscalYearFactory)
    account = factory.SubFactory(AccountFactory, client=factory.SelfAttribute("..fiscal_year.client"))
    amount = Decimal("100.00")
    source_id = 1


class VoucherFactory(ScopedFactory):
    """A voucher without postings; see `voucher` for one with."""

    class Meta:
        model = Voucher

    client = factory.SubFactory(ClientFactory)
    source_id = 1
    external_id = factory.Sequence(lambda n: f"v{n}")
    number = factory.Sequence(lambda n: str(n + 1))
    date = date(2026, 3, 15)
    period = factory.LazyAttribute(lambda row: row.date.year * 100 + row.date.month)
    kind = VoucherKind.ORDINARY
    counts = Counts.POSTED
    hash = factory.LazyAttribute(lambda row: f"hash {row.external_id}"[:32])
    first_seen_at = SEEN
    changed_at = SEEN


def voucher(
    year: FiscalYear,
    day: date,
    lines: Mapping[Account, str] | Iterable[tuple[Account, str]],
    *,
    period: int | None = None,
    dimensions: Mapping[str, str] | None = None,
    weight: str = "posted",
    **fields: Any,
) -> Voucher:
    """A voucher of `year` with a posting per line (account, amount), all with the same dimensions and period."""
    month = period or day.year * 100 + day.month
    made: Voucher = VoucherFactory(client=year.client, fiscal_year=year, date=day, period=month, **fields)
    pairs = lines.items() if isinstance(lines, Mapping) else lines
    with system_scope("tests"):
        held, _made = DimensionSet.objects.get_or_create(
            client=year.client,
            key=dimension_key(dict(dimensions or {})),
            defaults={"items": dict(dimensions or {})},
        )
        for row, (account, amount) in enumerate(pairs, start=1):
            Posting.objects.create(
                client=year.client, voucher=made, row=row, date=day, fiscal_year=year, period=month, account=account,
                dimension_set=held, weight=weight, amount=Decimal(amount),
            )  # fmt: skip
    return made


def lose_the_key(connector: Connector) -> None:
    """What is stored for the connector was encrypted with a key that nobody has."""
    lost = Fernet(Fernet.generate_key()).encrypt(b"{}")
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE connectors_connectorsecret SET fields = %s WHERE connector_id = %s", [lost, connector.pk]
        )
