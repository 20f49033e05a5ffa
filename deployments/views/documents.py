"""A deployment as documents: its own, the objects made of it, and the way in from a document."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from console.access import Permission, can, requires
from console.http import Request, page
from deployments import document, masking
from deployments.applying import Outcome, Result, apply_document
from deployments.desired import Conflict
from deployments.document import InvalidDocument, Problem
from deployments.manifests import EngineNotOffered
from deployments.models import Deployment
from deployments.spec import DeploymentSpec
from deployments.views.frame import find, head
from deployments.vocabulary import DesiredState, RolloutStrategy

LONGEST_SECRET = 10_000


@require_safe
@requires(Permission.VIEW)
def manifests(request: Request, name: str) -> HttpResponse:
    """The document, and the Kubernetes objects with every secret value masked."""
    deployment, standing, now = find(request, name)
    spec, current = deployment.spec, deployment.current
    assert current is not None
    objects, refusal = "", ""
    try:
        made = masking.context(
            spec,
            deployment.model,
            deployment.endpoint,
            source=current.model_source,
            revision=current.number,
            stopped=deployment.desired_state != DesiredState.RUNNING,
            strategy=RolloutStrategy(current.strategy),
            restarted_at=deployment.restart_mark,
        )
        objects = masking.manifests(spec, made)
    except EngineNotOffered as error:
        refusal = str(error)
    context = head(deployment, standing, "deployment_yaml", now) | {
        "document": document.write(spec),
        "objects": objects,
        "refusal": refusal,
        "number": current.number,
    }
    return page(request, "deployments/yaml.html", context)


@require_safe
@requires(Permission.VIEW)
def download(request: Request, name: str) -> HttpResponse:
    """The document as a file: what `manage.py export` prints."""
    deployment, _, _ = find(request, name)
    response = HttpResponse(document.write(deployment.spec), content_type="application/yaml; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{deployment.name}.yaml"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.DEPLOY)
def import_document(request: Request) -> HttpResponse:
    """Creates or revises from a pasted document; *Check* says what would happen and changes nothing."""
    text = request.POST.get("document", "") if request.method == "POST" else ""
    context: dict[str, Any] = {"text": text, "problems": [], "secret_names": [], "nav": "deployments"}
    if request.method != "POST":
        return page(request, "deployments/import.html", context)
    check = request.POST.get("do") == "check"
    try:
        if not text.strip():
            raise InvalidDocument([Problem("document", "It is empty. Paste a ModelDeployment document.")])
        spec = document.read(text)
        context["secret_names"] = _secrets_to_ask(spec)
        secrets = {
            name: request.POST.get(f"secret-{name}", "")[:LONGEST_SECRET] for name in spec.secret_names
        }
        secrets = {name: value for name, value in secrets.items() if value and "\x00" not in value}
        outcome = apply_document(
            spec,
            request.user,
            dry_run=check,
            secrets=secrets,
            note="Imported",
            may_share=can(request.user, Permission.SHARE),
        )
    except InvalidDocument as invalid:
        context["problems"] = invalid.problems
        return page(request, "deployments/import.html", context, status=422)
    except Conflict as conflict:
        context["problems"] = [Problem("document", f"{conflict} Send it again to apply it to that one.")]
        return page(request, "deployments/import.html", context, status=409)
    if check:
        return page(request, "deployments/import.html", context | {"outcome": outcome})
    messages.success(request, _told(outcome))
    return redirect("deployment_detail", spec.name)


def _secrets_to_ask(spec: DeploymentSpec) -> list[str]:
    """Secret variables without a stored value."""
    found = Deployment.objects.select_related("current").filter(name=spec.name).first()
    stored = set(found.current.spec.secret_names) if found and found.current else set()
    return [name for name in spec.secret_names if name not in stored]


def _told(outcome: Outcome) -> str:
    name = outcome.deployment.name
    return {
        Result.CREATED: f"{name} is created. It is being rolled out.",
        Result.CHANGED: f"Revision {outcome.revision} of {name} is saved. It is being rolled out.",
        Result.UNCHANGED: f"{name} already is as the document says. Nothing was changed.",
    }[outcome.result]
