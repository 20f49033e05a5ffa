"""What a roll back wants: the document of an earlier revision, as far as it can come back. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from deployments import quantity
from deployments.spec import DeploymentSpec
from deployments.strategy import runs_as


@dataclass(frozen=True, slots=True)
class Restored:
    spec: DeploymentSpec
    remarks: tuple[str, ...]
    """What does not come back, and why, as sentences."""


def restored(
    earlier: DeploymentSpec,
    now: DeploymentSpec,
    *,
    keep_terms: bool = False,
    keep_sharing: bool = False,
    reached: DeploymentSpec | None = None,
) -> Restored:
    """The earlier spec on today's deployment.

    `keep_terms` keeps today's limits, price and sharing; `keep_sharing` only the sharing, for people who may not
    share. `reached` is what the cluster has taken, where that is not what is wanted `now`. The name, the model and the
    endpoint of a deployment never change; a volume that is there never shrinks.
    """
    there = reached or now
    remarks = []
    spec = replace(earlier, name=now.name, model=now.model, endpoint=now.endpoint)
    if _shrinks(earlier, there):
        spec = replace(spec, engine=replace(spec.engine, volume=there.engine.volume))
        remarks.append(
            f"The volume of a replica stays at {there.engine.volume}: "
            f"Kubernetes cannot shrink it back to {earlier.engine.volume}."
        )
    if keep_terms:
        spec = replace(spec, rate_limits=now.rate_limits, pricing=now.pricing, sharing=now.sharing)
    elif keep_sharing and earlier.sharing != now.sharing:
        spec = replace(spec, sharing=now.sharing)
        remarks.append("Sharing stays as it is today: your role does not include it.")
    return Restored(spec, tuple(remarks))


def _shrinks(earlier: DeploymentSpec, there: DeploymentSpec) -> bool:
    """Volumes outlive the change of an engine as long as the same kind of workload claims them; Dynamo's do not."""
    kind = runs_as(there)
    if runs_as(earlier) != kind or kind == "DynamoGraphDeployment":
        return False
    return quantity.to_bytes(earlier.engine.volume) < quantity.to_bytes(there.engine.volume)
