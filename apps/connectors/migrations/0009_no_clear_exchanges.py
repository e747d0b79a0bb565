# mypy: ignore-errors
from django.db import migrations, models

import apps.core.fields


def sealed(name, **options):
    return apps.core.fields.SafeEncryptedText(default="", null=True, verbose_name=name, **options)


class Migration(migrations.Migration):
    dependencies = [("connectors", "0008_encrypted_exchanges")]

    operations = [
        migrations.RemoveField("exchange", "url"),
        migrations.RemoveField("exchange", "request"),
        migrations.RemoveField("exchange", "error"),
        migrations.RemoveField("exchangepayload", "body"),
        migrations.RenameField("exchange", "sealed_url", "url"),
        migrations.RenameField("exchange", "sealed_request", "request"),
        migrations.RenameField("exchange", "sealed_error", "error"),
        migrations.RenameField("exchangepayload", "sealed_body", "body"),
        migrations.AlterField("exchange", "url", sealed("address as sent")),
        migrations.AlterField("exchange", "request", sealed("sent", blank=True)),
        migrations.AlterField("exchange", "error", sealed("error", blank=True)),
        migrations.AlterField("exchangepayload", "body", apps.core.fields.SafeEncryptedBytes()),
        migrations.AddIndex(
            "exchange",
            models.Index(fields=("at",), condition=models.Q(url__isnull=False), name="exchange_with_content"),
        ),
        migrations.AlterField("exchangepayload", "kept_at", models.DateTimeField(auto_now_add=True, db_index=True)),
    ]
