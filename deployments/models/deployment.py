"""A deployment and its revisions: what people want to run.

What is seen of it lives in observation.py: the two sources of truth never share a row.
"""

import json
import secrets
from typing import Any, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django.utils import timezone

from console.access import sees_platform
from console.encryption import EncryptedTextField
from console.models import User
from deployments import document
from deployments.context import ModelSource, RenderContext
from deployments.models.catalog import CatalogModel
from deployments.models.endpoint import Endpoint
from deployments.spec import DeploymentSpec
from deployments.vocabulary import DesiredState, DriftPolicy, RolloutStrategy, Sharing, TlsMode


def new_digest_key() -> str:
    return secrets.token_hex(32)


class DeploymentQuerySet(models.QuerySet["Deployment"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """What this person sees in the console; tenants meet shared deployments in the portal."""
        return self.all() if sees_platform(user) else self.none()

    def with_everything_to_render(self) -> Self:
        """One query brings all that `context()` and `spec` read."""
        return self.select_related("model", "endpoint__cluster", "current")


class Deployment(models.Model):
    """Desired state, and the queue of looks at it: a due time and a claim are the truth, messages are hints."""

    name = models.CharField(max_length=48, unique=True)
    model = models.ForeignKey(CatalogModel, models.PROTECT, related_name="deployments")
    endpoint = models.ForeignKey(Endpoint, models.PROTECT, related_name="deployments")
    current = models.OneToOneField("Revision", models.PROTECT, null=True, related_name="+")
    desired_state = models.CharField(
        max_length=10, choices=DesiredState.choices(), default=DesiredState.RUNNING
    )
    sharing = models.CharField(max_length=10, choices=Sharing.choices(), default=Sharing.PRIVATE)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now)
    changed_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    restarted_at = models.DateTimeField(null=True, blank=True)
    """When somebody last asked for a restart."""
    drift_policy = models.CharField(max_length=10, choices=DriftPolicy.choices(), default=DriftPolicy.REPAIR)
    drift = models.JSONField(null=True, blank=True)
    """Hand-made changes as the last look found them: {"at", "policy", "changes": [{"object", "paths", "by"}]}."""

    digest_key = models.CharField(max_length=64, default=new_digest_key, editable=False)
    """Keys the digests of secrets that stand in annotations, so that nobody there can guess a short one."""

    reconcile_due_at = models.DateTimeField(null=True, blank=True)
    """When to look next; null: at rest until something changes."""
    claimed_until = models.DateTimeField(null=True, blank=True)
    """A worker holds it until then; a dead worker's claim runs out by itself."""
    attempts = models.PositiveIntegerField(default=0)
    """Retryable failures in a row."""
    applied_revision = models.PositiveIntegerField(default=0)
    """The newest revision that the cluster has accepted whole."""
    applied_at = models.DateTimeField(null=True, blank=True)
    refusal = models.JSONField(null=True, blank=True)
    """Why the cluster will not take it or cannot be asked: {"code", "sentence", "remedy", "at", "terminal"}."""

    objects = DeploymentQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        default_permissions = ()
        indexes = [
            models.Index(
                "reconcile_due_at", name="deployment_due", condition=Q(reconcile_due_at__isnull=False)
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def spec(self) -> DeploymentSpec:
        assert self.current is not None, "a deployment always has a current revision once it is saved"
        return self.current.spec

    @property
    def restart_mark(self) -> str:
        """The last restart as its pods carry it; empty before the first."""
        return self.restarted_at.isoformat() if self.restarted_at else ""

    def context(self) -> RenderContext:
        """What its manifests need besides the spec; opens the secrets, so only the reconciler asks for it."""
        assert self.current is not None
        endpoint = self.endpoint
        return RenderContext(
            namespace=endpoint.namespace,
            source=self.current.model_source,
            exposure=endpoint.exposure,
            revision=self.current.number,
            stopped=self.desired_state != DesiredState.RUNNING,
            weights_token=self.model.weights_token.reveal() or None,
            secret_values=self.current.secret_values(),
            tls_pair=(endpoint.tls_certificate, endpoint.tls_key.reveal())
            if endpoint.tls == TlsMode.PEM
            else None,
            storage_class=endpoint.storage_class or None,
            ngc_key=self.model.ngc_key.reveal() or endpoint.cluster.ngc_key.reveal() or None,
            pull_secret=endpoint.pull_secret,
            strategy=RolloutStrategy(self.current.strategy),
            restarted_at=self.restart_mark,
            offers=endpoint.cluster.offers,
            checksum_key=self.digest_key.encode(),
        )


class Revision(models.Model):
    """One immutable spec of a deployment, with the secret values that belong to it."""

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    document = models.JSONField()
    """The ModelDeployment document as plain values; secrets have no value in it."""
    source = models.JSONField()
    """The model's source as it was: a change of the catalogue reaches no running replica by itself."""
    secrets = EncryptedTextField(default="")
    """JSON: secret variable name to value."""
    strategy = models.CharField(
        max_length=10,
        choices=[(s.value, s.label) for s in (RolloutStrategy.REPLACE, RolloutStrategy.SURGE)],
        default=RolloutStrategy.REPLACE,
    )
    """How it rolls out: decided once, when it is saved, so that a rollout does not change its mind half-way."""
    note = models.CharField(max_length=500, blank=True)
    author = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-number"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["deployment", "number"], name="revision_number_once")]

    def __str__(self) -> str:
        return f"revision {self.number}"

    @property
    def spec(self) -> DeploymentSpec:
        return document.from_mapping(self.document)

    @property
    def model_source(self) -> ModelSource:
        return ModelSource.from_mapping(self.source)

    def secret_values(self) -> dict[str, str]:
        """Opens the secrets."""
        values: dict[str, Any] = json.loads(self.secrets.reveal() or "{}")
        return values
