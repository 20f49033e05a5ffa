"""Deleting a deployment, and giving up one whose cluster is gone: the impact first, then the name has to be typed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from console.access import Permission, requires
from console.http import Request
from console.presentation import times
from deployments import dependents, desired, gpus, leftovers, quantity
from deployments.leftovers import StillThere
from deployments.models import Cluster, Deployment
from deployments.standing import Standing, observation_of
from deployments.views.frame import find
from deployments.views.questions import Confirmation, Question, Warned, ask
from deployments.views.rollout import shared_names
from deployments.vocabulary import DesiredState, Sharing

MOST_LISTED = 30


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.DEPLOY)
def delete(request: Request, name: str) -> HttpResponse:
    try:
        deployment, standing, now = find(request, name)
    except Http404:
        return _gone_meanwhile(request)
    if deployment.desired_state == DesiredState.DELETED:
        if request.method != "POST":
            messages.info(request, f"{name} is being deleted already.")
        return redirect("deployment_list")
    form = Confirmation(request, name)
    if request.method == "POST" and form.is_valid():
        desired.delete(deployment, author=request.user)
        messages.success(
            request,
            f"{name} is being deleted. It leaves this list when nothing of it is left in the cluster.",
        )
        return redirect("deployment_list")
    volumes = _volumes(deployment)
    question = Question(
        title=f"Delete {name}?",
        impact=(
            *loses(deployment, standing),
            *dependents.sentences(deployment),
            *_lost(volumes),
            (
                "Traffic ends first, then the replicas, then services, secrets and volumes leave the cluster. "
                "The record goes last, with its revisions and rate limits. Usage and prices stay in the ledger."
            ),
            "This cannot be undone. Stop keeps the configuration instead, and Export YAML a copy of it.",
        ),
        listed=_listed(
            "Volumes, as last seen", [", ".join(filter(None, (v["name"], v["size"]))) for v in volumes]
        ),
        submit="Delete deployment",
        keep="Keep it",
        danger=True,
        warned=_waits(deployment, now),
    )
    return ask(request, deployment, question, form)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.DEPLOY)
def abandon(request: Request, name: str) -> HttpResponse:
    """Forgets a deployment without asking its cluster, which is gone."""
    try:
        deployment, _, now = find(request, name)
    except Http404:
        return _gone_meanwhile(request)
    cluster = deployment.endpoint.cluster
    if not leftovers.is_gone(cluster, now):
        messages.info(request, f"{cluster.name} answers. Delete {name} there instead.")
        return redirect("deployment_detail", name)
    form = Confirmation(request, name)
    if request.method == "POST" and form.is_valid():
        try:
            desired.abandon(deployment, author=request.user)
        except StillThere as answers:
            messages.error(request, str(answers))
            return redirect("deployment_detail", name)
        messages.success(
            request, f"{name} is removed from Slipway. What was left in {cluster.name} is still there."
        )
        return redirect("deployment_list")
    left = leftovers.of(deployment, observation_of(deployment).details or {})
    question = Question(
        title=f"Remove {name} from Slipway?",
        impact=(
            _silence(cluster, now),
            (
                "Slipway forgets the deployment with its revisions and rate limits; usage and prices stay. "
                "Nothing is deleted in the cluster. If it still runs there, its replicas keep their GPUs and volumes."
            ),
            "This cannot be undone. Whoever reaches the cluster removes what is left with the command below.",
        ),
        listed=_listed("May be left in the cluster", [f"{kind} {each}" for kind, each in left.objects]),
        command=left.command,
        submit="Remove from Slipway",
        keep="Keep it",
        danger=True,
    )
    return ask(request, deployment, question, form)


def _gone_meanwhile(request: Request) -> HttpResponse:
    """The second of two clicks meets nothing any more, and what it asked for is done."""
    if request.method != "POST":
        raise Http404
    return redirect("deployment_list")


def loses(deployment: Deployment, standing: Standing) -> tuple[str, ...]:
    """Who loses it, and what becomes free."""
    names = deployment.shared_with  # type: ignore[attr-defined]
    if deployment.sharing == Sharing.ALL:
        who = "All organisations lose it at once."
    elif names:
        who = f"{shared_names(deployment)} lose{'s' if len(names) == 1 else ''} it at once."
    else:
        who = "It is shared with nobody, so no organisation loses it."
    document: dict[str, Any] = deployment.current.document["spec"]  # type: ignore[union-attr]
    product = deployment.spec.resources.gpu.product
    count = gpus.taken(document, standing.wanted)
    if not standing.wanted or not count:
        return (who,)
    replicas = f"{_many(standing.wanted, 'replica')} end{'s' if standing.wanted == 1 else ''}"
    units = gpus.count(count, product) if product else _many(count, "GPU")
    place = deployment.endpoint.cluster.name
    return who, f"{replicas}. {units} on {place} become{'s' if count == 1 else ''} free."


def _volumes(deployment: Deployment) -> list[Mapping[str, Any]]:
    return list((observation_of(deployment).details or {}).get("volumes") or ())


def _lost(volumes: list[Mapping[str, Any]]) -> tuple[str, ...]:
    """All of them together; without a size while the cluster does not tell that of every one."""
    if not volumes:
        return ()
    sizes = [str(volume["size"]) for volume in volumes]
    size = f" of {quantity.show_bytes(sum(map(quantity.to_bytes, sizes)))}" if all(sizes) else ""
    verb, them = ("is", "it") if len(volumes) == 1 else ("are", "them")
    return (f"{_many(len(volumes), 'volume')}{size} {verb} deleted, with what is in {them}.",)


def _listed(title: str, lines: list[str]) -> tuple[str, str] | None:
    more = [f"and {len(lines) - MOST_LISTED} more"] if len(lines) > MOST_LISTED else []
    return (title, "\n".join([*lines[:MOST_LISTED], *more])) if lines else None


def _waits(deployment: Deployment, now: datetime) -> Warned | None:
    cluster = deployment.endpoint.cluster
    if not leftovers.is_gone(cluster, now):
        return None
    return Warned(
        f"{cluster.name} does not answer",
        f"{_silence(cluster, now)} Deleting waits until it answers again.",
        reverse("deployment_abandon", args=[deployment.name]),
        "Remove from Slipway only…",
    )


def _silence(cluster: Cluster, now: datetime) -> str:
    assert cluster.unreachable_since is not None
    since = times.moment(cluster.unreachable_since, now)
    reason = cluster.unreachable_reason.rstrip(".") or "No answer"
    return f"{cluster.name} has not answered since {since}: {reason[:1].lower()}{reason[1:]}."


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
