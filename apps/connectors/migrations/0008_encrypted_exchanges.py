# mypy: ignore-errors
"""Exchanges are kept encrypted: new columns beside the old ones, and their content moved over in small steps."""

import hashlib
import hmac
import secrets
import zlib
from urllib.parse import urlsplit, urlunsplit

import django.db.models.deletion
from django.db import migrations, models

import apps.core.fields

BATCH = 200


def encrypt_exchanges(registry, schema_editor):
    exchanges = registry.get_model("connectors", "Exchange")._base_manager
    names = ("url", "request", "error")
    for rows in _batches(exchanges):
        for row in rows:
            parts = urlsplit(row.url)
            row.place = urlunsplit(parts._replace(query="", fragment=""))
            for name in names:
                setattr(row, f"sealed_{name}", getattr(row, name))
        exchanges.bulk_update(rows, ["place", *(f"sealed_{name}" for name in names)])


def encrypt_payloads(registry, schema_editor):
    payloads = registry.get_model("connectors", "ExchangePayload")._base_manager
    keys = registry.get_model("connectors", "PayloadKey")._base_manager
    held = {}
    for rows in _batches(payloads):
        for row in rows:
            owner = row.organisation_id
            if owner not in held:
                held[owner] = secrets.token_hex(32)
                keys.create(organisation_id=owner, key=held[owner])
            packed = bytes(row.body)
            row.digest = hmac.new(bytes.fromhex(held[owner]), zlib.decompress(packed), hashlib.sha256).hexdigest()
            row.sealed_body = packed
            row.save(update_fields=["digest", "sealed_body"])


def _batches(rows):
    last = 0
    while found := list(rows.filter(pk__gt=last).order_by("pk")[:BATCH]):
        yield found
        last = found[-1].pk


def forget(registry, schema_editor):
    """Back: what is encrypted stays so; raw data of some days, which the next night brings again."""
    registry.get_model("connectors", "Exchange")._base_manager.update(payload=None)
    registry.get_model("connectors", "ExchangePayload")._base_manager.all().delete()


def sealed_text():
    return apps.core.fields.SafeEncryptedText(blank=True, default="")


class Migration(migrations.Migration):
    dependencies = [("connectors", "0007_connection_values"), ("organisations", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="PayloadKey",
            fields=[
                (
                    "organisation",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        serialize=False,
                        to="organisations.organisation",
                    ),
                ),
                ("key", apps.core.fields.SafeEncryptedText()),
            ],
            options={"verbose_name": "key of payloads", "verbose_name_plural": "keys of payloads"},
        ),
        migrations.AddField("exchange", "place", models.TextField(default="", verbose_name="address")),
        migrations.AddField("exchange", "sealed_url", sealed_text()),
        migrations.AddField("exchange", "sealed_request", sealed_text()),
        migrations.AddField("exchange", "sealed_error", sealed_text()),
        migrations.AddField("exchangepayload", "sealed_body", apps.core.fields.SafeEncryptedBytes(null=True)),
        migrations.RunPython(encrypt_exchanges, migrations.RunPython.noop),
        migrations.RunPython(encrypt_payloads, forget),
    ]
