"""The pages of the wizard before the review: begin, fill in, keep, leave, throw away."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.access import Permission, requires
from console.http import Request
from deployments import desired
from deployments.document import rules
from deployments.document.rules import Refused
from deployments.models import CatalogModel, Deployment, Draft, Endpoint
from deployments.vocabulary import DesiredState
from deployments.wizard import defaults, drafts, pages, steps
from deployments.wizard.drafts import Finished
from deployments.wizard.forms import FORMS, SectionForm
from deployments.wizard.forms.engines import EngineFields
from deployments.wizard.forms.general import GeneralForm
from deployments.wizard.text import fit
from deployments.wizard.work import Work, load


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.DEPLOY)
def deploy(request: Request, slug: str) -> HttpResponse:
    """The first step of a new deployment. Showing it writes nothing; sending it begins a draft."""
    similar = (
        Deployment.objects.filter(name__startswith=OuterRef("slug")).order_by("name").values("name")[:500]
    )
    models = CatalogModel.objects.visible_to(request.user).annotate(taken=ArraySubquery(similar))
    model = get_object_or_404(models, slug=slug)
    names: list[str] = getattr(model, "taken", [])
    endpoints = list(Endpoint.objects.visible_to(request.user).select_related("cluster"))
    only = endpoints[0].slug if len(endpoints) == 1 else ""
    draft = drafts.blank(request.user, model, drafts.suggest(model.slug, names), only)
    work = Work(draft, None)
    form = GeneralForm(work, request.POST if request.method == "POST" else None)
    form.offer(endpoints)
    extra: dict[str, Any] = {
        "endpoints": endpoints,
        "unfinished": pages.unfinished(request, model=model, editing=None),
    }
    if request.method != "POST":
        return pages.show(request, work, as_new(form), **extra)
    if not form.is_valid():
        return pages.show(request, work, form, pages.INVALID, **extra)
    endpoint = next(e for e in endpoints if e.slug == form.section["endpoint"])
    key = form.cleaned_data["draft"]
    saved = drafts.begin(request.user, model, form.section, endpoint, key)
    return onward(request, Work(saved, endpoint), form)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.DEPLOY)
def edit(request: Request, name: str) -> HttpResponse:
    """The first step of a change. Showing it writes nothing; sending it begins a draft, or goes on with one."""
    related = ("model", "current__author", "endpoint__cluster", "observation")
    deployment = get_object_or_404(
        Deployment.objects.visible_to(request.user).select_related(*related), name=name
    )
    if deployment.current is None:
        raise Http404
    work = Work(drafts.unsaved_edit(request.user, deployment), deployment.endpoint)
    is_going = deployment.desired_state == DesiredState.DELETED
    form = GeneralForm(work, request.POST if request.method == "POST" else None)
    extra: dict[str, Any] = {
        "unfinished": pages.unfinished(request, editing=deployment),
        "is_going": is_going,
    }
    if request.method != "POST":
        return pages.show(request, work, form, **extra)
    if is_going or not form.is_valid():
        return pages.show(request, work, form, pages.INVALID, **extra)
    saved = drafts.begin_edit(request.user, deployment, form.section)
    return onward(request, Work(saved, deployment.endpoint), form)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.DEPLOY)
def step(request: Request, key: Any, slug: str) -> HttpResponse:
    """One step of a draft: shows what it says with its problems, or keeps what was sent."""
    if slug not in FORMS:
        raise Http404
    draft = pages.own_draft(request, key)
    if draft.result is not None:
        return finished(request, draft.result)
    work = load(draft, request.user)
    form = FORMS[slug](work, request.POST if request.method == "POST" else None)
    extra = _offer(request, form)
    if request.method != "POST":
        return pages.show(request, work, form, **extra)
    complete = form.is_complete
    turns_to = form.turns_to if isinstance(form, EngineFields) else None
    try:
        if turns_to is not None:
            proposed = defaults.engine(turns_to, work.model.source, work.facts)
            drafts.turn(draft, form.section, turns_to, proposed)
        else:
            drafts.keep(draft, form.step, form.section, complete=complete, secrets=form.secrets())
    except Finished as done:
        return finished(request, done.result)
    work.forget()
    form.saved()
    if request.POST.get("add_row"):
        return pages.show(request, work, FORMS[slug](work, None), **extra)
    action = request.POST.get("action", "")
    moves_away = action in (pages.BACK, pages.LEAVE) or action.startswith(pages.GO)
    if isinstance(form, EngineFields) and (turns_to or form.only_shows) and not moves_away:
        other = form.engine if turns_to else None
        return pages.show(request, work, as_new(FORMS[slug](work, None)), turned_from=other, **extra)
    if complete or moves_away:
        return onward(request, work, form)
    return pages.show(request, work, form, pages.INVALID, **extra)


@require_POST
@requires(Permission.DEPLOY)
def delete(request: Request, key: Any) -> HttpResponse:
    """Throws an own draft away. What it became stays."""
    draft = get_object_or_404(
        Draft.objects.visible_to(request.user).select_related("model", "editing"), pk=key
    )
    home = pages.home(Work(draft, None))
    draft.delete()
    messages.success(request, "The draft is deleted.")
    return redirect(home)


@require_safe
@requires(Permission.DEPLOY)
def name_check(request: Request) -> HttpResponse:
    """Whether a name can be used, as a sentence for the form while one types."""
    typed = request.GET.get("name", "")[:200]
    problem = ""
    try:
        name = rules.deployment_name(typed) if typed.strip() else ""
        if name and Deployment.objects.filter(name=name).exists():
            problem = desired.name_taken(name).message
    except Refused as refused:
        name, problem = "", fit(str(refused))
    return render(request, "deployments/wizard/name_verdict.html", {"name": name, "problem": problem})


def finished(request: Request, result: Deployment) -> HttpResponse:
    """Where a draft leads that has become a deployment."""
    messages.info(request, f"This draft has become {result.name} already.")
    return redirect("deployment_detail", name=result.name)


def as_new(form: SectionForm) -> SectionForm:
    """Takes the problems off a form that nobody has filled in yet."""
    form.is_valid()
    form.errors.clear()
    return form


def _offer(request: Request, form: SectionForm) -> dict[str, Any]:
    """The endpoints, where a step asks for one."""
    if not isinstance(form, GeneralForm) or form.work.editing:
        return {}
    endpoints = list(Endpoint.objects.visible_to(request.user).select_related("cluster"))
    form.offer(endpoints)
    return {"endpoints": endpoints}


def onward(request: Request, work: Work, form: SectionForm) -> HttpResponse:
    """To the page that was asked for, now that the step is kept."""
    action = request.POST.get("action", "")
    previous = steps.before(form.step)
    target = steps.after(form.step)
    if action == pages.LEAVE:
        messages.success(request, "The draft is kept. It waits here until you go on.")
        return redirect(pages.home(work))
    if action == pages.SAVE:
        messages.success(request, "The draft is saved.")
        target = form.step
    elif action == pages.BACK and previous:
        target = previous
    elif action.startswith(pages.GO):
        target = steps.BY_SLUG.get(action.removeprefix(pages.GO), target)
    return redirect("draft_step", key=work.draft.pk, slug=target.slug)
