"""A second name for the table of the ledger, for Django admin. It changes nothing in the database."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0009_notices"),
    ]

    operations = [
        migrations.CreateModel(
            name="LedgerEntry",
            fields=[
                ("deployment_id", models.BigIntegerField()),
                ("deployment", models.CharField(max_length=48)),
                ("model", models.CharField(max_length=63)),
                ("organization_id", models.BigIntegerField()),
                ("user_id", models.BigIntegerField()),
                ("api_key_id", models.BigIntegerField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("completed", "Completed"),
                            ("client_gone", "Client hung up"),
                            ("engine_failed", "Engine failed"),
                            ("refused", "Refused by the engine"),
                            ("limit_reached", "Cut at a limit"),
                        ],
                        max_length=16,
                    ),
                ),
                ("input_tokens", models.BigIntegerField()),
                ("cached_tokens", models.BigIntegerField()),
                ("output_tokens", models.BigIntegerField()),
                ("currency", models.CharField(blank=True, max_length=3)),
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[("request", "Request"), ("correction", "Correction")], max_length=12
                    ),
                ),
                ("corrects", models.UUIDField(null=True)),
                ("note", models.CharField(max_length=300)),
                ("started_at", models.DateTimeField()),
                ("first_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField()),
                ("revision", models.IntegerField()),
                ("is_estimated", models.BooleanField()),
                ("ttft_us", models.BigIntegerField(null=True)),
                ("itl_us", models.BigIntegerField(null=True)),
                ("price_id", models.BigIntegerField(null=True)),
                ("amount", models.DecimalField(decimal_places=18, max_digits=38, null=True)),
            ],
            options={
                "verbose_name_plural": "ledger entries",
                "db_table": "metering_usageevent",
                "abstract": False,
                "managed": False,
                "default_permissions": (),
            },
        ),
    ]
