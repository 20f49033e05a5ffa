"""Builders of what a cluster shows, in the API's own spelling, decoded as the observer decodes it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from deployments.kube import decode
from deployments.readers.vllm import read_stateful_set
from deployments.seen import Seen
from deployments.spec import Autoscaling, DeploymentSpec, EngineSpec
from deployments.vocabulary import DesiredState, Engine, Phase

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
IMAGE = "vllm/vllm-openai:v0.33.0"
OLD, NEW = "md-chat-6d9f7c", "md-chat-7f8b9d"

Object = dict[str, Any]


def ago(seconds: float = 0) -> str:
    return (NOW - timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def spec(replicas: int = 2, autoscaling: bool = False) -> DeploymentSpec:
    return DeploymentSpec(
        name="chat",
        model="opt-125m",
        endpoint="main",
        engine=EngineSpec(kind=Engine.VLLM, image="vllm/vllm-openai", tag="v0.33.0", replicas=replicas),
        autoscaling=Autoscaling(enabled=autoscaling, min_replicas=1, max_replicas=4),
    )


def metadata(name: str, **more: Any) -> Object:
    return {"name": name, "namespace": "models", "uid": f"uid-{name}", "creationTimestamp": ago(300), **more}


def workload(replicas: int = 2, hash: str = NEW, revision: int = 1, **more: Any) -> Object:
    return {
        "metadata": metadata("md-chat", generation=3, labels={"slipway/revision": str(revision)}),
        "spec": {"replicas": replicas},
        "status": {"observedGeneration": 3, "updateRevision": hash, "replicas": replicas, **more},
    }


def pod(
    ordinal: int = 0,
    state: Object | None = None,
    *,
    hash: str = NEW,
    ready: bool = False,
    started: bool | None = None,
    restarts: int = 0,
    last: Object | None = None,
    node: str = "gpu-1",
    unschedulable: str = "",
    unscheduled_for: float = 60,
    going: bool = False,
    **status: Any,
) -> Object:
    scheduled: Object = {"type": "PodScheduled", "status": "True", "lastTransitionTime": ago(200)}
    if unschedulable:
        node, scheduled = (
            "",
            scheduled | {"status": "False", "reason": "Unschedulable", "message": unschedulable},
        )
        scheduled["lastTransitionTime"] = ago(unscheduled_for)
    container = {
        "name": "engine",
        "image": IMAGE,
        "ready": ready,
        "started": ready if started is None else started,
        "restartCount": restarts,
        "state": state or ({"running": {"startedAt": ago(100)}} if ready else {}),
        "lastState": {"terminated": last} if last else {},
    }
    seen: Object = {
        "metadata": metadata(f"md-chat-{ordinal}", labels={"controller-revision-hash": hash}),
        "spec": {
            "nodeName": node,
            "containers": [
                {
                    "name": "engine",
                    "image": IMAGE,
                    "startupProbe": {"periodSeconds": 10, "failureThreshold": 360},
                }
            ],
        },
        "status": {
            "phase": "Pending",
            "conditions": [
                scheduled,
                {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": ago(90)},
            ],
            "containerStatuses": [] if unschedulable else [container],
            **status,
        },
    }
    if going:
        seen["metadata"]["deletionTimestamp"] = ago(20)
    return seen


def waiting(reason: str, message: str = "") -> Object:
    return {"waiting": {"reason": reason, "message": message}}


def running(seconds: float = 100) -> Object:
    return {"running": {"startedAt": ago(seconds)}}


def ended(code: int = 1, reason: str = "Error", message: str = "", seconds: float = 30) -> Object:
    return {"exitCode": code, "reason": reason, "message": message, "finishedAt": ago(seconds)}


def event(
    reason: str, message: str, of: str = "md-chat-0", kind: str = "Pod", seconds: float = 30, **more: Any
) -> Object:
    return {
        "metadata": metadata(f"{of}.{reason}"),
        "involvedObject": {"kind": kind, "name": of, "namespace": "models"},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "lastTimestamp": ago(seconds),
        "firstTimestamp": ago(seconds + 60),
        "count": 3,
        **more,
    }


def claim(
    ordinal: int = 0, phase: str = "Pending", storage_class: str | None = "fast", **status: Any
) -> Object:
    return {
        "metadata": metadata(f"data-md-chat-{ordinal}"),
        "spec": {"storageClassName": storage_class, "resources": {"requests": {"storage": "100Gi"}}},
        "status": {"phase": phase, **status},
    }


def autoscaler(*conditions: Object) -> Object:
    return {
        "metadata": metadata("md-chat"),
        "spec": {"minReplicas": 1, "maxReplicas": 4},
        "status": {"conditions": list(conditions)},
    }


def seen(
    *pods: Object,
    of: Object | None = None,
    events: list[Object] | None = None,
    claims: list[Object] | None = None,
    scaler: Object | None = None,
    wanted: DeploymentSpec | None = None,
    revision: int = 1,
    gone: bool = False,
    **more: Any,
) -> Seen:
    """What a look shows; a workload that fits is made unless `of` gives one or it is `gone`."""
    wanted = wanted or spec(len(pods) or 1)
    body = of or workload(wanted.engine.replicas, revision=revision)
    found = None if gone else read_stateful_set(decode.read_one(decode.StatefulSet, _bytes(body)))
    more.setdefault("applied_revision", int(found.metadata.label("slipway/revision")) if found else 0)
    more.setdefault("last_phase", Phase.QUEUED)
    more.setdefault("last_wanted", wanted.engine.replicas)
    more.setdefault("desired", DesiredState.RUNNING)
    more.setdefault("asked_at", NOW - timedelta(seconds=400))
    return Seen(
        spec=wanted,
        revision=revision,
        observed_at=NOW,
        workload=found,
        pods=decode.read_list(decode.Pod, _bytes({"items": pods})),
        events=decode.read_list(decode.Event, _bytes({"items": events or []})),
        claims=decode.read_list(decode.Claim, _bytes({"items": claims or []})),
        autoscaler=decode.read_one(decode.Autoscaler, _bytes(scaler)) if scaler else None,
        revisions={OLD: 1, NEW: revision},
        **more,
    )


def _bytes(value: Any) -> bytes:
    return json.dumps(value).encode()
