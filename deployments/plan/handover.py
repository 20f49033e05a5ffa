"""The number of replicas goes from us to an autoscaler and back without a jump. Pure.

A field that its only owner stops applying falls back to its default: a running deployment would collapse to one
replica. So a second manager applies the present number first; the autoscaler takes it from there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deployments import naming
from deployments.plan.values import AUTOSCALERS, HAND_OVER_MANAGER, Object, ObservedObject, Step


def gives(object: Object, item: ObservedObject) -> bool:
    """Whether we still own a number that an autoscaler is to have."""
    return bool(_given(object, item))


def give(object: Object, item: ObservedObject, desired: Sequence[Object]) -> list[Step]:
    """Keeps the present number while we let go of it, within the autoscaler's least."""
    numbers = _given(object, item)
    if not numbers:
        return []
    least = least_replicas(desired)
    if object["kind"] == "StatefulSet":
        # An autoscaler leaves a workload with zero replicas alone, as one that was stopped on purpose.
        spec: Object = {"replicas": max(numbers[""], least)}
    elif _is_list(object):
        spec = {"components": [{"name": name, "replicas": max(n, least)} for name, n in numbers.items()]}
    else:
        spec = {"services": {name: {"replicas": max(n, least)} for name, n in numbers.items()}}
    return [partial(object, spec)]


def take(object: Object, item: ObservedObject) -> list[Step]:
    """Lets a graph go of its scaling adapter at the present number; the wanted one may be set only after that."""
    if object["kind"] != "DynamoGraphDeployment":
        return []
    live = dict(components(item.body))
    held = {
        name: int(live[name]["replicas"])
        for name, wanted in components(object)
        if name in live
        and _is_scaled(live[name])
        and not _is_scaled(wanted)
        and live[name].get("replicas") not in (None, wanted.get("replicas"))
    }
    # Without a stamp: whoever goes on after a worker that died here sees that the work is not done.
    return [Step(_with_replicas(object, held), why="hand back")] if held else []


def least_replicas(desired: Sequence[Object]) -> int:
    """What the autoscaler among the desired objects keeps at least; 1 without one."""
    for object in desired:
        if object["kind"] in AUTOSCALERS:
            spec = object["spec"]
            return int(spec.get("minReplicas", spec.get("minReplicaCount", 1)) or 1)
    return 1


def partial(object: Object, spec: Object) -> Step:
    """Just these fields of a workload, under the hand-over's own manager."""
    metadata = {key: object["metadata"][key] for key in ("name", "namespace") if key in object["metadata"]}
    made = {"apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": metadata, "spec": spec}
    return Step(made, manager=HAND_OVER_MANAGER, why="hand over")


def _given(object: Object, item: ObservedObject) -> dict[str, int]:
    """Present numbers that we own and no longer want to, by component; the workload's own under ""."""
    if object["kind"] == "StatefulSet":
        number = item.spec.get("replicas")
        ours = "replicas" not in object["spec"] and item.owns_replicas(naming.FIELD_MANAGER)
        return {"": int(number)} if ours and number is not None else {}
    if object["kind"] != "DynamoGraphDeployment":
        return {}
    live = dict(components(item.body))
    return {
        name: int(live[name]["replicas"])
        for name, wanted in components(object)
        if "replicas" not in wanted
        and live.get(name, {}).get("replicas") is not None
        and _owns_component(item, name)
    }


def _owns_component(item: ObservedObject, name: str) -> bool:
    for fields in item.fields_of(naming.FIELD_MANAGER):
        spec = fields.get("f:spec") or {}
        services = spec.get("f:services") or {}
        if "f:replicas" in (services.get(f"f:{name}") or {}):
            return True
        for key, below in (spec.get("f:components") or {}).items():
            if key.startswith("k:") and json.loads(key[2:]).get("name") == name and "f:replicas" in below:
                return True
    return False


def components(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The components of a graph by name, in either version of the kind."""
    spec = body.get("spec") or {}
    if spec.get("components") is not None:
        yield from ((str(each.get("name", "")), each) for each in spec["components"])
    else:
        yield from (spec.get("services") or {}).items()


def _is_scaled(component: Mapping[str, Any]) -> bool:
    adapter = component.get("scalingAdapter")
    # v1beta1: there or not; v1alpha1: {"enabled": true}.
    return adapter is not None and adapter.get("enabled", True) is True


def _is_list(object: Object) -> bool:
    return "components" in object["spec"]


def _with_replicas(object: Object, numbers: Mapping[str, int]) -> Object:
    spec = dict(object["spec"])
    if _is_list(object):
        spec["components"] = [
            {**each, "replicas": numbers[each["name"]]} if each["name"] in numbers else each
            for each in spec["components"]
        ]
    else:
        spec["services"] = {
            name: {**each, "replicas": numbers[name]} if name in numbers else each
            for name, each in spec["services"].items()
        }
    return {**object, "spec": spec}
