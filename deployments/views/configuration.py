"""The configuration of a deployment as facts."""

from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from console.access import Permission, requires
from console.http import Request, page
from deployments.history import portrait
from deployments.history.portrait import Facts
from deployments.spec import DeploymentSpec
from deployments.views.frame import find, head
from deployments.vocabulary import LimitScope

MOST_PRICES = 50


@require_safe
@requires(Permission.VIEW)
def settings(request: Request, name: str) -> HttpResponse:
    """Everything that the current revision says; secret values are only said to be set."""
    deployment, standing, now = find(request, name)
    spec = deployment.spec
    context: dict[str, Any] = head(deployment, standing, "deployment_configuration", now) | {
        "sections": _sections(spec, deployment.model.name),
        "arguments": "\n".join(spec.engine.arguments),
        "variables": spec.environment,
        "prices": deployment.prices.all()[:MOST_PRICES],
        "number": deployment.current.number,  # type: ignore[union-attr]
        "saved_at": deployment.current.created_at,  # type: ignore[union-attr]
        "saved_by": deployment.current.author or "the command line",  # type: ignore[union-attr]
    }
    return page(request, "deployments/configuration.html", context)


def _sections(spec: DeploymentSpec, model: str) -> list[tuple[str, Facts]]:
    resources = spec.resources
    return [
        (
            "General",
            [
                ("Name", spec.name),
                ("Description", spec.description),
                ("Model", model),
                ("Endpoint", spec.endpoint),
                *portrait.sharing(spec),
            ],
        ),
        ("Engine", portrait.engine(spec)),
        (
            "Resources per replica",
            [
                ("CPU", f"{resources.cpu_request} requested, {resources.cpu_limit or 'no'} limit"),
                ("Memory", f"{resources.memory_request} requested, {resources.memory_limit} limit"),
                *portrait.gpus(spec),
            ],
        ),
        ("Scaling and rollout", [*portrait.scaling(spec.autoscaling), *portrait.change(spec)]),
        ("Rate limits", _limits(spec)),
        ("Price", portrait.price(spec)),
    ]


def _limits(spec: DeploymentSpec) -> Facts:
    limits = spec.rate_limits.by_scope()
    if not limits:
        return [("Limits", "None")]
    rows = []
    for scope in LimitScope:
        limit = limits.get(scope)
        parts = []
        if limit and limit.tokens_per_minute:
            parts.append(f"{limit.tokens_per_minute:,} tokens/min")
        if limit and limit.requests_per_minute:
            parts.append(f"{limit.requests_per_minute:,} requests/min")
        rows.append(
            (
                f"Per {scope.label if scope is LimitScope.API_KEY else scope.label.lower()}",
                ", ".join(parts) or "None",
            )
        )
    return rows
