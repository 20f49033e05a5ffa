"""GPUs that deployments hold, what they cost, and what a whole fleet looks like. Written by tasks and one form."""

from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone

from console.models import User
from deployments.models import Cluster, Deployment


class GpuRate(models.Model):
    """What one GPU of a product costs the platform for an hour, on one cluster, from a moment on.

    Never changed: a new rate is a new row. Nobody is billed by it, so it may begin in the past.
    """

    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="gpu_rates")
    product = models.CharField(max_length=100, blank=True)
    """As nodes are labelled; empty: GPUs of nodes that do not say."""
    currency = models.CharField(max_length=3)
    per_hour = models.DecimalField(max_digits=16, decimal_places=6, validators=[MinValueValidator(0)])
    effective_from = models.DateTimeField(default=timezone.now)
    """A whole hour (UTC)."""
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["-effective_from", "-id"]
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=models.Q(per_hour__gte=0), name="gpu_rate_not_negative")
        ]
        indexes = [
            models.Index(fields=["cluster", "product", "-effective_from", "-id"], name="gpu_rate_in_force")
        ]

    def __str__(self) -> str:
        return f"{self.product or 'GPU'} on {self.cluster_id}: {self.per_hour} {self.currency}"


class GpuHour(models.Model):
    """What a deployment held of one product in one hour (UTC). Numbers and names outlive what they speak of."""

    deployment_id = models.BigIntegerField()
    cluster_id = models.BigIntegerField()
    product = models.CharField(max_length=100, blank=True)
    hour = models.DateTimeField()
    gpu_seconds = models.BigIntegerField()
    """One GPU held for one second is one."""
    seconds = models.PositiveIntegerField()
    """In which at least one was held."""
    busy_seconds = models.PositiveIntegerField(null=True)
    """In which at least one request of the deployment was under way, in this hour; null until that is known."""

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["deployment_id", "hour", "cluster_id", "product"], name="gpu_hour_once"
            )
        ]
        indexes = [models.Index(fields=["hour"], name="gpu_hours_by_hour")]

    def __str__(self) -> str:
        return f"{self.deployment_id}: {self.gpu_seconds} s of {self.product or 'GPU'}"


class GpuClock(models.Model):
    """Until when GPUs were counted: one row."""

    counted_until = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.counted_until:%Y-%m-%d %H:%M:%S}"


class FleetFigure(models.Model):
    """One deployment in one period that ended a moment ago, for the page on which all of them are compared."""

    deployment = models.ForeignKey(
        Deployment, models.DO_NOTHING, db_constraint=False, related_name="fleet_figures"
    )
    period = models.CharField(max_length=4)
    """"24h", "7d" or "30d"."""
    computed_at = models.DateTimeField()

    ttft_p95_us = models.FloatField(null=True)
    itl_p95_us = models.FloatField(null=True)
    ttft_line = models.JSONField(default=list)
    """The p95 of each step in microseconds, oldest first; null is a gap."""
    itl_line = models.JSONField(default=list)
    requests = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    """Of these, those that the engine failed."""
    tokens = models.BigIntegerField(default=0)
    """Input and output."""
    gpu_seconds = models.BigIntegerField(default=0)
    costs = models.JSONField(default=dict)
    """By currency, as text."""
    revenues = models.JSONField(default=dict)
    cost = models.DecimalField(max_digits=38, decimal_places=6, null=True)
    """To sort by: that of the first currency."""
    revenue = models.DecimalField(max_digits=38, decimal_places=6, null=True)
    strain = models.FloatField(null=True)
    """How many times over what is allowed it is, at its worst (metering/fleet/strain.py); null: nothing to tell by."""

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["period", "deployment_id"], name="fleet_figure_once"),
        ]

    def __str__(self) -> str:
        return f"{self.deployment_id} in {self.period}"


class FleetRound(models.Model):
    """When the figures of a period were computed last, and how long that took."""

    period = models.CharField(max_length=4, primary_key=True)
    computed_at = models.DateTimeField(null=True)
    milliseconds = models.PositiveIntegerField(default=0)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.period
