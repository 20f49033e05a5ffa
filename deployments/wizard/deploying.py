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
from deployments import desired, document, strategy
from deployments.desired import Conflict
from deployments.document import InvalidDocument, Problem, rules
from deployments.document.rules import Refused
from deployments.engines import ngc
from deployments.impact import volumes
from deployments.manifests import EngineNotOffered
from deployments.models import Deployment
from deployments.spec import DeploymentSpec
from deployments.wizard import advice, drafts, pages, preview, steps
from deployments.wizard import review as reviewing
from deployments.wizard.drafts import Finished
from deployments.wizard.preview import StrategyForm
from deployments.wizard.text import fit
from deployments.wizard.views import finished
from deployments.wizard.work import Work, load

CONTINUE_FROM_NEWEST = "newest"
STRATEGY = "strategy"
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
    try:
        chosen = _keep_strategy(request, work)
    except Finished as done:
        return finished(request, done.result)
    if request.POST.get("action") == STRATEGY or (chosen is not None and chosen.errors):
        # Shown again with what the choice means now.
        status = pages.INVALID if chosen is not None and chosen.errors else 200
        return _show(request, work, status, note=fit(request.POST.get("note", "")), strategies=chosen)
    return _deploy(request, work)


def _keep_strategy(request: Request, work: Work) -> StrategyForm | None:
    """Writes down how the change is to roll out, where that was asked; gives the form with what is wrong in it."""
    spec = _wanted(work)
    if "strategy" not in request.POST or spec is None or work.editing is None or stale(work):
        return None
    form = preview.asked(work, spec, request.POST)
    if form.is_valid() and form.cleaned_data["strategy"] is not spec.rollout:
        drafts.keep_strategy(work.draft, form.cleaned_data["strategy"])
        work.forget()
    return form


def _deploy(request: Request, work: Work) -> HttpResponse:
    note, spec = request.POST.get("note", ""), _wanted(work)
    try:
        note = rules.text(note, LONGEST_NOTE)
    except Refused as refused:
        return _show(request, work, pages.INVALID, note=fit(note), note_error=str(refused))
    if spec is None:
        return _show(request, work, pages.INVALID, note=note)
    if stale(work):
        return _show(request, work, 409, note=note)
    if advice.of(work, steps.REVIEW).blockers or _refusals(work, spec):
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
    messages.success(
        request, f"Your change now begins from revision {newest.number}. What you changed is still there."
    )
    return redirect("draft_step", key=work.draft.pk, slug=steps.REVIEW.slug)


def _show(
    request: Request,
    work: Work,
    status: int = 200,
    *,
    note: str | None = None,
    note_error: str = "",
    problems: list[Problem] | None = None,
    strategies: StrategyForm | None = None,
) -> HttpResponse:
    spec = _wanted(work)
    values = _context(work, spec)
    if strategies is not None and strategies.errors:
        values["strategies"] = strategies
    if note is None:
        note = f"Roll back to revision {work.restores.number}" if work.restores else ""
    values["problems"] = [_with_way(work, problem) for problem in problems or []] or values["problems"]
    values |= {"note": note, "note_error": note_error, "was_refused": status != 200}
    return page(request, "deployments/wizard/review.html", values, status=status)


def _context(work: Work, spec: DeploymentSpec | None) -> dict[str, Any]:
    """What the review shows; without a spec only what is missing."""
    values: dict[str, Any] = {**pages.context(work, steps.REVIEW), "spec": spec, "problems": []}
    if work.editing is not None and work.editing.current is not None:
        values["number"] = str(work.editing.current.number)
    if work.restores is not None:
        values["restored_number"] = str(work.restores.number)
    if stale(work):
        values |= {"stale": True, "clashes": preview.clashes(work)}
    if spec is None:
        return values
    problems: list[Problem] = _refusals(work, spec)
    if work.editing is None and Deployment.objects.filter(name=spec.name).exists():
        problems.append(desired.name_taken(spec.name))
    if work.endpoint is None:
        problems.append(
            Problem("spec.endpoint", f"There is no endpoint {spec.endpoint} any more. Choose another.")
        )
    else:
        try:
            found = preview.of(work, spec) if work.editing is not None and not stale(work) else None
            how = found.choice if found else strategy.choose(spec, None, work.facts, running=False)
            values |= {"preview": found, "strategies": found.strategies if found else None}
            values["manifests"] = reviewing.manifests(spec, work, how.strategy)
        except EngineNotOffered as reason:
            problems.append(Problem("spec.engine.kind", str(reason)))
    return values | {
        "summary": reviewing.summary(spec, work),
        "document": document.write(spec),
        "problems": [_with_way(work, problem) for problem in problems],
    }


def _refusals(work: Work, spec: DeploymentSpec) -> list[Problem]:
    """What the cluster would refuse of a change, known before it is asked."""
    if work.there is None or work.endpoint is None:
        return []
    refusal = volumes.refusal(work.there, spec, work.facts, work.endpoint.storage_class or None)
    return [Problem("spec.engine.volume", refusal)] if refusal else []


def _wanted(work: Work) -> DeploymentSpec | None:
    """What the draft says once it is saved; None while something is wrong with it."""
    spec = work.reading.spec
    return ngc.resolve(spec, work.source) if spec else None


def stale(work: Work) -> bool:
    """True when somebody saved a revision since this change began."""
    current = work.editing.current if work.editing else None
    return current is not None and current.number != work.draft.base_revision


def _with_way(work: Work, problem: Problem) -> dict[str, str]:
    step = steps.of_path(problem.path)
    url = reverse("draft_step", args=[work.draft.pk, step.slug])
    return {"message": problem.message, "url": url, "title": step.title}
