"""The scheduler: pods to nodes, with real arithmetic and the words of kube-scheduler when nothing fits.

Requests are summed over the pods that a node already carries and compared with its allocatable resources; taints,
node selectors and required node affinity exclude nodes first, in the order of the default plugins, because the
message counts a node only under the first plugin that refused it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from deployments.quantity import parse
from deployments.sandbox.garbage import claims_of
from deployments.sandbox.nodes.podstatus import set_condition
from deployments.sandbox.workloads.placement import selects, tolerates
from deployments.sandbox.workloads.volumes import SELECTED_NODE, class_of, waits_for_consumer

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

_PODS = "pods"


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why one node is out, and whether evicting pods from it could ever help."""

    reasons: tuple[str, ...]
    hopeless: bool


class _Node:
    """A node's free resources, kept up to date while pods are placed."""

    def __init__(self, node: Object) -> None:
        self.obj = node
        self.name: str = node["metadata"]["name"]
        self.allocatable = {name: parse(str(text)) for name, text in node["status"]["allocatable"].items()}
        self.free = dict(self.allocatable)

    def take(self, requests: dict[str, Decimal]) -> None:
        for name, amount in requests.items():
            self.free[name] = self.free.get(name, Decimal(0)) - amount

    def spare(self) -> tuple[Decimal, Decimal]:
        """How empty the node is, GPUs first; the most empty node gets the next pod."""
        gpus, cpu = "nvidia.com/gpu", "cpu"
        return (
            self.free.get(gpus, Decimal(0)) / max(self.allocatable.get(gpus, Decimal(0)), Decimal(1)),
            self.free.get(cpu, Decimal(0)) / max(self.allocatable.get(cpu, Decimal(0)), Decimal(1)),
        )


