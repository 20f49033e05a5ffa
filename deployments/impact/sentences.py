"""What a rollout will be like, in sentences: which replicas restart when, what is missing meanwhile. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from deployments import naming, strategy
from deployments.facts import ClusterFacts
from deployments.preflight.berths import place
from deployments.spec import DeploymentSpec
from deployments.vocabulary import RolloutStrategy, Tone

Line = tuple[str, str]
GRAPH = "DynamoGraphDeployment"
_NAMED = 3
"""Up to so many replicas are named one by one."""
_LONG = timedelta(minutes=90)


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of the deployment and its cluster at this moment."""

    replicas: int
    """Replicas that are meant to run now, all roles together."""
    ready: int
    stopped: bool = False
    facts: ClusterFacts | None = None
    """None: nobody has checked the cluster."""
    start: timedelta | None = None
    """What a replica usually takes from being scheduled to being ready; None: never measured."""
    rollouts: int = 0
    """How many rollouts that was measured over."""
    kept: int = 0
    """An earlier revision whose replicas serve and are what is wanted again; 0: there is none."""


def restart(spec: DeploymentSpec, how: RolloutStrategy, now: Situation) -> tuple[str, Tone]:
    """The headline of a rollout that makes replicas anew."""
    title = f"{_count(now.replicas, _noun(spec))} restart{'s' if now.replicas == 1 else ''}"
    if not now.ready:
        return f"{title}; nothing serves now", Tone.IDLE
    if how is RolloutStrategy.SURGE:
        return f"{title}, and none is missed", Tone.GOOD
    if now.replicas <= 1:
        return f"{title}, and nothing serves meanwhile", Tone.WARN
    return title if strategy.runs_as(spec) == GRAPH else f"{title}, one after the other", Tone.WARN


def serves_already(now: Situation) -> Line:
    """Why a way back to what serves restarts nothing that serves."""
    return (
        "Order",
        f"The replicas of revision {now.kept} are what is wanted again: they serve on. Those of later revisions go.",
    )


def replaced(old: DeploymentSpec, now: Situation) -> list[Line]:
    """How one kind of workload follows another."""
    return [
        ("Order", f"The old {strategy.runs_as(old)} goes first, with its replicas. Then the new one starts."),
        ("Capacity meanwhile", f"None for {_about(now, 1)}." if now.ready else "Nothing serves now."),
    ]


def order(spec: DeploymentSpec, how: RolloutStrategy, now: Situation) -> str:
    """Which replicas restart when."""
    kind = strategy.runs_as(spec)
    surges = how is RolloutStrategy.SURGE
    if kind == GRAPH:
        how_many = ", one more first" if surges else ", in place"
        return (
            f"The Dynamo operator rolls all workers together{how_many}: a change of one is a change of all."
        )
    if kind == "NIMService":
        return "The NIM Operator replaces them in place, through its Deployment."
    workload, wanted = naming.workload(spec.name), spec.groups[0].replicas
    kept = min(now.replicas, wanted) if not spec.autoscaling.enabled else now.replicas
    turns = _turns(workload, kept)
    if not surges:
        return f"{_capital(turns)}." + (" Each waits until the one before is ready." if kept > 1 else "")
    if wanted > now.replicas:
        return f"The added replicas start first, beside the others. Then {turns}."
    if wanted < now.replicas:
        return f"{_capital(turns)}. The replicas that are not wanted any more serve until then."
    extra = f"{workload}-{now.replicas}"
    return f"{extra} starts first, beside the others. Then {turns}. {extra} goes at the end."


def capacity(spec: DeploymentSpec, how: RolloutStrategy, now: Situation) -> str:
    """What is missing while replicas restart, and for how long."""
    if not now.ready:
        return "Nothing serves now, so nothing is lost."
    if how is RolloutStrategy.SURGE:
        return "None is lost: one more is ready before an old one goes."
    if now.replicas <= 1:
        return f"The only replica is away for {_about(now, 1)}."
    if strategy.runs_as(spec) == GRAPH:
        return f"Part of {now.replicas} workers is away at a time, for {_about(now, 1)} or more."
    return f"1 of {now.replicas} replicas is away at a time, for {_about(now, now.replicas)} in all."


def spare(spec: DeploymentSpec, facts: ClusterFacts | None) -> str:
    """Whether one more replica would find a place, by the last facts."""
    if facts is None:
        return "Not known: the cluster has not been checked."
    gpu = replace(spec.resources.gpu, count=max(group.gpus for group in spec.groups))
    asked = replace(spec.resources, gpu=gpu)
    berths, placed = place(facts.offering(gpu.resource, gpu.product), asked, 1)
    node = next((berth.node for berth in berths if berth.this), "")
    if placed and node:
        return f"{node} has room for one more {_noun(spec)}."
    return f"None: no node has {_count(gpu.count, 'free GPU')}, the CPU and the memory for one more {_noun(spec)}."


def scale(old: DeploymentSpec, new: DeploymentSpec, now: Situation) -> list[Line]:
    """Replicas that come or go because another number of them is wanted."""
    if new.autoscaling.enabled and not old.autoscaling.enabled:
        return [("Autoscaler", f"It takes over from the present {_count(now.replicas, 'replica')}.")]
    if old.autoscaling.enabled and not new.autoscaling.enabled:
        count = sum(group.replicas for group in new.groups)
        return [("Autoscaler", f"It goes; {_count(count, _noun(new))} stay from then on.")]
    if new.autoscaling.enabled:
        return []
    before = {group.role: group.replicas for group in old.groups}
    return [
        ("Replicas", _more_or_fewer(group.replicas - before[group.role], group.role, group.gpus))
        for group in new.groups
        if before.get(group.role, group.replicas) != group.replicas
    ]


def _more_or_fewer(more: int, role: str, gpus: int) -> str:
    count, units = abs(more), _count(abs(more) * gpus, "GPU")
    noun = f"{role} worker" if role in ("prefill", "decode") else role
    single = "s" if count == 1 else ""
    if more > 0:
        return f"{_count(count, f'more {noun}')} start{single}, and take{single} {units}."
    becomes = "becomes" if count * gpus == 1 else "become"
    return f"{_count(count, noun)} stop{single}; {units} {becomes} free."


def _turns(workload: str, replicas: int) -> str:
    """ "md-chat-1, then md-chat-0": a StatefulSet begins with the highest number."""
    if replicas <= 1:
        return f"{workload}-0 is replaced"
    if replicas > _NAMED:
        return f"one at a time from {workload}-{replicas - 1} down to {workload}-0"
    return ", then ".join(f"{workload}-{ordinal}" for ordinal in reversed(range(replicas)))


def _about(now: Situation, turns: int) -> str:
    """ "about 4 min (median of 11 rollouts)", or that nobody knows."""
    if now.start is None:
        return "as long as the engine takes to start (not measured yet)"
    span = now.start * turns
    minutes = max(-(-span // timedelta(minutes=1)), 1)
    said = f"{minutes} min" if span < _LONG else f"{minutes // 60} h {minutes % 60:02} min"
    return f"about {said} (median of {_count(now.rollouts, 'rollout')})"


def _noun(spec: DeploymentSpec) -> str:
    return "worker" if strategy.runs_as(spec) == GRAPH else "replica"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _capital(text: str) -> str:
    """Names of replicas stay as they are."""
    return text[:1].upper() + text[1:] if text.startswith("one ") else text
