"""Which connector serves a client, and which connections stand on a client's organisation number."""

from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from apps.clients.models import Client
from apps.connectors.models import Connection, Connector
from apps.connectors.registry import all_providers
from apps.connectors.sdk.declaration import Auth, consent_of
from apps.connectors.values import templated_with_placeholder


def connector_for(client: Client, provider: str) -> Connector | None:
    """The client's own connector, else the organisation's."""
    mine = Connector.objects.filter(organisation_id=client.organisation_id, provider=provider)
    return mine.filter(client=client).first() or mine.filter(client=None).first()


def connection_for(client: Client, provider: str) -> Connection | None:
    """The client's connection through the connector that serves it; None where there is none yet."""
    connector = connector_for(client, provider)
    if connector is None:
        return None
    return Connection.objects.filter(client=client, connector=connector).first()


def connections_using_number(client: Client) -> list[Connection]:
    """Connections that have opened a company for the client: a change of its number blocks them."""
    rows = Connection.objects.filter(client=client).select_related("connector", "client")
    return [row for row in rows if row.verified_at or row.organisation_number or row.company_key]


def with_clients(connectors: QuerySet[Connector]) -> QuerySet[Any]:
    """Each with `clients`: how many use it, as far as the reader sees them; a join would count them all."""
    seen = Connection.objects.filter(connector=OuterRef("pk")).order_by().values("connector")
    return connectors.annotate(clients=Coalesce(Subquery(seen.annotate(number=Count("pk")).values("number")), 0))


def way_of(connector: Connector) -> Auth | None:
    """How the connector signs in; None where this Kontor no longer has its system."""
    provider = all_providers().get(connector.provider)
    return provider.auth_named(connector.auth) if provider else None


def consents(connector: Connector) -> bool:
    """Whether somebody is sent to the other system's pages for it."""
    way = way_of(connector)
    return way is not None and consent_of(way) is not None


def placeholder_fields(connector: Connector) -> tuple[str, ...]:
    """Names of the connector's fields that are filled in for each client."""
    way = way_of(connector)
    return templated_with_placeholder(way, connector.values) if way else ()
