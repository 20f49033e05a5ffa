"""Histograms of latency, and the function that says which bucket a duration is in (metering/latency/histogram.py)."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

# The constants are those of 1 % error from 100 microseconds to an hour; what is stored would mean something else with
# others.
_BUCKET = """
CREATE FUNCTION slipway_latency_bucket(us bigint) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN us <= 100 THEN 0
           ELSE least(870, ceil(ln(us / 100::double precision) / ln(1.01 / 0.99::double precision))) END::smallint
$$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("deployments", "0004_how_endpoints_are_met_from_outside"),
        ("metering", "0004_what_the_ledger_is_held_against"),
    ]

    operations = [
        migrations.RunSQL(_BUCKET, "DROP FUNCTION slipway_latency_bucket(bigint);"),
        migrations.CreateModel(
            name="LatencyTarget",
            fields=[
                (
                    "deployment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="latency_target",
                        serialize=False,
                        to="deployments.deployment",
                    ),
                ),
                (
                    "ttft_ms",
                    models.PositiveIntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(3600000),
                        ],
                    ),
                ),
                (
                    "itl_ms",
                    models.PositiveIntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(3600000),
                        ],
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="LatencyBucket",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("deployment_id", models.BigIntegerField()),
                ("hour", models.DateTimeField()),
                (
                    "measure",
                    models.CharField(
                        choices=[
                            ("ttft", "Time to first token"),
                            ("itl", "Inter-token latency"),
                            ("e2e", "End-to-end time"),
                        ],
                        max_length=4,
                    ),
                ),
                ("bucket", models.SmallIntegerField()),
                ("count", models.BigIntegerField()),
                ("total_us", models.BigIntegerField()),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["hour"], name="latency_buckets_by_hour")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("deployment_id", "hour", "measure", "bucket"), name="latency_bucket_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LatencySpan",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("deployment_id", models.BigIntegerField()),
                ("start", models.DateTimeField()),
                ("length", models.CharField(choices=[("hour", "Hour"), ("day", "Day")], max_length=4)),
                (
                    "measure",
                    models.CharField(
                        choices=[
                            ("ttft", "Time to first token"),
                            ("itl", "Inter-token latency"),
                            ("e2e", "End-to-end time"),
                        ],
                        max_length=4,
                    ),
                ),
                ("count", models.BigIntegerField()),
                ("total_us", models.BigIntegerField()),
                ("p50_us", models.FloatField()),
                ("p95_us", models.FloatField()),
                ("p99_us", models.FloatField()),
                ("packed", models.BinaryField(max_length=8192)),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["length", "start"], name="latency_spans_by_start")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("deployment_id", "start", "measure", "length"), name="latency_span_once"
                    )
                ],
            },
        ),
    ]
