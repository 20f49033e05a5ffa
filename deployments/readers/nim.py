"""NIM's workload: a StatefulSet of ours, or a NIMService that the NIM Operator runs. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deployments import naming
from deployments.context import ClusterOffers
from deployments.kube.decode import Condition, Metadata, Part, StatefulSet
from deployments.kube.kinds import NIM_SERVICE, STATEFUL_SET, Kind
from deployments.readers.vllm import read_stateful_set
from deployments.workload import Workload

OPERATOR = "NIM Operator"

#: The operator's releases write the short names; the API's own constants are the long ones.
_READY, _FAILED = ("Ready", "NIM_SERVICE_READY"), ("Failed", "NIM_SERVICE_FAILED")


class Bounds(Part, frozen=True):
    min_replicas: int | None = None


class Scale(Part, frozen=True):
    enabled: bool = False
    hpa: Bounds | None = None


class NimServiceSpec(Part, frozen=True):
    replicas: int | None = None
    scale: Scale | None = None


class NimServiceStatus(Part, frozen=True):
    state: str = ""
    available_replicas: int = 0
    conditions: tuple[Condition, ...] | None = None


class NimService(Part, frozen=True):
    metadata: Metadata
    spec: NimServiceSpec = NimServiceSpec()
    status: NimServiceStatus = NimServiceStatus()


def sources(offers: ClusterOffers) -> list[tuple[Kind, type[Any], Callable[[Any], Workload]]]:
    plain: tuple[Kind, type[Any], Callable[[Any], Workload]] = (STATEFUL_SET, StatefulSet, read_stateful_set)
    return [plain, (NIM_SERVICE, NimService, read_nim_service)] if offers.nim_operator else [plain]


def read_nim_service(found: NimService) -> Workload:
    """The status says which state it is in, but not of which generation.

    Where no condition carries a generation, one with a state counts as observed: a state that is left over from the
    template before makes nothing green, for then no pod carries the label of the present one.
    """
    spec, status = found.spec, found.status
    told = max((condition.observed_generation for condition in status.conditions or ()), default=0)
    scaled = spec.scale is not None and spec.scale.enabled
    least = (spec.scale.hpa.min_replicas if spec.scale and spec.scale.hpa else None) or 1
    replicas = max(least, status.available_replicas) if scaled else _or_one(spec.replicas)
    condition = _complaint(status)
    return Workload(
        kind=NIM_SERVICE.name,
        metadata=found.metadata,
        observed_generation=told or (found.metadata.generation if status.state else 0),
        replicas=replicas,
        update_revision=found.metadata.label(naming.TEMPLATE_LABEL),
        scaled=None if scaled else replicas,
        operator=OPERATOR,
        is_ready=status.state == "Ready",
        problem=_words(condition) if condition else "",
        problem_since=condition.last_transition_time if condition else None,
        is_final=status.state == "Failed",
    )


def _complaint(status: NimServiceStatus) -> Condition | None:
    conditions = status.conditions or ()
    failed = next((c for c in conditions if c.type in _FAILED and c.status == "True"), None)
    return failed or next((c for c in conditions if c.type in _READY and c.status == "False"), None)


def _words(condition: Condition) -> str:
    return condition.message or condition.reason or ""


def _or_one(replicas: int | None) -> int:
    return 1 if replicas is None else replicas
