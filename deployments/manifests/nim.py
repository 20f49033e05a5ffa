"""NVIDIA NIM: not offered; says what is missing."""

from __future__ import annotations

from typing import NoReturn

from deployments.context import RenderContext
from deployments.manifests.common import EngineNotOffered
from deployments.spec import DeploymentSpec


def render(spec: DeploymentSpec, context: RenderContext) -> NoReturn:
    raise EngineNotOffered(
        "NVIDIA NIM is not offered yet: Slipway has no NGC pull secret and no NIM health checks. Choose vLLM."
    )
