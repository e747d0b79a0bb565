"""Writes to feeds: what a client's ledger comes from."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext_lazy as _

from apps.audit.actions import note
from apps.clients.models import Client
from apps.connectors.models import Connection
from apps.flows.models import Feed


@transaction.atomic
def ensure_feed(*, connection: Connection, actor: Any) -> Feed:
    """The connection's feed, made when there is none.

    Raises ValidationError while another connection feeds the client's ledger without an end: a day of a client
    belongs to one source, and two would count every voucher twice.
    """
    Client.objects.select_for_update().get(pk=connection.client_id)
    others = Feed.objects.filter(client=connection.client_id).exclude(connection=connection)
    open_one = others.filter(valid_to=None).first()
    if open_one is not None:
        raise ValidationError(
            _("The ledger of this client comes from “%(other)s” already. Give that feed its last day first."),
            params={"other": str(open_one.connection)},
        )
    last = others.aggregate(last=Max("valid_to"))["last"]
    feed, made = Feed.objects.get_or_create(
        connection=connection,
        defaults={"client": connection.client, "valid_from": last + timedelta(days=1) if last else None},
    )
    if made:
        note(
            organisation_id=connection.client.organisation_id,
            actor=actor,
            action="feed.made",
            subject=feed,
            details={"connection": connection.pk},
        )
    return feed
