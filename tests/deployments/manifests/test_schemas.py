"""The Kubernetes schemas, strictly, and our own checks accept everything that we render."""

from typing import Any

import kubernetes_validate
import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import ValidationError

from deployments.context import RenderContext
from deployments.manifests import render
from deployments.spec import DeploymentSpec
from tests.deployments.manifests.all_cases import CASES
from tests.deployments.manifests.semantics import faults
from tests.deployments.manifests.strategies import deployments
from tests.deployments.manifests.validation import SCHEMAS, validate

VERSIONS = ("1.31", "1.37")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", CASES)
def test_every_case_is_valid(case: str, version: str) -> None:
    for made in render(*CASES[case]):
        validate(made, version)


@pytest.mark.parametrize("case", CASES)
def test_every_case_makes_sense(case: str) -> None:
    assert faults(render(*CASES[case])) == []


@given(deployments())
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_deployment_is_valid(made: tuple[DeploymentSpec, RenderContext]) -> None:
    for rendered in render(*made):
        validate(rendered, VERSIONS[-1])


@given(deployments())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_deployment_makes_sense(made: tuple[DeploymentSpec, RenderContext]) -> None:
    assert faults(render(*made)) == []


def test_the_schemas_refuse_a_misspelt_field() -> None:
    workload = render(*CASES["vllm-simplest"])[-1]
    workload["spec"]["template"]["spec"]["enableServiceLink"] = False
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(workload, VERSIONS[0])


@pytest.mark.parametrize(
    ("case", "kind", "path", "value"),
    [
        ("nim-operator", "NIMService", ("spec", "image", "pullsecrets"), []),
        ("nim-operator-autoscaled", "NIMService", ("spec", "replicas"), 2),
        ("nim-operator", "NIMService", ("spec", "userID"), "1000"),
        (
            "dynamo-v1beta1-aggregated-vllm",
            "DynamoGraphDeployment",
            ("spec", "components", 1, "type"),
            "backend",
        ),
        (
            "dynamo-v1beta1-aggregated-vllm",
            "DynamoGraphDeployment",
            ("spec", "components", 1, "scalingAdapter"),
            {},
        ),
        (
            "dynamo-v1alpha1-aggregated-vllm",
            "DynamoGraphDeployment",
            ("spec", "services", "Worker", "type"),
            "worker",
        ),
        ("vllm-gateway-route", "HTTPRoute", ("spec", "rules", 0, "timeouts", "request"), "never"),
    ],
)
def test_our_own_schemas_refuse_what_an_operator_would_not_read(
    case: str, kind: str, path: tuple[Any, ...], value: Any
) -> None:
    made = next(found for found in render(*CASES[case]) if found["kind"] == kind)
    place: Any = made
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ValidationError):
        validate(made, VERSIONS[0])


@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
def test_pods_of_a_graph_are_judged_as_pods(version: str) -> None:
    graph = next(
        found
        for found in render(*CASES[f"dynamo-{version}-aggregated-vllm"])
        if found["kind"] == "DynamoGraphDeployment"
    )
    pod = (
        graph["spec"]["components"][1]["podTemplate"]["spec"]
        if version == "v1beta1"
        else graph["spec"]["services"]["Worker"]["extraPodSpec"]
    )
    pod["enableServiceLink"] = False
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(graph, VERSIONS[0])


def test_every_schema_of_ours_is_used() -> None:
    written = {
        f"{made['kind']}-{made['apiVersion'].rpartition('/')[2]}"
        for case in CASES.values()
        for made in render(*case)
    }
    assert {file.stem for file in SCHEMAS.glob("*.yaml")} <= written | {"ScaledObject-v1alpha1"}


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (("metadata", "name"), "md_opt", "not a legal name"),
        (("metadata", "labels", "slipway/deployment"), "a/b", "is not a label value"),
        (("spec", "serviceName"), "md-opt-125m", "not a headless one"),
        (("spec", "selector", "matchLabels"), {"a": "b"}, "does not select the pods"),
        (("spec", "template", "metadata", "labels"), {}, "does not select the pods"),
        (("spec", "template", "spec", "volumes"), [], "has no volume"),
        (("spec", "template", "spec", "imagePullSecrets"), [{"name": "x"}], "does not exist"),
        (("spec", "template", "spec", "containers", 0, "ports", 0, "name"), "web", "the container has not"),
        (
            ("spec", "template", "spec", "containers", 0, "resources", "limits", "memory"),
            "1Gb",
            "not a quantity",
        ),
        (
            ("spec", "template", "spec", "containers", 0, "resources", "limits", "memory"),
            "1Gi",
            "below the request",
        ),
        (("spec", "template", "spec", "containers", 0, "env", 0, "name"), "HF_HOME", "comes 2 times"),
        (("spec", "template", "spec", "containers", 0, "env", 0, "value"), 1, "is not text"),
    ],
)
def test_our_own_checks_find_the_fault(path: tuple[Any, ...], value: Any, fault: str) -> None:
    objects = render(*CASES["vllm-simplest"])
    place: Any = objects[-1]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert any(fault in found for found in faults(objects))
