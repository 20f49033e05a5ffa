"""What goes first when a deployment goes: traffic, then what scales, then the workload, data last. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from deployments.plan.values import AUTOSCALERS, WORKLOADS, ObservedObject, Plan

#: A stage begins when everything of the stages before it was told to go; the last one waits until it is gone, too.
_STAGES: tuple[tuple[str, ...], ...] = (
    ("HTTPRoute", "Ingress", *AUTOSCALERS),
    WORKLOADS,
    ("Pod",),
    ("Service", "ConfigMap", "Secret", "PersistentVolumeClaim"),
)
_ORDER = tuple(kind for stage in _STAGES for kind in stage)


def removal(observed: Sequence[ObservedObject]) -> Plan:
    """Tells the first stage to go that was not told yet; waits for all that is there.

    A route that its controller does not let go of must not keep GPUs busy, so stages do not wait for each other;
    but nothing that a pod uses goes before the pod is gone.
    """
    waiting = tuple(item.title for item in sorted(observed, key=delete_rank))
    for stage in _STAGES:
        present = sorted((item for item in observed if item.kind in stage), key=delete_rank)
        # Pods go with their workload, KEDA's autoscaler with its ScaledObject; deleting them here would only race.
        untold = tuple(
            item
            for item in present
            if not item.is_going
            and item.kind != "Pod"
            and not (item.kind in AUTOSCALERS and item.is_controlled)
        )
        if untold:
            return Plan(prune=untold, waiting_for=waiting)
        if present and stage in (WORKLOADS, ("Pod",)):
            break
    return Plan(waiting_for=waiting)


def delete_rank(item: ObservedObject) -> tuple[int, str]:
    rank = _ORDER.index(item.kind) if item.kind in _ORDER else len(_ORDER)
    return rank, item.name
