"""Changes that others made in the cluster: the notice, taking them back, and what to do about the next ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from console.access import Permission, requires
from console.http import Request, page
from console.presentation.widgets import ChoiceCards
from deployments import desired
from deployments.drifting import REPAIR
from deployments.history.moments import moment_of
from deployments.models import Deployment
from deployments.views.frame import find
from deployments.vocabulary import DesiredState, DriftPolicy, Tone

MOST_CHANGES = 20
_FACTS = {
    DriftPolicy.REPAIR.value: [
        "A changed field is set back, and a removed object is made again. What Slipway does not set is left alone."
    ],
    DriftPolicy.LEAVE.value: [
        "The page says what was changed and by whom. Repair now takes it back, and a new revision may overwrite it."
    ],
}


@dataclass(frozen=True, slots=True)
class Notice:
    """What others changed, as the last look found it."""

    tone: str
    icon: str
    title: str
    lines: tuple[str, ...]
    at: datetime | None
    is_left: bool
    """It is still there, and can be taken back."""
    more: int = 0
    """Changes that are not named."""


class PolicyForm(forms.Form):
    policy = forms.ChoiceField(
        label="When somebody changes an object by hand",
        choices=DriftPolicy.choices(),
        widget=ChoiceCards(facts=_FACTS),
    )


def notice(deployment: Deployment) -> Notice | None:
    """None while the cluster is as it was left."""
    record = deployment.drift
    changes = record.get("changes") if record else None
    if not record or not changes or deployment.desired_state == DesiredState.DELETED:
        return None
    repaired, asked = bool(record.get("repaired")), bool(record.get(REPAIR))
    what = "A change" if len(changes) == 1 else f"{len(changes)} changes"
    if repaired:
        tone, icon, title = Tone.IDLE, "wrench", f"{what} made in the cluster {_was(changes)} taken back"
    elif asked:
        tone, icon, title = Tone.BUSY, "", f"{what} made in the cluster {_is(changes)} being taken back"
    else:
        tone, icon, title = Tone.WARN, "", f"{what} made in the cluster {_was(changes)} left"
    lines = tuple(_line(change) for change in changes[:MOST_CHANGES])
    return Notice(
        tone.value,
        icon,
        title,
        lines,
        moment_of(record.get("at")),
        is_left=not repaired and not asked,
        more=max(len(changes) - MOST_CHANGES, 0),
    )


@require_POST
@requires(Permission.DEPLOY)
def repair(request: Request, name: str) -> HttpResponse:
    """Takes back what others changed, once, whatever the policy says."""
    deployment, _, _ = find(request, name)
    if deployment.drift and not deployment.drift.get("repaired"):
        desired.repair_now(deployment, author=request.user)
        messages.success(request, f"Changes made by hand to {name} are being taken back.")
    else:
        messages.info(request, "Nothing is left to take back.")
    return redirect("deployment_detail", name)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.DEPLOY)
def policy(request: Request, name: str) -> HttpResponse:
    deployment, _, _ = find(request, name)
    if deployment.desired_state == DesiredState.DELETED:
        messages.info(request, f"{name} is being deleted already.")
        return redirect("deployment_list")
    posted = request.method == "POST"
    form = PolicyForm(request.POST if posted else None, initial={"policy": deployment.drift_policy})
    if posted and form.is_valid():
        chosen = DriftPolicy(form.cleaned_data["policy"])
        if chosen != deployment.drift_policy:
            desired.set_drift_policy(deployment, chosen, author=request.user)
            messages.success(request, f"Changes made by hand to {name}: {_said(chosen)}")
        return redirect("deployment_detail", name)
    context = {"deployment": deployment, "form": form, "address": request.path}
    status = 422 if posted else 200
    return page(request, "deployments/drift_policy.html", context, fragment="question", status=status)


def _said(policy: DriftPolicy) -> str:
    return (
        "Slipway takes them back."
        if policy is DriftPolicy.REPAIR
        else "Slipway leaves them and says so here."
    )


def _line(change: dict[str, object]) -> str:
    kind, _, name = str(change.get("object", "")).partition("/")
    by = str(change.get("by") or "")
    who = f" by {by}" if by else ", by whom the cluster does not say"
    paths = change.get("paths")
    if not isinstance(paths, list) or not paths:
        return f"{kind} {name} was removed{f' by {by}' if by else ''}."
    return f"{kind} {name}: {', '.join(map(str, paths))} changed{who}."


def _was(changes: list[object]) -> str:
    return "was" if len(changes) == 1 else "were"


def _is(changes: list[object]) -> str:
    return "is" if len(changes) == 1 else "are"
