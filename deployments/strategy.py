"""How a new revision takes the place of the old one: replace in place, or start one more first.

Decided once, when the revision is saved (desired/), and shown with its reason before that (the review), so both
ask here. One more first needs a spare place for a whole replica; where none is known to be free, the extra pod
would only wait, and the change with it. Pure: no Django, no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from deployments.facts import ClusterFacts
from deployments.preflight.berths import place_groups
from deployments.spec import Autoscaling, DeploymentSpec, RateLimits, SharingSpec
from deployments.vocabulary import Engine, NimRunner, RolloutStrategy


@dataclass(frozen=True, slots=True)
class Choice:
    """A strategy, and why this one."""

    strategy: RolloutStrategy
    """REPLACE or SURGE, never AUTO."""
    reason: str
    """One or two sentences for people."""


def choose(
    spec: DeploymentSpec,
    before: DeploymentSpec | None,
    facts: ClusterFacts | None,
    running: bool,
    *,
    secrets_change: bool = False,
    present: RolloutStrategy = RolloutStrategy.REPLACE,
) -> Choice:
    """What `spec.rollout` means for this revision.

    `before` is the revision in force, None for a new deployment. `facts` are those of the cluster's last check,
    None when there was none. `running`: it is meant to run, and at least one replica serves. `secrets_change`:
    a secret value, or what the model's name stands for, is another one than before. `present`: how the revision in
    force rolls out; one that restarts nothing lets it go on so.
    """
    asked = spec.rollout
    if asked is RolloutStrategy.REPLACE:
        return _replace("This is what the deployment asks for.")
    if obstacle := cannot_surge(spec):
        return _replace(obstacle)
    if asked is RolloutStrategy.SURGE:
        return Choice(RolloutStrategy.SURGE, "This is what the deployment asks for.")
    if before is None:
        return _replace("The deployment is new: nothing serves yet.")
    if not running:
        return _replace("No replica serves now, so there is nothing to protect.")
    if runs_as(spec) != runs_as(before):
        return _replace("The engine runs as another kind of workload: the old one goes first.")
    if not secrets_change and not pods_change(before, spec):
        return Choice(present, "No replica restarts.")
    return _by_room(spec, facts)


def of_restart(spec: DeploymentSpec, facts: ClusterFacts | None, running: bool) -> Choice:
    """How replicas are made anew without another revision: as if every one of them changed."""
    return choose(spec, spec, facts, running, secrets_change=True)


def cannot_surge(spec: DeploymentSpec) -> str:
    """Why one more replica cannot start first, as a sentence; empty when it can."""
    kind = runs_as(spec)
    if kind == "NIMService":
        return "The NIM Operator replaces replicas in place."
    if kind == "StatefulSet" and spec.autoscaling.enabled:
        return "The autoscaler owns the number of replicas."
    return ""


def pods_change(before: DeploymentSpec, after: DeploymentSpec) -> bool:
    """Whether replicas that run are made anew; secret values and the model's source are not in a spec."""
    return _of_pods(before) != _of_pods(after)


def runs_as(spec: DeploymentSpec) -> str:
    """The kind of the Kubernetes object that makes the pods."""
    if spec.engine.kind is Engine.DYNAMO:
        return "DynamoGraphDeployment"
    if spec.engine.nim is not None and spec.engine.nim.runner is NimRunner.OPERATOR:
        return "NIMService"
    return "StatefulSet"


def _replace(reason: str) -> Choice:
    return Choice(RolloutStrategy.REPLACE, reason)


def _by_room(spec: DeploymentSpec, facts: ClusterFacts | None) -> Choice:
    """Surge when the last facts show a place for one more pod of every kind that takes GPUs."""
    if facts is None:
        return _replace("What is free in the cluster is not known.")
    gpu = spec.resources.gpu
    nodes = facts.offering(gpu.resource, gpu.product)
    extra = [replace(group, replicas=1) for group in spec.groups]
    for count, group in enumerate(extra, start=1):
        if group.gpus < 1:
            return _replace("What is free on nodes without GPUs is not known.")
        # Together with those before it: two must not count on the same place.
        if place_groups(nodes, spec.resources, extra[:count]).placed < count:
            what = f"{group.gpus} free GPU{'' if group.gpus == 1 else 's'}, the CPU and the memory"
            return _replace(f"No node has {what} for one more {group.role}.")
    return Choice(
        RolloutStrategy.SURGE,
        "A node has room for one more replica, so it starts before an old one goes.",
    )


def _of_pods(spec: DeploymentSpec) -> DeploymentSpec:
    """The spec without what reaches no pod that runs already."""
    engine = replace(spec.engine, replicas=1)
    if runs_as(spec) == "StatefulSet":
        # Claims grow under the pods.
        engine = replace(engine, volume="")
    if engine.dynamo is not None:
        dynamo = engine.dynamo
        engine = replace(
            engine,
            dynamo=replace(
                dynamo,
                prefill=replace(dynamo.prefill, replicas=1),
                decode=replace(dynamo.decode, replicas=1),
            ),
        )
    return replace(
        spec,
        engine=engine,
        endpoint="",
        description="",
        autoscaling=Autoscaling(),
        rate_limits=RateLimits(),
        pricing=None,
        sharing=SharingSpec(),
        rollout=RolloutStrategy.AUTO,
    )
