"""What engines say of themselves, by the minute and by the hour. Needs nothing of 0005."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0005_latency"),
    ]

    operations = [
        migrations.CreateModel(
            name="EngineHour",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("deployment_id", models.BigIntegerField()),
                ("upstream", models.CharField(max_length=200)),
                ("hour", models.DateTimeField()),
                ("minutes", models.PositiveSmallIntegerField()),
                ("looks", models.PositiveSmallIntegerField()),
                ("seconds", models.FloatField(null=True)),
                ("running_mean", models.FloatField(null=True)),
                ("running_max", models.BigIntegerField(null=True)),
                ("waiting_mean", models.FloatField(null=True)),
                ("waiting_max", models.BigIntegerField(null=True)),
                ("kv_use_mean", models.FloatField(null=True)),
                ("kv_use_max", models.FloatField(null=True)),
                ("prefix_hits", models.BigIntegerField(null=True)),
                ("prefix_queries", models.BigIntegerField(null=True)),
                ("preemptions", models.BigIntegerField(null=True)),
                ("prompt_tokens", models.BigIntegerField(null=True)),
                ("generation_tokens", models.BigIntegerField(null=True)),
            ],
            options={
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["hour"], name="engine_hours_by_hour"),
                    models.Index(fields=["deployment_id", "hour"], name="engine_hours_of_deployment"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("deployment_id", "upstream", "hour"), name="engine_hour_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="EngineMinute",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("deployment_id", models.BigIntegerField()),
                ("upstream", models.CharField(max_length=200)),
                ("minute", models.DateTimeField()),
                ("read_at", models.DateTimeField()),
                ("over_seconds", models.FloatField(null=True)),
                ("running", models.BigIntegerField(null=True)),
                ("waiting", models.BigIntegerField(null=True)),
                ("kv_use", models.FloatField(null=True)),
                ("prefix_hits_read", models.BigIntegerField(null=True)),
                ("prefix_queries_read", models.BigIntegerField(null=True)),
                ("preemptions_read", models.BigIntegerField(null=True)),
                ("prompt_tokens_read", models.BigIntegerField(null=True)),
                ("generation_tokens_read", models.BigIntegerField(null=True)),
                ("prefix_hits", models.BigIntegerField(null=True)),
                ("prefix_queries", models.BigIntegerField(null=True)),
                ("preemptions", models.BigIntegerField(null=True)),
                ("prompt_tokens", models.BigIntegerField(null=True)),
                ("generation_tokens", models.BigIntegerField(null=True)),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["minute"], name="engine_minutes_by_minute")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("deployment_id", "upstream", "minute"), name="engine_minute_once"
                    )
                ],
            },
        ),
    ]
