"""The workload of a deployment as every engine has one, whatever object it is in the cluster. Pure.

vLLM and plain NIM are a StatefulSet, NIM by its operator a NIMService, Dynamo a graph. Each engine's reader
(readers/) turns what it finds into this, and nothing that judges a deployment knows the difference.
"""

from __future__ import annotations

from dataclasses import dataclass

from deployments import naming
from deployments.kube.decode import Metadata, Pod

CONTROLLER_REVISION = "controller-revision-hash"


@dataclass(frozen=True, slots=True)
class Workload:
    """One workload at one look."""

    kind: str
    """Of the Kubernetes object, as in "StatefulSet"."""
    metadata: Metadata
    observed_generation: int
    """The generation that its controller has acted on."""
    replicas: int
    """Pods that are ordered now, a frontend among them."""
    update_revision: str
    """What the pods of the present template carry under `pod_label`."""
    pod_label: str = naming.TEMPLATE_LABEL
    is_ready: bool = True
    """False while its operator says that something besides the pods is missing."""
    problem: str = ""
    """What its operator complains about, as a sentence; empty when nothing."""
    is_final: bool = False
    """The operator has given up."""
    scales: str = ""
    """The role that an autoscaler changes; empty when all pods are alike."""

    def revision_of(self, pod: Pod) -> str:
        return pod.metadata.label(self.pod_label)
