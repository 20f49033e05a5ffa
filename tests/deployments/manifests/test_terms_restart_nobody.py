"""Limits, prices, texts, sharing and the rollout strategy leave the pod templates of every engine byte for byte."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from deployments.context import RenderContext
from deployments.manifests import render
from deployments.spec import DeploymentSpec, Limit, Pricing, RateLimits, SharingSpec
from deployments.vocabulary import DynamoMode, RolloutStrategy, Sharing
from tests.deployments.manifests import cases, dynamo_cases, nim_cases

ENGINES: dict[str, tuple[DeploymentSpec, RenderContext]] = {
    "vllm": (cases.SIMPLEST, cases.CONTEXT),
    "nim": (nim_cases.NIM, nim_cases.CONTEXT),
    "nim-operator": (nim_cases.operated(), nim_cases.CONTEXT),
    "dynamo": (dynamo_cases.graph(), dynamo_cases.given()),
    "dynamo-apart": (dynamo_cases.graph(DynamoMode.DISAGGREGATED), dynamo_cases.given("v1alpha1")),
}
TERMS: dict[str, dict[str, Any]] = {
    "limits": {"rate_limits": RateLimits(api_key=Limit(tokens_per_minute=1000))},
    "prices": {"pricing": Pricing("EUR", Decimal(1), Decimal(2))},
    "texts": {"description": "For everyone"},
    "sharing": {"sharing": SharingSpec(Sharing.SELECTED, ("acme",))},
    "rollout": {"rollout": RolloutStrategy.SURGE},
}
#: What decides pods, by kind of workload; in a NIMService and a graph nearly the whole spec does.
PODS = {"StatefulSet": "template", "NIMService": None, "DynamoGraphDeployment": None}


def templates(spec: DeploymentSpec, context: RenderContext) -> bytes:
    found = []
    for each in render(spec, context):
        if each["kind"] in PODS:
            part = PODS[each["kind"]]
            found.append(each["spec"][part] if part else each["spec"])
    assert found
    return json.dumps(found).encode()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("term", TERMS)
def test_terms_and_texts_are_no_part_of_a_pod(engine: str, term: str) -> None:
    spec, context = ENGINES[engine]
    changed = replace(spec, **TERMS[term])
    assert changed != spec
    assert templates(changed, replace(context, revision=2)) == templates(spec, context)


@pytest.mark.parametrize("engine", ["vllm", "nim", "nim-operator"])
def test_the_strategy_of_a_revision_is_no_part_of_a_pod_that_slipway_rolls(engine: str) -> None:
    """Dynamo's operator reads it from the pods; the plan holds it back there (plan/graphs.py)."""
    spec, context = ENGINES[engine]
    assert templates(spec, replace(context, strategy=RolloutStrategy.SURGE)) == templates(spec, context)


@pytest.mark.parametrize("engine", ENGINES)
def test_another_tag_does_change_them(engine: str) -> None:
    spec, context = ENGINES[engine]
    assert templates(replace(spec, engine=replace(spec.engine, tag="0.0.1")), context) != templates(
        spec, context
    )
