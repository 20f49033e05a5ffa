"""A Kubernetes API with GPUs, and what was last seen of it."""

from django.db import models

from console.encryption import EncryptedTextField
from deployments import reach
from deployments.context import PLAIN_KUBERNETES, ClusterOffers
from deployments.facts import ClusterFacts
from deployments.models.visibility import PlatformManager
from deployments.vocabulary import ClusterKind, Reach, Routing


class Cluster(models.Model):
    """Where workloads run. Desired: how to reach it. Observed: facts, health, and when they were read."""

    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=20, choices=ClusterKind.choices(), default=ClusterKind.KUBECONFIG)
    kubeconfig = EncryptedTextField(blank=True, default="")
    kubeconfig_set_at = models.DateTimeField(null=True, blank=True)
    ngc_key = EncryptedTextField(blank=True, default="")
    """NVIDIA's key for images and weights of all deployments here; a model may bring its own."""
    ngc_key_set_at = models.DateTimeField(null=True, blank=True)
    prometheus_url = models.CharField(max_length=300, blank=True)
    """As KEDA reaches it from inside the cluster."""
    reach = models.CharField(max_length=10, choices=Reach.choices(), default=Reach.ENDPOINT)
    """How the gateway reaches the engines here."""
    created_at = models.DateTimeField(auto_now_add=True)

    facts = models.JSONField(null=True, blank=True)
    """ClusterFacts of the last successful check, as facts.to_mapping() writes them."""
    checked_at = models.DateTimeField(null=True, blank=True)
    check_error = models.CharField(max_length=500, blank=True)
    """Why the last check failed, as a sentence; empty when it did not."""

    observe_due_at = models.DateTimeField(null=True, blank=True, db_index=True)
    """When its deployments should be looked at next; null: at once."""
    observed_at = models.DateTimeField(null=True, blank=True)
    """The last look that succeeded."""
    unreachable_since = models.DateTimeField(null=True, blank=True)
    unreachable_reason = models.CharField(max_length=500, blank=True)

    objects = PlatformManager()

    class Meta:
        ordering = ["name"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.name

    @property
    def offers(self) -> ClusterOffers:
        """What the last check found; before the first one, nothing but Kubernetes itself."""
        if not self.facts:
            return PLAIN_KUBERNETES
        addons = ClusterFacts.from_mapping(self.facts).addons
        return ClusterOffers(
            dynamo_versions=addons.dynamo_versions,
            nim_operator=addons.nim,
            keda=addons.keda,
            prometheus_url=self.prometheus_url,
        )

    @property
    def is_sandbox(self) -> bool:
        return self.kind == ClusterKind.SANDBOX

    @property
    def way(self) -> str:
        """How gateways reach its engines, in words."""
        return "On this machine" if self.is_sandbox else Reach(self.reach).label

    def reaches(self, routing: str) -> bool:
        """Whether gateways can have a way to engines that are routed so."""
        return reach.is_reachable(
            is_sandbox=self.is_sandbox, reach=Reach(self.reach), routing=Routing(routing)
        )
