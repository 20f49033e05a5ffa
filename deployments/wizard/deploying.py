"""The review, and the one button that makes something happen."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from console.access import Permission, requires
from console.http import Request, page
from deployments import desired, document, rules
from deployments.desired import Conflict
from deployments.document import InvalidDocument, Problem
from deployments.manifests import EngineNotOffered
from deployments.models import Deployment
from deployments.rules import Refused
from deployments.spec import DeploymentSpec
from deployments.wizard import advice, drafts, pages, steps
from deployments.wizard import review as reviewing
from deployments.wizard.drafts import Finished
from deployments.wizard.text import fit
from deployments.wizard.views import finished
from deployments.wizard.work import Work, load

CONTINUE_FROM_NEWEST = "newest"
LONGEST_NOTE = 500


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.DEPLOY)
def review(request: Request, key: Any, slug: str) -> HttpResponse:
    """Everything once more; sending it deploys, once, however often it is sent."""
    draft = pages.own_draft(request, key)
    if draft.result is not None:
        return finished(request, draft.result)
    work = load(draft, request.user)
    if request.method != "POST":
        return _show(request, work)
    if request.POST.get("action") == CONTINUE_FROM_NEWEST:
        return _go_on(request, work)
    return _deploy(request, work)


def _deploy(request: Request, work: Work) -> HttpResponse:
    note, spec = request.POST.get("note", ""), work.reading.spec
    try:
        note = rules.text(note, LONGEST_NOTE)
    except Refused as refused:
        return _show(request, work, pages.INVALID, note=fit(note), note_error=str(refused))
    if spec is None:
        return _show(request, work, pages.INVALID, note=note)
    if stale(work):
        return _show(request, work, 409, note=note)
    if advice.of(work, steps.REVIEW).blockers:
        return _show(request, work, pages.INVALID, note=note)
    before = work.draft.base_revision
    try:
        if work.endpoint is not None:
            reviewing.manifests(spec, work)
        deployment = reviewing.deploy(work, spec, request.user, note)
    except InvalidDocument as invalid:
        return _show(request, work, pages.INVALID, note=note, problems=invalid.problems)
    except EngineNotOffered as reason:
        problems = [Problem("spec.engine.kind", str(reason))]
        return _show(request, work, pages.INVALID, note=note, problems=problems)
    except Conflict:
        return _show(request, load(pages.own_draft(request, work.draft.pk), request.user), 409, note=note)
    except Deployment.DoesNotExist:
        messages.error(request, "The deployment was deleted meanwhile, so nothing was saved.")
        return redirect("deployment_list")
    messages.success(request, _said(work, deployment, before))
    return redirect("deployment_detail", name=deployment.name)


def _said(work: Work, deployment: Deployment, before: int) -> str:
    if work.editing is None:
        return f"{deployment.name} is queued."
    current = deployment.current
    number = current.number if current else before
    if number == before:
        return "Nothing was changed, so there is no new revision."
    return f"Revision {number} is saved and rolls out."


def _go_on(request: Request, work: Work) -> HttpResponse:
    newest = work.editing.current if work.editing else None
    if newest is None:
        return _show(request, work)
    try:
        drafts.go_on_from_newest(work.draft, newest)
    except Finished as done:
        return finished(request, done.result)
    messages.success(request, f"Your change now begins from revision {newest.number}.")
    return redirect("draft_step", key=work.draft.pk, slug=steps.REVIEW.slug)


def _show(
    request: Request,
    work: Work,
    status: int = 200,
    *,
    note: str = "",
    note_error: str = "",
    problems: list[Problem] | None = None,
) -> HttpResponse:
    spec = work.reading.spec
    values = _context(work, spec)
    values["problems"] = [_with_way(work, problem) for problem in problems or []] or values["problems"]
    values |= {"note": note, "note_error": note_error, "was_refused": status != 200}
    return page(request, "deployments/wizard/review.html", values, status=status)


def _context(work: Work, spec: DeploymentSpec | None) -> dict[str, Any]:
    """What the review shows; without a spec only what is missing."""
    values: dict[str, Any] = {**pages.context(work, steps.REVIEW), "spec": spec, "problems": []}
    values["stale"] = stale(work)
    if spec is None:
        return values
    problems: list[Problem] = []
    if work.editing is None and Deployment.objects.filter(name=spec.name).exists():
        problems.append(desired.name_taken(spec.name))
    if work.endpoint is None:
        problems.append(
            Problem("spec.endpoint", f"There is no endpoint {spec.endpoint} any more. Choose another.")
        )
    else:
        try:
            values["manifests"] = reviewing.manifests(spec, work)
        except EngineNotOffered as reason:
            problems.append(Problem("spec.engine.kind", str(reason)))
    changes = reviewing.changed(spec, work)
    return values | {
        "summary": reviewing.summary(spec, work),
        "changes": changes,
        "restarts": sum(change.restarts for change in changes),
        "document": document.write(spec),
        "problems": [_with_way(work, problem) for problem in problems],
    }


def stale(work: Work) -> bool:
    """True when somebody saved a revision since this change began."""
    current = work.editing.current if work.editing else None
    return current is not None and current.number != work.draft.base_revision


def _with_way(work: Work, problem: Problem) -> dict[str, str]:
    step = steps.of_path(problem.path)
    url = reverse("draft_step", args=[work.draft.pk, step.slug])
    return {"message": problem.message, "url": url, "title": step.title}
