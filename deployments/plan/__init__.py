"""From what is wanted and what is there to what has to be done: the whole policy of a rollout, as values.

Nothing here asks or changes anything. The reconciler reads the cluster, calls `plan`, and carries out the steps in
their order; as often as it is called again with the same world, it gets the same answer, and an empty one when
nothing differs. That is what makes a rollout safe to interrupt at any point.

- Objects are applied in the order of the manifests and pruned in the opposite sense: traffic first, data last.
- An object is left alone when the digest of what we applied last is that of what we want now, and everything we
  want is still found in it (plan/likeness.py). The digest is keyed, because it also covers secrets.
- An object of the same name that is not ours, and a change that Kubernetes does not allow, refuse the whole plan
  with a reason: half a rollout is worse than none.
- surge.py rolls with one replica more, growth.py enlarges volumes under running pods, handover.py gives replicas to
  an autoscaler and takes them back, drift.py says who changed what, removal.py what goes first. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from deployments.plan.digests import digest, stamped
from deployments.plan.growth import shrinking
from deployments.plan.making import Maker
from deployments.plan.refusals import refusal_of
from deployments.plan.removal import delete_rank, removal
from deployments.plan.values import (
    APPLIED_ANNOTATION,
    AUTOSCALERS,
    HAND_OVER_MANAGER,
    WORKLOADS,
    Change,
    Object,
    ObservedObject,
    Plan,
    Refusal,
    Step,
    identity,
    title,
)
from deployments.vocabulary import DriftPolicy, RolloutStrategy

__all__ = [
    "APPLIED_ANNOTATION",
    "HAND_OVER_MANAGER",
    "Change",
    "Object",
    "ObservedObject",
    "Plan",
    "Refusal",
    "Step",
    "digest",
    "plan",
    "shrinking",
    "stamped",
]

#: Read for what they tell, never pruned while a deployment lives: the workload's controller makes and removes them.
_READ_ONLY = ("PersistentVolumeClaim", "Pod", "StorageClass")


def plan(
    desired: Sequence[Object],
    observed: Sequence[ObservedObject],
    *,
    key: bytes,
    strategy: RolloutStrategy = RolloutStrategy.REPLACE,
    policy: DriftPolicy = DriftPolicy.REPAIR,
    was_whole: bool = False,
) -> Plan:
    """What makes the cluster as desired. Nothing desired: everything of ours goes, in stages.

    `observed` holds every object with our labels, every object, whoever made it, that has the kind and name of a
    desired one, and what more.needs() asked for. `key` keeps the digests of secrets from being guessed. `was_whole`:
    the cluster had all of this before, so that what is missing now was removed by somebody.
    """
    if not desired:
        return removal([item for item in observed if item.is_ours or item.kind == "Pod"])
    live = {(item.kind, item.name): item for item in observed}
    wanted = {identity(object) for object in desired}
    leftover = sorted(
        (
            item
            for item in observed
            if (item.kind, item.name) not in wanted
            and item.is_ours
            and item.kind not in _READ_ONLY
            # KEDA gives its autoscaler all labels of the ScaledObject, ours included.
            and not (item.kind in AUTOSCALERS and item.is_controlled)
        ),
        key=delete_rank,
    )
    if waiting := _let_go(desired, leftover, observed):
        return waiting
    refusal = refusal_of(desired, live)
    if refusal:
        return Plan(refusal=refusal)
    maker = Maker(desired, live, observed, key, strategy, policy, was_whole)
    for object in desired:
        maker.add(object)
    if maker.refusal:
        return Plan(refusal=maker.refusal)
    going = [item for item in leftover if not item.is_going]
    return Plan(
        prune_first=(*(item for item in going if item.kind in AUTOSCALERS), *maker.prune_first),
        apply=tuple(maker.steps),
        orphan=tuple(maker.orphan),
        prune=tuple(item for item in going if item.kind not in AUTOSCALERS),
        unchanged=tuple(maker.unchanged),
        waiting_for=tuple(maker.waiting),
        drift=tuple(maker.drift),
        is_rolling=maker.is_rolling,
    )


def _let_go(
    desired: Sequence[Object], leftover: Sequence[ObservedObject], observed: Sequence[ObservedObject]
) -> Plan | None:
    """What has to be gone before anything is written; None when nothing of that kind is there.

    A workload of another engine holds the GPUs, and its operator may own objects of the very names that we want; an
    autoscaler of another kind would go on writing the number of replicas. KEDA's own autoscaler goes with its
    ScaledObject.
    """
    kinds = {object["kind"] for object in desired}
    others = [item for item in leftover if item.kind in WORKLOADS and kinds.intersection(WORKLOADS)]
    others += [item for item in leftover if item.kind == "ScaledObject"]
    if not others:
        return None
    owned = [
        item
        for item in observed
        if item.kind not in _READ_ONLY and any(item.owned_by(owner) for owner in others)
    ]
    first = [item for item in leftover if not item.is_going]
    if not any(item.kind in WORKLOADS for item in others):
        first = [item for item in first if item.kind in AUTOSCALERS]
    return Plan(
        prune_first=tuple(first),
        waiting_for=tuple(item.title for item in (*others, *owned)),
        unchanged=tuple(title(object) for object in desired if object["kind"] in WORKLOADS),
    )
