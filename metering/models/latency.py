"""How fast deployments answer, by the hour. Written by the ledger and by closing hours alone."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from deployments.models import Deployment
from metering.vocabulary import LatencyMeasure


class LatencyBucket(models.Model):
    """Durations of an hour (UTC) that is not closed yet, or that came after it was: one bucket of a histogram."""

    deployment_id = models.BigIntegerField()
    hour = models.DateTimeField()
    measure = models.CharField(max_length=4, choices=LatencyMeasure.choices())
    bucket = models.SmallIntegerField()
    count = models.BigIntegerField()
    total_us = models.BigIntegerField()
    """Sum of the durations, in microseconds."""

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["deployment_id", "hour", "measure", "bucket"], name="latency_bucket_once"
            )
        ]
        indexes = [models.Index(fields=["hour"], name="latency_buckets_by_hour")]

    def __str__(self) -> str:
        return f"{self.measure} {self.bucket} at {self.hour:%Y-%m-%d %H}"


class LatencySpan(models.Model):
    """A closed hour, or a day of closed hours that are old, as one histogram with the percentiles read from it."""

    class Length(models.TextChoices):
        HOUR = "hour"
        DAY = "day"

    deployment_id = models.BigIntegerField()
    start = models.DateTimeField()
    length = models.CharField(max_length=4, choices=Length.choices)
    measure = models.CharField(max_length=4, choices=LatencyMeasure.choices())
    count = models.BigIntegerField()
    total_us = models.BigIntegerField()
    p50_us = models.FloatField()
    p95_us = models.FloatField()
    p99_us = models.FloatField()
    packed = models.BinaryField(max_length=8192)
    """`Histogram.pack`."""

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["deployment_id", "start", "measure", "length"], name="latency_span_once"
            )
        ]
        indexes = [models.Index(fields=["length", "start"], name="latency_spans_by_start")]

    def __str__(self) -> str:
        return f"{self.measure} at {self.start:%Y-%m-%d %H}"


_BOUNDS = [MinValueValidator(1), MaxValueValidator(3_600_000)]


class LatencyTarget(models.Model):
    """What a deployment's p95 is to stay below, in milliseconds. Null: no target."""

    deployment = models.OneToOneField(
        Deployment, models.CASCADE, primary_key=True, related_name="latency_target"
    )
    ttft_ms = models.PositiveIntegerField(null=True, blank=True, validators=_BOUNDS)
    itl_ms = models.PositiveIntegerField(null=True, blank=True, validators=_BOUNDS)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.deployment}: {self.ttft_ms} ms, {self.itl_ms} ms"
