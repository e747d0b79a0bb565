"""Until now a token without named clients saw all of its bureau's: from here on it says so."""

from typing import Any

from django.db import migrations


def all_clients(apps: Any, schema_editor: Any) -> None:
    tokens = apps.get_model("clients", "ApiToken")
    tokens._base_manager.filter(clients=None).update(all_clients=True)


class Migration(migrations.Migration):
    dependencies = [("clients", "0003_access")]

    operations = [migrations.RunPython(all_clients, migrations.RunPython.noop)]
