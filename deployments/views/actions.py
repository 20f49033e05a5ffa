"""Stop, start, restart, look again: each is asked about on a page of its own, and done by a POST.

The same page is loaded into a dialog where scripts run. What is sent twice is done once. Deleting is in removal.py.
"""

from datetime import datetime

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from console.access import Permission, requires
from console.http import Request
from console.presentation import times
from deployments import desired, gpus, strategy
from deployments.facts import ClusterFacts
from deployments.history import usual_times
from deployments.history.moments import moment_of
from deployments.impact import Situation, sentences
from deployments.models import Deployment
from deployments.standing import Standing
from deployments.views.frame import find
from deployments.views.questions import Question, ask, leaving
from deployments.views.removal import loses
from deployments.vocabulary import DesiredState


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.DEPLOY)
def stop(request: Request, name: str) -> HttpResponse:
    deployment, standing, _ = find(request, name)
    if back := leaving(request, deployment):
        return back
    if request.method == "POST":
        if deployment.desired_state != DesiredState.STOPPED:
            desired.stop(deployment, author=request.user)
            messages.success(request, f"{name} is being stopped.")
        return redirect("deployment_detail", name)
    question = Question(
        title=f"Stop {name}?",
        impact=(
            *loses(deployment, standing),
            "Configuration, sharing, prices and volumes are kept. Start brings it back.",
        ),
        submit="Stop deployment",
        keep="Keep it running",
    )
    return ask(request, deployment, question)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.DEPLOY)
def start(request: Request, name: str) -> HttpResponse:
    deployment, _, _ = find(request, name)
    if back := leaving(request, deployment):
        return back
    if request.method == "POST":
        if deployment.desired_state != DesiredState.RUNNING:
            desired.start(deployment, author=request.user)
            messages.success(request, f"{name} is being started.")
        return redirect("deployment_detail", name)
    spec = deployment.spec
    wanted = sum(group.replicas for group in spec.groups)
    need = gpus.count(sum(group.replicas * group.gpus for group in spec.groups), spec.resources.gpu.product)
    number, cluster = deployment.current.number, deployment.endpoint.cluster  # type: ignore[union-attr]
    starts = "1 replica starts" if wanted == 1 else f"{wanted} replicas start"
    question = Question(
        title=f"Start {name}?",
        impact=(
            f"{starts} on {cluster.name}, as revision {number} says.",
            f"GPUs needed: {need}.",
        ),
        submit="Start deployment",
        keep="Leave it stopped",
    )
    return ask(request, deployment, question)


class Since(forms.Form):
    """The last restart that the page knew of."""

    since = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.DEPLOY)
def restart(request: Request, name: str) -> HttpResponse:
    """Every replica anew, with the settings that it has. A second answer to the same question does nothing more."""
    deployment, standing, now = find(request, name)
    if back := leaving(request, deployment):
        return back
    if deployment.desired_state != DesiredState.RUNNING:
        messages.info(request, f"{name} is stopped, so nothing can be restarted. Start it instead.")
        return redirect("deployment_detail", name)
    if request.method == "POST":
        since = moment_of(request.POST.get("since", ""))
        if desired.restart(deployment, author=request.user, since=since):
            messages.success(request, f"The replicas of {name} are being restarted.")
        elif deployment.changed_by != request.user:
            messages.info(
                request, f"Somebody changed {name} since you were asked, so it was not restarted again."
            )
        return redirect("deployment_detail", name)
    known = deployment.restart_mark
    question = _restart_of(deployment, standing, now)
    return ask(request, deployment, question, Since(initial={"since": known}))


def _restart_of(deployment: Deployment, standing: Standing, at: datetime) -> Question:
    spec, raw = deployment.spec, deployment.endpoint.cluster.facts
    facts = ClusterFacts.from_mapping(raw) if raw else None
    usual, rollouts = usual_times.of(deployment)
    now = Situation(
        replicas=spec.workers_among(standing.wanted),
        ready=standing.ready,
        facts=facts,
        start=usual_times.start_of(usual),
        rollouts=rollouts,
    )
    choice = strategy.of_restart(spec, facts, running=standing.ready > 0)
    title, _ = sentences.restart(spec, choice.strategy, now)
    number = deployment.current.number  # type: ignore[union-attr]
    return Question(
        title=f"Restart {deployment.name}?",
        impact=(f"{title}. All settings stay as revision {number} says.",),
        facts=(
            *([("Last restart", times.ago(last, at))] if (last := deployment.restarted_at) else []),
            ("Order", sentences.order(spec, choice.strategy, now)),
            ("Capacity meanwhile", sentences.capacity(spec, choice.strategy, now)),
            ("How", f"{choice.strategy.label}. {choice.reason}"),
        ),
        submit="Restart replicas",
        keep="Leave them running",
    )


@require_POST
@requires(Permission.DEPLOY)
def look_again(request: Request, name: str) -> HttpResponse:
    """Forgets the last refusal and looks at once."""
    deployment, _, _ = find(request, name)
    desired.look_again(deployment)
    messages.info(request, f"{name} is looked at again now.")
    return redirect("deployment_detail", name)
