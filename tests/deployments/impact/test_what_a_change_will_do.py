"""Before a change is saved: which objects it touches, which replicas restart when, what is missing meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from deployments.context import ClusterOffers, ModelSource, RenderContext
from deployments.facts import ClusterFacts, GpuNode
from deployments.impact import Impact, Situation, Touch, impact
from deployments.manifests import render
from deployments.quantity import GIBI
from deployments.spec import (
    Autoscaling,
    DeploymentSpec,
    DynamoSpec,
    EngineSpec,
    Limit,
    RateLimits,
    SharingSpec,
    Variable,
    Workers,
)
from deployments.strategy import Choice
from deployments.vocabulary import DynamoMode, Engine, RolloutStrategy, Sharing, Tone
from tests.deployments.document.examples import SPECS

OLD = DeploymentSpec(
    "chat", "llama", "main", EngineSpec(Engine.VLLM, "vllm/vllm-openai", "v0.33.0", replicas=2)
)
NEW_TAG = replace(OLD, engine=replace(OLD.engine, tag="v0.34.0"))
SPLIT = replace(
    OLD,
    engine=EngineSpec(
        Engine.DYNAMO, "vllm-runtime", "1.2.0", dynamo=DynamoSpec(DynamoMode.DISAGGREGATED, decode=Workers(2))
    ),
)
REPLACE, SURGE = (Choice(how, "") for how in (RolloutStrategy.REPLACE, RolloutStrategy.SURGE))
NOW = Situation(replicas=2, ready=2, start=timedelta(seconds=230), rollouts=3)
ROOM = ClusterFacts("v1.34.2", gpu_nodes=(GpuNode("gpu-1", "H100", 80 * GIBI, total=8, free=1),))


def objects(spec: DeploymentSpec, revision: int = 1, secret: str = "kept") -> list[dict[str, Any]]:
    context = RenderContext(
        namespace="models",
        source=ModelSource("meta/llama"),
        revision=revision,
        secret_values=dict.fromkeys(spec.secret_names, secret),
        checksum_key=b"key",
        offers=ClusterOffers(prometheus_url="http://prometheus"),
    )
    return render(spec, context)


def of(
    new: DeploymentSpec,
    choice: Choice = REPLACE,
    now: Situation = NOW,
    old: DeploymentSpec = OLD,
    secret: str = "kept",
) -> Impact:
    return impact(objects(old), objects(new, 2, secret), old, new, choice, now)


def line(found: Impact, what: str) -> str:
    return dict(found.lines)[what]


@pytest.mark.parametrize(
    "change",
    [
        {"rate_limits": RateLimits(user=Limit(requests_per_minute=60))},
        {"sharing": SharingSpec(Sharing.ALL)},
        {"description": "Chat for everyone"},
    ],
)
def test_terms_touch_no_pod(change: dict[str, Any]) -> None:
    found = of(replace(OLD, **change))
    assert (found.title, found.tone, found.restarts) == ("No pod restarts", Tone.GOOD, False)
    assert [(each.kind, each.note) for each in found.touched] == [
        ("StatefulSet", "Only the revision's number")
    ]
    assert {each.kind for each in found.untouched} == {"Service"}


def test_replicas_are_replaced_from_the_highest_number_down() -> None:
    found = of(NEW_TAG)
    assert found.title == "2 replicas restart, one after the other"
    assert line(found, "Order") == "md-chat-1, then md-chat-0. Each waits until the one before is ready."
    assert line(found, "Capacity meanwhile") == (
        "1 of 2 replicas is away at a time, for about 8 min (median of 3 rollouts) in all."
    )
    (written,) = [each for each in found.touched if each.restarts]
    assert (written.kind, written.touch, written.note) == (
        "StatefulSet",
        Touch.WRITTEN,
        "Its pods are made anew",
    )


def test_many_replicas_are_not_named_one_by_one() -> None:
    many = replace(NEW_TAG, engine=replace(NEW_TAG.engine, replicas=8))
    found = of(
        many, now=replace(NOW, replicas=8, ready=8), old=replace(OLD, engine=replace(OLD.engine, replicas=8))
    )
    assert line(found, "Order").startswith("One at a time from md-chat-7 down to md-chat-0.")


def test_one_more_starts_first_and_nothing_is_missed() -> None:
    found = of(NEW_TAG, SURGE)
    assert (found.title, found.tone) == ("2 replicas restart, and none is missed", Tone.GOOD)
    assert line(found, "Order") == (
        "md-chat-2 starts first, beside the others. Then md-chat-1, then md-chat-0. md-chat-2 goes at the end."
    )
    assert line(found, "Capacity meanwhile") == "None is lost: one more is ready before an old one goes."


def test_added_replicas_play_the_part_of_the_extra_one() -> None:
    more = replace(NEW_TAG, engine=replace(NEW_TAG.engine, replicas=3))
    found = of(more, SURGE)
    assert line(found, "Order").startswith("The added replicas start first")
    assert line(found, "Replicas") == "1 more replica starts, and takes 1 GPU."


def test_the_only_replica_is_missed() -> None:
    single = replace(NEW_TAG, engine=replace(NEW_TAG.engine, replicas=1))
    found = of(
        single,
        now=replace(NOW, replicas=1, ready=1, start=None),
        old=replace(OLD, engine=replace(OLD.engine, replicas=1)),
    )
    assert (found.title, found.tone) == ("1 replica restarts, and nothing serves meanwhile", Tone.WARN)
    assert line(found, "Order") == "md-chat-0 is replaced."
    assert "not measured yet" in line(found, "Capacity meanwhile")


def test_where_nothing_serves_nothing_is_lost() -> None:
    found = of(NEW_TAG, now=replace(NOW, ready=0))
    assert found.title == "2 replicas restart; nothing serves now"
    assert line(found, "Capacity meanwhile") == "Nothing serves now, so nothing is lost."


def test_a_way_back_to_what_serves_restarts_nothing_that_serves() -> None:
    found = of(NEW_TAG, now=replace(NOW, kept=3))
    assert (found.title, found.tone, found.restarts) == ("No pod that serves restarts", Tone.GOOD, False)
    assert line(found, "Order").startswith("The replicas of revision 3 are what is wanted again")
    assert [each.note for each in found.touched] == ["Pods of later revisions go"]


def test_a_stopped_deployment_has_no_pods_to_restart() -> None:
    found = of(NEW_TAG, now=replace(NOW, stopped=True))
    assert (found.title, found.restarts) == ("It is stopped: nothing runs before it is started", False)


def test_a_new_value_of_a_secret_restarts_its_readers() -> None:
    old = replace(OLD, environment=(Variable("TOKEN", secret=True),))
    assert not of(old, old=old).restarts
    found = of(old, old=old, secret="another")
    assert found.restarts
    assert {each.kind for each in found.touched} == {"Secret", "StatefulSet"}


def test_whether_one_more_would_find_a_place() -> None:
    assert line(of(NEW_TAG), "Spare GPU") == "Not known: the cluster has not been checked."
    roomy = line(of(NEW_TAG, now=replace(NOW, facts=ROOM)), "Spare GPU")
    assert roomy == "gpu-1 has room for one more replica."
    full = replace(ROOM, gpu_nodes=(replace(ROOM.gpu_nodes[0], free=0),))
    assert line(of(NEW_TAG, now=replace(NOW, facts=full)), "Spare GPU") == (
        "None: no node has 1 free GPU, the CPU and the memory for one more replica."
    )


def test_other_numbers_of_replicas_leave_the_rest_alone() -> None:
    fewer = of(replace(OLD, engine=replace(OLD.engine, replicas=1)))
    assert (fewer.title, line(fewer, "Replicas")) == (
        "No pod restarts",
        "1 replica stops; 1 GPU becomes free.",
    )
    more = of(replace(OLD, engine=replace(OLD.engine, replicas=4)))
    assert line(more, "Replicas") == "2 more replicas start, and take 2 GPUs."


def test_the_autoscaler_takes_and_gives_back_the_replicas() -> None:
    scaled = replace(OLD, autoscaling=Autoscaling(enabled=True))
    taken = of(scaled)
    assert line(taken, "Autoscaler") == "It takes over from the present 2 replicas."
    assert ("HorizontalPodAutoscaler", Touch.MADE) in [(each.kind, each.touch) for each in taken.touched]
    given = impact(objects(scaled), objects(OLD, 2), scaled, OLD, REPLACE, NOW)
    assert line(given, "Autoscaler") == "It goes; 2 replicas stay from then on."
    assert ("HorizontalPodAutoscaler", Touch.REMOVED) in [(each.kind, each.touch) for each in given.touched]


def test_another_kind_of_workload_follows_the_old_one() -> None:
    found = impact(objects(OLD), [], OLD, SPLIT, REPLACE, NOW)
    assert found.tone is Tone.WARN
    assert line(found, "Order").startswith("The old StatefulSet goes first")
    assert line(found, "Capacity meanwhile") == "None for about 4 min (median of 3 rollouts)."


def test_workers_of_dynamo_roll_together() -> None:
    def graph(digest: str) -> dict[str, Any]:
        labels = {"slipway/template": digest}
        return {
            "kind": "DynamoGraphDeployment",
            "metadata": {"name": "md-chat", "labels": labels},
            "spec": {},
        }

    found = impact([graph("a")], [graph("b")], SPLIT, SPLIT, REPLACE, replace(NOW, replicas=3, ready=3))
    assert found.title == "3 workers restart"
    assert "all workers together, in place" in line(found, "Order")
    assert not impact([graph("a")], [graph("a")], SPLIT, SPLIT, REPLACE, NOW).restarts


@settings(suppress_health_check=[HealthCheck.too_slow])  # whole specs take a while to make
@given(SPECS)
def test_what_changes_nothing_touches_nothing(spec: DeploymentSpec) -> None:
    made = objects(spec)
    found = impact(made, made, spec, spec, REPLACE, NOW)
    assert (found.touched, found.restarts, found.lines) == ((), False, ())
