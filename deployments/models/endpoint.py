"""A host name on a cluster where deployments are served."""

from django.db import models

from console.encryption import EncryptedTextField
from deployments.context import Exposure
from deployments.models.cluster import Cluster
from deployments.models.visibility import PlatformManager
from deployments.vocabulary import Routing, TlsMode


class Endpoint(models.Model):
    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=100)
    hostname = models.CharField(max_length=253)
    cluster = models.ForeignKey(Cluster, models.PROTECT, related_name="endpoints")
    namespace = models.CharField(max_length=63, default="models")

    routing = models.CharField(max_length=20, choices=Routing.choices(), default=Routing.GATEWAY)
    gateway_name = models.CharField(max_length=253, blank=True)
    gateway_namespace = models.CharField(max_length=63, blank=True)
    gateway_section = models.CharField(max_length=63, blank=True)
    ingress_class = models.CharField(max_length=253, blank=True)
    storage_class = models.CharField(max_length=253, blank=True)
    """Class of the replicas' volumes; empty: the cluster's default."""
    pull_secret = models.CharField(max_length=253, blank=True)
    """Name of a registry secret in the namespace, for images of a private registry."""

    tls = models.CharField(max_length=20, choices=TlsMode.choices(), default=TlsMode.NONE)
    tls_certificate = models.TextField(blank=True)
    """The certificate chain in PEM; public."""
    tls_key = EncryptedTextField(blank=True, default="")
    tls_expires_at = models.DateTimeField(null=True, blank=True)
    tls_secret_name = models.CharField(max_length=253, blank=True)

    ready = models.BooleanField(null=True)
    """None: never checked."""
    not_ready_reason = models.CharField(max_length=500, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    listener_tls = models.BooleanField(null=True)
    """Whether the Gateway's listener for the host name speaks TLS; None: no Gateway, or not known."""
    listener_port = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PlatformManager()

    class Meta:
        ordering = ["name"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["hostname", "cluster"], name="hostname_once_per_cluster")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def tls_secret(self) -> str:
        """The TLS secret's name in the namespace: the existing one, or the one written for a PEM pair."""
        if self.tls == TlsMode.PEM:
            return f"slipway-endpoint-{self.slug}"
        return self.tls_secret_name if self.tls == TlsMode.SECRET else ""

    @property
    def exposure(self) -> Exposure:
        return Exposure(
            hostname=self.hostname,
            routing=Routing(self.routing),
            gateway_name=self.gateway_name,
            gateway_namespace=self.gateway_namespace,
            gateway_section=self.gateway_section,
            ingress_class=self.ingress_class,
            tls=TlsMode(self.tls),
            tls_secret=self.tls_secret,
        )
