"""Writes to feeds: what a client's ledger comes from."""

from typing import Any

from django.db import transaction

from apps.audit.actions import note
from apps.connectors.models import Connection
from apps.flows.models import Feed


@transaction.atomic
def ensure_feed(*, connection: Connection, actor: Any) -> Feed:
    """The connection's feed, made when there is none."""
    feed, made = Feed.objects.get_or_create(connection=connection, defaults={"client": connection.client})
    if made:
        note(
            organisation_id=connection.client.organisation_id,
            actor=actor,
            action="feed.made",
            subject=feed,
            details={"connection": connection.pk},
        )
    return feed
