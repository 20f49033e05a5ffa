"""One component of Dynamo's graph, and how the two versions of the kind write it.

v1beta1 lists components with pod templates; v1alpha1 maps names to services, with the pod's spec beside the main
container and resources in words of its own. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from deployments.manifests.common import Manifest
from deployments.manifests.pods import amounts
from deployments.spec import GPU_RESOURCE, Resources


@dataclass(frozen=True, slots=True)
class Component:
    """Pods of one role."""

    name: str
    role: str
    """ "frontend", "worker", "prefill" or "decode"."""
    replicas: int | None
    """None leaves the number to the scaling adapter."""
    resources: Resources
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    container: Manifest
    """The main container, without its resources."""
    pace: Mapping[str, str]
    """Annotations that say how the operator rolls the pods. Written with the next change of the pods only, so no part
    of what they are made from (plan/graphs.py)."""
    pod: Manifest
    """The rest of the pod's spec."""
    scaled: bool = False
    shared_memory: str = ""
    """Size of /dev/shm; empty leaves it to the operator."""
    own: Mapping[str, str] = field(default_factory=dict)
    """Labels that are no part of what the pods are made from."""

    @property
    def made_from(self) -> list[Any]:
        """All that decides the pods; how many there are does not."""
        return [
            self.role,
            dict(self.labels),
            dict(self.annotations),
            self.container,
            self.pod,
            amounts(self.resources),
            self.shared_memory,
        ]

    def labelled(self, labels: Mapping[str, str]) -> Self:
        return replace(self, own=labels)

    @property
    def about(self) -> Manifest:
        """Labels and annotations of its pods."""
        return {"labels": {**self.labels, **self.own}, "annotations": {**self.annotations, **self.pace}}


def write(components: Sequence[Component], version: str) -> Manifest:
    """The components as a part of the graph's spec."""
    if version == "v1beta1":
        return {"components": [_v1beta1(component) for component in components]}
    return {"services": {component.name: _v1alpha1(component) for component in components}}


def _v1beta1(component: Component) -> Manifest:
    container = {**component.container, "resources": amounts(component.resources)}
    made: Manifest = {"name": component.name, "type": component.role}
    if component.replicas is not None:
        made["replicas"] = component.replicas
    if component.scaled:
        made["scalingAdapter"] = {}
    if component.shared_memory:
        made["sharedMemorySize"] = component.shared_memory
    made["podTemplate"] = {
        "metadata": component.about,
        "spec": {**component.pod, "containers": [container]},
    }
    return made


def _v1alpha1(component: Component) -> Manifest:
    """Here prefill and decode are sorts of workers."""
    worker = component.role in ("prefill", "decode")
    made: Manifest = {"componentType": "worker" if worker else component.role}
    if worker:
        made["subComponentType"] = component.role
    if component.replicas is not None:
        made["replicas"] = component.replicas
    if component.scaled:
        made["scalingAdapter"] = {"enabled": True}
    if component.shared_memory:
        made["sharedMemory"] = {"size": component.shared_memory}
    container = {key: value for key, value in component.container.items() if key != "name"}
    made |= {
        "resources": _resources(component.resources),
        # The pace of a rollout is read from the service's annotations, all the others from the pod's.
        "annotations": {**component.annotations, **component.pace},
        "extraPodMetadata": component.about,
        "extraPodSpec": {**component.pod, "mainContainer": container},
    }
    return made


def _resources(resources: Resources) -> Manifest:
    """GPUs have a key of their own; another resource stands under "custom"."""
    plain = amounts(replace(resources, gpu=replace(resources.gpu, count=0)))
    gpu = resources.gpu
    if gpu.count < 1:
        return plain
    if gpu.resource == GPU_RESOURCE:
        plain["limits"]["gpu"] = str(gpu.count)
    else:
        plain["limits"]["custom"] = {gpu.resource: str(gpu.count)}
    return plain
