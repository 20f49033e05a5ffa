"""One look at a cluster: a constant number of LIST calls, sorted by deployment.

However many deployments there are, the calls are the same; only the logs of containers that died since the look
before are asked for one by one, a bounded number each time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from deployments import naming
from deployments.kube.client import Cluster
from deployments.kube.decode import Autoscaler, Claim, Event, Pod, StatefulSet
from deployments.kube.errors import KubeError
from deployments.kube.kinds import AUTOSCALER, CLAIM, EVENT, POD, STATEFUL_SET

LOG_LINES = 40
LONGEST_LINE = 500
LOGS_PER_LOOK = 10
#: Events have no labels of ours, so they come by the kind of what they are about.
_EVENTS_ABOUT = ("Pod", "StatefulSet", "PersistentVolumeClaim")


@dataclass(slots=True)
class Sight:
    """What belongs to one deployment, by the value of its label."""

    workload: StatefulSet | None = None
    pods: list[Pod] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    autoscaler: Autoscaler | None = None
    events: list[Event] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return self.workload is None and not self.pods


@dataclass(frozen=True, slots=True)
class DeadLog:
    """The last lines of a container that ended, with the container that wrote them."""

    container: str
    lines: tuple[str, ...]


def look(cluster: Cluster) -> dict[tuple[str, str], Sight]:
    """Everything of ours on a cluster, by (namespace, label of the deployment). Raises KubeError."""
    sights: dict[tuple[str, str], Sight] = defaultdict(Sight)
    owners: dict[tuple[str, str, str], tuple[str, str]] = {}

    def place(kind: str, item: StatefulSet | Pod | Claim | Autoscaler) -> Sight:
        metadata = item.metadata
        key = (metadata.namespace, metadata.label(naming.DEPLOYMENT_LABEL))
        owners[kind, metadata.namespace, metadata.name] = key
        return sights[key]

    selector = naming.MANAGED_SELECTOR
    for workload in cluster.list(STATEFUL_SET, StatefulSet, labels=selector):
        place("StatefulSet", workload).workload = workload
    for pod in cluster.list(POD, Pod, labels=selector):
        place("Pod", pod).pods.append(pod)
    for claim in cluster.list(CLAIM, Claim, labels=selector):
        place("PersistentVolumeClaim", claim).claims.append(claim)
    for autoscaler in cluster.list(AUTOSCALER, Autoscaler, labels=selector):
        place("HorizontalPodAutoscaler", autoscaler).autoscaler = autoscaler
    for kind in _EVENTS_ABOUT:
        for event in cluster.list(EVENT, Event, fields=f"involvedObject.kind={kind}"):
            about = event.involved_object
            if owner := owners.get((about.kind, about.namespace, about.name)):
                sights[owner].events.append(event)
    return sights


def dead_logs(
    cluster: Cluster, pods: Iterable[Pod], known: Mapping[str, DeadLog], budget: int
) -> tuple[dict[str, DeadLog], int]:
    """Logs of dead containers by pod, and how much of the budget is left.

    A container's log is asked for once: what is known of the same container is kept.
    """
    logs: dict[str, DeadLog] = {}
    for pod in pods:
        died = _died(pod)
        if died is None:
            continue
        container, previous, message = died
        name = pod.metadata.name
        before = known.get(name)
        if before is not None and before.container == container:
            logs[name] = before
        elif budget > 0:
            budget -= 1
            logs[name] = DeadLog(
                container, _read(cluster, pod, previous=previous) or _cut(message.splitlines())
            )
        elif message:
            # The kubelet left the end of the log with the container; the whole can wait for the next look.
            logs[name] = DeadLog("", _cut(message.splitlines()))
    return logs, budget


def _died(pod: Pod) -> tuple[str, bool, str] | None:
    """(container id, whether it is the run before, its last words) of a container that ended badly."""
    for status in pod.status.container_statuses or ():
        if status.ready:
            continue
        for state, previous in ((status.state, False), (status.last_state, True)):
            ended = state.terminated if state else None
            if ended is not None and (ended.exit_code != 0 or ended.reason not in ("", "Completed")):
                identity = ended.container_id or f"{pod.metadata.uid}/{status.restart_count}"
                return identity, previous, ended.message
    return None


def _read(cluster: Cluster, pod: Pod, *, previous: bool) -> tuple[str, ...]:
    """Empty when the log is gone: a kubelet forgets, and that is no failure of the look."""
    try:
        text = cluster.logs(
            pod.metadata.namespace, pod.metadata.name, previous=previous, tail_lines=LOG_LINES
        )
    except KubeError:
        return ()
    return _cut(text.splitlines())


def _cut(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(line[:LONGEST_LINE].replace("\x00", "") for line in lines[-LOG_LINES:])
