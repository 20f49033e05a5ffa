"""The steps for one desired object after the other. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deployments.plan import drift, graphs, growth, handover, surge
from deployments.plan.digests import is_stamped, same_template, stamped
from deployments.plan.likeness import differences, is_like
from deployments.plan.more import pods_of
from deployments.plan.values import (
    Change,
    Object,
    ObservedObject,
    Refusal,
    Step,
    identity,
    title,
)
from deployments.vocabulary import DriftPolicy, RolloutStrategy

MOST_CHANGES = 20
#: These may be new without a new revision: when an endpoint is edited, or a key is entered.
_COME_LATER = ("Secret", "Ingress", "HTTPRoute")


@dataclass(slots=True)
class Maker:
    """Collects what has to be done, object by object, in the order of the manifests."""

    desired: Sequence[Object]
    live: Mapping[tuple[str, str], ObservedObject]
    observed: Sequence[ObservedObject]
    key: bytes
    strategy: RolloutStrategy
    policy: DriftPolicy
    was_whole: bool

    prune_first: list[ObservedObject] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    orphan: list[ObservedObject] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    drift: list[Change] = field(default_factory=list)
    refusal: Refusal | None = None
    is_rolling: bool = False

    def add(self, object: Object) -> None:
        item = self.live.get(identity(object))
        if item is not None and item.is_going:
            self.waiting.append(title(object))
            return
        if item is not None and self._grow(object, item):
            return
        if item is not None and object["kind"] == graphs.GRAPH:
            object = graphs.with_present_pace(object, item)
        wanted = stamped(object, self.key)
        why = ""
        if object["kind"] == "StatefulSet":
            wanted, why = self._staged(wanted, item)
        if item is None:
            self._make(object, wanted)
        elif not is_stamped(item, wanted):
            self.steps += [
                *handover.give(object, item, self.desired),
                *handover.take(object, item),
                Step(wanted, why="changed"),
            ]
        elif handover.gives(object, item):
            # A worker died in the middle of a hand-over.
            self.steps += [*handover.give(object, item, self.desired), Step(wanted, why="hand over")]
        elif why:
            self.steps.append(Step(wanted, why=f"rollout: {why}"))
        else:
            self._repair(wanted, item)

    def _make(self, object: Object, wanted: Object) -> None:
        if self.was_whole and object["kind"] not in _COME_LATER:
            self._note([Change(title(object))])
        replicas = self._orphans(object)
        if not replicas:
            self.steps.append(Step(wanted, why="new"))
            return
        # The default of one replica would end all the others that the autoscaler ordered.
        number = {"replicas": max(replicas, handover.least_replicas(self.desired))}
        self.steps += [
            Step({**wanted, "spec": {**wanted["spec"], **number}}, why="new"),
            handover.partial(object, number),
            Step(wanted, why="hand over"),
        ]

    def _repair(self, wanted: Object, item: ObservedObject) -> None:
        paths = differences(wanted, item.body)
        if not paths:
            self.unchanged.append(item.title)
            return
        self._note(drift.changes(item, paths))
        if self.policy is DriftPolicy.REPAIR:
            self.steps.append(Step(wanted, why="drifted: " + ", ".join(paths[:5])))
        else:
            self.unchanged.append(item.title)

    def _note(self, changes: Sequence[Change]) -> None:
        self.drift += changes[: MOST_CHANGES - len(self.drift)]

    def _orphans(self, object: Object) -> int:
        """How many pods wait for a workload whose number of replicas is not ours to say."""
        if object["kind"] != "StatefulSet" or "replicas" in object["spec"]:
            return 0
        return len(pods_of(object, self.observed))

    def _grow(self, object: Object, item: ObservedObject) -> bool:
        """True when the workload has to be made anew, with a larger volume, before anything else happens to it."""
        found = growth.growth(object, item, self.observed)
        self.refusal = self.refusal or found.refusal
        if found.anew and surge.is_extra(before := surge.read(item.body), object["spec"].get("replicas", 0)):
            self._drop_claims_of(item, before.replicas - 1, object["spec"])
        dropped = {claim.name for claim in self.prune_first}
        self.steps += [step for step in found.steps if step.object["metadata"]["name"] not in dropped]
        if found.anew:
            self.orphan.append(item)
            self.waiting.append(item.title)
        return found.anew

    def _staged(self, wanted: Object, item: ObservedObject | None) -> tuple[Object, str]:
        """A StatefulSet with the numbers of the present stage, and why they are others than before."""
        stage = self._stage(wanted, item)
        spec = dict(wanted["spec"])
        if "replicas" in spec:
            spec["replicas"] = stage.replicas
        strategy = spec.get("updateStrategy") or {"type": "RollingUpdate"}
        # Always ours, so that a partition set by hand cannot hold back a revision unseen.
        spec["updateStrategy"] = {**strategy, "rollingUpdate": {"partition": stage.partition}}
        metadata = wanted["metadata"]
        if stage.mark:
            metadata = {
                **metadata,
                "annotations": {**metadata["annotations"], surge.SURGE_ANNOTATION: stage.mark},
            }
            self.is_rolling = True
        if item is not None:
            before = surge.read(item.body)
            if surge.is_extra(before, stage.replicas):
                self._drop_claims_of(item, before.replicas - 1, spec)
            if before.mark and not stage.mark and not stage.why:
                stage = surge.Stage(stage.replicas, why="replaced in place")
        return {**wanted, "metadata": metadata, "spec": spec}, stage.why

    def _stage(self, wanted: Object, item: ObservedObject | None) -> surge.Stage:
        replicas = int(wanted["spec"].get("replicas") or 0)
        if not replicas or self.strategy is not RolloutStrategy.SURGE:
            return surge.Stage(replicas)
        pods = pods_of(wanted, self.observed)
        if item is None:
            return surge.begin_around(replicas, pods)
        live = surge.read(item.body)
        if not same_template(item, wanted) or not _has_template(item, wanted):
            return surge.begin(replicas, live)
        if not live.mark:
            return surge.Stage(replicas)
        return surge.advance(replicas, live, pods)

    def _drop_claims_of(self, item: ObservedObject, ordinal: int, spec: Object) -> None:
        """The extra pod's volumes: told to go while the pod still holds them, so that nobody has to come back."""
        for template in spec.get("volumeClaimTemplates") or ():
            name = f"{template['metadata']['name']}-{item.name}-{ordinal}"
            metadata = {"name": name, "namespace": item.namespace}
            claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata}
            self.prune_first.append(ObservedObject(claim))


def _has_template(item: ObservedObject, wanted: Object) -> bool:
    return is_like(wanted["spec"].get("template") or {}, item.spec.get("template") or {})
