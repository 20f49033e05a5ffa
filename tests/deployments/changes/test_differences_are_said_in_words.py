"""Every setting that differs between two documents has a line in words; equal documents have none."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from deployments import document
from deployments.context import ModelSource, SizingFacts
from deployments.history import changes
from deployments.spec import (
    Autoscaling,
    DeploymentSpec,
    DynamoSpec,
    EngineSpec,
    NimSpec,
    Pricing,
    SharingSpec,
    Variable,
    Workers,
)
from deployments.vocabulary import (
    DynamoMode,
    Engine,
    NimRunner,
    RolloutStrategy,
    ScalingMetric,
    Sharing,
)
from tests.deployments.document.examples import SPECS

VLLM = EngineSpec(Engine.VLLM, "vllm/vllm-openai", "v0.33.0")
NIM = EngineSpec(Engine.NIM, "nvcr.io/nim/meta/llama", "2.1.5", nim=NimSpec())
DYNAMO = EngineSpec(Engine.DYNAMO, "nvcr.io/nvidia/ai-dynamo/vllm-runtime", "1.2.0", dynamo=DynamoSpec())
SPLIT = replace(DYNAMO, dynamo=DynamoSpec(DynamoMode.DISAGGREGATED))


def spec(engine: EngineSpec = VLLM, **parts: Any) -> DeploymentSpec:
    return DeploymentSpec("chat", "llama", "main", engine, **parts)


def test_the_price_of_cached_input_is_a_line_of_its_own() -> None:
    before = spec(pricing=Pricing("USD", Decimal(1), Decimal(2)))
    after = spec(pricing=Pricing("USD", Decimal(1), Decimal(2), Decimal("0.25")))
    assert [line[:3] for line in lines(before, after)] == [("Price, cached input tokens", "Not set", "0.25")]
    assert [line[:3] for line in lines(after, before)] == [("Price, cached input tokens", "0.25", "Not set")]


def lines(before: DeploymentSpec, after: DeploymentSpec) -> list[tuple[str, str, str, str]]:
    found = changes.between(document.to_mapping(before), document.to_mapping(after))
    return [(change.label, change.old, change.new, change.effect) for change in found]


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (VLLM, replace(VLLM, tag="v0.32.0"), ("Image tag", "v0.33.0", "v0.32.0", "With the restart")),
        (VLLM, replace(VLLM, replicas=3), ("Replicas", "1", "3", "The others keep running")),
        (
            VLLM,
            replace(VLLM, volume="200Gi"),
            ("Volume per replica", "100Gi", "200Gi", "The volumes grow"),
        ),
        (
            VLLM,
            replace(VLLM, arguments=("--seed", "1 2")),
            ("Arguments", "Not set", "--seed '1 2'", "With the restart"),
        ),
        (
            NIM,
            replace(NIM, nim=NimSpec("tp2-fp8")),
            ("Profile", "Chosen by NIM", "tp2-fp8", "With the restart"),
        ),
        (
            NIM,
            replace(NIM, nim=NimSpec(runner=NimRunner.OPERATOR)),
            ("Run by", "Slipway", "NIM Operator", "With the restart"),
        ),
        (
            DYNAMO,
            replace(DYNAMO, volume="200Gi"),
            ("Volume per replica", "100Gi", "200Gi", "With the restart"),
        ),
        (
            SPLIT,
            replace(SPLIT, dynamo=DynamoSpec(DynamoMode.DISAGGREGATED, decode=Workers(3))),
            ("Decode workers", "1", "3", "The others keep running"),
        ),
        (
            SPLIT,
            replace(SPLIT, dynamo=DynamoSpec(DynamoMode.DISAGGREGATED, prefill=Workers(1, 2))),
            ("GPUs per prefill worker", "As per replica", "2", "With the restart"),
        ),
    ],
)
def test_a_setting_of_an_engine(
    before: EngineSpec, after: EngineSpec, line: tuple[str, str, str, str]
) -> None:
    assert lines(spec(before), spec(after)) == [line]


@pytest.mark.parametrize(
    ("part", "line"),
    [
        (
            {"rollout": RolloutStrategy.SURGE},
            ("Rollout", "Safe choice", "Start one more first", "At this rollout"),
        ),
        ({"description": "New"}, ("Description", "Not set", "New", "No pod restarts")),
        ({"environment": (Variable("A", "1"),)}, ("Variable", "Not set", "1", "With the restart")),
        (
            {"autoscaling": Autoscaling(metric=ScalingMetric.KV_CACHE)},
            ("Scaling metric", "CPU", "KV-cache use", "No pod restarts"),
        ),
    ],
)
def test_a_setting_around_it(part: dict[str, Any], line: tuple[str, str, str, str]) -> None:
    assert lines(spec(), spec(**part)) == [line]


def test_a_threshold_has_the_unit_of_its_metric() -> None:
    waiting = Autoscaling(metric=ScalingMetric.REQUESTS_WAITING, threshold=5)
    said = {label: (old, new) for label, old, new, _ in lines(spec(), spec(autoscaling=waiting))}
    assert said["Scaling threshold"] == ("80 %", "5")


def test_whom_it_is_shared_with() -> None:
    shared = SharingSpec(Sharing.SELECTED, ("acme", "globex"))
    assert lines(spec(), spec(sharing=shared)) == [
        ("Sharing", "Not shared", "Selected organisations", "No pod restarts"),
        ("Shared with", "Not set", "acme, globex", "No pod restarts"),
    ]


def test_a_secret_is_never_more_than_said_to_be_one() -> None:
    before = document.to_mapping(spec(environment=(Variable("TOKEN", secret=True),)))
    assert changes.between(before, before) == []
    (change,) = changes.between(before, before, frozenset({"TOKEN"}))
    assert (change.code, change.old, change.new, change.restarts) == (
        "TOKEN",
        "Secret",
        "New secret value",
        True,
    )


def test_other_weights_behind_the_same_name_restart_replicas() -> None:
    old, new = ModelSource("meta/llama"), ModelSource("meta/llama", revision="abc")
    assert changes.of_weights(old, replace(old, sizing=SizingFacts(parameters=1))) == []
    (change,) = changes.of_weights(old, new)
    assert (change.old, change.new, change.restarts) == ("meta/llama", "meta/llama at abc", True)


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, ""),
        (1, "A"),
        (2, "A and B"),
        (3, "A, B and C"),
        (5, "A, B and 3 more"),
    ],
)
def test_many_changes_are_said_in_one_line(count: int, said: str) -> None:
    found = [changes.Change(letter, "1", "2") for letter in "ABCDE"[:count]]
    assert changes.in_short(found) == said


@given(SPECS)
def test_a_document_does_not_differ_from_itself(one: DeploymentSpec) -> None:
    mapping = document.to_mapping(one)
    assert changes.between(mapping, mapping) == []


def test_the_order_of_variables_is_a_difference() -> None:
    rows = (Variable("A", "1"), Variable("B", "2"))
    assert lines(spec(environment=rows), spec(environment=rows[::-1])) == [
        ("Order of variables", "A, B", "B, A", "With the restart")
    ]


@given(SPECS, SPECS)
def test_no_difference_is_passed_over(one: DeploymentSpec, other: DeploymentSpec) -> None:
    other = replace(other, name=one.name, model=one.model, endpoint=one.endpoint)
    before, after = document.to_mapping(one), document.to_mapping(other)
    if not changes.between(before, after):
        assert before == after
