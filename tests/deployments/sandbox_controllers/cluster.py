"""A sandbox cluster whose clock is moved by hand and whose engines listen nowhere."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from deployments.sandbox.controllers import Controllers
from deployments.sandbox.engines.engine_host import NoEngines
from deployments.sandbox.settings import Settings
from deployments.sandbox.store import Store

NAMESPACE = "models"
_START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
_HEALTH = {"httpGet": {"path": "/health", "port": "http"}, "timeoutSeconds": 3}


class Cluster:
    """Store, controllers and clock."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.began = self.now = _START
        self.store = Store(lambda: self.now)
        self.engines = NoEngines()
        self.controllers = Controllers(self.store, settings or Settings(), lambda: self.now, self.engines)
        self.controllers.tick()

    def advance(self, seconds: float) -> None:
        """Let time pass, ticking whenever something is due, as the real loop does."""
        end = self.now + timedelta(seconds=seconds)
        self.controllers.tick()
        for _step in range(20_000):
            due = self.controllers.due
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self.controllers.tick()
        else:
            raise AssertionError("the controllers never came to rest")
        self.now = end
        self.controllers.tick()

    def until(self, condition: Callable[[], bool], limit: int = 600) -> None:
        """Let time pass second by second until something is so."""
        for _second in range(limit):
            self.advance(1)
            if self.store.get("pods", NAMESPACE, "md-a-0") and condition():
                return
        raise AssertionError(f"it was not so within {limit} seconds")

    def secret(self, name: str, **values: str) -> None:
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        self.store.create("secrets", NAMESPACE, {"metadata": {"name": name}, "type": "Opaque", "data": data})

    def add(self, *, name: str = "md-a", **changes: Any) -> None:
        """Create a StatefulSet; see `workload`."""
        self.store.create("statefulsets", NAMESPACE, workload(name, **changes))

    def edit(self, name: str = "md-a", **changes: Any) -> None:
        """Replace the template (and what else `workload` makes) as an apply would."""
        wanted = workload(name, **changes)["spec"]

        def change(live: dict[str, Any]) -> None:
            for field in ("template", "replicas"):
                if field in wanted:
                    live["spec"][field] = wanted[field]

        self.store.update("statefulsets", NAMESPACE, name, change, manager="slipway")

    def scale(self, replicas: int, name: str = "md-a") -> None:
        self.store.update(
            "statefulsets", NAMESPACE, name, lambda live: live["spec"].update(replicas=replicas)
        )

    def pod(self, name: str = "md-a-0") -> dict[str, Any]:
        found = self.store.get("pods", NAMESPACE, name)
        assert found is not None, f"there is no pod {name}"
        return found

    def pods(self) -> list[str]:
        return sorted(pod["metadata"]["name"] for pod in self.store.list("pods", NAMESPACE))

    def set(self, name: str = "md-a") -> dict[str, Any]:
        found = self.store.get("statefulsets", NAMESPACE, name)
        assert found is not None
        return found

    def claim(self, name: str = "data-md-a-0") -> dict[str, Any]:
        found = self.store.get("persistentvolumeclaims", NAMESPACE, name)
        assert found is not None, f"there is no claim {name}"
        return found

    def container(self, pod: str = "md-a-0") -> dict[str, Any]:
        return dict(self.pod(pod)["status"]["containerStatuses"][0])

    def waiting(self, pod: str = "md-a-0") -> tuple[str, str]:
        """Why a container waits: reason and message; two empty strings when it does not."""
        state = self.container(pod)["state"].get("waiting") or {}
        return state.get("reason", ""), state.get("message", "")

    def last_end(self, pod: str = "md-a-0") -> dict[str, Any]:
        """How the container ended last, whether it waits already or not."""
        status = self.container(pod)
        return dict(status["state"].get("terminated") or status["lastState"].get("terminated") or {})

    def ready(self, pod: str = "md-a-0") -> bool:
        conditions = self.pod(pod).get("status", {}).get("conditions", [])
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    def condition(self, kind: str, pod: str = "md-a-0") -> dict[str, Any]:
        conditions = self.pod(pod)["status"]["conditions"]
        return next(each for each in conditions if each["type"] == kind)

    def events(self, name: str, reason: str = "") -> list[str]:
        """Messages of the events about an object, oldest first."""
        return [
            event["message"]
            for event in self.store.list("events", NAMESPACE)
            if event["involvedObject"]["name"] == name and reason in ("", event["reason"])
        ]

    def reasons(self, name: str = "md-a-0") -> list[str]:
        return [
            event["reason"]
            for event in self.store.list("events", NAMESPACE)
            if event["involvedObject"]["name"] == name
        ]

    def log(self, pod: str = "md-a-0", *, everything: bool = True) -> str:
        """What the container wrote, the run before it included."""
        lines = self.store.logs.lines(NAMESPACE, pod, "engine", previous=True) if everything else []
        return "\n".join([*lines, *self.store.logs.lines(NAMESPACE, pod, "engine")])


def workload(
    name: str = "md-a",
    *,
    image: str = "vllm/vllm-openai:v0.33.0",
    model: str = "facebook/opt-125m",
    arguments: tuple[str, ...] = (),
    env: list[dict[str, Any]] | None = None,
    gpus: int = 1,
    memory: str = "24Gi",
    replicas: int | None = 1,
    storage_class: str | None = None,
    storage: str = "100Gi",
    budget: tuple[int, int] = (5, 60),
    management: str = "Parallel",
    spec: dict[str, Any] | None = None,
    pod: dict[str, Any] | None = None,
    container: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A vLLM StatefulSet as the console renders it; `budget` is the startup probe's period and failure threshold."""
    labels = {"app.kubernetes.io/instance": name}
    period, threshold = budget
    limits: dict[str, str] = {"cpu": "8", "memory": memory}
    if gpus:
        limits["nvidia.com/gpu"] = str(gpus)
    engine = {
        "name": "engine",
        "image": image,
        "command": ["vllm", "serve"],
        "args": [model, "--host", "0.0.0.0", "--port", "8000", "--served-model-name", "demo", *arguments],
        "env": [{"name": "HF_HOME", "value": "/data/hf"}, *(env or [])],
        "ports": [{"name": "http", "containerPort": 8000}],
        "startupProbe": {**_HEALTH, "periodSeconds": period, "failureThreshold": threshold},
        "livenessProbe": {**_HEALTH, "periodSeconds": 10, "failureThreshold": 6},
        "readinessProbe": {**_HEALTH, "periodSeconds": 5, "failureThreshold": 3},
        "lifecycle": {"preStop": {"exec": {"command": ["/bin/sleep", "5"]}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {"requests": {"cpu": "4", "memory": memory}, "limits": limits},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "shm", "mountPath": "/dev/shm"}],
        **(container or {}),
    }
    claim: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": storage}},
    }
    if storage_class:
        claim["storageClassName"] = storage_class
    document: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "serviceName": f"{name}-hl",
            "podManagementPolicy": management,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 60,
                    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
                    "containers": [engine],
                    "volumes": [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}}],
                    **(pod or {}),
                },
            },
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
            **(spec or {}),
        },
    }
    if replicas is not None:
        document["spec"]["replicas"] = replicas
    return document
