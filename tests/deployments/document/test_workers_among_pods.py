"""How many of a deployment's pods do the work, for what is said about restarts and capacity."""

from dataclasses import replace

import pytest

from deployments.spec import DeploymentSpec, DynamoSpec, EngineSpec, Workers
from deployments.vocabulary import DynamoMode, Engine

PLAIN = DeploymentSpec("chat", "opt-125m", "main", EngineSpec(Engine.VLLM, "vllm/vllm-openai", "v0.33.0", 3))
GRAPH = replace(
    PLAIN,
    engine=EngineSpec(
        Engine.DYNAMO,
        "nvcr.io/nvidia/ai-dynamo/vllm-runtime",
        "1.4.0",
        dynamo=DynamoSpec(DynamoMode.DISAGGREGATED, prefill=Workers(1), decode=Workers(2)),
    ),
)


@pytest.mark.parametrize(
    ("spec", "pods", "workers"), [(PLAIN, 5, 5), (PLAIN, 0, 3), (GRAPH, 5, 4), (GRAPH, 1, 3), (GRAPH, 0, 3)]
)
def test_a_frontend_is_no_worker(spec: DeploymentSpec, pods: int, workers: int) -> None:
    assert spec.workers_among(pods) == workers
