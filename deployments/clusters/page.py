"""What pages say about a cluster: whether it answers, its GPUs, our rights there, its add-ons."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.presentation import times
from deployments import gpus, quantity
from deployments.facts import Addons, ClusterFacts, GpuNode, Quota
from deployments.kube.probe import needed
from deployments.models import Cluster
from deployments.quantity import show_bytes
from deployments.vocabulary import Tone

#: A look that succeeded proves nothing after this time; the worker looks every few seconds.
FRESH = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Badge:
    """A state as a badge, with its reason."""

    label: str
    tone: Tone
    sentence: str = ""


#: What we do with each kind of object, and what is lost without it.
_NEEDS = {
    "statefulsets.apps": ("Workloads", "Nothing can be deployed."),
    "services": ("Services", "Replicas cannot be reached."),
    "secrets": ("Secrets", "Tokens and secret variables cannot be handed to engines."),
    "persistentvolumeclaims": ("Volumes", "Volumes cannot grow, and stay when a deployment is deleted."),
    "pods": ("Pods", "The state of replicas stays unknown."),
    "pods/log": ("Logs", "Crashes are shown without their last lines."),
    "events": ("Events", "The reason of a failure often stays unknown."),
    "nodes": ("Nodes", "Free GPUs stay unknown."),
    "storageclasses.storage.k8s.io": ("Storage classes", "Storage classes cannot be offered."),
    "horizontalpodautoscalers.autoscaling": ("Autoscalers", "Autoscaling does not work."),
    "httproutes.gateway.networking.k8s.io": ("Routes", "A Gateway cannot route host names."),
    "ingresses.networking.k8s.io": ("Ingresses", "An Ingress cannot route host names."),
    "resourcequotas": ("Quotas", "Whether a quota leaves room stays unknown before a rollout."),
    "nimservices.apps.nvidia.com": ("NIM services", "The NIM Operator cannot be used."),
    "dynamographdeployments.nvidia.com": ("Dynamo graphs", "NVIDIA Dynamo cannot be used."),
    "scaledobjects.keda.sh": ("Scaled objects", "KEDA cannot be used for autoscaling."),
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
    why_not: str = ""
    """Why no new pod of ours can go there; empty when it can."""


@dataclass(frozen=True, slots=True)
class Addon:
    name: str
    present: bool
    use: str
    versions: tuple[str, ...] = ()
    """Of its API, as the cluster serves them."""


def facts_of(cluster: Cluster) -> ClusterFacts | None:
    return ClusterFacts.from_mapping(cluster.facts) if cluster.facts else None


def answer(cluster: Cluster, now: datetime) -> Badge:
    """Whether it answers, never greener than the truth.

    The newest of check and look decides, and an old one only counts as a memory.
    """
    seen_at = cluster.observed_at
    if cluster.check_error and cluster.checked_at and (seen_at is None or cluster.checked_at >= seen_at):
        since = cluster.unreachable_since or cluster.checked_at
        return Badge(f"Unreachable since {times.moment(since, now)}", Tone.BAD, cluster.check_error)
    if cluster.unreachable_since and not _answered_since(cluster, cluster.unreachable_since):
        silent = times.moment(cluster.unreachable_since, now)
        return Badge(f"Unreachable since {silent}", Tone.BAD, cluster.unreachable_reason)
    answered = max(filter(None, (seen_at, cluster.checked_at)), default=None)
    if answered is None:
        return Badge("Not checked", Tone.IDLE)
    if now - answered > FRESH:
        return Badge("Answered", Tone.IDLE, f"Last answer {times.moment(answered, now)} UTC.")
    return Badge("Reachable", Tone.GOOD)


def rights(facts: ClusterFacts) -> list[Right]:
    """A row for each kind of object, the incomplete ones first."""
    missing: dict[str, list[str]] = {}
    for entry in facts.permissions_missing:
        verb, _, resource = entry.partition(" ")
        missing.setdefault(resource, []).append(verb)
    rows = []
    # Facts of an older version may miss what is no longer asked for; it is shown as it was told.
    asked = needed(facts.addons)
    for resource in {**asked, **missing}:
        label, consequence = _NEEDS.get(resource, (resource, ""))
        lacking = missing.get(resource, [])
        allowed = tuple(verb for verb in asked.get(resource, ()) if verb not in lacking)
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
    free = min(max(node.free, 0), node.total) if node.is_open else 0
    why_not = ""
    if not node.ready:
        why_not = "takes no new pods"
    elif node.taints:
        taints = ", ".join(map(str, node.taints))
        plural = "" if len(node.taints) == 1 else "s"
        why_not = f"has the taint{plural} {taints}, which Slipway’s pods do not tolerate"
    return Berth(node.name, node.total - free, free, why_not=why_not)


def addons(found: Addons) -> list[Addon]:
    return [
        Addon("metrics-server", found.metrics_server, "Measures CPU and memory, which autoscaling goes by."),
        Addon("Gateway API", found.gateway_api, "Routes host names to deployments."),
        Addon(
            "KEDA",
            found.keda,
            "Scales by what engines measure: requests waiting, KV cache, requests at once.",
            found.keda_versions,
        ),
        Addon(
            "Dynamo platform",
            found.dynamo,
            "Its operator runs deployments with the engine NVIDIA Dynamo.",
            found.dynamo_versions,
        ),
        Addon(
            "NIM Operator",
            found.nim,
            "May run the pods of NVIDIA NIM; Slipway can do it too.",
            found.nim_versions,
        ),
    ]


@dataclass(frozen=True, slots=True)
class Bound:
    """One amount that a quota bounds."""

    resource: str
    used: str
    hard: str
    tone: Tone
    """WARN when nothing is left."""


@dataclass(frozen=True, slots=True)
class QuotaRow:
    namespace: str
    name: str
    bounds: tuple[Bound, ...]


def quotas(facts: ClusterFacts, namespaces: Collection[str]) -> list[QuotaRow]:
    """The quotas of these namespaces, GPUs first."""
    return [
        QuotaRow(quota.namespace, quota.name, tuple(_bounds(quota)))
        for quota in facts.quotas or ()
        if quota.namespace in namespaces
    ]


def _bounds(quota: Quota) -> Iterator[Bound]:
    for resource, hard in sorted(quota.hard.items(), key=lambda item: ("/" not in item[0], item[0])):
        used = quota.used.get(resource, "0")
        try:
            is_full = quantity.parse(used) >= quantity.parse(hard)
        except ValueError:
            is_full = False
        yield Bound(resource, used, hard, Tone.WARN if is_full else Tone.IDLE)


def _answered_since(cluster: Cluster, since: datetime) -> bool:
    checked = cluster.checked_at is not None and not cluster.check_error and cluster.checked_at > since
    return checked or (cluster.observed_at is not None and cluster.observed_at > since)
