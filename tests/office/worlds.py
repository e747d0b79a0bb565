"""A row of every model in the admin, all with one and the same id, so that any address with that id hits one of them."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db import models

from apps.audit.models import AuditLine
from apps.clients.models import ApiToken, Assignment, Client
from apps.connectors.models import (
    Connection,
    Connector,
    ConnectorSecret,
    Examination,
    Exchange,
    ExchangePayload,
    OAuthGrant,
    PayloadShape,
)
from apps.core.scope import client_path, system_scope
from apps.flows.models import Feed
from apps.ledger.enums import Grade
from apps.ledger.models import (
    Account,
    Balance,
    DimensionSet,
    Finding,
    FiscalYear,
    LedgerFile,
    LedgerState,
    Posting,
    Proof,
    Voucher,
    VoucherVersion,
)
from apps.notifications.models import Affected, Problem, Webhook, WebhookEvent, WebhookSecret
from apps.onboarding.models import Batch, Line
from apps.organisations.models import Membership, Organisation, User
from apps.sync.models import Run
from tests.factories import (
    AccountFactory,
    ClientFactory,
    ConnectionFactory,
    ConnectorFactory,
    FeedFactory,
    FiscalYearFactory,
    MembershipFactory,
    OrganisationFactory,
    UserFactory,
    VoucherFactory,
)

NOW = datetime(2026, 11, 19, 2, tzinfo=UTC)
DAY = date(2026, 3, 15)


@dataclass
class World:
    """`name` starts every text and may be searched for; `mark` ends every text and may be seen nowhere."""

    pk: int
    name: str
    mark: str
    orgnr: str
    amount: Decimal
    organisation: Organisation | None = None
    restricted: bool = False
    rows: dict[type[models.Model], Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return f"{self.name} {self.mark}"

    @property
    def number(self) -> str:
        return f"{self.pk}{self.mark}"[:20]

    @property
    def marks(self) -> tuple[str, ...]:
        return (self.mark, self.orgnr, f"{self.amount:,.2f}", f"{self.amount:.2f}")

    @property
    def client(self) -> Client:
        found: Client = self.rows[Client]
        return found

    def build(self) -> "World":
        """Fails where a model of ours stands in the admin and nobody says here how a row of it is made."""
        ours = [model for model in admin.site._registry if model.__module__.startswith("apps.")]
        missing = [model._meta.label for model in ours if model not in MAKERS]
        assert not missing, f"no row is made of {missing}: add them to tests/office/worlds.py"
        given = self.organisation
        if given is not None:
            self.rows[Organisation] = given
        with system_scope("tests"):
            for model, make in MAKERS.items():
                if given is None or client_path(model) is not None:
                    self.rows[model] = make(self)
                    assert self.rows[model].pk == self.pk, model
            _details(self)
        return self

    def snapshot(self) -> dict[str, Any]:
        """Every row as it stands, to see that nothing was changed."""
        with system_scope("tests"):
            return {
                model._meta.label: model._base_manager.filter(pk=self.pk).values().first()
                for model in self.rows
                if self.rows[model].pk == self.pk
            }


def _details(world: World) -> None:
    client, voucher, account = world.client, world.rows[Voucher], world.rows[Account]
    year = world.rows[FiscalYear]
    sets = DimensionSet.objects.get(client=client)
    for row, amount in enumerate((world.amount, -world.amount), start=1):
        Posting.objects.create(
            client=client, voucher=voucher, row=row, date=DAY, fiscal_year=year, period=202603, account=account,
            dimension_set=sets, weight="posted", amount=amount, text=world.text,
        )  # fmt: skip
    VoucherVersion.objects.create(
        client=client, voucher=voucher, version=1, move="changed", effect=world.amount, period=202603,
        seen_at=NOW, run_id=world.pk, before={"date": "2026-03-15", "postings": []},
        after={"date": "2026-03-15", "postings": [{"account": world.text, "amount": str(world.amount)}]},
    )  # fmt: skip
    LedgerState.objects.create(client=client, proof=world.rows[Proof])
    connection = world.rows[Connection]
    Examination.objects.create(
        connection=connection, checks=[], warnings=[{"code": "x.y", "title": world.text, "steps": [world.text]}]
    )
    PayloadShape.objects.create(
        connection=connection, place=f"GET {world.mark}", changes=[{"kind": "gone", "field": world.text, "now": ""}]
    )
    OAuthGrant.objects.create(connection=connection, tokens=world.text, consented_by=world.text, consented_at=NOW)
    Affected.objects.create(problem=world.rows[Problem], client=client)
    _rows_of_the_bureau(world)
    ConnectorSecret.objects.create(connector=world.rows[Connector], fields=f'{{"api_key": "{world.text}"}}')


def _rows_of_the_bureau(world: World) -> None:
    """A cause shared by clients, and clients taken in together: rows of the bureau that name this client."""
    organisation = world.rows[Organisation]
    for member in Membership.objects.filter(organisation=organisation):
        Assignment.objects.create(client=world.client, membership=member, kind="named")
    shared, _made = Problem.objects.get_or_create(
        organisation=organisation, client=None, code="v.shared", subject_kind="connectors.connector",
        subject_id=str(organisation.pk),
        defaults={"failure": "reconnect", "who": "bureau", "title_text": "A key of the bureau is refused."},
    )  # fmt: skip
    Affected.objects.create(problem=shared, client=world.client)
    hook = world.rows.get(Webhook) or Webhook.objects.get(organisation=organisation)
    WebhookEvent.objects.create(webhook=hook, problem=world.rows[Problem], kind="problem.opened")
    for state in ("open", "ended"):
        batch, _made = Batch.objects.get_or_create(
            organisation=organisation, connector=None, origin="file", state=state, actor="nobody"
        )
        Line.objects.create(
            batch=batch, position=world.pk, number=world.number, name=world.text, organisation_number=world.orgnr,
            verdict="same", state="listed" if state == "open" else "refused", client=world.client, chosen=True,
            connection=world.rows[Connection], trouble={"code": "x.y", "title": world.text, "steps": [world.text]},
        )  # fmt: skip


def _connection(world: World) -> Any:
    return ConnectionFactory(
        pk=world.pk, client=world.client, connector=world.rows[Connector], organisation_number=world.orgnr,
        identity={"name": world.text, "organisation_number": world.orgnr}, verified_at=NOW,
    )  # fmt: skip


def _webhook(world: World) -> Any:
    host = f"{world.mark.lower()}.example"
    hook = Webhook.objects.create(
        pk=world.pk, organisation=world.rows[Organisation], name=world.text, host=host, all_clients=True,
        last_error=world.mark,
    )  # fmt: skip
    WebhookSecret.objects.create(webhook=hook, url=f"https://{host}/{world.mark}", secret="whsec_AAAA")
    return hook


def _balance(world: World) -> Any:
    sets = DimensionSet.objects.create(client=world.client, key=world.text, items={"department": world.mark})
    return Balance.objects.create(
        pk=world.pk, client=world.client, fiscal_year=world.rows[FiscalYear], period=202603, dimension_set=sets,
        account=world.rows[Account], debit=world.amount, credit=0, provisional=0, postings=1,
    )  # fmt: skip


def _exchange(world: World) -> Any:
    return Exchange.objects.create(
        pk=world.pk, organisation=world.rows[Organisation], connection=world.rows[Connection], run_id=world.pk, at=NOW,
        method="GET", url=f"https://vendor.example/{world.mark}", place=f"https://vendor.example/{world.mark}",
        status=200, seconds=0.1, request=world.text,
        payload=ExchangePayload.objects.create(
            organisation=world.rows[Organisation], digest=world.mark, body=zlib.compress(world.text.encode())
        ),
    )  # fmt: skip


def _problem(world: World) -> Any:
    return Problem.objects.create(
        pk=world.pk, organisation=world.rows[Organisation], client=world.client, code=f"v.{world.mark}",
        failure="reconnect", who="client", title_text=world.text, subject_kind="connectors.connection",
        subject_id=str(world.pk), subject_label=world.text, detail=world.text,
    )  # fmt: skip


def _proof(world: World) -> Any:
    wrong = {"account": "1", "name": world.text, "period": "2026", "part": "movement"}
    amounts = dict.fromkeys(("ours", "theirs", "difference"), str(world.amount))
    return Proof.objects.create(
        pk=world.pk, client=world.client, source_id=1, run_id=world.pk, grade=Grade.NOT_COMPLETE, at=NOW,
        source_label=world.text, control_difference=world.amount, differences=[wrong | amounts],
    )  # fmt: skip


def _audit(world: World) -> Any:
    return AuditLine.objects.create(
        pk=world.pk, organisation_id=world.rows[Organisation].pk, client_id=world.client.pk, actor=world.text,
        action=f"did {world.mark}", subject_kind="clients.client", subject_id=str(world.pk), subject=world.text,
    )  # fmt: skip


def _run(world: World) -> Any:
    return Run.objects.create(
        pk=world.pk, client=world.client, feed=world.rows[Feed], kind="nightly", lane="nightly", state="failed",
        night=DAY, actor=world.text, detail=world.text, counts={"changed": 1}, worker=world.mark,
    )  # fmt: skip


# In this order: later ones stand on earlier ones.
MAKERS: dict[type[models.Model], Callable[[World], Any]] = {
    Organisation: lambda w: OrganisationFactory(pk=w.pk, name=w.text, slug=w.mark.lower()),
    User: lambda w: UserFactory(pk=w.pk, email=f"{w.mark.lower()}@{w.name.lower()}.example", name=w.text),
    Membership: lambda w: MembershipFactory(
        pk=w.pk, user=w.rows[User], organisation=w.rows[Organisation], role="owner"
    ),
    Client: lambda w: ClientFactory(
        pk=w.pk, organisation=w.rows[Organisation], number=w.number, name=w.text, organisation_number=w.orgnr,
        restricted=w.restricted, responsible=w.rows.get(User),
    ),
    ApiToken: lambda w: ApiToken.objects.create(
        pk=w.pk, organisation=w.rows[Organisation], name=w.text, digest=w.mark, all_clients=True
    ),
    Connector: lambda w: ConnectorFactory(
        pk=w.pk, organisation=w.rows[Organisation], client=w.client, values={"org_nr": w.orgnr}, verified_at=NOW
    ),
    Connection: _connection,
    Exchange: _exchange,
    Feed: lambda w: FeedFactory(pk=w.pk, client=w.client, connection=w.rows[Connection]),
    FiscalYear: lambda w: FiscalYearFactory(pk=w.pk, client=w.client),
    Account: lambda w: AccountFactory(pk=w.pk, client=w.client, number=f"9{w.mark}", name=w.text),
    Balance: _balance,
    Voucher: lambda w: VoucherFactory(
        pk=w.pk, client=w.client, fiscal_year=w.rows[FiscalYear], text=w.text, number=w.mark, exchange_id=w.pk
    ),
    Finding: lambda w: Finding.objects.create(
        pk=w.pk, client=w.client, kind="unbalanced", key=w.text, amount=w.amount, facts={"voucher": w.text}
    ),
    Proof: _proof,
    LedgerFile: lambda w: LedgerFile.objects.create(pk=w.pk, client=w.client, name=w.text, digest=w.mark),
    Run: _run,
    Batch: lambda w: Batch.objects.create(
        pk=w.pk, organisation=w.rows[Organisation], connector=w.rows[Connector], origin="file", state="ended",
        file_name=w.text, actor=w.text,
    ),
    Problem: _problem,
    Webhook: _webhook,
    AuditLine: _audit,
}  # fmt: skip
