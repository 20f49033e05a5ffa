"""What the cluster's facts say about the settings. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from deployments.context import ClusterOffers, Exposure
from deployments.engines.memory import MemorySum
from deployments.facts import ClusterFacts, GpuNode
from deployments.preflight.berths import Placement
from deployments.preflight.items import Item, Step, blocker, passed, warning
from deployments.quantity import show_bytes
from deployments.scaling import is_operated, obstacle
from deployments.spec import DeploymentSpec, PodGroup
from deployments.vocabulary import Engine, NimRunner, Routing, TlsMode

#: GPUs come and go with every deployment; facts older than this say little about what is free.
STALE: Final = timedelta(minutes=15)

_WANTED_ONLY: Final = (("list", "resourcequotas"), ("patch", "persistentvolumeclaims"))


def check_age(facts: ClusterFacts, now: datetime | None) -> Iterator[Item]:
    if facts.checked_at is None or now is None:
        return
    age = now - facts.checked_at
    if age > STALE:
        minutes = int(age.total_seconds() // 60)
        since = f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"
        detail = "GPUs may have been taken or freed since. Check the cluster's connection."
        yield warning(f"The cluster was last checked {since} ago", detail, Step.NOWHERE)


def check_permissions(spec: DeploymentSpec, facts: ClusterFacts) -> Iterator[Item]:
    """Rights on kinds that this deployment does not use, and on what is only looked at, do not stop it."""
    needed = [right for right in facts.permissions_missing if not _does_without(spec, right)]
    if needed:
        detail = f"Slipway may not {_some(needed)} there."
        yield blocker("Rights are missing on the cluster", detail, Step.NOWHERE)
    elif facts.permissions_missing:
        detail = f"Slipway may not {_some(facts.permissions_missing)} there. This deployment does without."
        yield warning("Some rights are missing on the cluster", detail, Step.NOWHERE)
    else:
        yield passed("Slipway has the rights that it needs", Step.NOWHERE)


def check_gpus(spec: DeploymentSpec, nodes: tuple[GpuNode, ...], placement: Placement) -> Iterator[Item]:
    gpu, groups = spec.resources.gpu, spec.groups
    if gpu.count < 1:
        return
    name = gpu.product or gpu.resource
    usable = [node for node in nodes if not node.taints]
    total, largest = sum(node.total for node in usable), max((node.total for node in usable), default=0)
    most, needed = max(group.gpus for group in groups), sum(group.replicas * group.gpus for group in groups)
    if not nodes:
        yield blocker(f"The cluster has no {name}", "Choose GPUs that it has.", Step.RESOURCES)
    elif not usable:
        detail = f"They have {_taints(nodes)}, which Slipway's pods do not tolerate. Remove it, or choose other GPUs."
        yield blocker(f"All nodes with {name} are tainted", detail, Step.RESOURCES)
    elif most > largest:
        detail = f"The largest node has {largest}. A replica cannot be spread over nodes."
        yield blocker(f"No node has {most} {name}", detail, Step.RESOURCES)
    elif needed > total:
        detail = f"{_spoken(groups)} need {needed}. Lower one of the two."
        yield blocker(f"The cluster has only {total} {name}", detail, Step.RESOURCES)
    elif placement.placed < placement.to_start:
        free = sum(node.free for node in usable if node.ready)
        detail = f"{free} of {total} {name} are free. The others wait for GPUs, CPU and memory on one node."
        if len(usable) < len(nodes):
            tainted = len(nodes) - len(usable)
            detail += f" {tainted} more node{'' if tainted == 1 else 's'} cannot be used: {_taints(nodes)}."
        title = f"{placement.placed} of {placement.to_start} new replicas fit now"
        yield warning(title, detail, Step.RESOURCES)
    else:
        yield passed("Enough GPUs are free", Step.RESOURCES)
    if spec.autoscaling.enabled and total and needed <= total:
        yield from _grown(spec, total, needed)


def _grown(spec: DeploymentSpec, total: int, needed: int) -> Iterator[Item]:
    """What the autoscaler may ask for at most; it adds pods of the last group."""
    group = spec.groups[-1]
    most = spec.replicas_at_most
    asked = needed + max(0, most - group.replicas) * group.gpus
    if asked > total:
        detail = f"{most} replicas need {asked} GPUs; the cluster has {total}. The rest would wait."
        yield warning("Autoscaling can ask for more GPUs than there are", detail, Step.AUTOSCALING)


def _spoken(groups: tuple[PodGroup, ...]) -> str:
    """ "3 replicas × 2", "2 prefill × 1 and 4 decode × 2"."""
    if len(groups) == 1:
        return f"{groups[0].replicas} replicas × {groups[0].gpus}"
    return " and ".join(f"{group.replicas} {group.role} × {group.gpus}" for group in groups)


def _taints(nodes: tuple[GpuNode, ...]) -> str:
    found = list(dict.fromkeys(str(taint) for node in nodes for taint in node.taints))
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return f"the taint{'' if len(found) == 1 else 's'} {', '.join(found[:3])}{more}"


def _some(rights: Sequence[str]) -> str:
    more = len(rights) - 5
    return f"{', '.join(rights[:5])}{f' and {more} more' if more > 0 else ''}"


def _does_without(spec: DeploymentSpec, right: str) -> bool:
    verb, _, resource = right.partition(" ")
    engine = spec.engine
    unused = {
        "nimservices.apps.nvidia.com": engine.nim is None or engine.nim.runner is not NimRunner.OPERATOR,
        "dynamographdeployments.nvidia.com": engine.kind is not Engine.DYNAMO,
        "scaledobjects.keda.sh": not (spec.autoscaling.enabled and spec.autoscaling.metric.is_of_engine),
    }
    # Quotas are only looked at, and volumes grow only when somebody asks for it.
    return unused.get(resource, False) or (verb, resource) in _WANTED_ONLY


def check_memory(memory: MemorySum | None) -> Iterator[Item]:
    if memory is None:
        detail = "The catalogue entry does not say how many parameters of which size the model has."
        yield warning("GPU memory cannot be estimated", detail, Step.NOWHERE)
        return
    available, spare = memory.available, memory.spare
    if available is None or spare is None:
        yield warning("GPU memory was not compared", "The memory of these GPUs is unknown.", Step.NOWHERE)
    elif memory.weights > available:
        detail = (
            f"Each GPU holds {show_bytes(memory.weights)} of weights and offers {show_bytes(available)}. "
            "Use more or larger GPUs, or smaller weights."
        )
        yield blocker("The weights do not fit into GPU memory", detail, Step.RESOURCES)
    elif spare < 0:
        detail = (
            f"About {show_bytes(memory.needed)} of {show_bytes(available)} are needed per GPU. "
            "Lower the context length or use more GPUs."
        )
        yield warning("GPU memory is probably too small", detail, Step.RESOURCES)
    elif memory.missing:
        detail = f"The KV cache is not in the sum: {' and '.join(memory.missing)} of the model are unknown."
        yield warning("GPU memory was compared in part", detail, Step.NOWHERE)
    else:
        yield passed(f"GPU memory suffices, {show_bytes(spare)} to spare", Step.RESOURCES)


def check_storage(facts: ClusterFacts, storage_class: str | None) -> Iterator[Item]:
    known = {found.name: found for found in facts.storage_classes}
    chosen = known.get(storage_class) if storage_class else facts.default_storage_class
    if chosen is None and storage_class:
        detail = f"It has: {', '.join(known) or 'none'}."
        yield blocker(f"The cluster has no storage class {storage_class}", detail, Step.ENGINE)
    elif chosen is None:
        detail = "Each replica asks for a volume of the default class. Make one of the classes the default."
        yield blocker("The cluster has no default storage class", detail, Step.NOWHERE)
    elif chosen.binding == "Immediate":
        detail = "A volume may be made where no GPU is. A class that waits for the first consumer avoids it."
        yield warning(f"Storage class {chosen.name} places volumes at once", detail, Step.NOWHERE)
    else:
        yield passed(f"Volumes come from storage class {chosen.name}", Step.ENGINE)


def check_autoscaler(spec: DeploymentSpec, facts: ClusterFacts, prometheus_url: str) -> Iterator[Item]:
    scaling = spec.autoscaling
    if not scaling.enabled:
        return
    if scaling.metric.is_of_engine:
        yield from _keda(spec, facts, prometheus_url)
    elif facts.addons.metrics_server:
        yield passed("The cluster measures CPU and memory", Step.AUTOSCALING)
    else:
        detail = "Without metrics-server the autoscaler sees no use and changes nothing."
        yield warning("The cluster has no metrics-server", detail, Step.AUTOSCALING)


def _keda(spec: DeploymentSpec, facts: ClusterFacts, prometheus_url: str) -> Iterator[Item]:
    """What an engine measures comes from Prometheus, through KEDA."""
    metric = spec.autoscaling.metric
    offers = ClusterOffers(keda=facts.addons.keda, prometheus_url=prometheus_url)
    reason = obstacle(metric, offers, operated=is_operated(spec))
    if reason:
        yield blocker(f"Nothing can scale by {metric.label.lower()} there", reason, Step.AUTOSCALING)
    else:
        yield passed(f"KEDA asks {prometheus_url} for {metric.label.lower()}", Step.AUTOSCALING)


def check_route(facts: ClusterFacts, exposure: Exposure) -> Iterator[Item]:
    """The endpoint is changed on its own page, not in the wizard; another one can be chosen there."""
    if exposure.routing is Routing.SERVICE:
        return
    if not exposure.hostname:
        yield blocker("The endpoint has no host name", "Add one to it, or choose another.", Step.GENERAL)
    elif exposure.routing is Routing.GATEWAY and not facts.addons.gateway_api:
        detail = "Install it, or choose an endpoint that routes in another way."
        yield blocker("The cluster has no Gateway API", detail, Step.GENERAL)
    elif exposure.routing is Routing.GATEWAY and not exposure.gateway_name:
        yield blocker("The endpoint names no Gateway", "Add one to it, or choose another.", Step.GENERAL)
    elif exposure.routing is Routing.GATEWAY and exposure.tls is TlsMode.PEM:
        detail = (
            "With the Gateway API, TLS is set on the Gateway. The endpoint's own certificate is not used."
        )
        yield warning("The Gateway decides the certificate", detail, Step.NOWHERE)
    else:
        yield passed(f"{exposure.hostname} can be routed", Step.GENERAL)
