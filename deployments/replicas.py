"""One replica, judged by its pod: how far it has come, and what keeps it from going on. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from deployments import naming
from deployments.diagnosis import containers, images, scheduling, storage
from deployments.diagnosis.finding import Finding, Rank, latest
from deployments.kube.decode import ContainerStatus, Event, Pod
from deployments.seen import ReplicaStatus, Seen
from deployments.vocabulary import Phase, Tone

#: Dynamo's operator gives the engine's container the first of these names; we give it the second.
_ENGINE = ("main", "engine")


@dataclass(frozen=True, slots=True)
class Replica:
    status: ReplicaStatus
    step: Phase
    """How far it has come, as one of ROLLOUT_STEPS."""
    is_ready: bool
    is_current: bool
    is_going: bool
    has_started: bool
    """Its container has run, so its volumes are there."""
    since: datetime | None = None
    going_since: datetime | None = None
    finding: Finding | None = None


def look_at(pod: Pod, seen: Seen, now: datetime, *, extra: bool = False) -> Replica:
    """Judges one pod by its status and its events; `extra` when it is one more than wanted."""
    main = engine_container(pod)
    going_since = pod.metadata.deletion_timestamp
    step, label, since = _step(pod, main, seen)
    is_current = seen.workload is not None and seen.workload.is_present(pod)
    own_hash = seen.workload.revision_of(pod) if seen.workload else ""
    finding = None
    if going_since is None and step is not Phase.SERVING:
        found = _find(pod, seen.events_of("Pod", pod.metadata.name), seen)
        finding = found.of(pod.metadata.name) if found else None
    if going_since is not None:
        label, tone = "Stopping", Tone.BUSY
    elif step is Phase.SERVING:
        tone = Tone.GOOD
    elif finding is not None and finding.is_fatal(now):
        # An extra one that finds no room harms nobody: it only holds the rollout up.
        waits = extra and finding.rank is Rank.SCHEDULING
        label, tone = (label, Tone.WARN) if waits else ("Failed", Tone.BAD)
    else:
        tone = Tone.BUSY
    return Replica(
        status=ReplicaStatus(
            name=pod.metadata.name,
            label=label,
            tone=tone,
            sentence=finding.sentence if finding else "",
            node=pod.spec.node_name,
            restarts=main.restart_count if main else 0,
            since=going_since or since,
            gpus=pod.takes(seen.spec.resources.gpu.resource),
            role=pod.metadata.label(naming.ROLE_LABEL),
            extra=extra,
            container=main.name if main and len(pod.spec.containers) > 1 else "",
            revision=seen.revisions.get(own_hash),
            current=is_current,
        ),
        step=step,
        is_ready=step is Phase.SERVING and going_since is None,
        is_current=is_current,
        is_going=going_since is not None,
        has_started=main is not None and bool(main.state and (main.state.running or main.state.terminated)),
        since=since,
        going_since=going_since,
        finding=finding,
    )


def _step(pod: Pod, main: ContainerStatus | None, seen: Seen) -> tuple[Phase, str, datetime | None]:
    """(step, label, since when)."""
    ready, scheduled = pod.condition("Ready"), pod.condition("PodScheduled")
    if ready is not None and ready.status == "True":
        return Phase.SERVING, "Ready", ready.last_transition_time
    if scheduled is None or scheduled.status != "True":
        return Phase.SCHEDULING, "Waiting for a node", pod.metadata.creation_timestamp
    if main is not None and main.state and main.state.running:
        if starting := containers.first_answer_due(pod, main):
            return Phase.LOADING, "Starting", starting
        if main.started:
            return Phase.LOADING, "Not answering", ready.last_transition_time if ready else None
        return Phase.LOADING, "Loading weights", main.state.running.started_at
    if main is not None and (main.restart_count or (main.state and main.state.terminated)):
        ended = main.state.terminated if main.state else None
        return Phase.LOADING, "Restarting", ended.finished_at if ended else None
    events = seen.events_of("Pod", pod.metadata.name)
    pulling, pulled = latest(events, "Pulling"), latest(events, "Pulled")
    if pulling is not None and (pulled is None or not _is_after(pulled, pulling)):
        return Phase.PULLING, "Pulling image", pulling.at
    return Phase.PULLING, "Preparing", scheduled.last_transition_time


def _find(pod: Pod, events: list[Event], seen: Seen) -> Finding | None:
    """The first thing in a pod's life that went wrong."""
    found = scheduling.find(pod, events, seen.spec) or containers.find_in_pod(pod, events)
    if found is not None:
        return found
    statuses = (*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ()))
    if not any(status.state and (status.state.running or status.restart_count) for status in statuses):
        mounting = storage.find_in_pod(pod, events)
        if mounting is not None and not any(_pull_began(status) for status in statuses):
            return mounting
    scheduled = pod.condition("PodScheduled")
    since = scheduled.last_transition_time if scheduled else None
    log = tuple(seen.logs.get(pod.metadata.name, ()))
    for status in statuses:
        finding = images.find(
            status, events, status.image or seen.spec.engine.reference, since
        ) or containers.find_in_container(pod, status, events, log, seen.spec)
        if finding is not None:
            return finding
    return None


def _pull_began(status: ContainerStatus) -> bool:
    """The kubelet mounts volumes before it pulls: a container waiting for anything else has its volumes."""
    waiting = status.state.waiting if status.state else None
    return waiting is not None and waiting.reason not in ("", "ContainerCreating", "PodInitializing")


def engine_container(pod: Pod) -> ContainerStatus | None:
    """The engine's container: by its name, else the first one that the pod's spec names."""
    statuses = pod.status.container_statuses or ()
    if len(statuses) < 2:
        return statuses[0] if statuses else None
    names = [container.name for container in pod.spec.containers]
    wanted = next((name for name in _ENGINE if name in names), names[0] if names else "")
    return next((status for status in statuses if status.name == wanted), statuses[0])


def _is_after(one: Event, other: Event) -> bool:
    return one.at is not None and (other.at is None or one.at >= other.at)
