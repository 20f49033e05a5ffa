"""The playground's keys: one for each person and organisation, whose secret is kept sealed."""

from django.conf import settings
from django.db import migrations, models

import console.encryption


class Migration(migrations.Migration):
    dependencies = [
        ("console", "0003_audit"),
        ("deployments", "0005_when_autoscalers_scaled"),
        ("metering", "0007_gpu_costs_and_fleet"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="kind",
            field=models.CharField(
                choices=[("program", "API key"), ("playground", "Playground")],
                default="program",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="secret",
            field=console.encryption.EncryptedTextField(blank=True, default=""),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "playground")),
                fields=("user", "organization"),
                name="one_playground_key_each",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind", "playground"), ("secret", ""), _connector="OR"),
                name="only_the_playground_keeps_a_secret",
            ),
        ),
    ]
