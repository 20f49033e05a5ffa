"""A volume grows where its storage class allows it; what cannot be is refused with the way out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployments.facts import ClusterFacts, StorageClass
from deployments.impact import volumes
from deployments.spec import DeploymentSpec, DynamoSpec, EngineSpec, NimSpec
from deployments.vocabulary import Engine, NimRunner

VLLM = EngineSpec(Engine.VLLM, "vllm/vllm-openai", "v0.33.0", volume="100Gi")
OPERATED = EngineSpec(Engine.NIM, "nim/llama", "2", volume="100Gi", nim=NimSpec(runner=NimRunner.OPERATOR))
DYNAMO = EngineSpec(Engine.DYNAMO, "runtime", "1", volume="100Gi", dynamo=DynamoSpec())
FACTS = ClusterFacts(
    "v1.34.2", storage_classes=(StorageClass("fixed", default=True), StorageClass("grows", expandable=True))
)


def spec(engine: EngineSpec, volume: str) -> DeploymentSpec:
    return DeploymentSpec("chat", "llama", "main", replace(engine, volume=volume))


def refusal(engine: EngineSpec, after: str, storage_class: str | None = "grows") -> str:
    return volumes.refusal(spec(engine, "100Gi"), spec(engine, after), FACTS, storage_class)


@pytest.mark.parametrize(
    ("engine", "says"),
    [
        (VLLM, "made anew around its running pods: none restarts"),
        (OPERATED, "The claim that the replicas share"),
        (DYNAMO, "as the workers are made anew"),
    ],
)
def test_how_it_grows(engine: EngineSpec, says: str) -> None:
    ((what, sentence),) = volumes.lines(spec(engine, "100Gi"), spec(engine, "200Gi"))
    assert what == "Volumes"
    assert "from 100Gi to 200Gi" in sentence
    assert says in sentence


def test_the_same_size_written_otherwise_is_no_change() -> None:
    assert volumes.lines(spec(VLLM, "1024Gi"), spec(VLLM, "1Ti")) == []
    assert volumes.refusal(spec(VLLM, "1024Gi"), spec(VLLM, "1Ti"), FACTS, "fixed") == ""


def test_it_never_shrinks() -> None:
    assert refusal(VLLM, "50Gi") == (
        "The volume cannot shrink from 100Gi to 50Gi: Kubernetes only lets volumes grow. "
        "Set it back to 100Gi, or deploy under another name."
    )


@pytest.mark.parametrize("storage_class", [None, "fixed"])
def test_a_class_that_does_not_grow_is_refused(storage_class: str | None) -> None:
    said = refusal(VLLM, "200Gi", storage_class)
    assert said.startswith("The volume cannot grow to 200Gi: the storage class fixed does not allow it.")
    assert said.endswith("with a storage class that lets volumes grow.")


def test_what_grows_or_is_not_known_is_not_refused() -> None:
    assert refusal(VLLM, "200Gi", "grows") == refusal(VLLM, "200Gi", "unknown") == ""
    assert volumes.refusal(spec(VLLM, "100Gi"), spec(VLLM, "200Gi"), None, None) == ""


def test_volumes_of_another_workload_are_other_volumes() -> None:
    assert refusal(DYNAMO, "50Gi") == ""
    assert volumes.refusal(spec(VLLM, "100Gi"), spec(DYNAMO, "50Gi"), FACTS, None) == ""
