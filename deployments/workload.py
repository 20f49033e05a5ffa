"""The workload of a deployment as every engine has one, whatever object it is in the cluster. Pure.

vLLM and plain NIM are a StatefulSet, NIM by its operator a NIMService, Dynamo a graph. Each engine's reader
(readers/) turns what it finds into this, and nothing that judges a deployment knows the difference.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

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
    partition: int = 0
    """Pods with a lower ordinal keep the template that they have."""
    surges: bool = False
    """A rollout of ours orders one pod more until every other one is new."""
    scaled: int | None = None
    """Pods ordered now of those whose number an autoscaler changes; None: only the autoscaler's status tells."""
    operator: str = ""
    """Who makes its pods, as in "Dynamo operator"; empty: Kubernetes itself."""
    is_ready: bool = True
    """False while its operator says that something besides the pods is missing."""
    problem: str = ""
    """What its operator complains about, in its own words; empty when nothing."""
    problem_since: datetime | None = None
    is_final: bool = False
    """The operator says that it failed."""

    def revision_of(self, pod: Pod) -> str:
        return pod.metadata.label(self.pod_label)

    def is_present(self, pod: Pod) -> bool:
        """Whether the pod is made from the present template. What carries no mark is never taken for present."""
        return bool(self.update_revision) and self.revision_of(pod) == self.update_revision

    @property
    def is_observed(self) -> bool:
        """Its controller has acted on what is written now."""
        return self.observed_generation >= self.metadata.generation

    @property
    def marks_its_pods(self) -> bool:
        """The pods' own label tells their template, however far the controller's status lags behind."""
        return self.pod_label == naming.TEMPLATE_LABEL

    def is_idle(self, pods: Iterable[Pod]) -> bool:
        """Its operator has not acted on it: neither says so, nor does a pod show it."""
        if not self.operator or self.metadata.deletion_timestamp is not None:
            return False
        if not self.is_observed:
            return True
        return self.replicas > 0 and not self.problem and not any(self.is_present(pod) for pod in pods)
