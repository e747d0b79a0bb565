"""A bureau with one read client, its people, and another bureau beside it."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.test import Client as Browser

from apps.clients.models import Client
from apps.connectors.models import Connection, ConnectorSecret
from apps.core.scope import system_scope
from apps.flows.models import Feed
from apps.ledger.balances import recalculate_all
from apps.ledger.enums import Grade
from apps.ledger.proof import Difference, keep_proof
from apps.notifications.actions import Trouble, raise_problem
from apps.organisations.models import Organisation, User
from apps.sync.enums import Lane, RunKind, RunState, Stage
from apps.sync.models import Run
from tests.factories import (
    AccountFactory,
    AssignmentFactory,
    ClientFactory,
    ConnectionFactory,
    FeedFactory,
    FiscalYearFactory,
    MembershipFactory,
    OrganisationFactory,
    SourceFactory,
    UserFactory,
    voucher,
)

SECRET = "never-to-be-shown-anywhere"
TROUBLE = Trouble(
    code="vendor.bad_key",
    failure="reconnect",
    who="client",
    title="The key of {company} is not accepted.",
    steps=("Make a new key.", "Press Activate."),
    facts={"company": "Nordlys"},
)


@dataclass
class Bureau:
    organisation: Organisation
    client: Client
    connection: Connection
    feed: Feed
    voucher: Any

    def member(self, role: str, *, named: bool = True) -> User:
        """A person of the bureau; an accountant and an auditor are named for its client unless told otherwise."""
        person: User = UserFactory(name=f"{role} of the bureau")
        member = MembershipFactory(user=person, organisation=self.organisation, role=role)
        if named and role == "accountant":
            AssignmentFactory(client=self.client, membership=member)
        if named and role == "auditor":
            years = {"first_year": 2026, "last_year": 2026, "ends_on": date(2099, 1, 1)}
            AssignmentFactory(client=self.client, membership=member, kind="audit", **years)
        return person


def make_bureau(slug: str, orgnr: str) -> Bureau:
    organisation = OrganisationFactory(slug=slug, name=slug.title())
    client = ClientFactory(organisation=organisation, number="77", name=f"{slug} Nordlys AS", organisation_number=orgnr)
    connection = ConnectionFactory(client=client, organisation_number=orgnr, identity={"name": "Nordlys AS"})
    feed = FeedFactory(connection=connection)
    year = FiscalYearFactory(client=client)
    bank = AccountFactory(client=client, number="1920", name="Bank")
    sales = AccountFactory(client=client, number="3000", name="Sales", type="income")
    made = voucher(year, date(2026, 3, 15), {bank: "1240.00", sales: "-1240.00"}, number="17")
    with system_scope("tests"):
        ConnectorSecret.objects.create(connector=connection.connector, fields=f'{{"api_key": "{SECRET}"}}')
        recalculate_all(client)
    prove(client)
    return Bureau(organisation, client, connection, feed, made)


def prove(client: Client, grade: Grade = Grade.CONTROL_TOTALS, **values: Any) -> None:
    source = SourceFactory(client=client, label="Tripletex")
    with system_scope("tests"):
        keep_proof(client=client, source=source, grade=grade, accounts=2, **values)


def differ(client: Client) -> None:
    one = Difference(
        account="1920",
        name="Bank",
        period="2026-03",
        part="movement",
        ours=Decimal("1240.00"),
        theirs=Decimal("1000.00"),
    )
    prove(client, differences=[one])


def trouble(connection: Connection) -> Any:
    with system_scope("tests"):
        return raise_problem(client=connection.client, subject=connection, trouble=TROUBLE)


def run_of(feed: Feed, state: str = RunState.SUCCEEDED, **values: Any) -> Run:
    with system_scope("tests"):
        found: Run = Run.objects.create(
            client=feed.client, feed=feed, kind=RunKind.MANUAL, lane=Lane.INTERACTIVE, state=state,
            **{"stage": Stage.VOUCHERS, **values},
        )  # fmt: skip
        return found


def signed_in(person: User) -> Browser:
    browser = Browser()
    browser.force_login(person)
    return browser
