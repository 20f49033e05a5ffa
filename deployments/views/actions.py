"""Stop, start, delete, look again: each is asked about on a page of its own, and done by a POST.

The same page is loaded into a dialog where scripts run.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from console.access import Permission, requires
from console.http import Request, page
from deployments import desired, gpus
from deployments.models import Deployment
from deployments.standing import Standing
from deployments.views.frame import find
from deployments.views.rollout import shared_names
from deployments.vocabulary import DesiredState, Sharing


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked before an action is taken."""

    title: str
    impact: tuple[str, ...]
    submit: str
    keep: str
    danger: bool = False


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.DEPLOY)
def stop(request: Request, name: str) -> HttpResponse:
    deployment, standing, _ = find(request, name)
    question = Question(
        title=f"Stop {name}?",
        impact=(
            *_loses(deployment, standing),
            "Configuration, sharing, prices and volumes are kept. Start brings it back.",
        ),
        submit="Stop deployment",
        keep="Keep it running",
    )
    return _ask_or_do(request, deployment, question, desired.stop, f"{name} is being stopped.")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.DEPLOY)
def start(request: Request, name: str) -> HttpResponse:
    deployment, _, _ = find(request, name)
    spec = deployment.spec
    wanted = spec.autoscaling.min_replicas if spec.autoscaling.enabled else spec.engine.replicas
    need = gpus.count(wanted * spec.resources.gpu.count, spec.resources.gpu.product)
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
    return _ask_or_do(request, deployment, question, desired.start, f"{name} is being started.")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.DEPLOY)
def delete(request: Request, name: str) -> HttpResponse:
    deployment, standing, _ = find(request, name)
    question = Question(
        title=f"Delete {name}?",
        impact=(
            *_loses(deployment, standing),
            "Its route, autoscaler, workload, services, secrets and volumes leave the cluster, then the record goes.",
            "This cannot be undone. Stop keeps the configuration instead.",
        ),
        submit="Delete deployment",
        keep="Keep it",
        danger=True,
    )
    done = f"{name} is being deleted. It leaves this list when nothing of it is left in the cluster."
    return _ask_or_do(request, deployment, question, desired.delete, done, to="deployment_list")


@require_POST
@requires(Permission.DEPLOY)
def look_again(request: Request, name: str) -> HttpResponse:
    """Forgets the last refusal and looks at once."""
    deployment, _, _ = find(request, name)
    desired.look_again(deployment)
    messages.info(request, f"{name} is looked at again now.")
    return redirect("deployment_detail", name)


def _ask_or_do(
    request: Request,
    deployment: Deployment,
    question: Question,
    do: Callable[..., None],
    done: str,
    *,
    to: str = "deployment_detail",
) -> HttpResponse:
    if deployment.desired_state == DesiredState.DELETED:
        messages.info(request, f"{deployment.name} is being deleted already.")
        return redirect("deployment_list")
    if request.method == "POST":
        do(deployment, author=request.user)
        messages.success(request, done)
        return redirect(to) if to == "deployment_list" else redirect(to, deployment.name)
    context = {"deployment": deployment, "question": question, "address": request.path}
    return page(request, "deployments/confirm.html", context, fragment="question")


def _loses(deployment: Deployment, standing: Standing) -> tuple[str, ...]:
    """Who loses it, and what becomes free."""
    names = deployment.shared_with  # type: ignore[attr-defined]
    if deployment.sharing == Sharing.ALL:
        who = "All organisations lose it at once."
    elif names:
        who = f"{shared_names(deployment)} lose{'s' if len(names) == 1 else ''} it at once."
    else:
        who = "It is shared with nobody, so no organisation loses it."
    gpu = deployment.spec.resources.gpu
    count = standing.wanted * gpu.count
    if not count:
        return (who,)
    units = gpus.count(count, gpu.product) if gpu.product else f"{count} GPU{'' if count == 1 else 's'}"
    return who, f"{units} on {deployment.endpoint.cluster.name} become{'s' if count == 1 else ''} free."
