"""The Kubernetes schemas, strictly, and our own checks accept everything that we render."""

from typing import Any

import kubernetes_validate
import pytest
from hypothesis import HealthCheck, given, settings

from deployments.context import RenderContext
from deployments.manifests import render
from deployments.spec import DeploymentSpec
from tests.deployments.manifests.cases import CASES
from tests.deployments.manifests.semantics import faults
from tests.deployments.manifests.strategies import deployments

VERSIONS = ("1.31", "1.37")


def validate(made: dict[str, Any], version: str) -> None:
    """Custom resources have no schema here; semantics.py looks at them."""
    if made["kind"] not in ("HTTPRoute", "ScaledObject"):
        kubernetes_validate.validate(made, version, strict=True)


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
    workload = render(*CASES["simplest"])[-1]
    workload["spec"]["template"]["spec"]["enableServiceLink"] = False
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(workload, VERSIONS[0])


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
    objects = render(*CASES["simplest"])
    place: Any = objects[-1]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert any(fault in found for found in faults(objects))
