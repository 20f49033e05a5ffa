"""The object that changes the number of replicas with the load.

CPU and memory every cluster can measure: a HorizontalPodAutoscaler reads them from metrics-server. What only the
engine knows is in Prometheus, from where KEDA brings it: a ScaledObject. Both take one step at a time and keep at
least one replica; scaling to zero would be a second trigger, because an engine without replicas has no figures.

Of the labels in a query, `namespace` and `pod` come from Prometheus, which finds the pods in Kubernetes, and
`model_name` from the engine. Pure: no Django, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from deployments import naming
from deployments.context import RenderContext
from deployments.engines import ngc
from deployments.manifests.common import EngineNotOffered, Manifest, metadata
from deployments.scaling import BY_OPERATOR, obstacle
from deployments.spec import DeploymentSpec
from deployments.vocabulary import DynamoBackend, Engine, ScalingMetric

#: Seconds between two looks of KEDA; a HorizontalPodAutoscaler looks as often.
POLLING: Final = 15
#: Seconds of quiet before a replica goes.
CALM: Final = 600
_UP_AFTER, _UP_EVERY, _DOWN_EVERY = 60, 120, 300


@dataclass(frozen=True, slots=True)
class _Names:
    """What a server calls its figures in Prometheus."""

    waiting: str
    running: str
    kv_cache: tuple[str, ...]
    """A part of one, from 0 to 1; several where a release renamed it."""


_VLLM = _Names(
    "vllm:num_requests_waiting",
    "vllm:num_requests_running",
    ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
)
_SGLANG = _Names("sglang:num_queue_reqs", "sglang:num_running_reqs", ("sglang:token_usage",))
_TRTLLM = _Names(
    "trtllm_num_requests_waiting", "trtllm_num_requests_running", ("trtllm_kv_cache_utilization",)
)
_NIM_1 = _Names("num_requests_waiting", "num_requests_running", ("gpu_cache_usage_perc",))
_DYNAMO = {DynamoBackend.VLLM: _VLLM, DynamoBackend.SGLANG: _SGLANG, DynamoBackend.TRTLLM: _TRTLLM}


class ScalingNotOffered(EngineNotOffered):
    """This cluster cannot scale by this metric. The message is for people."""


def autoscaler(spec: DeploymentSpec, context: RenderContext, target: Manifest) -> Manifest:
    """What scales `target`, by whose apiVersion, kind and name it is found.

    One replica at a time, because a new one needs GPUs and minutes before it takes any load: up after one minute of
    high use and at most every two; down after ten quiet minutes, so that a pause between two bursts does not throw a
    loaded model away. Raises ScalingNotOffered.
    """
    metric = spec.autoscaling.metric
    if reason := obstacle(metric, context.offers):
        raise ScalingNotOffered(reason)
    reference = {
        "apiVersion": target["apiVersion"],
        "kind": target["kind"],
        "name": target["metadata"]["name"],
    }
    return (_scaled_object if metric.is_of_engine else _horizontal)(spec, context, reference)


def query(spec: DeploymentSpec, namespace: str, target_name: str) -> str:
    """What KEDA asks Prometheus: one number.

    Requests are summed up, and the autoscaler divides them by the replicas; the KV cache's use is a mean already.
    """
    where = _where(spec, namespace, target_name)
    names = _names(spec)
    match spec.autoscaling.metric:
        case ScalingMetric.KV_CACHE:
            return f"100 * avg({_any((name for each in names for name in each.kv_cache), where)})"
        case ScalingMetric.CONCURRENCY:
            # Those that wait count, too: the engine answers no more than so many at once.
            return " + ".join(
                f"sum({_any(found, where)})"
                for found in ([each.running for each in names], [each.waiting for each in names])
            )
        case _:
            return f"sum({_any((each.waiting for each in names), where)})"


def by_resource(spec: DeploymentSpec) -> Manifest:
    """Bounds, metrics and pace as a HorizontalPodAutoscaler has them: also for operators that make one themselves.

    Raises ScalingNotOffered for a figure of the engine.
    """
    scaling = spec.autoscaling
    if scaling.metric.is_of_engine:
        raise ScalingNotOffered(BY_OPERATOR)
    utilization = {"type": "Utilization", "averageUtilization": scaling.threshold}
    return {
        "minReplicas": scaling.min_replicas,
        "maxReplicas": scaling.max_replicas,
        "metrics": [{"type": "Resource", "resource": {"name": scaling.metric.value, "target": utilization}}],
        "behavior": _pace(),
    }


def _horizontal(spec: DeploymentSpec, context: RenderContext, target: Manifest) -> Manifest:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(spec, context, naming.workload(spec.name)),
        "spec": {"scaleTargetRef": target, **by_resource(spec)},
    }


def _scaled_object(spec: DeploymentSpec, context: RenderContext, target: Manifest) -> Manifest:
    """KEDA makes a HorizontalPodAutoscaler of it, called keda-hpa- and this name.

    Without figures nothing is done: KEDA would else take no answer for a nought, and remove replicas under load.
    """
    scaling = spec.autoscaling
    trigger = {
        "type": "prometheus",
        "name": scaling.metric.value,
        "metricType": "Value" if scaling.metric.is_percentage else "AverageValue",
        "metadata": {
            "serverAddress": context.offers.prometheus_url,
            "query": query(spec, context.namespace, target["name"]),
            "threshold": str(scaling.threshold),
            "ignoreNullValues": "false",
        },
    }
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": metadata(spec, context, naming.workload(spec.name)),
        "spec": {
            "scaleTargetRef": target,
            "minReplicaCount": scaling.min_replicas,
            "maxReplicaCount": scaling.max_replicas,
            "pollingInterval": POLLING,
            "cooldownPeriod": CALM,
            "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _pace()}},
            "triggers": [trigger],
        },
    }


def _pace() -> Manifest:
    return {
        "scaleUp": _one_pod_each(seconds=_UP_EVERY, after=_UP_AFTER),
        "scaleDown": _one_pod_each(seconds=_DOWN_EVERY, after=CALM),
    }


def _one_pod_each(seconds: int, after: int) -> Manifest:
    return {
        "stabilizationWindowSeconds": after,
        "policies": [{"type": "Pods", "value": 1, "periodSeconds": seconds}],
    }


def _names(spec: DeploymentSpec) -> tuple[_Names, ...]:
    """What the engine may call its figures; several where only the running container knows."""
    engine = spec.engine
    if engine.kind is Engine.DYNAMO:
        return (_DYNAMO[engine.dynamo.backend if engine.dynamo else DynamoBackend.VLLM],)
    if engine.kind is Engine.NIM:
        line = ngc.line_of(engine.tag)
        if not line.known:
            return _VLLM, _SGLANG, _NIM_1
        return (_NIM_1,) if line.major < 2 else (_VLLM, _SGLANG)
    return (_VLLM,)


def _where(spec: DeploymentSpec, namespace: str, target_name: str) -> str:
    """The labels of the figures of the pods that are scaled; deployments of the same model are kept apart.

    Prefill and decode workers of Dynamo serve under one name, so theirs are told apart by their pods, whose names
    hold the graph's, a number where Grove runs them, and the component's.
    """
    if spec.engine.kind is not Engine.DYNAMO:
        return f'namespace="{namespace}",model_name="{spec.name}"'
    graph = naming.graph(spec.name)
    component = target_name.removeprefix(f"{graph}-")
    return f'namespace="{namespace}",pod=~"{graph}-([0-9]+-)?{component}-.+"'


def _any(names: Iterable[str], where: str) -> str:
    """Series of the first of these names, and of the others only what the first has not: nothing counts twice."""
    return " or ".join(f"{name}{{{where}}}" for name in names)
