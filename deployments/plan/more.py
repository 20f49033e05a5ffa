"""What a plan has to know beyond our own objects, and only when it has to: at rest nothing of this is read. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deployments.plan import growth, surge
from deployments.plan.values import Object, ObservedObject, identity

_REVISION_LABEL = "controller-revision-hash"


@dataclass(frozen=True, slots=True)
class Needs:
    """What else is to be read before planning."""

    pods: bool = False
    """The deployment's pods: a rollout is under way, or a workload that was there is gone."""
    claims: bool = False
    """The deployment's claims and the cluster's storage classes: a volume is to grow."""
    named_claims: tuple[str, ...] = ()
    """Claims without our labels, by name."""


def needs(desired: Sequence[Object], observed: Sequence[ObservedObject], *, was_there: bool) -> Needs:
    """`was_there`: some revision of the deployment reached the cluster before."""
    live = {(item.kind, item.name): item for item in observed}
    pods = claims = False
    named: tuple[str, ...] = ()
    for object in desired:
        item = live.get(identity(object))
        if item is None:
            pods = pods or (was_there and object["kind"] == "StatefulSet")
        elif not item.is_going:
            pods = pods or bool(item.annotations.get(surge.SURGE_ANNOTATION))
            if growth.grows(object, item):
                claims = True
                named += growth.claim_names(object, item)
    return Needs(pods, claims, named)


def pods_of(wanted: Object, observed: Sequence[ObservedObject]) -> list[surge.Pod]:
    """The pods of a StatefulSet by its name, those on their way out left out."""
    found = []
    for item in observed:
        if item.kind != "Pod" or item.is_going:
            continue
        ordinal = surge.ordinal_of(wanted["metadata"]["name"], item.name)
        if ordinal is None:
            continue
        conditions = item.status.get("conditions") or ()
        found.append(
            surge.Pod(
                ordinal=ordinal,
                revision=item.labels.get(_REVISION_LABEL, ""),
                ready=any(
                    each.get("type") == "Ready" and each.get("status") == "True" for each in conditions
                ),
                placed=bool(item.spec.get("nodeName")),
            )
        )
    return found
