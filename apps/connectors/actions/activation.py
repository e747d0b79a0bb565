"""Activate: verify at once over HTTP, outside any transaction; then keep what worked.

What works is never lost to what does not: failing values replace only values that never worked.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.audit.actions import note
from apps.clients.models import Client
from apps.connectors.actions.connections import (
    accept_company,
    block_connection,
    confirmation_of,
    credential_works,
    resolve_own_problems,
    stop_connection,
)
from apps.connectors.enums import ConnectionState
from apps.connectors.exchanges import ExchangeRecorder
from apps.connectors.grants import keep_grant
from apps.connectors.guard import check_company
from apps.connectors.models import Connection, Connector, ConnectorSecret, OAuthGrant
from apps.connectors.sdk import remedies
from apps.connectors.sdk.declaration import Auth, FieldScope, OAuth2Client, OAuth2Code
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.ports import MemoryTokens, NoVault, Tokens
from apps.connectors.sdk.session import Session
from apps.connectors.sessions import answered, candidate_session, declared, open_session, secrets_held
from apps.connectors.troubles import trouble_of
from apps.connectors.values import asked_per_client, templated_with_placeholder
from apps.notifications.actions import Trouble
from apps.organisations.models import Organisation
from apps.records.json import to_json
from apps.records.ledger import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """What came of it. `trouble` tells people; `error` is set where the vendor or our own checks refused.

    `companies`: how many companies a key for several reaches; None where that was not asked. `client`: whose consent
    was answered.
    """

    connector: Connector | None = None
    connection: Connection | None = None
    identity: Identity | None = None
    trouble: Trouble | None = None
    error: ConnectorError | None = None
    companies: int | None = None
    client: Client | None = None

    @property
    def ok(self) -> bool:
        return self.trouble is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """Staff say that the vendor's company of this id is the client's."""

    company_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Consented:
    """What a consent brought: tokens that nobody keeps yet, with the fields they belong to."""

    tokens: Tokens
    given: Mapping[str, str]
    recorder: ExchangeRecorder


@dataclass(slots=True, kw_only=True)
class _Tried:
    """Values that were tried, and what the vendor said to them."""

    organisation_id: int
    provider: str
    auth: str
    values: dict[str, str]
    secrets: dict[str, str]
    recorder: ExchangeRecorder
    identity: Identity | None = None
    error: ConnectorError | None = None
    company_key: str = ""
    issued: dict[str, Any] = field(default_factory=dict)
    companies: int | None = None
    consented: bool = False  # with tokens that are not those in use
    shared: bool = False  # the connector is the organisation's: a connection's own fields stand on the connection
    own: dict[str, str] = field(default_factory=dict)  # those fields


def activate(
    *,
    client: Client,
    provider: str,
    auth: str,
    values: Mapping[str, str],
    secrets: Mapping[str, str],
    actor: Any,
    connector: Connector | None = None,
    confirmation: Confirmation | None = None,
) -> Activation:
    """Activate the client's own connector with these values; secrets left out stay as they are.

    `connector`: the one to be changed, a new one where None. Not to be called inside a transaction.
    """
    if connector is not None and connector.client_id != client.pk:
        raise ValueError(f"connector {connector.pk} is not client {client.pk}'s own")
    if connector is None:  # another try of what never worked
        connector = Connector.objects.filter(client=client, provider=provider, verified_at=None).first()
    tried = _try(client.organisation_id, provider, auth, values, secrets, connector=connector, client=client)
    with transaction.atomic():
        return _settle(tried, client, connector, actor, confirmation)


def activate_consented(
    *,
    client: Client,
    provider: str,
    auth: str,
    consent: Consented,
    actor: Any,
    connector: Connector | None,
) -> Activation:
    """Compare the company behind new tokens; only then they are kept, with the fields they came with.

    A consent that opens another company leaves a working connection as it is.
    """
    if connector is None:
        connector = Connector.objects.filter(client=client, provider=provider, verified_at=None).first()
    _found, way = declared(provider, auth)
    kept = isinstance(way, OAuth2Code)
    learnt = {} if kept else {spec.name: consent.tokens.learnt.get(spec.name, "") for spec in asked_per_client(way)}
    given = {**consent.given, **{name: value for name, value in learnt.items() if value}}
    tried = _Tried(
        organisation_id=client.organisation_id, provider=provider, auth=auth, values=given, secrets={},
        recorder=consent.recorder, consented=True, shared=connector is not None and connector.client_id is None,
    )  # fmt: skip
    _ask(tried, client=client, tokens=MemoryTokens(consent.tokens) if kept else None)
    with transaction.atomic():
        if connector is not None and connector.client_id is None:
            connector = Connector.objects.select_for_update(of=("self",)).get(pk=connector.pk)
            if _differs(tried, connector):  # the bureau's application is another now: these tokens are not its own
                error = ConnectorError(
                    Failure.SETUP, remedies.CONSENT_STATE, detail="the connector was changed meanwhile", sent=False
                )
                return Activation(connector=connector, trouble=trouble_of(error), error=error)
        outcome = _settle(tried, client, connector, actor, None)
        if outcome.ok and outcome.connection is not None:
            if kept:
                keep_grant(outcome.connection, consent.tokens, actor)
            else:  # what stood on an earlier consent is asked for anew
                OAuthGrant.objects.filter(connection=outcome.connection).delete()
    return outcome


def activate_connection(
    *, connection: Connection, actor: Any, run_id: int | None = None, values: Mapping[str, str] | None = None
) -> Activation:
    """Verify the client's company with what is stored: a shared connector's client, or once more.

    With an actor a failure is raised as a problem of the connection; without, the run that asks raises it.
    `values`: the client's own fields under a shared connector. Failing ones never take the place of working ones.
    """
    outcome = Activation(connector=connection.connector, connection=connection)
    changed = values is not None and dict(values) != connection.values
    if changed:
        connection.values, connection.company_key = dict(values or {}), ""
        if connection.verified_at is None:
            connection.save(update_fields=["values", "company_key"])
    session: Session | None = None
    try:
        session = open_session(connection, run_id=run_id)
        if changed:
            session.tokens = MemoryTokens()  # those held belong to the values before
        opened = session
        identity = answered(opened, lambda: opened.provider.verify(opened))
    except ConnectorError as error:
        if actor is not None and error.failure is not Failure.TRANSIENT and not (changed and connection.verified_at):
            stop_connection(connection, error)
        connection.refresh_from_db()
        return replace(outcome, trouble=trouble_of(error), error=error)
    finally:
        if session is not None:
            session.transport.close()
    with transaction.atomic():
        row, trouble = _judged(identity, connection, None, actor)
        if trouble is not None and not (changed and row.verified_at):
            block_connection(connection=row, trouble=trouble, identity=identity, actor=actor)
        elif trouble is None:
            if changed:
                row.values = connection.values
                OAuthGrant.objects.filter(connection=row).delete()
            _accepted(row, identity, actor, company_key=opened.company_key or "" if changed else None)
    connection.refresh_from_db()
    return replace(outcome, identity=identity, trouble=trouble)


def activate_shared(
    *,
    organisation: Organisation,
    provider: str,
    auth: str,
    values: Mapping[str, str],
    secrets: Mapping[str, str],
    actor: Any,
    connector: Connector | None = None,
) -> Activation:
    """Keep the organisation's connector if its key works; the clients' connections are activated by themselves."""
    if connector is not None and (connector.client_id is not None or connector.organisation_id != organisation.pk):
        raise ValueError(f"connector {connector.pk} is not organisation {organisation.pk}'s own")
    if connector is None:  # another try of what never worked
        untried = Connector.objects.filter(organisation=organisation, client=None, provider=provider, verified_at=None)
        connector = untried.first()
    tried = _try(organisation.pk, provider, auth, values, secrets, connector=connector)
    with transaction.atomic():
        worked = tried.error is None
        if not worked and connector is not None and connector.verified_at is not None:
            return _refused(tried, connector)
        kept = _keep(tried, connector, None, actor, worked=worked)
        if worked:
            credential_works(kept)
    if tried.error is not None:
        return _refused(tried, kept)
    return Activation(connector=kept, identity=tried.identity, companies=tried.companies)


def verify_connector(*, connector: Connector, actor: Any) -> Activation:
    """Try the organisation's connector as it is stored, and count the companies that its key reaches."""
    return activate_shared(
        organisation=connector.organisation,
        provider=connector.provider,
        auth=connector.auth,
        values=connector.values,
        secrets={},
        actor=actor,
        connector=connector,
    )


