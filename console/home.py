"""The overview: what needs the people of the platform. Tenants are led to their portal."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import F
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from console.access import sees_platform
from console.http import Request, page
from deployments import gpus, listing
from deployments.facts import ClusterFacts
from deployments.listing import Filters, Summary
from deployments.models import CatalogModel, Cluster, Deployment, Endpoint, Transition
from deployments.standing import standing_of, with_standing
from deployments.vocabulary import Phase

ATTENTION_SHOWN = 6
CLUSTERS_SHOWN = 50
CHANGES_SHOWN = 8
EVERY_WHILE_MOVING = 5
EVERY = 20
"""Seconds between two looks of an open page."""


@require_safe
@login_required
def overview(request: Request) -> HttpResponse:
    if not sees_platform(request.user):
        return redirect("portal_models")
    now = timezone.now()
    visible = Deployment.objects.visible_to(request.user)
    summary = listing.summarise(visible, Filters(), now)
    if not summary.total:
        return page(request, "console/first_steps.html", {"steps": _first_steps(request), "nav": "overview"})
    clusters = _clusters(request)
    context: dict[str, Any] = {
        "summary": summary,
        "attention": _attention(request, now) if summary.attention else [],
        "more": max(summary.attention - ATTENTION_SHOWN, 0),
        "stats": _stats(summary),
        "supply": gpus.supply(_facts(clusters)),
        "clusters": clusters,
        "changes": _changes(request),
        "every": EVERY_WHILE_MOVING if summary.moving else EVERY,
    }
    context["version"] = _version(context)
    if request.htmx and request.headers.get("X-Seen") == context["version"]:
        return HttpResponse(status=204)
    return page(request, "console/overview.html", context, fragment="live")


def _attention(request: Request, now: datetime) -> list[dict[str, Any]]:
    """The first deployments that need somebody, with what to do."""
    states = [phase.value for phase in Phase if phase.needs_attention]
    found = (
        with_standing(Deployment.objects.visible_to(request.user), now)
        .select_related("model")
        .filter(shown__in=states)  # type: ignore[misc]  # an annotation of with_standing
        .order_by(listing.by_urgency(), "name")[:ATTENTION_SHOWN]
    )
    return [{"deployment": d, "standing": standing_of(d, now)} for d in found]


def _stats(summary: Summary) -> list[dict[str, Any]]:
    counts = summary.by_state
    return [
        {
            "name": label,
            "value": counts[state],
            "url": reverse("deployment_list") + Filters(state=state).query(),
            "tone": "warn" if state == "attention" and counts[state] else "",
        }
        for state, (label, _) in listing.STATES.items()
    ]


def _clusters(request: Request) -> list[Cluster]:
    """Those that do not answer first."""
    return list(
        Cluster.objects.visible_to(request.user)
        .defer("kubeconfig")
        .order_by(F("unreachable_since").asc(nulls_last=True), "name")[:CLUSTERS_SHOWN]
    )


def _facts(clusters: Iterable[Cluster]) -> list[ClusterFacts]:
    return [ClusterFacts.from_mapping(cluster.facts) for cluster in clusters if cluster.facts]


def _changes(request: Request) -> list[dict[str, Any]]:
    """Where rollouts ended lately, anywhere; the steps in between stand on each deployment's page."""
    ends = [phase.value for phase in Phase if not phase.is_moving]
    found = (
        Transition.objects.filter(deployment__in=Deployment.objects.visible_to(request.user), after__in=ends)
        .select_related("deployment")
        .order_by("-at", "-id")[:CHANGES_SHOWN]
    )
    return [
        {"at": each.at, "name": each.deployment.name, "phase": Phase(each.after), "sentence": each.sentence}
        for each in found
    ]


def _version(context: dict[str, Any]) -> str:
    """Stands for what the page shows, save the passing of time."""
    parts = [
        context["summary"].version,
        *((c.slug, c.unreachable_since, c.checked_at) for c in context["clusters"]),
        *((change["at"], change["name"]) for change in context["changes"]),
    ]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _first_steps(request: Request) -> list[dict[str, Any]]:
    """What has to exist before a model can serve, in order; the first that is missing is the next action."""
    user = request.user
    steps: list[tuple[str, str, str, Any]] = [
        ("Add a cluster", "A Kubernetes API with GPUs, where models run.", "cluster_create", Cluster),
        (
            "Add an endpoint",
            "The host name on a cluster under which models are served.",
            "endpoint_create",
            Endpoint,
        ),
        (
            "Add a model",
            "What can be deployed, and where its weights come from.",
            "model_create",
            CatalogModel,
        ),
    ]
    found = [
        {
            "title": title,
            "text": text,
            "url": _url(name),
            "done": table.objects.visible_to(user).exists(),
        }
        for title, text, name, table in steps
    ]
    deploy = {"title": "Deploy a model", "text": "The wizard asks for the rest and shows what it will send."}
    found.append({**deploy, "url": _url("model_list"), "done": False})
    following = next(step for step in found if not step["done"])
    following["next"] = True
    return found


def _url(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""
