"""Pages that begin from an earlier revision: roll back, and copy to a new deployment.

Neither saves a revision: both lead into the wizard, a roll back straight to its review.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods

from console.access import Permission, requires
from console.http import Request, page
from console.presentation.widgets import ChoiceCards
from deployments import document
from deployments.history import changes
from deployments.models import Deployment, Endpoint, Revision
from deployments.vocabulary import DesiredState
from deployments.wizard import drafts, from_revision, pages, steps
from deployments.wizard.forms.general import GeneralForm
from deployments.wizard.from_revision import Terms
from deployments.wizard.views import as_new, onward
from deployments.wizard.work import Work

_BACK, _KEPT = "back", "kept"


class TermsForm(forms.Form):
    """Whether limits, price and sharing come back with the rest."""

    terms = forms.ChoiceField(
        label="Limits, price and sharing",
        choices=[(_BACK, "As they were"), (_KEPT, "As they are today")],
        initial=_BACK,
        widget=ChoiceCards(
            facts={
                _BACK: ["The whole document of that revision comes back."],
                _KEPT: ["Only what runs comes back. Nobody's limit, price or access changes."],
            }
        ),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.DEPLOY)
def roll_back(request: Request, name: str, number: int) -> HttpResponse:
    """Asks what of the revision comes back; sending it leads to the review of the roll back."""
    deployment, earlier = _find(request, name, number)
    current = deployment.current
    assert current is not None
    if deployment.desired_state == DesiredState.DELETED:
        messages.info(request, f"{name} is being deleted. Nothing of it can be changed any more.")
        return redirect("deployment_detail", name)
    if earlier.number == current.number:
        messages.info(request, f"Revision {number} is the present one: there is nothing to roll back.")
        return redirect("deployment_revisions", name)
    form = TermsForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        terms = Terms(kept=form.cleaned_data["terms"] == _KEPT)
        draft = from_revision.begin_roll_back(request.user, deployment, earlier, terms)
        return redirect("draft_step", key=draft.pk, slug=steps.REVIEW.slug)
    found = from_revision.restored(request.user, deployment, earlier, Terms())
    context: dict[str, Any] = {
        "nav": "deployments",
        "deployment": deployment,
        "earlier": earlier,
        "current": current,
        "current_number": str(current.number),
        "form": form,
        "remarks": found.remarks,
        "secret_names": earlier.spec.secret_names,
        "changes": [
            *changes.of_weights(current.model_source, earlier.model_source),
            *changes.between(current.document, document.to_mapping(found.spec)),
        ],
    }
    status = pages.INVALID if form.is_bound else 200
    return page(request, "deployments/wizard/roll_back.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.DEPLOY)
def clone(request: Request, name: str, number: int) -> HttpResponse:
    """The first step of a new deployment with the settings of a revision. Showing it writes nothing."""
    deployment, earlier = _find(request, name, number)
    taken = Deployment.objects.filter(name__startswith=deployment.name[:44]).values_list("name", flat=True)
    endpoints = list(Endpoint.objects.visible_to(request.user).select_related("cluster"))
    suggested = drafts.suggest(deployment.name, list(taken[:500]))
    draft = from_revision.unsaved_copy(request.user, deployment, earlier, suggested, deployment.endpoint.slug)
    work = Work(draft, None)
    form = GeneralForm(work, request.POST if request.method == "POST" else None)
    form.offer(endpoints)
    extra: dict[str, Any] = {
        "endpoints": endpoints,
        "copied": earlier,
        "copied_from": deployment,
        "secret_names": earlier.spec.secret_names,
    }
    if request.method != "POST":
        return pages.show(request, work, as_new(form), **extra)
    if not form.is_valid():
        return pages.show(request, work, form, pages.INVALID, **extra)
    endpoint = next(each for each in endpoints if each.slug == form.section["endpoint"])
    sections = {key: section for key, section in draft.sections.items() if key != steps.GENERAL.slug}
    saved = drafts.begin(
        request.user,
        deployment.model,
        form.section,
        endpoint,
        form.cleaned_data["draft"],
        copied=sections,
    )
    return onward(request, Work(saved, endpoint), form)


def _find(request: Request, name: str, number: int) -> tuple[Deployment, Revision]:
    """A deployment with one of its revisions; 404 when there is no such pair."""
    related = ("model", "current", "endpoint__cluster")
    deployment = get_object_or_404(
        Deployment.objects.visible_to(request.user).select_related(*related), name=name
    )
    if deployment.current is None:
        raise Http404
    earlier = get_object_or_404(Revision, deployment=deployment, number=number)
    return deployment, earlier
