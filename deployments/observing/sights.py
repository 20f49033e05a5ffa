"""What one pass sees of a cluster: a fixed number of requests, put in order by deployment."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeVar

from deployments import naming
from deployments.context import PLAIN_KUBERNETES, ClusterOffers
from deployments.kube.client import Cluster as Connection
from deployments.kube.decode import Autoscaler, Claim, Event, Metadata, Pod, ScaledObject
from deployments.kube.errors import KubeError
from deployments.kube.kinds import AUTOSCALER, CLAIM, EVENT, POD, SCALED_OBJECT, Kind
from deployments.look import REPLICA_SET
from deployments.observing.records import Known
from deployments.readers import sources
from deployments.seen import Seen
from deployments.strategy import runs_as
from deployments.workload import Workload

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(slots=True)
class Sight:
    """What one pass saw of one deployment."""

    workloads: dict[str, Workload] = field(default_factory=dict)
    """By kind: while an engine changes the kind that it runs as, there are two."""
    autoscaler: Autoscaler | None = None
    scaled_object: ScaledObject | None = None
    pods: list[Pod] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


@dataclass(slots=True)
class Scene:
    """What one pass saw of one cluster."""

    sights: dict[tuple[str, str], Sight] = field(default_factory=lambda: defaultdict(Sight))
    """By (namespace, deployment label)."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Kinds of operators that could not be listed, and why: it concerns only the deployments that run as them."""
    owners: dict[tuple[str, str, str], Sight] = field(default_factory=dict)
    """By (kind, namespace, name) of every object that was seen."""

    def of(self, kind: Kind, metadata: Metadata) -> Sight:
        """The sight of the deployment that an object belongs to; remembers it for the object's events."""
        sight = self.sights[metadata.namespace, metadata.label(naming.DEPLOYMENT_LABEL)]
        self.owners[kind.name, metadata.namespace, metadata.name] = sight
        return sight


def look(connection: Connection, offers: ClusterOffers = PLAIN_KUBERNETES) -> Scene:
    """Everything of ours in a cluster, in all namespaces.

    Eight requests, always; two more for each operator that the cluster has, one for all of them together, and one for
    KEDA.
    """
    scene = Scene()
    ours, deployed = naming.MANAGED_SELECTOR, naming.DEPLOYED_SELECTOR
    workloads = sources(offers)
    for source in workloads:
        for workload in map(source.read, _list(connection, scene, source.kind, source.shape, ours)):
            scene.of(source.kind, workload.metadata).workloads[workload.kind] = workload
    for pod in connection.list(POD, Pod, labels=deployed):
        scene.of(POD, pod.metadata).pods.append(pod)
    for claim in connection.list(CLAIM, Claim, labels=ours):
        scene.of(CLAIM, claim.metadata).claims.append(claim)
    # KEDA and NVIDIA's operators write their own name into the label that says who manages an object.
    for autoscaler in connection.list(AUTOSCALER, Autoscaler, labels=deployed):
        scene.of(AUTOSCALER, autoscaler.metadata).autoscaler = autoscaler
    if offers.keda:
        for scaled in _list(connection, scene, SCALED_OBJECT, ScaledObject, ours):
            scene.of(SCALED_OBJECT, scaled.metadata).scaled_object = scaled
    for kind in (POD.name, *(source.kind.name for source in workloads), CLAIM.name, AUTOSCALER.name):
        _sort_events(connection, kind, partial(_named, scene, kind))
    operated = [source.kind.name for source in workloads if source.kind.optional]
    if operated:
        _sort_events(connection, REPLICA_SET, partial(_made_for, scene, operated))
    return scene


def seen_of(one: Known, scene: Scene, now: datetime) -> Seen:
    """What is judged: the wish beside the sight."""
    sight = scene.sights.get(one.key) or Sight()
    kind = runs_as(one.spec)
    # One of another kind is what is left of a revision that ran as that.
    workload = sight.workloads.get(kind) or next(iter(sight.workloads.values()), None)
    applied = workload.metadata.label(naming.REVISION_LABEL) if workload else ""
    idle = workload is not None and workload.is_idle(sight.pods)
    return Seen(
        spec=one.spec,
        revision=one.revision,
        desired=one.desired,
        asked_at=one.changed_at,
        observed_at=now,
        applied_revision=int(applied) if applied.isascii() and applied.isdigit() else 0,
        refusal=one.refusal,
        workload=workload,
        pods=sight.pods,
        claims=sight.claims,
        events=_of_these_objects(sight),
        autoscaler=sight.autoscaler,
        scaled_object=sight.scaled_object,
        logs={pod: words.lines for pod, words in one.last_words.items()},
        revisions=one.learn_revision(workload),
        last_phase=one.last_phase,
        last_wanted=one.last_wanted,
        idle_since=(one.idle_since or now) if idle else None,
        unreadable=scene.unreadable.get(kind, ""),
    )


def _list(connection: Connection, scene: Scene, kind: Kind, shape: type[T], labels: str) -> Iterable[T]:
    """A kind that the cluster has from an operator may fail alone, with its webhook; no other deployment minds."""
    try:
        return connection.list(kind, shape, labels=labels)
    except KubeError as error:
        if not kind.optional or error.status is None:
            raise
        logger.warning("%s: %s", kind.plural, error.sentence)
        scene.unreadable[kind.name] = error.sentence
        return ()


def _sort_events(connection: Connection, kind: str, owner: Callable[[str, str], Sight | None]) -> None:
    for event in connection.list(EVENT, Event, fields=f"involvedObject.kind={kind}"):
        concerned = owner(event.involved_object.namespace, event.involved_object.name)
        if concerned is not None:
            concerned.events.append(event)


def _named(scene: Scene, kind: str, namespace: str, name: str) -> Sight | None:
    return scene.owners.get((kind, namespace, name))


def _made_for(scene: Scene, kinds: Iterable[str], namespace: str, name: str) -> Sight | None:
    """The deployment whose operator made an object of this name: the workload's, and more after a hyphen."""
    while "-" in name:
        name = name.rpartition("-")[0]
        for kind in kinds:
            if found := scene.owners.get((kind, namespace, name)):
                return found
    return None


def _of_these_objects(sight: Sight) -> list[Event]:
    """Events of the objects that are there now, not of their predecessors of the same name.

    Of what an operator made in between only the events are read, so those are taken as they come.
    """
    scaler = [sight.autoscaler] if sight.autoscaler else []
    alive = {
        item.metadata.uid
        for items in (sight.pods, sight.claims, sight.workloads.values(), scaler)
        for item in items  # type: ignore[attr-defined]
    }
    return [
        event
        for event in sight.events
        if not event.involved_object.uid
        or event.involved_object.uid in alive
        or event.involved_object.kind == REPLICA_SET
    ]
