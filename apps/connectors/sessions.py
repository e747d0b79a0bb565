"""Opens sessions on connections: the one place where credentials are decrypted and put to use."""

import logging
import traceback
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar, cast

from apps.clients.models import Client
from apps.connectors import environment, registry
from apps.connectors.exchanges import ExchangeRecorder
from apps.connectors.grants import GrantTokens
from apps.connectors.limits import credential_of, limiter
from apps.connectors.models import Connection, Connector, ConnectorSecret
from apps.connectors.sdk import remedies
from apps.connectors.sdk.declaration import Auth, Provider
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.session import NoVault, Session, Vault
from apps.connectors.shapes import ShapeWatch
from apps.connectors.values import ready_values
from apps.connectors.vault import ConnectorVault
from apps.core.encryption import InvalidToken
from apps.core.scope import system_scope

T = TypeVar("T")
logger = logging.getLogger(__name__)


def open_session(connection: Connection, *, run_id: int | None = None) -> Session:
    """A session on the connection's company. Raises ConnectorError (SETUP) before anything is sent.

    Not to be opened or used inside a transaction: each call's exchange and the vault are committed as they come.
    """
    connector = connection.connector
    provider, auth = declared(connector.provider, connector.auth)
    session = candidate_session(
        provider=provider,
        auth=auth,
        given={**connector.values, **secrets_of(connector), **connection.values},
        client=connection.client,
        recorder=ExchangeRecorder(
            organisation_id=connector.organisation_id, connection_id=connection.pk, run_id=run_id
        ),
        vault=ConnectorVault(connector.pk),
        company=connection.pinned_company_id,
    )

    def keep(key: str | None) -> None:
        connection.company_key = key or ""
        with system_scope("the connection of this session; also from threads that have no scope"):
            Connection.objects.filter(pk=connection.pk).update(company_key=connection.company_key)

    session.company_key = connection.company_key or None
    session.keep_company_key = keep
    session.tokens = GrantTokens(connection.pk)
    watch = ShapeWatch(connection)
    session.saw = watch.saw
    session.memory["shapes"] = watch
    return session


def candidate_session(
    *,
    provider: Provider,
    auth: Auth,
    given: Mapping[str, str],
    client: Client | None,
    recorder: ExchangeRecorder,
    vault: Vault | None = None,
    without: Collection[str] = (),
    company: str = "",
) -> Session:
    """A session with values that may not be stored yet; what the vendor issues stays in the session's own vault."""
    values = ready_values(provider, auth, given, client=client, without=without)
    session = Session(
        provider=provider,
        auth=auth,
        values=values,
        transport=environment.transport(provider),
        vault=vault or NoVault(),
        limiter=limiter(
            provider,
            auth,
            values,
            override=environment.base_url(provider.slug),
            company=company or (f"client {client.pk}" if client is not None else ""),
        ),
        record=recorder,
    )
    session.memory["recorder"] = recorder
    return session


def credential_and_places(connection: Connection) -> tuple[str, int]:
    """What the vendor knows this connection by, as a digest, and how many runs it may be used in at once."""
    connector = connection.connector
    try:
        provider, auth = declared(connector.provider, connector.auth)
        entered = {**connector.values, **secrets_of(connector), **connection.values}
    except ConnectorError:
        return "", 0  # the run itself will tell
    return credential_of(provider, auth, entered, connection.pk), provider.concurrency


def answered(session: Session, ask: Callable[[], T]) -> T:
    """What a provider's function gives. Raises ConnectorError also for the provider's own faults, secrets hidden."""
    try:
        return ask()
    except ConnectorError:
        raise
    except Exception as error:  # noqa: BLE001 - a fault of the provider is told like any other failure
        detail = session.masker.text(f"{type(error).__name__}: {error}")
        logger.error(  # noqa: TRY400 - its own traceback would show secrets
            "%s: %s", session.provider.slug, session.masker.text(traceback.format_exc())
        )
        raise ConnectorError(Failure.UNKNOWN, remedies.NOT_UNDERSTOOD, detail=detail) from None


def recorder_of(session: Session) -> ExchangeRecorder:
    return cast("ExchangeRecorder", session.memory["recorder"])


def keep_shapes(session: Session) -> None:
    """At the end of a session: remember which fields its answers had, and tell what is other than it was."""
    watch = session.memory.get("shapes")
    if isinstance(watch, ShapeWatch):
        watch.keep()


def last_exchange_id(session: Session) -> int | None:
    """The kept exchange of the session's latest call."""
    return recorder_of(session).last_exchange_id


def declared(slug: str, auth: str | None) -> tuple[Provider, Auth]:
    """The declarations. Raises ConnectorError (SETUP) where this Kontor no longer has them."""
    try:
        provider = registry.provider(slug)
        return provider, provider.auth_named(auth)
    except (KeyError, ValueError) as error:
        raise ConnectorError(Failure.SETUP, remedies.NOT_INSTALLED, detail=str(error), sent=False) from error


def secrets_of(connector: Connector) -> dict[str, str]:
    """What people entered. Raises ConnectorError (SETUP) where none of the keys in use reads it."""
    try:
        held = ConnectorSecret.objects.filter(pk=connector.pk).first()
    except InvalidToken:
        raise ConnectorError(Failure.SETUP, remedies.UNREADABLE, sent=False) from None
    return {} if held is None else held.entered()


def secrets_held(connector: Connector | None) -> dict[str, str]:
    """The same for whoever enters them anew: none where there are none, or none that can be read."""
    try:
        return secrets_of(connector) if connector is not None else {}
    except ConnectorError:
        return {}
