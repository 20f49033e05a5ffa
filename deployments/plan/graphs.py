"""What a graph of Dynamo's keeps: its components and backend for ever, its pace until pods are made anew. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deployments import naming
from deployments.plan.handover import components
from deployments.plan.values import Object, ObservedObject, Refusal
from deployments.vocabulary import DynamoBackend, DynamoMode

GRAPH = "DynamoGraphDeployment"
_WAY_OUT = "Set it back, or clone the deployment under another name and delete this one."


def mode_stays(before: str) -> Refusal:
    """`before`: the mode that is there, in words."""
    return Refusal(
        "fixed-field",
        f"The mode stays {before}: Dynamo's operator fixes it when the graph is made.",
        _WAY_OUT,
    )


def backend_stays(before: str) -> Refusal:
    """`before`: the backend that is there, in words."""
    return Refusal(
        "fixed-field",
        f"The backend stays {before}: Dynamo's operator fixes it when the graph is made.",
        _WAY_OUT,
    )


def fixed(wanted: Object, item: ObservedObject) -> Refusal | None:
    """A change of a graph that the operator's webhook would refuse; None when there is none."""
    there, ours = dict(components(item.body)), dict(components(wanted))
    # Others may add components of their own; ours are all there, or it is another graph.
    if there and not ours.keys() <= there.keys():
        # A graph with a single kind of workers is aggregated.
        split = "Prefill" in there or "Decode" in there
        return mode_stays((DynamoMode.DISAGGREGATED if split else DynamoMode.AGGREGATED).value)
    before = str(item.spec.get("backendFramework") or "")
    if before and before != wanted["spec"].get("backendFramework"):
        known = before in list(DynamoBackend)
        return backend_stays(DynamoBackend(before).label if known else before)
    return None


def with_present_pace(wanted: Object, item: ObservedObject) -> Object:
    """The graph at the pace that its workers carry now, as long as nothing else makes them anew.

    The operator reads the pace from the workers' pod templates alone, and rolls all workers when these change: to
    write another pace by itself would restart everybody. With the next change of the pods it is written too.
    """
    digest = wanted["metadata"]["labels"].get(naming.TEMPLATE_LABEL)
    if not digest or item.labels.get(naming.TEMPLATE_LABEL) != digest:
        return wanted
    there = {name: pace for name, each in components(item.body) if (pace := _pace(each)) in naming.PACES}

    def keep(name: str, component: Object) -> Object:
        return _at_pace(component, there[name]) if name in there else component

    spec = dict(wanted["spec"])
    if "components" in spec:
        spec["components"] = [keep(each["name"], each) for each in spec["components"]]
    else:
        spec["services"] = {name: keep(name, each) for name, each in spec["services"].items()}
    return {**wanted, "spec": spec}


def _annotations(component: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Of the pods: v1beta1's, then v1alpha1's."""
    for holder in (
        (component.get("podTemplate") or {}).get("metadata"),
        component.get("extraPodMetadata"),
        component,
    ):
        yield (holder or {}).get("annotations") or {}


def _pace(component: Mapping[str, Any]) -> tuple[str, ...]:
    """More at first, fewer meanwhile; empty texts where nothing is said."""
    said: dict[str, Any] = {}
    for given in _annotations(component):
        said = {**given, **said}
    return tuple(str(said.get(name, "")) for name in naming.PACE_ANNOTATIONS)


def _at_pace(component: Object, pace: tuple[str, ...]) -> Object:
    """Written wherever the component says its pace."""
    made = dict(component)
    marks = dict(zip(naming.PACE_ANNOTATIONS, pace, strict=True))

    def paced(holder: Object) -> Object:
        return {**holder, "annotations": {**(holder.get("annotations") or {}), **marks}}

    if "podTemplate" in made:
        template = made["podTemplate"]
        made["podTemplate"] = {**template, "metadata": paced(template.get("metadata") or {})}
        return made
    made["extraPodMetadata"] = paced(made.get("extraPodMetadata") or {})
    return paced(made)
