"""A deployment's world for tests: the record of a cluster that is the real sandbox process, an endpoint, a model."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from deployments import desired, naming
from deployments.models import CatalogModel, Cluster, Deployment, Endpoint, Provider
from deployments.reconciler import reconcile
from deployments.spec import Autoscaling, DeploymentSpec, EngineSpec, Gpu, Resources, Variable
from deployments.vocabulary import ClusterKind, Engine, Routing
from tests.deployments.sandbox_api.cluster import Cluster as Sandbox

KINDS = {
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "Service": "/api/v1/namespaces/{}/services",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "PersistentVolumeClaim": "/api/v1/namespaces/{}/persistentvolumeclaims",
    "Pod": "/api/v1/namespaces/{}/pods",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{}/ingresses",
}


class World:
    """One namespace of a sandbox, and the tables that lead to it."""

    def __init__(self, sandbox: Sandbox, namespace: str) -> None:
        self.sandbox, self.namespace = sandbox, namespace
        provider = Provider.objects.create(slug="meta", name="Meta")
        self.model = CatalogModel.objects.create(
            slug="opt", name="OPT", provider=provider, source_reference="facebook/opt-125m"
        )
        self.cluster = Cluster.objects.create(
            slug="here", name="Here", kind=ClusterKind.SANDBOX, kubeconfig=sandbox.kubeconfig.read_text()
        )
        self.endpoint = Endpoint.objects.create(
            slug="main",
            name="Main",
            hostname="models.example.com",
            cluster=self.cluster,
            namespace=namespace,
            routing=Routing.INGRESS,
        )

    def spec(
        self,
        name: str = "chat",
        *,
        autoscaling: bool = False,
        secret: bool = False,
        gpus: int = 1,
        **engine: Any,
    ) -> DeploymentSpec:
        given = {"kind": Engine.VLLM, "image": "vllm/vllm-openai", "tag": "v0.33.0", "volume": "10Gi"}
        return DeploymentSpec(
            name=name,
            model="opt",
            endpoint="main",
            engine=EngineSpec(**(given | engine)),
            resources=Resources(
                cpu_request="1", memory_request="2Gi", memory_limit="8Gi", gpu=Gpu(count=gpus)
            ),
            autoscaling=Autoscaling(enabled=autoscaling, min_replicas=2, max_replicas=3),
            environment=(Variable("API_TOKEN", secret=True),) if secret else (),
        )

    def create(self, spec: DeploymentSpec | None = None) -> Deployment:
        spec = spec or self.spec()
        return desired.create(spec, author=None, secrets=dict.fromkeys(spec.secret_names, "canary-secret"))

    def revise(self, deployment: Deployment, spec: DeploymentSpec) -> None:
        deployment.refresh_from_db()
        assert deployment.current is not None
        desired.revise(deployment, spec, author=None, expected=deployment.current.number)

    def rest(self, deployment: Deployment, most: int = 60) -> int:
        """Looks until nothing is due soon; the number of looks. Waits for nothing: due times are pulled forward."""
        for look in range(1, most + 1):
            Deployment.objects.filter(pk=deployment.pk).update(
                reconcile_due_at=timezone.now(), claimed_until=None
            )
            again = reconcile(deployment.pk)
            if again is None or again > timedelta(minutes=1).total_seconds():
                return look
        raise AssertionError("the deployment does not come to rest")

    def look(self, deployment: Deployment) -> float | None:
        """One look, due or not."""
        Deployment.objects.filter(pk=deployment.pk).update(
            reconcile_due_at=timezone.now(), claimed_until=None
        )
        return reconcile(deployment.pk)

    def objects(self, *kinds: str) -> dict[str, dict[str, Any]]:
        """What lies in the namespace, by "Kind/name"."""
        found = {}
        for kind in kinds or KINDS:
            status, body, _headers = self.sandbox.ask("GET", KINDS[kind].format(self.namespace))
            assert status == 200, body
            found |= {f"{kind}/{item['metadata']['name']}": item for item in body["items"]}
        return found

    def state(self) -> dict[str, Any]:
        """The objects without what differs from one run to the next."""
        objects = self.objects()
        for item in objects.values():
            for key in ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"):
                item["metadata"].pop(key, None)
            item["metadata"].get("annotations", {}).pop("slipway/applied", None)
            item.pop("status", None)
            item.get("spec", {}).pop("clusterIP", None)
            item.get("spec", {}).pop("clusterIPs", None)
        return objects

    def change(self, title: str, patch: dict[str, Any]) -> None:
        """Somebody else edits an object."""
        kind, name = title.split("/")
        path = KINDS[kind].format(self.namespace) + f"/{name}?fieldManager=somebody"
        status, body, _headers = self.sandbox.ask(
            "PATCH", path, patch, content_type="application/merge-patch+json"
        )
        assert status == 200, body

    def remove(self, title: str) -> None:
        """Somebody else deletes an object."""
        kind, name = title.split("/")
        status, body, _headers = self.sandbox.ask("DELETE", KINDS[kind].format(self.namespace) + f"/{name}")
        assert status in (200, 202), body

    def make(self, title: str, body: dict[str, Any]) -> None:
        """Somebody else makes an object."""
        kind, name = title.split("/")
        path = KINDS[kind].format(self.namespace)
        status, answer, _headers = self.sandbox.ask("POST", path, body | {"metadata": {"name": name}})
        assert status == 201, answer

    def written(self, work: Callable[[], object]) -> int:
        """How many requests that change something were sent during the work."""
        self.sandbox.ask("DELETE", "/sandbox/requests")
        work()
        _status, told, _headers = self.sandbox.ask("GET", "/sandbox/requests")
        reading = {"get", "list", "watch"}
        return sum(
            each["count"]
            for each in told["requests"]
            if each["verb"] not in reading and each["resource"] in _WRITTEN
        )

    def requests(self, work: Callable[[], object]) -> int:
        """How many requests were sent during the work."""
        self.sandbox.ask("DELETE", "/sandbox/requests")
        work()
        _status, told, _headers = self.sandbox.ask("GET", "/sandbox/requests")
        return int(told["total"])


_WRITTEN = {path.rpartition("/")[2] for path in KINDS.values()}
WORKLOAD = f"StatefulSet/{naming.workload('chat')}"

__all__ = ["KINDS", "WORKLOAD", "World"]