def _try(
    organisation_id: int,
    provider: str,
    auth: str,
    values: Mapping[str, str],
    secrets: Mapping[str, str],
    *,
    connector: Connector | None,
    client: Client | None = None,
) -> _Tried:
    """Ask the vendor. A connector for several clients has no company of its own: it is asked for all it reaches."""
    if connector is not None and connector.provider != provider:
        raise ValueError(f"connector {connector.pk} is one of {connector.provider}")
    tried = _Tried(
        organisation_id=organisation_id,
        provider=provider,
        auth=auth,
        values={name: value.strip() for name, value in values.items()},
        secrets={
            **secrets_held(connector),
            **{name: value.strip() for name, value in secrets.items() if value.strip()},
        },
        recorder=ExchangeRecorder(organisation_id=organisation_id),
        shared=client is None,
    )
    _ask(tried, client=client)
    return tried


def _ask(tried: _Tried, *, client: Client | None, tokens: MemoryTokens | None = None) -> None:
    """Ask the vendor who it is. An application that waits for its clients has nobody to ask about yet."""
    session: Session | None = None
    try:
        found, way = declared(tried.provider, tried.auth)
        tried.auth = way.name
        tried.values, tried.secrets = _sorted_out(way, tried.values, tried.secrets)
        if tried.shared:
            per_client = {spec.name for spec in asked_per_client(way)}
            tried.own = {name: value for name, value in tried.values.items() if name in per_client and value}
            tried.values = {name: value for name, value in tried.values.items() if name not in per_client}
        if client is None and (isinstance(way, OAuth2Code) or any(spec.required for spec in asked_per_client(way))):
            return
        shared = templated_with_placeholder(way, tried.values) if client is None else ()
        vault = NoVault()
        session = candidate_session(
            provider=found,
            auth=way,
            given={**tried.values, **tried.own, **tried.secrets},
            client=client,
            recorder=tried.recorder,
            vault=vault,
            without=[name for name in shared if name in found.identity_fields],
        )
        session.tokens = tokens or session.tokens
        _asked(tried, session, several=bool(shared))
        tried.company_key, tried.issued = session.company_key or "", vault.held
    except ConnectorError as error:
        tried.error = error
    finally:
        if session is not None:
            session.transport.close()


