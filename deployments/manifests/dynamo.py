"""NVIDIA Dynamo: not offered; says what is missing."""

from __future__ import annotations

from typing import NoReturn

from deployments.context import RenderContext
from deployments.manifests.common import EngineNotOffered
from deployments.spec import DeploymentSpec


def render(spec: DeploymentSpec, context: RenderContext) -> NoReturn:
    raise EngineNotOffered(
        "NVIDIA Dynamo is not offered yet: Slipway does not write the DynamoGraphDeployment that "
        "its operator needs. Choose vLLM."
    )
