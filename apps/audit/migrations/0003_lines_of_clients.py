"""Lines written before they named their client find it by what they speak of, so that restricted clients stay unseen."""

from typing import Any

from django.db import migrations

# kind of subject: the look-up from it to its client
KINDS = {
    "clients.client": "pk",
    "connectors.connector": "client",
    "connectors.connection": "client",
    "flows.feed": "client",
    "sync.run": "client",
    "ledger.ledgerfile": "client",
}


def name_clients(apps: Any, schema_editor: Any) -> None:
    lines = apps.get_model("audit", "AuditLine")._base_manager
    for kind, path in KINDS.items():
        model = apps.get_model(kind)
        spoken = lines.filter(subject_kind=kind, client_id=None).values_list("subject_id", flat=True).distinct()
        ids = [int(one) for one in spoken if one.isdigit()]
        for start in range(0, len(ids), 500):
            for pk, client in model._base_manager.filter(pk__in=ids[start : start + 500]).values_list("pk", path):
                lines.filter(subject_kind=kind, subject_id=str(pk), client_id=None).update(client_id=client)


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0002_client"),
        ("clients", "0002_initial"),
        ("connectors", "0001_initial"),
        ("flows", "0001_initial"),
        ("ledger", "0001_initial"),
        ("sync", "0001_initial"),
    ]

    operations = [migrations.RunPython(name_clients, migrations.RunPython.noop)]
