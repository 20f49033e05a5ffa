"""An API server that the contract is held against: the sandbox, or one that a kubeconfig names.

Everything here must hold on a stock kube-apiserver with controller-manager and scheduler and no node at all, so a
test waits for what controllers write, and never for a pod that runs.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kubernetes import client as k8s
from kubernetes import config

from deployments.context import Exposure, ModelSource, RenderContext
from deployments.kube import kubeconfig
from deployments.kube.client import Cluster, connect
from deployments.kube.kinds import CLAIM, OWNED, kind_of
from deployments.manifests import render
from deployments.naming import selector_text
from deployments.plan import ObservedObject
from deployments.spec import Autoscaling, DeploymentSpec, EngineSpec, Gpu, Resources, Variable
from deployments.vocabulary import Engine, Routing
from tests.deployments.sandbox_api.cluster import Cluster as Sandbox

KEY = b"contract"
PATIENCE_SECONDS = 60.0


class Place:
    """One API server: our own client, the official one for what we never do ourselves, and namespaces to work in."""

    def __init__(self, name: str, path: Path, sandbox: Sandbox | None = None) -> None:
        self.name, self.sandbox = name, sandbox
        self.ours: Cluster = connect(kubeconfig.read(path.read_text()))
        configuration = k8s.Configuration()
        config.load_kube_config(str(path), client_configuration=configuration)
        self.official = k8s.ApiClient(configuration)
        self.core, self.apps = k8s.CoreV1Api(self.official), k8s.AppsV1Api(self.official)
        self.version = self.ours.version()

    @contextmanager
    def namespace(self) -> Iterator[str]:
        """A namespace that is removed afterwards; it is not waited for."""
        name = f"contract-{secrets.token_hex(4)}"
        self.core.create_namespace({"metadata": {"name": name}})
        # A pod needs the account that a controller makes in every new namespace.
        eventually(lambda: bool(self.core.list_namespaced_service_account(name).items) or bool(self.sandbox))
        try:
            yield name
        finally:
            self.core.delete_namespace(name)

    def close(self) -> None:
        self.ours.close()
        self.official.close()


class Rollout:
    """One deployment's objects in one namespace, written by our client as the reconciler writes them."""

    def __init__(self, place: Place, namespace: str, **more: Any) -> None:
        self.place, self.ours, self.namespace = place, place.ours, namespace
        self.spec = spec(**more)

    def objects(self, **more: Any) -> list[dict[str, Any]]:
        return render(self.spec, context(self.namespace, **more))

    def apply(self, objects: list[dict[str, Any]]) -> None:
        for each in objects:
            self.ours.apply(each)

    def live(self, each: dict[str, Any]) -> dict[str, Any]:
        """The object as it is now."""
        found = self.ours.get(kind_of(each), self.namespace, each["metadata"]["name"])
        assert found is not None
        return found

    def observed(self) -> list[ObservedObject]:
        """As the reconciler sees it: everything of ours but the volumes."""
        found = []
        for kind in OWNED:
            if kind is CLAIM:
                continue
            for body in self.ours.list(
                kind, dict[str, Any], namespace=self.namespace, labels=selector_text(self.spec.name)
            ):
                found.append(ObservedObject({**body, "apiVersion": kind.api_version, "kind": kind.name}))
        return found


def spec(*, replicas: int = 2, autoscaling: bool = False, variables: int = 0) -> DeploymentSpec:
    """Small, without GPUs: a cluster without nodes takes it as well as any other."""
    return DeploymentSpec(
        name="contract",
        model="opt-125m",
        endpoint="main",
        engine=EngineSpec(Engine.VLLM, "vllm/vllm-openai", "v0.33.0", replicas=replicas, volume="1Gi"),
        resources=Resources(cpu_request="100m", memory_request="1Gi", memory_limit="2Gi", gpu=Gpu(count=1)),
        autoscaling=Autoscaling(enabled=autoscaling, min_replicas=1, max_replicas=5),
        environment=(
            Variable("API_TOKEN", secret=True),
            *(Variable(f"EXTRA_{number}", "x") for number in range(variables)),
        ),
    )


def context(namespace: str, **more: Any) -> RenderContext:
    given: dict[str, Any] = {
        "namespace": namespace,
        "source": ModelSource("facebook/opt-125m"),
        "exposure": Exposure(hostname="models.example.com", routing=Routing.INGRESS),
        "secret_values": {"API_TOKEN": "only for the contract"},
        "checksum_key": KEY,
    }
    return RenderContext(**(given | more))


def eventually(holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Waits until controllers have done something; fails the test if they never do."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "this did not come true in time"
        time.sleep(0.1)