class Scheduler:
    """Binds pods that have no node; pods that fit nowhere are tried again whenever the cluster changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told: dict[str, str] = {}
        self._seen = -1

    def step(self, now: datetime) -> datetime | None:
        """Place every pod that fits; nothing here waits for a time."""
        if self._store.revision == self._seen:
            return None
        self._seen = self._store.revision
        pods = self._store.list("pods")
        waiting = [
            pod
            for pod in pods
            if not pod["spec"].get("nodeName") and not pod["metadata"].get("deletionTimestamp")
        ]
        present = {pod["metadata"]["uid"] for pod in waiting}
        self._told = {uid: told for uid, told in self._told.items() if uid in present}
        if not waiting:
            return None
        nodes = {node["metadata"]["name"]: _Node(node) for node in self._store.list("nodes")}
        for pod in pods:
            node = nodes.get(pod["spec"].get("nodeName") or "")
            if node is not None and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
                node.take(pod_requests(pod))
        for pod in waiting:
            self._place(pod, list(nodes.values()), now)
        return None

    def _place(self, pod: Object, nodes: list[_Node], now: datetime) -> None:
        if problem := self._volume_problem(pod):
            counts = f"0/{len(nodes)} nodes are available"
            helpless = f"preemption: {counts}: {len(nodes)} Preemption is not helpful for scheduling."
            self._fail(pod, f"{counts}: {problem}. {helpless}", now)
            return
        requests = pod_requests(pod)
        refusals: list[_Refusal] = []
        fitting: list[_Node] = []
        for node in nodes:
            refusal = _judge(pod, requests, node)
            if refusal is None:
                fitting.append(node)
            else:
                refusals.append(refusal)
        if not fitting:
            self._fail(pod, _message(refusals, len(nodes)), now)
            return
        best = min(fitting, key=lambda node: (*(-part for part in node.spare()), node.name))
        best.take(requests)
        self._bind(pod, best.name, now)

    def _bind(self, pod: Object, node: str, now: datetime) -> None:
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        for claim in claims_of(pod):
            self._store.update(
                "persistentvolumeclaims",
                namespace,
                claim,
                lambda live: live["metadata"].setdefault("annotations", {}).setdefault(SELECTED_NODE, node),
                manager="kube-scheduler",
            )
        self._store.update(
            "pods", namespace, name, lambda live: live["spec"].update(nodeName=node), manager="kube-scheduler"
        )

        def scheduled(live: Object) -> None:
            set_condition(live.setdefault("status", {}), "PodScheduled", True, now)

        bound = self._store.update_status("pods", namespace, name, scheduled) or pod
        message = f"Successfully assigned {namespace}/{name} to {node}"
        self._store.record_event(bound, "Normal", "Scheduled", message, source="default-scheduler")

    def _fail(self, pod: Object, message: str, now: datetime) -> None:
        uid = pod["metadata"]["uid"]
        if self._told.get(uid) == message:
            return
        self._told[uid] = message

        def unschedulable(live: Object) -> None:
            status = live.setdefault("status", {})
            status.setdefault("phase", "Pending")
            set_condition(status, "PodScheduled", False, now, "Unschedulable", message)

        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        self._store.update_status("pods", namespace, name, unschedulable)
        self._store.record_event(pod, "Warning", "FailedScheduling", message, source="default-scheduler")

    def _volume_problem(self, pod: Object) -> str:
        """The sentence for claims that keep a pod from any node; empty when there is none."""
        namespace = pod["metadata"]["namespace"]
        for name in claims_of(pod):
            claim = self._store.get("persistentvolumeclaims", namespace, name)
            if claim is None:
                return f'persistentvolumeclaim "{name}" not found'
            if claim["metadata"].get("deletionTimestamp"):
                return f'persistentvolumeclaim "{name}" is being deleted'
            if (claim.get("status") or {}).get("phase") == "Bound":
                continue
            storage_class = self._store.get("storageclasses", None, class_of(self._store, claim) or "")
            if storage_class is None or not waits_for_consumer(storage_class):
                return "pod has unbound immediate PersistentVolumeClaims"
        return ""


def pod_requests(pod: Object) -> dict[str, Decimal]:
    """What a pod asks of a node: the sum over its containers, a limit standing in for a missing request."""
    total: dict[str, Decimal] = {_PODS: Decimal(1)}
    for container in pod["spec"].get("containers") or []:
        for name, amount in container_requests(container).items():
            total[name] = total.get(name, Decimal(0)) + amount
    return total


def container_requests(container: dict[str, Any]) -> dict[str, Decimal]:
    """Requests of one container in cores, bytes or devices."""
    resources = container.get("resources") or {}
    asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: parse(str(text)) for name, text in asked.items()}


def _judge(pod: Object, requests: dict[str, Decimal], node: _Node) -> _Refusal | None:
    spec, obj = pod["spec"], node.obj
    if obj["spec"].get("unschedulable"):
        return _Refusal(("node(s) were unschedulable",), hopeless=True)
    for taint in obj["spec"].get("taints") or []:
        if taint["effect"] != "PreferNoSchedule" and not tolerates(spec.get("tolerations") or [], taint):
            return _Refusal(
                (f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}",),
                hopeless=True,
            )
    if not selects(spec, obj):
        return _Refusal(("node(s) didn't match Pod's node affinity/selector",), hopeless=True)
    short = [name for name, amount in requests.items() if amount > node.free.get(name, Decimal(0))]
    if not short:
        return None
    # A request that exceeds the whole node will not fit after any eviction either.
    hopeless = any(requests[name] > node.allocatable.get(name, Decimal(0)) for name in short)
    reasons = tuple("Too many pods" if name == _PODS else f"Insufficient {name}" for name in short)
    return _Refusal(reasons, hopeless)


def _message(refusals: Iterable[_Refusal], total: int) -> str:
    refusals = list(refusals)
    if not total:
        return "no nodes available to schedule pods"
    reasons = Counter(reason for refusal in refusals for reason in refusal.reasons)
    hopeless = sum(refusal.hopeless for refusal in refusals)
    preemption = []
    if hopeless:
        preemption.append(f"{hopeless} Preemption is not helpful for scheduling")
    if total - hopeless:
        preemption.append(f"{total - hopeless} No preemption victims found for incoming pod")
    counts = f"0/{total} nodes are available"
    return f"{counts}: {_listed(reasons)}. preemption: {counts}: {', '.join(sorted(preemption))}."


def _listed(reasons: Counter[str]) -> str:
    return ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
