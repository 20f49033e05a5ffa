"""Kubernetes objects as people may read them: rendered with stand-ins, so that no secret is opened to show a page."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import yaml

from deployments.context import ModelSource, RenderContext
from deployments.manifests import render
from deployments.models import CatalogModel, Endpoint
from deployments.spec import DeploymentSpec
from deployments.vocabulary import RolloutStrategy, TlsMode

HIDDEN = "••••••••"
_NEW = "another value"


def manifests(spec: DeploymentSpec, made: RenderContext) -> str:
    """The objects as one YAML stream, every secret value masked; `made` is a context() of this module.

    Raises EngineNotOffered.
    """
    objects = [_masked(manifest) for manifest in render(spec, made)]
    return yaml.safe_dump_all(objects, sort_keys=False, allow_unicode=True, width=100)


def context(
    spec: DeploymentSpec,
    model: CatalogModel,
    endpoint: Endpoint,
    *,
    source: ModelSource,
    revision: int,
    stopped: bool = False,
    strategy: RolloutStrategy = RolloutStrategy.REPLACE,
    restarted_at: str = "",
    new_secrets: Collection[str] = (),
    checksum_key: bytes = b"",
) -> RenderContext:
    """What rendering needs, with a stand-in for every secret; those of `new_secrets` have another one.

    A checksum key makes replicas differ where a secret does, for comparing objects that nobody is shown.
    """
    cluster = endpoint.cluster
    return RenderContext(
        namespace=endpoint.namespace,
        source=source,
        exposure=endpoint.exposure,
        revision=revision,
        stopped=stopped,
        weights_token=HIDDEN if model.weights_token_set_at else None,
        secret_values={name: _NEW if name in new_secrets else HIDDEN for name in spec.secret_names},
        checksum_key=checksum_key,
        ngc_key=HIDDEN if model.ngc_key_set_at or cluster.ngc_key_set_at else None,
        pull_secret=endpoint.pull_secret,
        tls_pair=(endpoint.tls_certificate, HIDDEN) if endpoint.tls == TlsMode.PEM else None,
        storage_class=endpoint.storage_class or None,
        strategy=strategy,
        restarted_at=restarted_at,
        offers=cluster.offers,
    )


def _masked(manifest: dict[str, Any]) -> dict[str, Any]:
    if manifest.get("kind") != "Secret":
        return manifest
    parts: dict[str, Any] = {
        part: dict.fromkeys(manifest[part], HIDDEN) for part in ("data", "stringData") if part in manifest
    }
    return {**manifest, **parts}
