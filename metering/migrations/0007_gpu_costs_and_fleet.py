"""GPU time and what it costs, and the figures of the fleet."""

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

# A deployment that was never used has nothing that a price could change after the fact.
_FIRST_PRICE = """
CREATE OR REPLACE FUNCTION slipway_back_dated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM metering_usagehour WHERE deployment_id = NEW.deployment_id) THEN
        RAISE EXCEPTION 'a price cannot begin in the past, at %', NEW.effective_from USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
"""
_NO_PRICE = """
CREATE OR REPLACE FUNCTION slipway_back_dated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a price cannot begin in the past, at %', NEW.effective_from USING ERRCODE = 'check_violation';
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("deployments", "0004_how_endpoints_are_met_from_outside"),
        ("metering", "0006_engine_metrics"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(_FIRST_PRICE, _NO_PRICE),
        migrations.CreateModel(
            name="FleetRound",
            fields=[
                ("period", models.CharField(max_length=4, primary_key=True, serialize=False)),
                ("computed_at", models.DateTimeField(null=True)),
                ("milliseconds", models.PositiveIntegerField(default=0)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="GpuClock",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("counted_until", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="GpuHour",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("deployment_id", models.BigIntegerField()),
                ("cluster_id", models.BigIntegerField()),
                ("product", models.CharField(blank=True, max_length=100)),
                ("hour", models.DateTimeField()),
                ("gpu_seconds", models.BigIntegerField()),
                ("seconds", models.PositiveIntegerField()),
                ("busy_seconds", models.PositiveIntegerField(null=True)),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["hour"], name="gpu_hours_by_hour")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("deployment_id", "hour", "cluster_id", "product"), name="gpu_hour_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="FleetFigure",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("period", models.CharField(max_length=4)),
                ("computed_at", models.DateTimeField()),
                ("ttft_p95_us", models.FloatField(null=True)),
                ("itl_p95_us", models.FloatField(null=True)),
                ("ttft_line", models.JSONField(default=list)),
                ("itl_line", models.JSONField(default=list)),
                ("requests", models.BigIntegerField(default=0)),
                ("failed", models.BigIntegerField(default=0)),
                ("tokens", models.BigIntegerField(default=0)),
                ("gpu_seconds", models.BigIntegerField(default=0)),
                ("costs", models.JSONField(default=dict)),
                ("revenues", models.JSONField(default=dict)),
                ("cost", models.DecimalField(decimal_places=6, max_digits=38, null=True)),
                ("revenue", models.DecimalField(decimal_places=6, max_digits=38, null=True)),
                ("strain", models.FloatField(null=True)),
                (
                    "deployment",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="fleet_figures",
                        to="deployments.deployment",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("period", "deployment_id"), name="fleet_figure_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="GpuRate",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("product", models.CharField(blank=True, max_length=100)),
                ("currency", models.CharField(max_length=3)),
                (
                    "per_hour",
                    models.DecimalField(
                        decimal_places=6,
                        max_digits=16,
                        validators=[django.core.validators.MinValueValidator(0)],
                    ),
                ),
                ("effective_from", models.DateTimeField(default=django.utils.timezone.now)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "cluster",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="gpu_rates",
                        to="deployments.cluster",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-effective_from", "-id"],
                "default_permissions": (),
                "indexes": [
                    models.Index(
                        fields=["cluster", "product", "-effective_from", "-id"], name="gpu_rate_in_force"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("per_hour__gte", 0)), name="gpu_rate_not_negative"
                    )
                ],
            },
        ),
    ]
