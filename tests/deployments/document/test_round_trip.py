"""What is written can be read, and means the same; what is left out has its documented value."""

from decimal import Decimal

import pytest
import yaml
from hypothesis import given, settings

from deployments import document
from deployments.spec import (
    Autoscaling,
    DeploymentSpec,
    EngineSpec,
    Gpu,
    Limit,
    Pricing,
    RateLimits,
    Resources,
    SharingSpec,
    Variable,
)
from deployments.vocabulary import Engine, ScalingMetric, Sharing
from tests.deployments.document.examples import COMPLETE, SPECS

SPEC = DeploymentSpec(
    name="support-bot",
    description="Answers for the help desk",
    model="llama-8b-instruct",
    endpoint="oslo",
    engine=EngineSpec(
        Engine.VLLM,
        "registry.example.com:5000/team/vllm-openai",
        "v0.33.0",
        2,
        "200Gi",
        ("--max-model-len", "16384", "--tensor-parallel-size=2"),
    ),
    resources=Resources("500m", "16Gi", "6", "32Gi", Gpu(2, "nvidia.com/gpu", "NVIDIA-L40S")),
    autoscaling=Autoscaling(True, 2, 5, ScalingMetric.MEMORY, 70),
    environment=(Variable("VLLM_LOGGING_LEVEL", "DEBUG"), Variable("HF_TOKEN", secret=True)),
    rate_limits=RateLimits(organization=Limit(90_000, 300), api_key=Limit(None, 30)),
    pricing=Pricing("EUR", Decimal("0.15"), Decimal("0.60"), Decimal("0.05")),
    sharing=SharingSpec(Sharing.SELECTED, ("acme", "globex")),
)
SHORTEST = """\
apiVersion: slipway/v1
kind: ModelDeployment
metadata: {name: a}
spec:
  model: m
  endpoint: e
  engine: {tag: v1}
"""


def test_every_field_of_a_complete_document_is_read() -> None:
    assert document.read(COMPLETE) == SPEC
    assert document.read(COMPLETE.encode()) == SPEC


def test_a_complete_spec_is_written_and_read_again() -> None:
    assert document.read(document.write(SPEC)) == SPEC


def test_the_written_document_is_in_its_usual_order_and_prices_are_exact_text() -> None:
    raw = yaml.safe_load(document.write(SPEC))
    assert list(raw) == ["apiVersion", "kind", "metadata", "spec"]
    assert list(raw["spec"]) == [
        *["model", "endpoint", "engine", "resources", "autoscaling"],
        *["environment", "rateLimits", "pricing", "sharing"],
    ]
    assert raw["spec"]["pricing"] == {
        "currency": "EUR",
        "inputPerMillion": "0.15",
        "outputPerMillion": "0.60",
        "cachedInputPerMillion": "0.05",
    }
    assert raw["spec"]["environment"][1] == {"name": "HF_TOKEN", "secret": True}
    assert raw["spec"]["rateLimits"]["apiKey"] == {"requestsPerMinute": 30}


def test_what_is_left_out_has_its_usual_value() -> None:
    engine = EngineSpec(Engine.VLLM, "vllm/vllm-openai", "v1", 1, "100Gi", ())
    spec = DeploymentSpec(name="a", model="m", endpoint="e", engine=engine)
    assert document.read(SHORTEST) == spec
    assert (spec.resources.cpu_limit, spec.resources.memory_limit, spec.pricing) == ("8", "48Gi", None)


def test_a_request_alone_is_its_own_memory_limit_and_leaves_the_cpu_without_one() -> None:
    only = document.read(SHORTEST + "  resources: {requests: {cpu: 16, memory: ' 64Gi '}}\n").resources
    assert only == Resources("16", "64Gi", None, "64Gi")
    raw = yaml.safe_load(SHORTEST)
    raw["spec"]["resources"] = {"requests": {"memory": 64 * 1024**3}}
    assert document.from_mapping(raw).resources.memory_limit == "68719476736"


def test_a_missing_cpu_limit_stays_missing() -> None:
    spec = document.read(SHORTEST + "  resources: {requests: {cpu: 2}}\n")
    assert document.read(document.write(spec)).resources.cpu_limit is None


def test_listed_organisations_are_sorted_and_each_stands_once() -> None:
    text = SHORTEST + "  sharing: {mode: selected, organizations: [b, a, b]}\n"
    assert document.read(text).sharing.organizations == ("a", "b")


@pytest.mark.parametrize("said", ["", ", cachedInputPerMillion: ~", ", cachedInputPerMillion: ''"])
def test_cached_input_without_a_price_of_its_own_is_not_written(said: str) -> None:
    text = SHORTEST + f"  pricing: {{inputPerMillion: 1, outputPerMillion: 2{said}}}\n"
    spec = document.read(text)
    assert spec.pricing == Pricing("USD", Decimal(1), Decimal(2), None)
    assert list(document.to_mapping(spec)["spec"]["pricing"]) == [
        *("currency", "inputPerMillion", "outputPerMillion")
    ]


def test_cached_input_that_is_free_has_a_price() -> None:
    text = SHORTEST + "  pricing: {inputPerMillion: 1, outputPerMillion: 2, cachedInputPerMillion: 0}\n"
    pricing = document.to_mapping(document.read(text))["spec"]["pricing"]
    assert pricing["cachedInputPerMillion"] == "0"


def test_minus_zero_is_zero() -> None:
    text = SHORTEST + "  pricing: {inputPerMillion: '-0', outputPerMillion: 0}\n"
    assert document.to_mapping(document.read(text))["spec"]["pricing"]["inputPerMillion"] == "0"


@given(SPECS)
def test_plain_values_of_any_spec_mean_that_spec(spec: DeploymentSpec) -> None:
    assert document.from_mapping(document.to_mapping(spec)) == spec


@settings(max_examples=60)
@given(SPECS)
def test_the_text_of_any_spec_means_that_spec(spec: DeploymentSpec) -> None:
    assert document.read(document.write(spec)) == spec
