"""What the cluster's facts say about the settings. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from deployments.context import Exposure
from deployments.facts import ClusterFacts, GpuNode
from deployments.memory import MemorySum
from deployments.preflight.items import Item, Step, blocker, passed, warning
from deployments.quantity import show_bytes
from deployments.spec import DeploymentSpec
from deployments.vocabulary import Routing, TlsMode

#: GPUs come and go with every deployment; facts older than this say little about what is free.
STALE: Final = timedelta(minutes=15)


def check_age(facts: ClusterFacts, now: datetime | None) -> Iterator[Item]:
    if facts.checked_at is None or now is None:
        return
    age = now - facts.checked_at
    if age > STALE:
        minutes = int(age.total_seconds() // 60)
        since = f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"
        detail = "GPUs may have been taken or freed since. Check the cluster's connection."
        yield warning(f"The cluster was last checked {since} ago", detail, Step.NOWHERE)


def check_permissions(facts: ClusterFacts) -> Iterator[Item]:
    if facts.permissions_missing:
        named = ", ".join(facts.permissions_missing[:5])
        more = len(facts.permissions_missing) - 5
        detail = f"Slipway may not {named}{f' and {more} more' if more > 0 else ''} there."
        yield blocker("Rights are missing on the cluster", detail, Step.NOWHERE)
    else:
        yield passed("Slipway has the rights that it needs", Step.NOWHERE)


def check_gpus(
    spec: DeploymentSpec, nodes: tuple[GpuNode, ...], wanted: int, placed: int, to_start: int
) -> Iterator[Item]:
    """`placed` of the `to_start` replicas find GPUs that are free now, out of `wanted` in all."""
    gpu = spec.resources.gpu
    name, total = gpu.product or gpu.resource, sum(node.total for node in nodes)
    largest = max((node.total for node in nodes), default=0)
    if gpu.count < 1:
        return
    if not total:
        yield blocker(f"The cluster has no {name}", "Choose GPUs that it has.", Step.RESOURCES)
    elif gpu.count > largest:
        detail = f"The largest node has {largest}. A replica cannot be spread over nodes."
        yield blocker(f"No node has {gpu.count} {name}", detail, Step.RESOURCES)
    elif gpu.count * wanted > total:
        detail = f"{wanted} replicas × {gpu.count} need {gpu.count * wanted}. Lower one of the two."
        yield blocker(f"The cluster has only {total} {name}", detail, Step.RESOURCES)
    elif placed < to_start:
        free = sum(node.free for node in nodes if node.ready)
        detail = f"{free} of {total} {name} are free. The others wait for GPUs, CPU and memory on one node."
        yield warning(f"{placed} of {to_start} new replicas fit now", detail, Step.RESOURCES)
    else:
        yield passed("Enough GPUs are free", Step.RESOURCES)
    most = spec.replicas_at_most
    if spec.autoscaling.enabled and total and gpu.count * wanted <= total < gpu.count * most:
        detail = (
            f"{most} replicas need {gpu.count * most} GPUs; the cluster has {total}. The rest would wait."
        )
        yield warning("Autoscaling can ask for more GPUs than there are", detail, Step.AUTOSCALING)


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
            "Lower --max-model-len or use more GPUs."
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


def check_autoscaler(spec: DeploymentSpec, facts: ClusterFacts) -> Iterator[Item]:
    if not spec.autoscaling.enabled:
        return
    if facts.addons.metrics_server:
        yield passed("The cluster measures CPU and memory", Step.AUTOSCALING)
    else:
        detail = "Without metrics-server the autoscaler sees no use and changes nothing."
        yield warning("The cluster has no metrics-server", detail, Step.AUTOSCALING)


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
