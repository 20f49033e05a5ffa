"""Why no node takes a replica: the scheduler's message, taken apart. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from deployments.diagnosis.finding import Finding, Rank, brief, latest
from deployments.kube.decode import Event, Pod
from deployments.spec import DeploymentSpec

#: A replica that another one makes room for, or whose volume is being made, waits a moment.
GRACE = timedelta(seconds=10)
VOLUME_GRACE = timedelta(seconds=45)
#: A cluster autoscaler that says it is making a node gets the time to make it.
NODE_GRACE = timedelta(minutes=15)

_TOTAL = re.compile(r"^0/(\d+) nodes are available")
_PART = re.compile(r"(?:^|, |: )(\d+) (Insufficient [\w./-]+|Too many pods|node\(s\) .+?)(?=, \d+ |$)")
_VOLUME = re.compile(
    r"unbound immediate PersistentVolumeClaims|volume node affinity conflict|persistentvolumeclaim .* not found"
    r"|available persistent volumes|bind(?:ing)? (?:volumes|PersistentVolumes)|volume limits"
)


@dataclass(frozen=True, slots=True)
class Shortage:
    """One reason of the scheduler: on how many nodes, and what."""

    nodes: int
    reason: str


def find(pod: Pod, events: Sequence[Event], spec: DeploymentSpec) -> Finding | None:
    """Why the scheduler found no node; None when it did, or has not said."""
    condition = pod.condition("PodScheduled")
    if condition is None or condition.status != "False":
        return None
    message = condition.message or ""
    if condition.reason == "SchedulingGated":
        sentence = "Something in the cluster holds the replica back with a scheduling gate."
        return Finding(Rank.SCHEDULING, "gated", sentence, "Ask who set the gate to remove it.")
    since = condition.last_transition_time or pod.metadata.creation_timestamp
    total, shortages = parse(message)
    sentence, remedy, code = _explain(pod, message, total, shortages, spec)
    rank = Rank.STORAGE if code == "volume" else Rank.SCHEDULING
    grace = VOLUME_GRACE if code == "volume" else GRACE
    growing = latest(events, "TriggeredScaleUp")
    if growing is not None:
        sentence, grace = f"{sentence} The cluster is adding a node.", NODE_GRACE
    return Finding(rank, code, sentence, remedy, since, grace)


def parse(message: str) -> tuple[int, tuple[Shortage, ...]]:
    """(number of nodes, reasons) of a message such as
    "0/5 nodes are available: 3 Insufficient nvidia.com/gpu, 2 node(s) had untolerated taint {a: b}."

    What the scheduler says about preemption repeats the same nodes and is left out.
    """
    text = re.split(r"[.,;]? ?\bpreemption:", message, maxsplit=1)[0].strip().rstrip(".")
    total = _TOTAL.match(text)
    if total is None:
        return 0, ()
    reasons = text[total.end() :].lstrip(": ")
    shortages = tuple(Shortage(int(nodes), reason.rstrip(". ")) for nodes, reason in _PART.findall(reasons))
    return int(total.group(1)), shortages


def _explain(
    pod: Pod, message: str, total: int, shortages: Sequence[Shortage], spec: DeploymentSpec
) -> tuple[str, str, str]:
    """(sentence, remedy, code), by what is most worth telling."""
    gpu = spec.resources.gpu
    by_reason = {shortage.reason: shortage for shortage in shortages}
    rest = _others(shortages, f"Insufficient {gpu.resource}")
    if short := by_reason.get(f"Insufficient {gpu.resource}"):
        count = pod.takes(gpu.resource) or gpu.count
        needed = f"{count} GPU" + ("s" if count > 1 else "")
        sentence = (
            f"Not enough GPUs: a replica needs {needed} free on one node, and {_nodes(short.nodes, total)}"
            f" {'has' if short.nodes == 1 else 'have'} too few.{rest}"
        )
        return sentence, "Free GPUs, add a node, or ask for fewer GPUs or replicas.", "gpu"
    # Pods of one deployment may differ: Dynamo's frontend asks for less than its workers.
    asked = {
        "memory": pod.asks("memory") or spec.resources.memory_request,
        "cpu": f"{pod.asks('cpu') or spec.resources.cpu_request} CPUs",
    }
    for resource in ("memory", "cpu", "ephemeral-storage"):
        if short := by_reason.get(f"Insufficient {resource}"):
            rest = _others(shortages, f"Insufficient {resource}")
            wanted = f" a replica asks for {asked[resource]}, and" if resource in asked else ""
            words = {"cpu": "CPU", "ephemeral-storage": "local storage"}.get(resource, resource)
            sentence = f"Not enough {words}:{wanted} {_nodes(short.nodes, total)} cannot give it.{rest}"
            return sentence, f"Lower the request for {words}, or add a node.", resource
    if _VOLUME.search(message):
        return _volume(message)
    if any("node affinity/selector" in s.reason or "node selector" in s.reason for s in shortages):
        which = f" with {gpu.product}" if gpu.product else ""
        sentence = (
            f"No node{which} takes the replica: the node selector matches none of {total or 'the'} nodes."
        )
        return sentence, "Choose a GPU product that the cluster has, or any.", "selector"
    if taint := next((s for s in shortages if "taint" in s.reason), None):
        sentence = f"{_nodes(taint.nodes, total)} keep other pods out: {brief(_plain(taint.reason))}."
        return _capital(sentence), "Remove the taint, or add nodes that are open to this workload.", "taint"
    if message.startswith("0/0") or "no nodes available" in message:
        return "The cluster has no nodes.", "Add a node with GPUs.", "no-nodes"
    return (
        f"No node takes the replica: {brief(message) or 'the scheduler gives no reason'}.",
        "Look at the nodes of the cluster.",
        "unschedulable",
    )


def _volume(message: str) -> tuple[str, str, str]:
    if "volume node affinity conflict" in message:
        return (
            "The replica's volume is in a place where no node can take the replica.",
            "Use a storage class that waits for the first consumer, then delete the volume.",
            "volume",
        )
    if "not found" in message:
        return (
            "The replica's volume claim is missing.",
            "Start the deployment again to have it made.",
            "volume",
        )
    return (
        "The replica's volume is not bound yet.",
        "Check that the cluster's storage class can make volumes of this size.",
        "volume",
    )


def _others(shortages: Sequence[Shortage], told: str) -> str:
    """The other reasons in one short sentence, or nothing."""
    others = [f"{s.nodes} {_plain(s.reason)}" for s in shortages if s.reason != told]
    return f" Others: {brief('; '.join(others))}." if others else ""


def _plain(reason: str) -> str:
    taint = re.match(r"node\(s\) had untolerated taint\(?s?\)? ?(?:\{(.*?):? ?\})?", reason)
    if taint:
        return f"with taint {taint.group(1)}" if taint.group(1) else "with a taint"
    return reason.replace("node(s) ", "").replace("Insufficient", "without enough")


def _nodes(count: int, total: int) -> str:
    return f"{count} of {total} nodes" if total else f"{count} nodes"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
