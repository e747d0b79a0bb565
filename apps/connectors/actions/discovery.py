"""Which companies a bureau's credential reaches, asked of the vendor."""

from apps.connectors.exchanges import ExchangeRecorder
from apps.connectors.models import Connector
from apps.connectors.queries import placeholder_fields
from apps.connectors.registry import all_providers
from apps.connectors.sdk.declaration import OAuth2Code
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.session import Session
from apps.connectors.sessions import answered, candidate_session, declared, secrets_of
from apps.connectors.vault import ConnectorVault
from apps.records.ledger import Identity


def lists_companies(connector: Connector) -> bool:
    """Whether the credential can be asked for the companies it reaches: one key for several, and a vendor that tells."""
    provider = all_providers().get(connector.provider)
    return bool(
        provider is not None
        and provider.discover is not None
        and connector.client_id is None
        and placeholder_fields(connector)
        and not isinstance(provider.auth_named(connector.auth), OAuth2Code)
    )


def discover_companies(connector: Connector) -> list[Identity]:
    """Every company that the bureau's connector reaches. Raises ConnectorError. Not to be called in a transaction."""
    provider, auth = declared(connector.provider, connector.auth)
    discover = provider.discover
    if discover is None:
        raise ValueError(f"{provider.slug} lists no companies")
    varying = placeholder_fields(connector)
    session: Session | None = None
    try:
        session = candidate_session(
            provider=provider,
            auth=auth,
            given={**connector.values, **secrets_of(connector)},
            client=None,
            recorder=ExchangeRecorder(organisation_id=connector.organisation_id),
            vault=ConnectorVault(connector.pk),
            without=[name for name in varying if name in provider.identity_fields],
        )
        opened = session
        return answered(opened, lambda: list(discover(opened)))
    finally:
        if session is not None:
            session.transport.close()


def is_credential_at_fault(connector: Connector, error: ConnectorError) -> bool:
    """Whether the shared credential itself is refused, and with it every client that uses it.

    The vendor's refusal names the field: one that is the same for all clients.
    """
    provider, auth = declared(connector.provider, connector.auth)
    return (
        connector.client_id is None
        and error.failure is Failure.RECONNECT
        and not isinstance(auth, OAuth2Code)
        and bool(error.field)
        and error.field not in (*provider.identity_fields, *placeholder_fields(connector))
    )
