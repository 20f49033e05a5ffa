"""Builders of what NVIDIA's operators show, graphs, NIMServices and their pods, decoded as the observer does."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from deployments import naming
from deployments.kube import decode
from deployments.readers.dynamo import Graph, read_graph
from deployments.readers.nim import NimService, read_nim_service
from deployments.seen import Seen
from deployments.spec import (
    Autoscaling,
    DeploymentSpec,
    DynamoSpec,
    EngineSpec,
    NimSpec,
    Workers,
)
from deployments.vocabulary import DesiredState, DynamoMode, Engine, NimRunner, Phase
from deployments.workload import Workload
from tests.deployments.status import build
from tests.deployments.status.build import NOW, Object, ago

GRAPH, NIM = "md-chat--graph", "md-chat"
IMAGE = "nvcr.io/nim/meta/llama-3.1-8b-instruct:2.0.5"
OLD, NEW = "template-old", "template-new"
NOT_READY = "Resources not ready: md-chat--graph: [md-chat--graph-worker: 0/1 replicas ready]"


def dynamo(workers: int = 1, *, prefill: int = 0, autoscaling: bool = False) -> DeploymentSpec:
    """Aggregated workers, or with `prefill` so many decode workers besides."""
    split = DynamoSpec(DynamoMode.DISAGGREGATED, prefill=Workers(prefill, 2), decode=Workers(workers))
    return DeploymentSpec(
        name="chat",
        model="opt-125m",
        endpoint="main",
        engine=EngineSpec(
            kind=Engine.DYNAMO,
            image="nvcr.io/nvidia/ai-dynamo/vllm-runtime",
            tag="1.3.0",
            replicas=workers,
            dynamo=split if prefill else DynamoSpec(),
        ),
        autoscaling=Autoscaling(enabled=autoscaling, min_replicas=1, max_replicas=4),
    )


def nim(replicas: int = 1, *, autoscaling: bool = False) -> DeploymentSpec:
    return DeploymentSpec(
        name="chat",
        model="llama",
        endpoint="main",
        engine=EngineSpec(
            kind=Engine.NIM,
            image="nvcr.io/nim/meta/llama-3.1-8b-instruct",
            tag="2.0.5",
            replicas=replicas,
            nim=NimSpec(runner=NimRunner.OPERATOR),
        ),
        autoscaling=Autoscaling(enabled=autoscaling, min_replicas=1, max_replicas=4),
    )


def graph(
    *,
    state: str = "successful",
    ready: str = "True",
    message: str = "",
    observed: int = 3,
    revision: int = 1,
    template: str = NEW,
    roles: dict[str, int] | None = None,
    alpha: bool = False,
    **status: Any,
) -> Object:
    """In v1beta1, or in v1alpha1 when `alpha`."""
    roles = {"frontend": 1, "worker": 1} if roles is None else roles
    labels = {naming.REVISION_LABEL: str(revision), naming.TEMPLATE_LABEL: template}
    condition = {
        "type": "Ready",
        "status": ready,
        "reason": "x",
        "message": message,
        "lastTransitionTime": ago(90),
    }
    spec: Object = {
        "components": [{"name": role.title(), "type": role, "replicas": n} for role, n in roles.items()]
    }
    if alpha:
        spec = {"services": {role.title(): _alpha(role, n) for role, n in roles.items()}}
    return {
        "metadata": build.metadata(GRAPH, generation=3, labels=labels),
        "spec": spec,
        "status": {"state": state, "observedGeneration": observed, "conditions": [condition], **status},
    }


def _alpha(role: str, replicas: int) -> Object:
    if role in ("prefill", "decode"):
        return {"componentType": "worker", "subComponentType": role, "replicas": replicas}
    return {"componentType": role, "replicas": replicas}


def service(
    *,
    state: str = "Ready",
    replicas: int | None = 1,
    revision: int = 1,
    template: str = NEW,
    conditions: tuple[Object, ...] = (),
    **spec: Any,
) -> Object:
    labels = {naming.REVISION_LABEL: str(revision), naming.TEMPLATE_LABEL: template}
    ordered = {} if replicas is None else {"replicas": replicas}
    return {
        "metadata": build.metadata(NIM, generation=3, labels=labels),
        "spec": {**ordered, **spec},
        "status": {"state": state, "availableReplicas": 1, "conditions": list(conditions)},
    }


def pod(name: str, role: str = "", *, template: str = NEW, gpus: int = 1, **more: Any) -> Object:
    """A pod that an operator made; Dynamo's carry their role."""
    made = build.pod(0, **more)
    made["metadata"] = build.metadata(name, labels={naming.TEMPLATE_LABEL: template, naming.ROLE_LABEL: role})
    for status in made["status"]["containerStatuses"]:
        status["image"] = IMAGE
    if more.get("going"):
        made["metadata"]["deletionTimestamp"] = ago(20)
    made["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": str(gpus)}} if gpus else {}
    return made


def frontend(**more: Any) -> Object:
    return pod(
        f"{GRAPH}-frontend-7c9-{more.pop('name', 'aaaaa')}", "frontend", gpus=0, **({"ready": True} | more)
    )


def worker(name: str = "bbbbb", role: str = "worker", **more: Any) -> Object:
    return pod(f"{GRAPH}-{role}-1a2b3c4d-5d6-{name}", role, **({"ready": True} | more))


def read(body: Object) -> Workload:
    """Of a graph or a NIMService."""
    data = json.dumps(body).encode()
    if body["metadata"]["name"] == NIM:
        return read_nim_service(decode.read_one(NimService, data))
    return read_graph(decode.read_one(Graph, data))


def seen(of: Object | None, *pods: Object, wanted: DeploymentSpec | None = None, **more: Any) -> Seen:
    found = read(of) if of is not None else None
    spec = wanted or (nim() if found is not None and found.kind == "NIMService" else dynamo())
    more = {
        "revision": 1,
        "desired": DesiredState.RUNNING,
        "asked_at": NOW - timedelta(seconds=400),
        "last_phase": Phase.QUEUED,
        "last_wanted": spec.pods_at_least,
        "applied_revision": int(found.metadata.label(naming.REVISION_LABEL)) if found else 0,
        "revisions": {OLD: 1, NEW: more.get("revision", 1)},
    } | more
    events = decode.read_list(decode.Event, json.dumps({"items": more.pop("events", [])}).encode())
    return Seen(
        spec=spec,
        observed_at=NOW,
        workload=found,
        pods=decode.read_list(decode.Pod, json.dumps({"items": pods}).encode()),
        events=events,
        **more,
    )
