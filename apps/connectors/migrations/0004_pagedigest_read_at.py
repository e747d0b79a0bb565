from django.db import migrations, models
import django.utils.timezone


class Migration(migrations.Migration):
    dependencies = [("connectors", "0003_confirmation")]

    operations = [
        migrations.AddField(
            model_name="pagedigest",
            name="read_at",
            field=models.DateTimeField(auto_now=True, default=django.utils.timezone.now),
            preserve_default=False,
        ),
    ]
