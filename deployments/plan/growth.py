"""Volumes that grow under running pods.

A StatefulSet's claim templates cannot be changed, but the claims that were made from them can grow where their
storage class allows it. So the claims are enlarged first; then the set is deleted while its pods and claims stay,
and made anew with the larger template, which takes the pods over. Nothing restarts. A worker that dies in between
leaves a state from which the next one goes on: what is missing is seen in the cluster.

A NIM Operator's claim is shared by its pods and grown in place. Dynamo's volumes are made with each pod. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deployments import quantity
from deployments.plan.likeness import is_like
from deployments.plan.values import Object, ObservedObject, Refusal, Step

CLAIM_KIND, CLASS_KIND = "PersistentVolumeClaim", "StorageClass"


@dataclass(frozen=True, slots=True)
class Growth:
    """What larger volumes take: claims to enlarge, and whether the workload has to be made anew."""

    steps: tuple[Step, ...] = ()
    anew: bool = False
    refusal: Refusal | None = None


def grows(object: Object, item: ObservedObject) -> bool:
    """Whether a larger volume is wanted than the workload was made with."""
    before, after = _sizes(object["kind"], item.spec), _sizes(object["kind"], object.get("spec") or {})
    return any(_is_less(before[name], size) for name, size in after.items() if name in before)


def claim_names(object: Object, item: ObservedObject) -> tuple[str, ...]:
    """The claims of a workload that carry no label of ours, by name."""
    if object["kind"] != "NIMService":
        return ()
    claim = ((item.spec.get("storage") or {}).get("pvc") or {}).get("name")
    return (str(claim or f"{item.name}-pvc"),)


def growth(object: Object, item: ObservedObject, observed: Sequence[ObservedObject]) -> Growth:
    """What has to be done or refused before the workload can have the volume that `object` wants.

    `observed` holds the deployment's claims and the cluster's storage classes when `grows` said so.
    """
    before, after = _sizes(object["kind"], item.spec), _sizes(object["kind"], object.get("spec") or {})
    for name, size in after.items():
        if name in before and _is_less(size, before[name]):
            return Growth(refusal=shrinking(before[name], size))
    if object["kind"] == "StatefulSet" and not _same_but_for_size(object["spec"], item.spec):
        return Growth(
            refusal=Refusal(
                "fixed-field",
                f"The volumes of {item.name} cannot become others: Kubernetes fixes their kind when the workload "
                "is made.",
                "Undo the change, or delete the deployment and create it again.",
            )
        )
    if not grows(object, item):
        return Growth()
    classes = {each.name: each for each in observed if each.kind == CLASS_KIND}
    steps: list[Step] = []
    for claim, size in _claims(object, item, observed, after):
        found = _size((claim.spec.get("resources") or {}).get("requests") or {})
        if not _is_less(found, size):
            continue
        if refusal := _obstacle(claim, classes, found):
            return Growth(refusal=refusal)
        steps.append(Step(_enlarged(claim, size), why=f"grow: {found} to {size}"))
    return Growth(tuple(steps), anew=object["kind"] == "StatefulSet")


def shrinking(before: str, after: str) -> Refusal:
    """Why a volume keeps its size, and the way out."""
    return Refusal(
        "volume-shrinks",
        f"The volume cannot shrink from {before} to {after}: Kubernetes only lets volumes grow.",
        f"Set it back to {before}, or deploy under another name with the smaller volume.",
    )


def _obstacle(claim: ObservedObject, classes: Mapping[str, ObservedObject], before: str) -> Refusal | None:
    way_out = (
        f"Set it back to {before}, or deploy under another name with a storage class that lets volumes grow."
    )
    name = str(claim.spec.get("storageClassName") or "")
    storage_class = classes.get(name)
    if storage_class is None:
        which = f"its storage class {name} is not there any more" if name else "it has no storage class"
        return Refusal("volume-class", f"The volume {claim.name} cannot grow: {which}.", way_out)
    if not storage_class.body.get("allowVolumeExpansion"):
        sentence = f"The volume cannot grow: the storage class {name} does not allow it."
        return Refusal("volume-class", sentence, way_out)
    if claim.status.get("phase", "Bound") != "Bound":
        sentence = f"The volume {claim.name} cannot grow yet: its replica has not started."
        remedy = f"Let the replica start first: set the volume back to {before} until it runs."
        return Refusal("volume-unbound", sentence, remedy)
    return None


def _enlarged(claim: ObservedObject, size: str) -> Object:
    """Only the field that changes; the uid, so that a claim that vanished meanwhile is not made by this."""
    return {
        "apiVersion": "v1",
        "kind": CLAIM_KIND,
        "metadata": {"name": claim.name, "namespace": claim.namespace, "uid": claim.uid},
        "spec": {"resources": {"requests": {"storage": size}}},
    }


def _claims(
    object: Object, item: ObservedObject, observed: Sequence[ObservedObject], sizes: Mapping[str, str]
) -> list[tuple[ObservedObject, str]]:
    """The workload's claims with the size that each is to have."""
    found: list[tuple[ObservedObject, str]] = []
    for claim in observed:
        if claim.kind != CLAIM_KIND or claim.is_going:
            continue
        if object["kind"] == "NIMService":
            if claim.name in claim_names(object, item) and claim.owned_by(item):
                found += [(claim, size) for size in sizes.values()]
            continue
        for template, size in sizes.items():
            ordinal = claim.name.removeprefix(f"{template}-{item.name}-")
            if ordinal != claim.name and ordinal.isascii() and ordinal.isdigit():
                found.append((claim, size))
    return found


def _sizes(kind: str, spec: Mapping[str, Any]) -> dict[str, str]:
    """Wanted sizes by the name of the claim template."""
    if kind == "NIMService":
        size = ((spec.get("storage") or {}).get("pvc") or {}).get("size")
        return {"pvc": str(size)} if size else {}
    if kind != "StatefulSet":
        return {}
    return {
        str(template["metadata"]["name"]): _size(
            ((template.get("spec") or {}).get("resources") or {}).get("requests") or {}
        )
        for template in spec.get("volumeClaimTemplates") or ()
    }


def _size(requests: Mapping[str, Any]) -> str:
    return str(requests.get("storage", "0"))


def _same_but_for_size(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    before = [_without_size(each) for each in found.get("volumeClaimTemplates") or ()]
    after = [_without_size(each) for each in wanted.get("volumeClaimTemplates") or ()]
    return len(before) == len(after) and is_like({"v": after}, {"v": before})


def _without_size(template: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = {key: value for key, value in (template.get("spec") or {}).items() if key != "resources"}
    return {**template, "spec": spec}


def _is_less(one: str, other: str) -> bool:
    return quantity.parse(one) < quantity.parse(other)
