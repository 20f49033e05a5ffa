"""What pages say about a cluster: whether it answers, its GPUs, our rights there, its add-ons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from console.presentation import times
from deployments import gpus
from deployments.facts import Addons, ClusterFacts, GpuNode
from deployments.kube.probe import NEEDED
from deployments.models import Cluster
from deployments.quantity import show_bytes
from deployments.vocabulary import Tone

#: A look that succeeded proves nothing after this time; the worker looks every few seconds.
FRESH = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether a cluster answers, as a badge with its reason."""

    label: str
    tone: Tone
    sentence: str = ""


#: What we do with each kind of object, and what is lost without it.
_NEEDS = {
    "statefulsets.apps": ("Workloads", "Nothing can be deployed."),
    "services": ("Services", "Replicas cannot be reached."),
    "secrets": ("Secrets", "Tokens and secret variables cannot be handed to engines."),
    "persistentvolumeclaims": ("Volumes", "Volumes stay when a deployment is deleted."),
    "pods": ("Pods", "The state of replicas stays unknown."),
    "pods/log": ("Logs", "Crashes are shown without their last lines."),
    "events": ("Events", "The reason of a failure often stays unknown."),
    "nodes": ("Nodes", "Free GPUs stay unknown."),
    "storageclasses.storage.k8s.io": ("Storage classes", "Storage classes cannot be offered."),
    "horizontalpodautoscalers.autoscaling": ("Autoscalers", "Autoscaling does not work."),
    "httproutes.gateway.networking.k8s.io": ("Routes", "A Gateway cannot route host names."),
    "ingresses.networking.k8s.io": ("Ingresses", "An Ingress cannot route host names."),
}


@dataclass(frozen=True, slots=True)
class Right:
    """What we may do with one kind of object."""

    label: str
    resource: str
    """As in permissions_missing: "statefulsets.apps"."""
    allowed: tuple[str, ...]
    missing: tuple[str, ...]
    consequence: str


@dataclass(frozen=True, slots=True)
class Product:
    """The nodes that have GPUs of one product."""

    name: str
    note: str
    """How much memory each of them has, if that is known."""
    free: int
    total: int
    nodes: tuple[Berth, ...]

    @property
    def used(self) -> int:
        return self.total - self.free


@dataclass(frozen=True, slots=True)
class Berth:
    """A node as `berths` draws it."""

    name: str
    used: int
    free: int
    mine: int = 0
    ready: bool = True


@dataclass(frozen=True, slots=True)
class Addon:
    name: str
    present: bool
    use: str


def facts_of(cluster: Cluster) -> ClusterFacts | None:
    return ClusterFacts.from_mapping(cluster.facts) if cluster.facts else None


def reach(cluster: Cluster, now: datetime) -> Reach:
    """Never greener than the truth: the newest of check and look decides, and an old one only counts as a memory."""
    seen_at = cluster.observed_at
    if cluster.check_error and cluster.checked_at and (seen_at is None or cluster.checked_at >= seen_at):
        since = cluster.unreachable_since or cluster.checked_at
        return Reach(f"Unreachable since {times.moment(since, now)}", Tone.BAD, cluster.check_error)
    if cluster.unreachable_since and not _answered_since(cluster, cluster.unreachable_since):
        silent = times.moment(cluster.unreachable_since, now)
        return Reach(f"Unreachable since {silent}", Tone.BAD, cluster.unreachable_reason)
    answered = max(filter(None, (seen_at, cluster.checked_at)), default=None)
    if answered is None:
        return Reach("Not checked", Tone.IDLE)
    if now - answered > FRESH:
        return Reach("Answered", Tone.IDLE, f"Last answer {times.moment(answered, now)} UTC.")
    return Reach("Reachable", Tone.GOOD)


def rights(facts: ClusterFacts) -> list[Right]:
    """A row for each kind of object, the incomplete ones first."""
    missing: dict[str, list[str]] = {}
    for entry in facts.permissions_missing:
        verb, _, resource = entry.partition(" ")
        missing.setdefault(resource, []).append(verb)
    rows = []
    # Facts of an older version may miss what is no longer asked for; it is shown as it was told.
    for resource in {**NEEDED, **missing}:
        label, consequence = _NEEDS.get(resource, (resource, ""))
        lacking = missing.get(resource, [])
        allowed = tuple(verb for verb in NEEDED.get(resource, ()) if verb not in lacking)
        rows.append(Right(label, resource, allowed, tuple(lacking), consequence))
    return sorted(rows, key=lambda row: not row.missing)


def products(facts: ClusterFacts) -> list[Product]:
    """Nodes by GPU product, the largest stock first."""
    grouped: dict[tuple[str, int | None], list[GpuNode]] = {}
    for node in facts.gpu_nodes:
        grouped.setdefault((node.product, node.memory_bytes), []).append(node)
    made = [_product(name, memory, nodes) for (name, memory), nodes in grouped.items()]
    return sorted(made, key=lambda product: (-product.total, product.name))


def _product(name: str, memory: int | None, nodes: list[GpuNode]) -> Product:
    berths = tuple(_berth(node) for node in sorted(nodes, key=lambda node: node.name))
    return Product(
        name=gpus.short_name(name) or "GPU",
        note=f"{show_bytes(memory)} each" if memory else "",
        free=sum(berth.free for berth in berths),
        total=sum(node.total for node in nodes),
        nodes=berths,
    )


def _berth(node: GpuNode) -> Berth:
    """GPUs of a node that takes no pods are of no use, so they do not count as free."""
    free = min(max(node.free, 0), node.total) if node.ready else 0
    return Berth(node.name, node.total - free, free, ready=node.ready)


def addons(found: Addons) -> list[Addon]:
    return [
        Addon("metrics-server", found.metrics_server, "Measures CPU and memory, which autoscaling goes by."),
        Addon("Gateway API", found.gateway_api, "Routes host names to deployments."),
        Addon("KEDA", found.keda, "Scales by other figures than CPU and memory, and down to zero."),
        Addon("Dynamo operator", found.dynamo, "Runs deployments with the engine NVIDIA Dynamo."),
        Addon("NIM operator", found.nim, "Manages NVIDIA NIM; plain NIM containers do without."),
    ]


def _answered_since(cluster: Cluster, since: datetime) -> bool:
    checked = cluster.checked_at is not None and not cluster.check_error and cluster.checked_at > since
    return checked or (cluster.observed_at is not None and cluster.observed_at > since)
