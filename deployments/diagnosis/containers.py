"""Why a container does not start, or does not stay up. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from deployments.diagnosis import logs
from deployments.diagnosis.finding import Finding, Rank, brief, latest
from deployments.kube.decode import Container, ContainerStatus, Event, Pod, Terminated
from deployments.spec import DeploymentSpec
from deployments.vocabulary import Engine

#: A replica that does not answer its readiness probe may be busy for a moment.
PROBE_GRACE = timedelta(seconds=60)
SANDBOX_GRACE = timedelta(seconds=60)

_SECRET = re.compile(r'(secret|configmap) "([^"]{1,253})" not found')
_KEY = re.compile(r"couldn't find key ([\w.-]{1,253}) in (Secret|ConfigMap) (\S{1,300})")
_SIGNALS = {137: "killed", 139: "a segmentation fault", 143: "a request to stop"}


def find_in_pod(pod: Pod, events: Sequence[Event]) -> Finding | None:
    """What went wrong with the pod as a whole: evicted, refused by its node, or without a sandbox."""
    status = pod.status
    if status.phase == "Failed" and status.reason:
        told = brief(status.message)
        if status.reason == "Evicted":
            sentence = f"The node evicted the replica: {told or 'it ran short of resources'}."
            return _finding(
                "evicted", sentence, "Free the node's disk or memory, or raise the replica's requests."
            )
        if status.reason == "UnexpectedAdmissionError" or status.reason.startswith("OutOf"):
            sentence = f"The node refused the replica: {told or status.reason}."
            return _finding("node-refused", sentence, "Check the node's GPUs and its device plugin.")
        sentence = f"The replica's node gave it up ({status.reason}{': ' + told if told else ''})."
        return _finding("pod-failed", sentence, "Look at the node; the replica is made again elsewhere.")
    event = latest(events, "FailedCreatePodSandBox")
    if event is not None and not any(s.state and s.state.running for s in status.container_statuses or ()):
        told = event.message or ""
        since = event.first_timestamp or event.at
        if "no runtime for" in told:
            sentence = "The node does not have the container runtime that the replica asks for."
            return _finding("runtime", sentence, "Install the GPU runtime on the node.")
        sentence = f"The node cannot set the replica up: {brief(told)}."
        return Finding(
            Rank.CONFIGURATION, "sandbox", sentence, "Look at the node's network.", since, SANDBOX_GRACE
        )
    return None


def find_in_container(
    pod: Pod, status: ContainerStatus, events: Sequence[Event], log: Sequence[str], spec: DeploymentSpec
) -> Finding | None:
    """Why this container is not up; None while it starts for the first time, within its budget."""
    waiting = status.state.waiting if status.state else None
    if waiting is not None and (finding := _configuration(waiting.reason, waiting.message, pod, spec)):
        return finding
    ended = _last_end(status)
    # A run that has passed its start-up probe has left the end of the run before behind.
    if not status.ready and not status.started and ended is not None:
        return _crash(pod, status, ended, events, log, spec)
    ready = pod.condition("Ready")
    if status.started and not status.ready and ready is not None:
        began = first_answer_due(pod, status)
        if began is not None:
            sentence = "The engine has not answered its health check since it started."
            remedy = "Look at the log: it may wait for something that is not there."
            return Finding(Rank.PROBE, "never-answered", sentence, remedy, began, PROBE_GRACE, quiet=True)
        sentence = "The engine runs, but does not answer its health check."
        remedy = "Look at the log; if it does not recover, the replica is restarted."
        return Finding(Rank.PROBE, "not-answering", sentence, remedy, ready.last_transition_time, PROBE_GRACE)
    return None


def first_answer_due(pod: Pod, status: ContainerStatus) -> datetime | None:
    """Since when a container that has no start-up probe is starting; None once it has answered, or with a probe.

    Such a container counts as started at once: Dynamo's frontend is one.
    """
    container, ready = pod.container(status.name), pod.condition("Ready")
    began = status.state.running.started_at if status.state and status.state.running else None
    if container is None or container.startup_probe is not None or began is None:
        return None
    answered = ready is not None and (ready.last_transition_time or began) > began
    return None if answered else began


def startup_budget(container: Container | None) -> timedelta | None:
    """How long a container may take to start before it is killed; None without a start-up probe."""
    probe = container.startup_probe if container else None
    if probe is None:
        return None
    return timedelta(seconds=probe.initial_delay_seconds + probe.period_seconds * probe.failure_threshold)


def _configuration(reason: str, message: str, pod: Pod, spec: DeploymentSpec) -> Finding | None:
    if reason == "CreateContainerConfigError":
        if missing := _SECRET.search(message):
            kind = "Secret" if missing.group(1) == "secret" else "Config map"
            sentence = f"{kind} {missing.group(2)} does not exist in namespace {pod.metadata.namespace}."
            return _finding(
                "missing-secret", sentence, "Create it, or take out the variable that refers to it."
            )
        if missing := _KEY.search(message):
            kind = "Secret" if missing.group(2) == "Secret" else "Config map"
            sentence = f"{kind} {missing.group(3)} has no key {missing.group(1)}."
            return _finding(
                "missing-key", sentence, "Add the key, or take out the variable that refers to it."
            )
        if "runAsNonRoot" in message:
            sentence = "The image runs as root, which the namespace does not allow."
            return _finding("run-as-root", sentence, "Use an image that runs as another user.")
        sentence = f"The container's configuration is not complete: {brief(message)}."
        return _finding("configuration", sentence, "Correct it and save a new revision.")
    if reason in ("CreateContainerError", "RunContainerError", "StartError"):
        return _start(message, spec)
    return None


def _start(message: str, spec: DeploymentSpec) -> Finding:
    if "nvidia-container-cli" in message or "nvml" in message.lower() or "CDI device" in message:
        sentence = f"The node's GPU driver or toolkit is at fault: {brief(message)}."
        return _finding("gpu-driver", sentence, "Look at the node's GPU driver.")
    if "executable file not found" in message or "no such file or directory" in message:
        sentence = f"{spec.engine.reference} does not have the program that starts the engine."
        return _finding("command", sentence, "Choose an image of this engine.")
    sentence = f"The container cannot be started: {brief(message) or 'no reason is given'}."
    return _finding("start", sentence, "Look at the events of the replica.")


def _last_end(status: ContainerStatus) -> Terminated | None:
    """How the container ended last: now, or before the present run."""
    if status.state and status.state.terminated:
        return status.state.terminated
    if status.restart_count and status.last_state:
        return status.last_state.terminated
    return None


def _crash(
    pod: Pod,
    status: ContainerStatus,
    ended: Terminated,
    events: Sequence[Event],
    log: Sequence[str],
    spec: DeploymentSpec,
) -> Finding:
    since = ended.finished_at
    if ended.reason in ("StartError", "ContainerCannotRun"):
        return _start(ended.message, spec)
    if ended.reason == "OOMKilled":
        container = pod.container(status.name)
        limits = container.resources.limits if container and container.resources else None
        limit = (limits or {}).get("memory", spec.resources.memory_limit)
        sentence = f"The engine ran out of host memory: its limit of {limit} is too low{_restarts(status)}."
        remedy = "Raise the memory limit. This is the node's memory, not the GPU's."
        return Finding(Rank.CRASH, "oom", sentence, remedy, since)
    lines = log or tuple(ended.message.splitlines())
    known = logs.recognise(lines, spec.engine.kind)
    if known is not None:
        cause, _line = known
        return Finding(Rank.CRASH, cause.code, cause.sentence, cause.remedy, since)
    if _startup_ran_out(ended, events):
        budget = startup_budget(pod.container(status.name))
        within = f" within {_minutes(budget)}" if budget else " in time"
        sentence = f"The model was not loaded{within}, so the replica was stopped{_restarts(status)}."
        remedy = "Check how fast the weights are loaded, and whether the replica's volume keeps them."
        if spec.engine.kind is Engine.VLLM:
            remedy = "Raise VLLM_ENGINE_READY_TIMEOUT_S, and check how fast the weights are loaded."
        return Finding(Rank.PROBE, "startup-budget", sentence, remedy, since)
    killing = latest(events, "Killing")
    if killing is not None and "failed liveness probe" in (killing.message or ""):
        sentence = f"The engine stopped answering its health check and was restarted{_restarts(status)}."
        return Finding(Rank.PROBE, "liveness", sentence, "Look at the last lines of its log.", since)
    how = _SIGNALS.get(ended.exit_code, f"exit code {ended.exit_code}")
    words = logs.last_words(lines)
    sentence = f"The engine ended with {how}{_restarts(status)}" + (f": {words}." if words else ".")
    return Finding(Rank.CRASH, "crash", sentence, "Look at the last lines of its log.", since)


def _startup_ran_out(ended: Terminated, events: Sequence[Event]) -> bool:
    if ended.exit_code == 0 and ended.reason == "Completed":
        return False
    killing = latest(events, "Killing")
    if killing is not None and "failed startup probe" in (killing.message or ""):
        return True
    unhealthy = latest(events, "Unhealthy")
    killed = ended.exit_code in (137, 143)
    return killed and unhealthy is not None and (unhealthy.message or "").startswith("Startup probe failed")


def _restarts(status: ContainerStatus) -> str:
    count = status.restart_count
    return f" ({count} restart{'s' if count > 1 else ''})" if count else ""


def _minutes(budget: timedelta) -> str:
    seconds = round(budget.total_seconds())
    return f"{seconds // 60} min" if seconds >= 60 else f"{seconds} s"


def _finding(code: str, sentence: str, remedy: str, since: datetime | None = None) -> Finding:
    return Finding(Rank.CONFIGURATION, code, sentence, remedy, since)
