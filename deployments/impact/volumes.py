"""What a change means for the volumes of the replicas, and why it may not be possible. Pure."""

from __future__ import annotations

from deployments import quantity, strategy
from deployments.facts import ClusterFacts
from deployments.spec import DeploymentSpec


def lines(old: DeploymentSpec, new: DeploymentSpec) -> list[tuple[str, str]]:
    """What happens to the volumes; nothing unless they grow."""
    before, after = old.engine.volume, new.engine.volume
    if quantity.to_bytes(after) <= quantity.to_bytes(before):
        return []
    kind = strategy.runs_as(new)
    if kind == "DynamoGraphDeployment":
        return [("Volumes", f"They grow from {before} to {after} as the workers are made anew.")]
    how = (
        "The claims are enlarged, and the StatefulSet is made anew around its running pods: none restarts for it."
        if kind == "StatefulSet"
        else "The claim that the replicas share is enlarged; no pod restarts for it."
    )
    return [("Volumes", f"They grow from {before} to {after}. {how}")]


def refusal(
    old: DeploymentSpec, new: DeploymentSpec, facts: ClusterFacts | None, storage_class: str | None
) -> str:
    """Why volumes cannot become as the new revision says, with the way out; empty when nothing speaks against it.

    `storage_class` is the endpoint's, None for the cluster's default. A class that nobody knows is left to the cluster.
    """
    before, after = old.engine.volume, new.engine.volume
    more = quantity.to_bytes(after) - quantity.to_bytes(before)
    kind = strategy.runs_as(new)
    if not more or strategy.runs_as(old) != kind or kind == "DynamoGraphDeployment":
        return ""
    way_out = f"Set it back to {before}, or deploy under another name"
    if more < 0:
        return f"The volume cannot shrink from {before} to {after}: Kubernetes only lets volumes grow. {way_out}."
    if facts is None:
        return ""
    known = {each.name: each for each in facts.storage_classes}
    used = known.get(storage_class) if storage_class else facts.default_storage_class
    if used is None or used.expandable:
        return ""
    return (
        f"The volume cannot grow to {after}: the storage class {used.name} does not allow it. "
        f"{way_out} with a storage class that lets volumes grow."
    )
