"""The terms on which a deployment is used: rate limits and prices. The gateway enforces and meters them."""

from django.db import models
from django.utils import timezone

from deployments.models.deployment import Deployment
from deployments.vocabulary import LimitScope


class RateLimit(models.Model):
    """At most so much in any 60 seconds, counted by scope. Null: no limit of that kind."""

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="rate_limits")
    scope = models.CharField(max_length=15, choices=LimitScope.choices())
    tokens_per_minute = models.BigIntegerField(null=True, blank=True)
    requests_per_minute = models.BigIntegerField(null=True, blank=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["deployment", "scope"], name="limit_once_per_scope"),
            models.CheckConstraint(
                condition=models.Q(tokens_per_minute__gt=0) | models.Q(requests_per_minute__gt=0),
                name="limit_limits_something",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deployment} by {self.scope}"


class Price(models.Model):
    """A price per one million tokens from a moment on. Never changed: a new price is a new row.

    A row without amounts says that there is no price from then on; usage is then recorded as unpriced. Prices outlive
    their deployment, because events of it may still arrive; the database itself refuses to change or delete one.
    """

    deployment = models.ForeignKey(Deployment, models.DO_NOTHING, db_constraint=False, related_name="prices")
    currency = models.CharField(max_length=3)
    input_per_million = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    output_per_million = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    cached_input_per_million = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    """For input tokens that the engine had in its cache; None: like all input."""
    effective_from = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-effective_from", "-id"]
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=models.Q(input_per_million__gte=0, output_per_million__gte=0)
                | models.Q(input_per_million__isnull=True, output_per_million__isnull=True),
                name="price_not_negative",
            ),
            models.CheckConstraint(
                condition=models.Q(cached_input_per_million__isnull=True)
                | models.Q(cached_input_per_million__gte=0, input_per_million__isnull=False),
                name="cached_price_not_negative",
            ),
        ]
        indexes = [models.Index(fields=["deployment", "-effective_from"], name="price_in_force")]

    def __str__(self) -> str:
        return f"{self.deployment} from {self.effective_from:%Y-%m-%d}"
