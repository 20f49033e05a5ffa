"""One look at a cluster: requests and statements that do not grow, and our CPU against a bare typed decode.

The answers of the API are prepared bytes, as large as real ones, so that only our own work is measured: decoding,
grouping, judging, and writing to a real PostgreSQL.
"""

import json
import time
from collections.abc import Iterator
from typing import Any, TypeVar
from unittest import mock

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deployments import naming, observer
from deployments.document import to_mapping
from deployments.kube import decode
from deployments.kube.kinds import AUTOSCALER, CLAIM, EVENT, INGRESS, POD, SERVICE, STATEFUL_SET, Kind
from deployments.models import (
    CatalogModel,
    Cluster,
    Deployment,
    Endpoint,
    Observation,
    Provider,
    Revision,
    Transition,
)
from deployments.observing import noted
from deployments.spec import DeploymentSpec, EngineSpec
from deployments.vocabulary import Engine

T = TypeVar("T")

_FEW, _MANY = 10, 1_000
_ROUNDS = 5
_REPLICAS = 2
_EVENTS = 3
_SHAPES: dict[Kind, type[Any]] = {
    STATEFUL_SET: decode.StatefulSet,
    POD: decode.Pod,
    CLAIM: decode.Claim,
    AUTOSCALER: decode.Autoscaler,
    EVENT: decode.Event,
    SERVICE: noted.Noted,
    INGRESS: noted.Noted,
}


class Prepared:
    """Answers from memory, decoded as the client decodes them."""

    def __init__(self, count: int, phase: str = "True") -> None:
        self.requests = 0
        self.bodies = _bodies(count, phase)

    def list(self, kind: Kind, shape: type[T], *, fields: str = "", **_more: Any) -> tuple[T, ...]:
        self.requests += 1
        return decode.read_list(shape, self.bodies[kind, fields.rpartition("=")[2]])

    def list_metadata(self, kind: Kind, shape: type[T], **_more: Any) -> tuple[T, ...]:
        self.requests += 1
        return decode.read_list(shape, self.bodies.get((kind, ""), b"{}"))

    def logs(self, *_arguments: Any, **_more: Any) -> str:
        self.requests += 1
        return ""


def measure() -> Iterator[tuple[str, object]]:
    """Counts at both sizes, and ratios of CPU time at the larger one."""
    endpoint = _endpoint()
    for count in (_FEW, _MANY):
        _fill(endpoint, count)
        for state, answers in (("first", Prepared(count)), ("steady", Prepared(count))):
            with CaptureQueriesContext(connection) as queries:
                _look(endpoint.cluster, answers)
            yield f"{state}.requests_at_{count}", answers.requests
            yield f"{state}.statements_at_{count}", len(queries)
    ready, lost = Prepared(_MANY), Prepared(_MANY, "False")
    objects = _MANY * (5 + 2 * _REPLICAS + _EVENTS * _REPLICAS)
    floor = min(_cpu(lambda: _decode(ready)) for _ in range(_ROUNDS))
    steady = min(_cpu(lambda: _look(endpoint.cluster, ready)) for _ in range(_ROUNDS))
    changed = min(_cpu(lambda each=each: _look(endpoint.cluster, each)) for each in (lost, ready) * 2)
    yield "objects", objects
    yield "steady.cpu_to_typed_decode", round(steady / floor, 2)
    yield "all_changed.cpu_to_typed_decode", round(changed / floor, 2)


def _cpu(work: Any) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _look(cluster: Cluster, answers: Prepared) -> None:
    Cluster.objects.update(observe_due_at=None)
    with mock.patch.object(observer, "connect_to", return_value=answers):
        if not observer.observe(cluster.pk):
            raise SystemExit("the cluster was not observed")


def _decode(answers: Prepared) -> None:
    for (kind, _fields), body in answers.bodies.items():
        decode.read_list(_SHAPES[kind], body)


def _endpoint() -> Endpoint:
    CatalogModel.objects.create(
        slug="opt", name="OPT", provider=Provider.objects.create(slug="meta", name="Meta")
    )
    cluster = Cluster.objects.create(slug="bench", name="Bench")
    return Endpoint.objects.create(
        slug="main", name="Main", hostname="m.example", cluster=cluster, namespace="models"
    )


def _fill(endpoint: Endpoint, count: int) -> None:
    Transition.objects.all().delete()
    Observation.objects.all().delete()
    Deployment.objects.update(current=None)
    Deployment.objects.all().delete()
    model, now = CatalogModel.objects.get(), timezone.now()
    made = Deployment.objects.bulk_create(
        Deployment(name=f"chat-{i}", model=model, endpoint=endpoint, applied_revision=1) for i in range(count)
    )
    engine = EngineSpec(kind=Engine.VLLM, image="vllm/vllm-openai", tag="v0.33.0", replicas=_REPLICAS)
    revisions = Revision.objects.bulk_create(
        Revision(
            deployment=each,
            number=1,
            source={},
            document=to_mapping(DeploymentSpec(name=each.name, model="opt", endpoint="main", engine=engine)),
        )
        for each in made
    )
    for each, revision in zip(made, revisions, strict=True):
        each.current = revision
    Deployment.objects.bulk_update(made, ["current"])
    Observation.objects.bulk_create(Observation(deployment=each, phase_since=now) for each in made)


