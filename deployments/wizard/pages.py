"""What every page of the wizard shows around its form: rail, title, where one is and where one came from."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from console.http import Request, page
from deployments.models import CatalogModel, Deployment, Draft
from deployments.wizard import advice, steps
from deployments.wizard.forms import SectionForm
from deployments.wizard.steps import Step
from deployments.wizard.work import RESTORES, Work

#: What a person may do with a step; anything else means "continue".
SAVE, BACK, LEAVE, ADD_ROW, GO = "save", "back", "leave", "add_row", "go:"
INVALID = 422


def own_draft(request: Request, key: Any) -> Draft:
    """The draft of this person with all that its pages show, in one query; 404 otherwise."""
    related = (
        "model",
        "result",
        "editing__model",
        "editing__observation",
        "editing__current__author",
        "editing__endpoint__cluster",
    )
    return get_object_or_404(Draft.objects.visible_to(request.user).select_related(*related), pk=key)


def context(work: Work, step: Step) -> dict[str, Any]:
    """The frame of a step's page."""
    previous = steps.before(step)
    return {
        "nav": "deployments",
        "work": work,
        "step": step,
        "steps": rail(work, step),
        "previous": previous,
        "following": steps.after(step),
        "advice": advice.of(work, step) if work.is_saved and (step.advised or step is steps.REVIEW) else None,
        "model_url": reverse("model_detail", args=[work.model.slug]),
    }


def rail(work: Work, current: Step) -> list[dict[str, Any]]:
    """The steps with their state; they can be opened once the draft is saved."""
    return [
        {
            "title": step.title,
            "slug": step.slug,
            "url": reverse("draft_step", args=[work.draft.pk, step.slug]) if work.is_saved else "",
            "current": step is current,
            "state": state(work, step),
        }
        for step in steps.STEPS
    ]


def state(work: Work, step: Step) -> str:
    if not work.is_saved:
        return ""
    if work.reading.of(step):
        return "problem"
    return "done" if step.slug in work.draft.done else ""


def show(request: Request, work: Work, form: SectionForm, status: int = 200, **more: Any) -> HttpResponse:
    """A step's page with its form."""
    template = f"deployments/wizard/{form.step.slug}.html"
    values = {**context(work, form.step), "form": form, **more}
    return page(request, template, values, status=status)


def home(work: Work) -> str:
    """Where one came from: the deployment being edited, or the model."""
    if work.editing:
        return reverse("deployment_detail", args=[work.editing.name])
    return reverse("model_detail", args=[work.model.slug])


def unfinished(request: Request, **which: CatalogModel | Deployment | None) -> list[dict[str, Any]]:
    """This person's drafts that have not become anything, newest first, with the way back into each."""
    found = Draft.objects.visible_to(request.user).filter(result=None, **which).defer("secrets")[:10]
    return [
        {
            "draft": draft,
            "name": _title(draft),
            "url": reverse("draft_step", args=[draft.pk, first_open(draft).slug]),
            "delete_url": reverse("draft_delete", args=[draft.pk]),
            "done": len(draft.done),
            "steps": len(steps.FILLED),
        }
        for draft in found
    ]


def _title(draft: Draft) -> str:
    """What tells a draft from the others of the same deployment or model."""
    mark = draft.sections.get(RESTORES)
    if isinstance(mark, dict):
        return f"Roll back to revision {mark.get('revision')}"
    return (draft.sections.get("general") or {}).get("name") or "Without a name"


def first_open(draft: Draft) -> Step:
    """The first step that was not completed, else the review."""
    return next((step for step in steps.FILLED if step.slug not in draft.done), steps.REVIEW)
