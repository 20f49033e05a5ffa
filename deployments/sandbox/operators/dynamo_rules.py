"""What the webhook of Dynamo's operator refuses, in its words, and the warning of the old version."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployments.sandbox.api.errors import ApiError, invalid
from deployments.sandbox.api.kinds import Kind
from deployments.sandbox.operators.dynamo_versions import graph_to_beta

Object = dict[str, Any]
Problem = tuple[str, str]

LONGEST_TOGETHER = 45
_WEBHOOK = "vdynamographdeployment.kb.io"


def check(kind: Kind, current: Object | None, wanted: Object) -> list[str]:
    """Warnings about a write. Raises ApiError 422 as the webhook denies it."""
    new = graph_to_beta(wanted)
    if current is None:
        found = list(_alone(new))
    elif wanted["metadata"].get("deletionTimestamp"):
        found = []
    else:
        found = list(_change(graph_to_beta(current), new))
    if found:
        denied = invalid(kind.kind, wanted["metadata"].get("name", ""), found, kind.group)
        raise ApiError(
            denied.status,
            f'admission webhook "{_WEBHOOK}" denied the request: {denied.message}',
            reason=denied.reason,
            details=denied.details,
        )
    if kind.version == "v1alpha1":
        return [f"nvidia.com/v1alpha1 {kind.kind} is deprecated; use nvidia.com/v1beta1 {kind.kind}"]
    return []


def _alone(graph: Object) -> Iterator[Problem]:
    """What is wrong with a graph for itself."""
    name, components = graph["metadata"].get("name", ""), (graph.get("spec") or {}).get("components") or []
    if not components:
        yield "spec.components", "Required value: must have at least one component"
    for index, component in enumerate(components):
        length = len(name) + len(component["name"])
        if length > LONGEST_TOGETHER:
            yield (
                f"spec.components[{index}].name",
                (
                    f'Invalid value: "{component["name"]}": combined resource name length {length} exceeds the'
                    f" {LONGEST_TOGETHER}-character pod-name limit; shorten DynamoGraphDeployment name"
                    f' "{name}" or component name "{component["name"]}"'
                ),
            )
    strategy = ((graph.get("spec") or {}).get("restart") or {}).get("strategy") or {}
    order = strategy.get("order") or []
    known = sorted(component["name"] for component in components)
    if order and strategy.get("type") == "Parallel":
        yield "spec.restart.strategy.order", "Forbidden: cannot be specified when strategy is parallel"
    elif order and sorted(order) != known:
        told = "must have the same number of unique components as the deployment"
        yield "spec.restart.strategy.order", f"Invalid value: {order}: {told}"


def _change(old: Object, new: Object) -> Iterator[Problem]:
    """What may not change, or not now."""
    before, after = old.get("spec") or {}, new.get("spec") or {}
    known = {component["name"]: component for component in before.get("components") or []}
    names = {component["name"] for component in after.get("components") or []}
    added, removed = sorted(names - set(known)), sorted(set(known) - names)
    if added or removed:
        told = [f"components added: [{' '.join(added)}]"] if added else []
        told += [f"components removed: [{' '.join(removed)}]"] if removed else []
        never = "component topology is immutable and cannot be modified after creation"
        yield "spec.components", f"Forbidden: {never}: {', '.join(told)}"
    for index, component in enumerate(after.get("components") or []):
        earlier = known.get(component["name"])
        if earlier is None:
            continue
        scaled = "scalingAdapter" in component or "scalingAdapter" in earlier
        if scaled and component.get("replicas", 1) != earlier.get("replicas", 1):
            yield (
                f"spec.components[{index}].replicas",
                (
                    "Forbidden: cannot be modified directly when scaling adapter is enabled; scale or update the"
                    " related DynamoGraphDeploymentScalingAdapter instead"
                ),
            )
        if bool(component.get("multinode")) != bool(earlier.get("multinode")):
            never = "cannot change node topology between single-node and multi-node after creation"
            yield (
                f"spec.components[{index}].multinode",
                f"Invalid value: {component.get('multinode')}: {never}",
            )
    if before.get("backendFramework") != after.get("backendFramework"):
        never = "is immutable and cannot be changed after creation"
        yield "spec.backendFramework", f'Invalid value: "{after.get("backendFramework", "")}": {never}'
    phase = ((old.get("status") or {}).get("rollingUpdate") or {}).get("phase")
    identity = (after.get("restart") or {}).get("id", "")
    if phase in ("Pending", "InProgress") and identity != (before.get("restart") or {}).get("id", ""):
        yield (
            "spec.restart.id",
            f'Invalid value: "{identity}": cannot be changed while a rolling update is {phase}',
        )
