"""Limits beyond those that a deployment's spec carries: exceptions for an organisation, and how they are meant."""

from django.db import models

from console.models import Organization
from deployments.models import Deployment
from deployments.vocabulary import LimitScope


class LimitOverride(models.Model):
    """For this organisation, this scope of this deployment has these limits instead. Null: no limit of that kind."""

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="limit_overrides")
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="limit_overrides")
    scope = models.CharField(max_length=15, choices=LimitScope.choices())
    tokens_per_minute = models.BigIntegerField(null=True, blank=True)
    requests_per_minute = models.BigIntegerField(null=True, blank=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["deployment", "organization", "scope"], name="override_once_per_scope"
            ),
            models.CheckConstraint(
                condition=(models.Q(tokens_per_minute__isnull=True) | models.Q(tokens_per_minute__gt=0))
                & (models.Q(requests_per_minute__isnull=True) | models.Q(requests_per_minute__gt=0)),
                name="override_is_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deployment} for {self.organization} by {self.scope}"


class LimitMode(models.Model):
    """How a deployment's limits are meant. Without a row they are enforced."""

    deployment = models.OneToOneField(Deployment, models.CASCADE, primary_key=True, related_name="limit_mode")
    shadow = models.BooleanField(default=False)
    """Count and report what would have been refused, and refuse nothing."""

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.deployment}: {'shadow' if self.shadow else 'enforced'}"


class LimitChange(models.Model):
    """When the limits of a deployment, or how they are meant, last changed. Written by the database, whoever changes
    them: what was admitted before is not to be judged by what holds now."""

    deployment_id = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.deployment_id} at {self.at:%Y-%m-%d %H:%M}"
