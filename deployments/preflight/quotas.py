"""What the quotas of the namespace leave for the pods that are to start. Pure.

A quota counts what is asked for, not what is used. One that can never hold the deployment blocks it; one that is full
at present warns, because others may go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from deployments import quantity
from deployments.facts import ClusterFacts, Quota
from deployments.preflight.items import Item, Step, blocker, passed, warning
from deployments.spec import DeploymentSpec, PodGroup
from deployments.vocabulary import Engine


def check_quotas(
    spec: DeploymentSpec, facts: ClusterFacts, namespace: str, to_start: Sequence[PodGroup]
) -> Iterator[Item]:
    """`to_start`: the pods that do not run yet; the others are part of what is used already."""
    found = facts.quotas_of(namespace) if namespace else ()
    if not found:
        return
    whole, new = demands(spec, spec.groups), demands(spec, to_start)
    complaints = [
        item for quota in found for item in (*_without_limit(spec, quota), *_over(quota, whole, new))
    ]
    yield from complaints
    if not complaints:
        yield passed(f"The quotas of {namespace} leave room", Step.RESOURCES)


def demands(spec: DeploymentSpec, groups: Sequence[PodGroup]) -> dict[str, Decimal]:
    """What these pods ask for, in the words of quotas. A Dynamo frontend takes no GPU and is left out."""
    wanted, pods = spec.resources, sum(group.replicas for group in groups)
    gpus = sum(group.replicas * group.gpus for group in groups)
    cpu, memory = quantity.parse(wanted.cpu_request) * pods, quantity.parse(wanted.memory_request) * pods
    made = {
        f"requests.{wanted.gpu.resource}": Decimal(gpus),
        f"limits.{wanted.gpu.resource}": Decimal(gpus),
        "pods": Decimal(pods),
        "count/pods": Decimal(pods),
        "cpu": cpu,
        "requests.cpu": cpu,
        "memory": memory,
        "requests.memory": memory,
        "limits.memory": quantity.parse(wanted.memory_limit) * pods,
        "persistentvolumeclaims": Decimal(pods),
        "requests.storage": quantity.parse(spec.engine.volume) * pods,
    }
    if wanted.cpu_limit:
        made["limits.cpu"] = quantity.parse(wanted.cpu_limit) * pods
    return made


def _over(quota: Quota, whole: dict[str, Decimal], new: dict[str, Decimal]) -> Iterator[Item]:
    for resource, limit in sorted(quota.hard.items()):
        if resource not in whole:
            continue
        hard, used = _amount(limit), _amount(quota.used.get(resource, "0"))
        if hard is None or used is None:
            continue
        name = f"{quota.name} allows {limit} {resource}"
        if whole[resource] > hard:
            asked = _shown(resource, whole[resource])
            detail = f"This deployment asks for {asked} in all. Ask for less, or have the quota raised."
            yield blocker(f"The quota {name}", detail, _step(resource))
        elif new[resource] and used + new[resource] > hard:
            asked, left = _shown(resource, new[resource]), _shown(resource, max(hard - used, Decimal(0)))
            detail = (
                f"{left} {'is' if left == '1' else 'are'} left and {asked} more asked for. The rest waits."
            )
            yield warning(f"The quota {name}", detail, _step(resource))


def _without_limit(spec: DeploymentSpec, quota: Quota) -> Iterator[Item]:
    """A quota on a limit refuses pods that have none."""
    if "limits.cpu" in quota.hard and not spec.resources.cpu_limit:
        detail = "Kubernetes refuses pods without one there. Enter a CPU limit."
        yield blocker(f"The quota {quota.name} asks for a CPU limit", detail, Step.RESOURCES)
    if "limits.cpu" in quota.hard and spec.engine.kind is Engine.DYNAMO and spec.resources.cpu_limit:
        detail = "Dynamo's frontend has no CPU limit, and Kubernetes refuses pods without one there."
        yield warning(f"The quota {quota.name} asks for CPU limits", detail, Step.ENGINE)


def _amount(text: str) -> Decimal | None:
    try:
        return quantity.parse(text)
    except ValueError:
        return None


def _shown(resource: str, amount: Decimal) -> str:
    if "memory" in resource or "storage" in resource:
        return quantity.show_bytes(int(amount))
    return f"{amount.normalize():f}"


def _step(resource: str) -> Step:
    in_engine = ("pods", "count/pods", "persistentvolumeclaims", "requests.storage")
    return Step.ENGINE if resource in in_engine else Step.RESOURCES
