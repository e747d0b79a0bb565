# Apart from 0002: PostgreSQL changes no table that has rows changed in the same transaction.

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("organisations", "0001_initial"),
        ("sync", "0003_fair_turns"),
    ]

    operations = [
        migrations.AlterField(
            model_name="run",
            name="organisation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                to="organisations.organisation",
                verbose_name="organisation",
            ),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["state", "lane", "organisation", "id"], name="sync_run_state_8a4090_idx"),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.UniqueConstraint(
                condition=models.Q(("place__isnull", False), ("state", "running")),
                fields=("credential", "place"),
                name="run_one_a_place",
            ),
        ),
    ]
