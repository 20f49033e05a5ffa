"""One replica more first: how a StatefulSet's pods are made anew while the old ones serve.

A StatefulSet has no surge of its own, but it has a partition: pods below it keep their revision. So the new
revision is applied with one replica more and the partition at the old count; when the extra pod is ready, the
partition falls to 0 and the controller replaces the others one at a time, while as many as before serve; when all
are new and ready, the extra one goes, and its volume with it. Three writes, and no memory besides the cluster: what
comes next follows from the set's spec, its annotation and its pods.

Replicas that the same revision adds, or takes away, play the part of the extra one. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: On a StatefulSet while it rolls with more replicas than it will keep.
SURGE_ANNOTATION = "slipway/surge"
EXTRA = "extra"
"""The last replica is there for the rollout only; its volume goes with it."""
ADDED = "added"
"""The revision adds replicas; those come first."""
SURPLUS = "surplus"
"""The revision takes replicas away; those go last."""
KEPT = "kept"
"""The set was made anew around pods that serve."""


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod of the set that is not on its way out."""

    ordinal: int
    revision: str
    """Hash of the template that it was made from."""
    ready: bool
    placed: bool
    """It has a node."""


@dataclass(frozen=True, slots=True)
class Live:
    """What a StatefulSet says of itself."""

    replicas: int
    partition: int
    mark: str
    """Value of SURGE_ANNOTATION; empty: no rollout with more replicas is under way."""
    ready: int
    update_revision: str
    has_acted: bool
    """Its controller has seen its present generation."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The numbers to apply."""

    replicas: int
    partition: int = 0
    mark: str = ""
    why: str = ""
    """What was reached; empty when there is nothing new."""


def read(body: Mapping[str, Any]) -> Live:
    """From a StatefulSet as the API gives it."""
    metadata, spec, status = body.get("metadata") or {}, body.get("spec") or {}, body.get("status") or {}
    rolling = (spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
    replicas = spec.get("replicas")
    return Live(
        replicas=1 if replicas is None else int(replicas),
        partition=int(rolling.get("partition") or 0),
        mark=str((metadata.get("annotations") or {}).get(SURGE_ANNOTATION, "")),
        ready=int(status.get("readyReplicas") or 0),
        update_revision=str(status.get("updateRevision") or ""),
        has_acted=int(status.get("observedGeneration") or 0) >= int(metadata.get("generation") or 0),
    )


def begin(wanted: int, live: Live) -> Stage:
    """The first numbers for a new template. Where nothing serves, there is nothing to protect: all at once."""
    if wanted == 0 or live.replicas == 0 or live.ready == 0:
        return Stage(wanted)
    return _protecting(wanted, live)


def begin_around(wanted: int, pods: Sequence[Pod]) -> Stage:
    """The numbers for a set that has to be made although its pods are there."""
    if wanted and any(pod.ready for pod in pods):
        return Stage(wanted, wanted, KEPT)
    return Stage(wanted)


def advance(wanted: int, live: Live, pods: Sequence[Pod]) -> Stage:
    """The next numbers while a rollout is under way, or the present ones when it has to go on waiting."""
    held = _held(wanted, live)
    if not live.has_acted:
        return held
    by_ordinal = {pod.ordinal: pod for pod in pods}

    def is_done(ordinal: int) -> bool:
        pod = by_ordinal.get(ordinal)
        return pod is not None and pod.ready and pod.revision == live.update_revision

    if all(is_done(ordinal) for ordinal in range(wanted)):
        return Stage(wanted, why="every replica is new")
    if live.partition == 0:
        return held
    if live.mark == KEPT:
        if all(pod.revision == live.update_revision for pod in pods):
            return Stage(wanted, why="no replica has to be made anew")
        began = begin(wanted, live)
        return Stage(began.replicas, began.partition, began.mark, "replicas are made anew")
    helpers = range(live.partition, live.replicas)
    if helpers and all(is_done(ordinal) for ordinal in helpers):
        return Stage(max(live.replicas, wanted), 0, live.mark, "the new replica is ready")
    serving = any(pod.ready for pod in pods)
    waiting = any(not by_ordinal[ordinal].placed for ordinal in helpers if ordinal in by_ordinal)
    if not serving and waiting:
        # Nothing is left to protect, and the pods that fail may hold the very GPUs that the new one waits for.
        return Stage(wanted, why="no old replica serves any more")
    return held


def ordinal_of(workload: str, pod: str) -> int | None:
    """The number of a StatefulSet's pod; None for a pod of something else."""
    tail = pod.removeprefix(f"{workload}-")
    return int(tail) if tail != pod and tail.isascii() and tail.isdigit() else None


def is_extra(live: Live, wanted: int) -> bool:
    """Whether the set's last replica is there for the rollout only, and will not be wanted after it."""
    return live.mark == EXTRA and live.replicas > wanted


def _held(wanted: int, live: Live) -> Stage:
    """The present numbers; others only when another number of replicas is wanted than when it began."""
    if live.partition and live.mark != KEPT:
        return _protecting(wanted, live)
    if live.partition:
        return Stage(wanted, wanted, KEPT)
    if live.replicas > wanted:
        return Stage(live.replicas, 0, live.mark)
    return Stage(wanted)


def _protecting(wanted: int, live: Live) -> Stage:
    """Pods that serve keep their revision, and as many or more new ones start beside them."""
    if live.mark == EXTRA:
        kept = live.replicas - 1
    elif live.mark == ADDED and live.partition:
        kept = live.partition
    else:
        kept = live.replicas
    if wanted > kept:
        return Stage(wanted, kept, ADDED)
    if wanted == kept:
        return Stage(kept + 1, kept, EXTRA)
    return Stage(live.replicas, wanted, EXTRA if live.mark == EXTRA else SURPLUS)
