"""The ledger: one row per admitted request, whole hours of them, and what could not be taken in.

Rows name deployments by number and by name and refer to no row of theirs, because a deployment may be deleted and its
usage stays. Amounts are exact and unrounded; an invoice rounds once per line.
"""

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from metering.vocabulary import EntryKind, RequestStatus


class Usage(models.Model):
    """What an event and an hour have in common: who used what, and how much of it."""

    deployment_id = models.BigIntegerField()
    deployment = models.CharField(max_length=48)
    """Its name, which may belong to another deployment by now."""
    model = models.CharField(max_length=63)
    """Slug of the catalogue entry."""
    organization_id = models.BigIntegerField()
    user_id = models.BigIntegerField()
    api_key_id = models.BigIntegerField()
    status = models.CharField(max_length=16, choices=RequestStatus.choices())
    input_tokens = models.BigIntegerField()
    cached_tokens = models.BigIntegerField()
    """Of the input tokens, those that the engine had in its cache."""
    output_tokens = models.BigIntegerField()
    currency = models.CharField(max_length=3, blank=True)
    """Empty: unpriced."""

    class Meta:
        abstract = True
        default_permissions = ()


class UsageEvent(Usage):
    """One admitted request, or a correction of one: a signed entry. Never changed.

    The table is partitioned by the month (UTC) of `started_at`. The id is minted by the gateway and says nothing of the
    engine or the client; the same id always has the same start, so the key finds every duplicate.
    """

    pk = models.CompositePrimaryKey("started_at", "id")
    id = models.UUIDField()
    kind = models.CharField(max_length=12, choices=EntryKind.choices(), default=EntryKind.REQUEST)
    corrects = models.UUIDField(null=True)
    """Of a correction: the id of the request that it speaks of."""
    note = models.CharField(max_length=300, blank=True)
    """Of a correction: why, and by whom."""
    started_at = models.DateTimeField()
    """Decides the hour and the price."""
    first_at = models.DateTimeField(null=True)
    """When the first token of the answer reached the gateway; None: there was none."""
    ended_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    """When the ledger took it in; decides the invoice once a month is closed."""
    revision = models.IntegerField()
    is_estimated = models.BooleanField()
    """The engine did not say how many tokens; the gateway counted."""
    ttft_us = models.BigIntegerField(null=True)
    """Time to first token, in microseconds."""
    itl_us = models.BigIntegerField(null=True)
    """Mean inter-token latency of this request, in microseconds."""
    price_id = models.BigIntegerField(null=True)
    amount = models.DecimalField(max_digits=38, decimal_places=18, null=True)
    """In the currency; None: no price was in force when the request began."""

    class Meta(Usage.Meta):
        indexes = [
            models.Index(fields=["organization_id", "started_at"], name="usage_of_organization"),
            models.Index(fields=["deployment_id", "started_at"], name="usage_of_deployment"),
            models.Index(
                fields=["corrects"], condition=models.Q(corrects__isnull=False), name="usage_corrections"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class LedgerEntry(Usage):
    """A row of the ledger as Django admin reads it, which knows no keys of several columns. Nothing writes by it."""

    id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=12, choices=EntryKind.choices())
    corrects = models.UUIDField(null=True)
    note = models.CharField(max_length=300)
    started_at = models.DateTimeField()
    first_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    revision = models.IntegerField()
    is_estimated = models.BooleanField()
    ttft_us = models.BigIntegerField(null=True)
    itl_us = models.BigIntegerField(null=True)
    price_id = models.BigIntegerField(null=True)
    amount = models.DecimalField(max_digits=38, decimal_places=18, null=True)

    class Meta(Usage.Meta):
        managed = False
        db_table = "metering_usageevent"
        verbose_name_plural = "ledger entries"

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class UsageHour(Usage):
    """The sum of all events of an hour (UTC) that agree in everything but the figures. Kept by the ledger alone."""

    hour = models.DateTimeField()
    price_id = models.BigIntegerField(default=0)
    """0: unpriced."""
    requests = models.BigIntegerField()
    """Requests; corrections are none."""
    estimated_requests = models.BigIntegerField()
    corrections = models.BigIntegerField(default=0)
    amount = models.DecimalField(max_digits=38, decimal_places=18)

    class Meta(Usage.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "hour",
                    "deployment_id",
                    "organization_id",
                    "user_id",
                    "api_key_id",
                    "price_id",
                    "status",
                ],
                name="usage_hour_once",
            )
        ]
        indexes = [
            models.Index(fields=["deployment_id", "hour"], name="hours_of_deployment"),
            models.Index(fields=["organization_id", "hour"], name="hours_of_organization"),
        ]

    def __str__(self) -> str:
        return f"{self.deployment} at {self.hour:%Y-%m-%d %H}"


class UsageReject(models.Model):
    """What reached the ledger and could not be taken in, with the reason. Nothing is dropped in silence."""

    at = models.DateTimeField(default=timezone.now)
    entry = models.CharField(max_length=40, unique=True)
    """The id of the event, or that of its place in the stream where the event has none that can be read."""
    reason = models.CharField(max_length=300)
    payload = models.BinaryField(max_length=8192)
    """As it came, cut to 8 KiB."""

    class Meta:
        ordering = ["-at", "-id"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.entry}: {self.reason}"


class GatewayTally(models.Model):
    """How many events of a gateway the ledger has, recorded or rejected: to be held against what it says itself."""

    gateway = models.CharField(max_length=64, primary_key=True)
    events = models.BigIntegerField()
    since = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.gateway}: {self.events}"