def _asked(tried: _Tried, session: Session, *, several: bool) -> None:
    discover = session.provider.discover
    if several and discover is not None:
        tried.companies = answered(session, lambda: len(list(discover(session))))
    else:
        tried.identity = answered(session, lambda: session.provider.verify(session))


def _sorted_out(
    auth: Auth, values: Mapping[str, str], secrets: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Only fields that people may fill in, each where it belongs: nothing secret ever lands among the values."""
    ours = [spec for spec in auth.fields if spec.scope is not FieldScope.OPERATOR]
    given = {**values, **secrets}
    return (
        {spec.name: given.get(spec.name, "") for spec in ours if not spec.secret},
        {spec.name: given[spec.name] for spec in ours if spec.secret and given.get(spec.name)},
    )


def _settle(
    tried: _Tried, client: Client, connector: Connector | None, actor: Any, confirmation: Confirmation | None
) -> Activation:
    """Keep what was tried, as far as it may be kept, and tell."""
    works = connector is not None and connector.verified_at is not None
    before = Connection.objects.filter(client=client, connector=connector).first() if connector is not None else None
    if before is not None:
        tried.recorder.attach(before)  # what was answered is seen by who sees the client, also where nothing is kept
    if tried.error is not None:
        if works:
            return _refused(tried, connector, before)
        kept = _keep(tried, connector, client, actor, worked=False)
        connection = _connection(kept, client, tried)
        if tried.error.failure is not Failure.TRANSIENT:
            stop_connection(connection, tried.error)
        return _refused(tried, kept, connection)
    assert tried.identity is not None  # noqa: S101 - verified for a client, so there is one
    candidate = before or Connection(client=client)
    candidate, trouble = _judged(tried.identity, candidate, confirmation, actor)
    active = tried.consented and before is not None and before.state == ConnectionState.ACTIVE
    if trouble is not None and works and connector is not None and (active or _differs(tried, connector)):
        return Activation(connector=connector, connection=before, identity=tried.identity, trouble=trouble)
    kept = _keep(tried, connector, client, actor, worked=trouble is None)
    connection = _connection(kept, client, tried)
    if trouble is None or connection.verified_at is None:
        connection.values = tried.own
        connection.save(update_fields=["values"])
    if trouble is not None:
        block_connection(connection=connection, trouble=trouble, identity=tried.identity, actor=actor)
    else:
        connection.confirmed = candidate.confirmed
        _accepted(connection, tried.identity, actor, company_key=tried.company_key)
    connection.refresh_from_db()
    return Activation(connector=kept, connection=connection, identity=tried.identity, trouble=trouble)


def _judged(
    identity: Identity, connection: Connection, confirmation: Confirmation | None, actor: Any
) -> tuple[Connection, Trouble | None]:
    """The connection with the client as it is now (locked), and the guard's word; a confirmation is put on it."""
    client = Client.objects.select_for_update(of=("self",)).get(pk=connection.client_id)
    if connection.pk is not None:
        connection = Connection.objects.select_for_update(of=("self",)).get(pk=connection.pk)
    connection.client = client
    confirmed = confirmation.company_id if confirmation is not None and confirmation.reason.strip() else ""
    trouble = check_company(identity=identity, client=client, connection=connection, confirmed_id=confirmed)
    if trouble is None and confirmation is not None and confirmed == identity.company_id:
        connection.confirmed = confirmation_of(to_json(identity), actor, confirmation.reason)
    return connection, trouble


def _accepted(connection: Connection, identity: Identity, actor: Any, *, company_key: str | None = None) -> None:
    accept_company(connection, to_json(identity))
    if company_key is not None:
        connection.company_key = company_key
    connection.save()
    resolve_own_problems(connection)
    note(
        organisation_id=connection.connector.organisation_id,
        actor=actor,
        action="connection.activated",
        subject=connection,
        details={
            "company": connection.company,
            "company_id": identity.company_id,
            **({"confirmed": connection.confirmed["reason"]} if connection.confirmed else {}),
        },
    )


def _keep(tried: _Tried, connector: Connector | None, client: Client | None, actor: Any, *, worked: bool) -> Connector:
    """Store the values; what the vendor issued for other ones is dropped."""
    row = connector or Connector(organisation_id=tried.organisation_id, client=client, provider=tried.provider)
    changed = _changed_fields(tried, connector)
    if connector is not None and changed and (row.auth != tried.auth or _own_tokens(tried)):
        OAuthGrant.objects.filter(connection__connector=connector).delete()  # issued for other values
    row.auth, row.values = tried.auth, tried.values
    if worked:
        row.verified_at = timezone.now()
    row.save()
    secret, made = ConnectorSecret.objects.only("pk").select_for_update(of=("self",)).get_or_create(connector=row)
    kept = {} if changed or made else json.loads(secret.issued)
    secret.fields, secret.issued = json.dumps(tried.secrets), json.dumps({**kept, **tried.issued})
    secret.save(update_fields=["fields", "issued"])
    if changed:
        action = "connector.changed" if connector is not None else "connector.made"
        details = {"fields": changed, "verified": worked}
        note(organisation_id=tried.organisation_id, actor=actor, action=action, subject=row, details=details)
    return row


def _own_tokens(tried: _Tried) -> bool:
    """Whether its tokens can be had again without anybody's consent."""
    return isinstance(declared(tried.provider, tried.auth)[1], OAuth2Client)


def _changed_fields(tried: _Tried, connector: Connector | None) -> list[str]:
    """Names only: values may be secret."""
    before = {**connector.values, **secrets_held(connector), "auth": connector.auth} if connector is not None else {}
    after = {**tried.values, **tried.secrets, "auth": tried.auth}
    return sorted(name for name in before.keys() | after.keys() if before.get(name, "") != after.get(name, ""))


def _differs(tried: _Tried, connector: Connector) -> bool:
    return bool(_changed_fields(tried, connector))


def _connection(connector: Connector, client: Client, tried: _Tried) -> Connection:
    connection: Connection = Connection.objects.get_or_create(
        client=client, connector=connector, defaults={"state": ConnectionState.NEW}
    )[0]
    tried.recorder.attach(connection)
    return connection


def _refused(tried: _Tried, connector: Connector | None, connection: Connection | None = None) -> Activation:
    assert tried.error is not None  # noqa: S101 - the callers come here for it
    return Activation(connector=connector, connection=connection, trouble=trouble_of(tried.error), error=tried.error)
