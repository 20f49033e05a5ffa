"""A spec as a document: complete and in its usual order. Pure."""

from __future__ import annotations

from typing import Any

import yaml

from deployments.document.engine import write_engine
from deployments.spec import DeploymentSpec, Limit
from deployments.vocabulary import RolloutStrategy, Sharing

API_VERSION = "slipway/v1"
KIND = "ModelDeployment"


def to_mapping(spec: DeploymentSpec) -> dict[str, Any]:
    """The document as plain values, complete and in its usual order; reading it gives an equal spec."""
    scaling, resources, gpu = spec.autoscaling, spec.resources, spec.resources.gpu
    limits = {"memory": resources.memory_limit}
    if resources.cpu_limit is not None:
        limits = {"cpu": resources.cpu_limit, **limits}
    body: dict[str, Any] = {
        "model": spec.model,
        "endpoint": spec.endpoint,
        "engine": write_engine(spec.engine),
        "resources": {
            "requests": {"cpu": resources.cpu_request, "memory": resources.memory_request},
            "limits": limits,
            "gpu": {"count": gpu.count, "resource": gpu.resource, "product": gpu.product},
        },
        "autoscaling": {
            "enabled": scaling.enabled,
            "minReplicas": scaling.min_replicas,
            "maxReplicas": scaling.max_replicas,
            "metric": scaling.metric.value,
            "threshold": scaling.threshold,
        },
        "environment": [
            {"name": v.name, "secret": True} if v.secret else {"name": v.name, "value": v.value or ""}
            for v in spec.environment
        ],
        "rateLimits": {
            key: _limit(limit)
            for key, limit in (
                ("organization", spec.rate_limits.organization),
                ("user", spec.rate_limits.user),
                ("apiKey", spec.rate_limits.api_key),
            )
            if limit is not None
        },
    }
    if spec.pricing is not None:
        body["pricing"] = {
            "currency": spec.pricing.currency,
            "inputPerMillion": f"{spec.pricing.input_per_million:f}",
            "outputPerMillion": f"{spec.pricing.output_per_million:f}",
        }
        if (cached := spec.pricing.cached_input_per_million) is not None:
            body["pricing"]["cachedInputPerMillion"] = f"{cached:f}"
    body["sharing"] = {"mode": spec.sharing.mode.value}
    if spec.sharing.mode is Sharing.SELECTED:
        body["sharing"]["organizations"] = list(spec.sharing.organizations)
    if spec.rollout is not RolloutStrategy.AUTO:
        body["rollout"] = {"strategy": spec.rollout.value}
    metadata = {"name": spec.name, "description": spec.description}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": body}


def write(spec: DeploymentSpec) -> str:
    """The document as YAML."""
    return yaml.safe_dump(to_mapping(spec), sort_keys=False, allow_unicode=True, width=100)


def _limit(limit: Limit) -> dict[str, int]:
    values = {"tokensPerMinute": limit.tokens_per_minute, "requestsPerMinute": limit.requests_per_minute}
    return {key: value for key, value in values.items() if value is not None}