def _bodies(count: int, ready: str) -> dict[tuple[Kind, str], bytes]:
    names = [f"chat-{i}" for i in range(count)]
    pods = [(name, f"{naming.workload(name)}-{i}") for name in names for i in range(_REPLICAS)]
    items: dict[tuple[Kind, str], list[dict[str, Any]]] = {
        (STATEFUL_SET, ""): [_stateful_set(name) for name in names],
        (POD, ""): [_pod(name, pod, ready) for name, pod in pods],
        (CLAIM, ""): [_claim(name, pod) for name, pod in pods],
        (AUTOSCALER, ""): [],
        (SERVICE, ""): [
            {"metadata": _metadata(naming.workload(name) + tail, name)}
            for name in names
            for tail in ("", "-pods")
        ],
        (INGRESS, ""): [{"metadata": _metadata(naming.workload(name), name)} for name in names],
        (EVENT, "Pod"): [_event(pod, i) for _, pod in pods for i in range(_EVENTS)],
        (EVENT, "StatefulSet"): [],
        (EVENT, "PersistentVolumeClaim"): [],
        (EVENT, "HorizontalPodAutoscaler"): [],
    }
    return {key: json.dumps({"kind": "List", "items": found}).encode() for key, found in items.items()}


def _metadata(name: str, of: str, **labels: str) -> dict[str, Any]:
    fields = {
        f"f:{field}": {".": {}, "f:value": {}}
        for field in ("spec", "template", "containers", "env", "volumes")
    }
    return {
        "name": name,
        "namespace": "models",
        "uid": f"uid-{name}",
        "resourceVersion": "123456",
        "generation": 1,
        "creationTimestamp": "2026-11-23T12:00:00Z",
        "labels": {naming.MANAGED_BY_LABEL: naming.PRODUCT, naming.DEPLOYMENT_LABEL: of} | labels,
        "managedFields": [
            {"manager": manager, "operation": "Apply", "apiVersion": "v1", "fieldsV1": fields}
            for manager in ("slipway", "kubelet", "controller")
        ],
    }


def _template() -> dict[str, Any]:
    environment = [{"name": f"VARIABLE_{i}", "value": f"a value of some length {i}"} for i in range(12)]
    probe = {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 10, "failureThreshold": 366}
    container = {
        "name": "engine",
        "image": "vllm/vllm-openai:v0.33.0",
        "args": ["facebook/opt-125m", "--host", "0.0.0.0", "--served-model-name", "chat"],
        "env": environment,
        "startupProbe": probe,
        "livenessProbe": probe,
        "readinessProbe": probe,
        "resources": {"limits": {"nvidia.com/gpu": "1", "memory": "48Gi"}},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "shm", "mountPath": "/dev/shm"}],
    }
    return {"containers": [container], "nodeName": "gpu-1", "terminationGracePeriodSeconds": 90}


def _stateful_set(name: str) -> dict[str, Any]:
    workload = naming.workload(name)
    return {
        "metadata": _metadata(workload, name, **{naming.REVISION_LABEL: "1"}),
        "spec": {"replicas": _REPLICAS, "serviceName": workload, "template": {"spec": _template()}},
        "status": {"observedGeneration": 1, "replicas": _REPLICAS, "updateRevision": f"{workload}-1"},
    }


def _pod(name: str, pod: str, ready: str) -> dict[str, Any]:
    conditions = [
        {
            "type": type,
            "status": "True" if type == "PodScheduled" else ready,
            "lastTransitionTime": "2026-11-23T12:00:00Z",
        }
        for type in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    ]
    status = {
        "name": "engine",
        "image": "vllm/vllm-openai:v0.33.0",
        "ready": ready == "True",
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": "2026-11-23T12:00:00Z"}},
    }
    return {
        "metadata": _metadata(pod, name, **{"controller-revision-hash": f"{naming.workload(name)}-1"}),
        "spec": _template(),
        "status": {"phase": "Running", "conditions": conditions, "containerStatuses": [status]},
    }


def _claim(name: str, pod: str) -> dict[str, Any]:
    return {
        "metadata": _metadata(f"data-{pod}", name),
        "spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "100Gi"}}},
        "status": {"phase": "Bound", "capacity": {"storage": "100Gi"}},
    }


def _event(pod: str, number: int) -> dict[str, Any]:
    return {
        "metadata": {"name": f"{pod}.{number}", "namespace": "models"},
        "involvedObject": {"kind": "Pod", "namespace": "models", "name": pod, "uid": f"uid-{pod}"},
        "type": "Normal",
        "reason": ("Scheduled", "Pulled", "Started")[number],
        "message": "Container image already present on machine and can be accessed by the pod",
        "lastTimestamp": "2026-11-23T12:00:00Z",
        "count": 1,
    }
