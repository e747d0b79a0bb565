"""What vendors issued for a connector's credentials, encrypted; one for all clients and processes of the connector."""

import json
from typing import Any

from django.db import transaction

from apps.connectors.models import ConnectorSecret
from apps.core.scope import system_scope

REASON = "the vault of a session that is open; also from threads that have no scope"


class ConnectorVault:
    """`ConnectorSecret.issued`: one JSON object of named entries."""

    def __init__(self, connector_id: int) -> None:
        self.connector_id = connector_id

    def get(self, name: str) -> dict[str, Any] | None:
        with system_scope(REASON):
            held = ConnectorSecret.objects.filter(pk=self.connector_id).values_list("issued", flat=True).first()
        found: dict[str, Any] | None = json.loads(held or "{}").get(name)
        return found

    def put(self, name: str, value: dict[str, Any] | None) -> None:
        """Set or drop one entry; the others stay, also those that another process wrote meanwhile."""
        # PostgreSQL locks the row; on SQLite the transaction is IMMEDIATE, so nobody else writes until it ends.
        with system_scope(REASON), transaction.atomic():
            rows = ConnectorSecret.objects.filter(pk=self.connector_id)
            if value is not None:  # whoever else makes the row just now: one of us does, and both write into it
                ConnectorSecret.objects.bulk_create([ConnectorSecret(pk=self.connector_id)], ignore_conflicts=True)
            held = rows.select_for_update().values_list("issued", flat=True).first()
            if held is None:
                return
            entries = json.loads(held or "{}")
            if value is None:
                entries.pop(name, None)
            else:
                entries[name] = value
            rows.update(issued=json.dumps(entries))
