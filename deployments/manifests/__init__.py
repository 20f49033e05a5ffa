"""Kubernetes objects of a deployment: render(spec, context) gives plain dicts, nothing else happens here.

One module per engine, and what engines share in common.py and routes.py. Equal input gives equal output, so
an unchanged deployment is applied as a no-op. Pure: no Django, no I/O.
"""

from __future__ import annotations

from deployments.context import RenderContext
from deployments.engines import ngc
from deployments.manifests import dynamo, nim, vllm
from deployments.manifests.common import EngineNotOffered, Manifest
from deployments.spec import DeploymentSpec
from deployments.vocabulary import Engine

__all__ = ["EngineNotOffered", "Manifest", "render"]

_ENGINES = {Engine.VLLM: vllm.render, Engine.NIM: nim.render, Engine.DYNAMO: dynamo.render}


def render(spec: DeploymentSpec, context: RenderContext) -> list[Manifest]:
    """Every object of the deployment, in the order in which they are to be created.

    Secrets, services, workload, autoscaler, route. Raises EngineNotOffered, with a sentence for people, for
    an engine or a source of weights that cannot be deployed.
    """
    return _ENGINES[spec.engine.kind](ngc.resolve(spec, context.source), context)
