"""What was seen of a deployment, and every change of phase with its evidence."""

from django.db import models
from django.utils import timezone

from deployments.models.deployment import Deployment
from deployments.vocabulary import Phase


class Observation(models.Model):
    """The last look at a deployment. Written by the observer alone, in bulk."""

    deployment = models.OneToOneField(
        Deployment, models.CASCADE, primary_key=True, related_name="observation"
    )
    phase = models.CharField(max_length=12, choices=Phase.choices(), default=Phase.QUEUED)
    phase_since = models.DateTimeField(default=timezone.now)
    sentence = models.CharField(max_length=500, blank=True)
    remedy = models.CharField(max_length=500, blank=True)
    ready = models.PositiveIntegerField(default=0)
    wanted = models.PositiveIntegerField(default=0)
    revision = models.PositiveIntegerField(default=0)
    """The revision that the phase speaks of."""
    upstreams = models.JSONField(default=list, blank=True)
    """Base URLs of the ready replicas, where each has one of its own that the gateway can reach (the sandbox)."""
    observed_at = models.DateTimeField(null=True, blank=True)
    details = models.JSONField(default=dict, blank=True)
    """Status.to_mapping(): replicas, evidence, events, autoscaler, for the deployment's own page."""

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["phase"], name="observation_phase")]

    def __str__(self) -> str:
        return f"{self.deployment_id}: {self.phase}"


class Transition(models.Model):
    """A change of phase, kept with what was seen then, so that the reason outlives the pod."""

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="transitions")
    revision = models.PositiveIntegerField()
    before = models.CharField(max_length=12, choices=Phase.choices(), blank=True)
    after = models.CharField(max_length=12, choices=Phase.choices())
    at = models.DateTimeField(default=timezone.now)
    sentence = models.CharField(max_length=500, blank=True)
    remedy = models.CharField(max_length=500, blank=True)
    evidence = models.JSONField(default=dict, blank=True)
    """{"events": [...], "log": [...]}: bounded by the observer."""

    class Meta:
        ordering = ["-at", "-id"]
        default_permissions = ()
        indexes = [models.Index(fields=["deployment", "-at"], name="transition_history")]

    def __str__(self) -> str:
        return f"{self.before or 'new'} to {self.after}"


class Scaled(models.Model):
    """The autoscaler changed the number of replicas; seen by the observer, within seconds."""

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="scalings")
    at = models.DateTimeField()
    before = models.PositiveIntegerField()
    after = models.PositiveIntegerField()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["deployment", "-at"], name="scaling_history")]

    def __str__(self) -> str:
        return f"{self.before} to {self.after}"
