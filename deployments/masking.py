"""Kubernetes objects as people may read them: rendered with stand-ins, so that no secret is opened to show a page."""

from __future__ import annotations

from typing import Any

import yaml

from deployments.context import ModelSource, RenderContext
from deployments.manifests import render
from deployments.models import CatalogModel, Endpoint
from deployments.spec import DeploymentSpec
from deployments.vocabulary import TlsMode

HIDDEN = "••••••••"


def manifests(
    spec: DeploymentSpec,
    model: CatalogModel,
    endpoint: Endpoint,
    *,
    source: ModelSource,
    revision: int,
    stopped: bool = False,
) -> str:
    """The objects as one YAML stream, every secret value masked. Raises EngineNotOffered."""
    context = RenderContext(
        namespace=endpoint.namespace,
        source=source,
        exposure=endpoint.exposure,
        revision=revision,
        stopped=stopped,
        weights_token=HIDDEN if model.weights_token_set_at else None,
        secret_values=dict.fromkeys(spec.secret_names, HIDDEN),
        tls_pair=(endpoint.tls_certificate, HIDDEN) if endpoint.tls == TlsMode.PEM else None,
        storage_class=endpoint.storage_class or None,
    )
    objects = [_masked(manifest) for manifest in render(spec, context)]
    return yaml.safe_dump_all(objects, sort_keys=False, allow_unicode=True, width=100)


def _masked(manifest: dict[str, Any]) -> dict[str, Any]:
    if manifest.get("kind") != "Secret":
        return manifest
    parts: dict[str, Any] = {
        part: dict.fromkeys(manifest[part], HIDDEN) for part in ("data", "stringData") if part in manifest
    }
    return {**manifest, **parts}
