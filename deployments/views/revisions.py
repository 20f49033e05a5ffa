"""The history of a deployment: every revision with its outcome, one of them, and any two side by side."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from django import forms
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from console.access import Permission, requires
from console.http import Request, page
from deployments import document
from deployments.document import InvalidDocument
from deployments.history import changes, outcomes, secret_changes
from deployments.history.changes import Change
from deployments.history.outcomes import Outcome, Seen
from deployments.models import Deployment, Revision, Transition
from deployments.standing import Standing, observation_of
from deployments.views.frame import find, head
from deployments.vocabulary import Phase, RolloutStrategy

TAB = "deployment_revisions"
PER_PAGE = 25
_HIGHEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the history."""

    revision: Revision
    said: str
    """What it changed, in short."""
    outcome: Outcome
    is_current: bool


class TwoNumbers(forms.Form):
    """The revisions to compare."""

    old = forms.IntegerField(label="Compare revision", min_value=1, max_value=_HIGHEST)
    new = forms.IntegerField(label="with revision", min_value=1, max_value=_HIGHEST)


@require_safe
@requires(Permission.VIEW)
def listed(request: Request, name: str) -> HttpResponse:
    """Newest first. Four statements for any number of revisions, besides those that find the deployment."""
    deployment, standing, now = find(request, name)
    current = _current(deployment)
    revisions = _revisions(deployment).defer("secrets")
    shown = Paginator(revisions, PER_PAGE).get_page(request.GET.get("page"))
    start = max(shown.start_index() - 1, 0)
    # One more than is shown: the last line says what it changed of the one before.
    found = list(revisions[start : start + PER_PAGE + 1])
    rows = list(_rows(deployment, standing, found))[:PER_PAGE]
    context: dict[str, Any] = head(deployment, standing, TAB, now) | {
        "page": shown,
        "rows": rows,
        "form": TwoNumbers(initial={"old": max(current.number - 1, 1), "new": current.number}),
        "number": current.number,
    }
    return page(request, "deployments/revisions.html", context)


@require_safe
@requires(Permission.VIEW)
def detail(request: Request, name: str, number: int) -> HttpResponse:
    """One revision: its document, what it changed, and how it differs from the present one."""
    deployment, standing, now = find(request, name)
    current = _current(deployment)
    found = {each.number: each for each in _some(deployment, number - 1, number, current.number)}
    revision, before = found.get(number), found.get(number - 1)
    if revision is None:
        raise Http404
    (row,) = _rows(deployment, standing, [each for each in (revision, before) if each], only=1)
    context: dict[str, Any] = head(deployment, standing, TAB, now) | {
        "row": row,
        "revision": revision,
        "before": before,
        "current": current,
        "number_text": str(number),
        "before_text": str(number - 1),
        "current_text": str(current.number),
        "strategy": RolloutStrategy(revision.strategy).label if before else "",
        "from_before": _differences(before, revision) if before else [],
        "to_current": [] if row.is_current else _differences(revision, found[current.number]),
        "document": _yaml(revision),
    }
    return page(request, "deployments/revisions_one.html", context)


@require_safe
@requires(Permission.VIEW)
def compare(request: Request, name: str) -> HttpResponse:
    """Any two revisions, named by ?old=1&new=3; without them the present one and the one before."""
    deployment, standing, now = find(request, name)
    current = _current(deployment)
    default = {"old": str(max(current.number - 1, 1)), "new": str(current.number)}
    asked = {key: request.GET.get(key, "")[:20] or value for key, value in default.items()}
    form = TwoNumbers(asked)
    context: dict[str, Any] = head(deployment, standing, TAB, now) | {"form": form, "status": 200}
    if not form.is_valid():
        return page(request, "deployments/revisions_compare.html", context, status=404)
    numbers = form.cleaned_data["old"], form.cleaned_data["new"]
    found = {each.number: each for each in _some(deployment, *numbers)}
    missing = [number for number in dict.fromkeys(numbers) if number not in found]
    if missing:
        context["missing"] = missing
        return page(request, "deployments/revisions_compare.html", context, status=404)
    old, new = (found[number] for number in numbers)
    context |= {
        "old": old,
        "new": new,
        "old_text": str(old.number),
        "new_text": str(new.number),
        "changes": _differences(old, new),
        "diff": _diff(old, new),
    }
    return page(request, "deployments/revisions_compare.html", context)


@require_safe
@requires(Permission.VIEW)
def download(request: Request, name: str, number: int) -> HttpResponse:
    """The document of a revision as a file. Applying it goes back to its settings."""
    deployment, _, _ = find(request, name)
    revision = next(iter(_some(deployment, number)), None)
    if revision is None:
        raise Http404
    response = HttpResponse(_yaml(revision), content_type="application/yaml; charset=utf-8")
    file = f"{deployment.name}-revision-{number}.yaml"
    response.headers["Content-Disposition"] = f'attachment; filename="{file}"'
    return response


def _revisions(deployment: Deployment) -> Any:
    return Revision.objects.filter(deployment=deployment).select_related("author").order_by("-number")


def _some(deployment: Deployment, *numbers: int) -> Iterable[Revision]:
    wanted = {number for number in numbers if 0 < number <= _HIGHEST}
    revisions: Iterable[Revision] = _revisions(deployment).filter(number__in=wanted)
    return revisions


def _current(deployment: Deployment) -> Revision:
    assert deployment.current is not None, "find() gives only deployments with a revision"
    return deployment.current


def _rows(
    deployment: Deployment, standing: Standing, revisions: list[Revision], only: int | None = None
) -> Iterable[Row]:
    """A row for each revision, newest first; the one before must follow in the list where there is one."""
    current = _current(deployment).number
    seen = observation_of(deployment)
    serving = (seen.details or {}).get("serving_revision") if seen.ready else None
    phases = _phases(deployment, [revision.number for revision in revisions])
    before: Mapping[int, Revision] = {revision.number + 1: revision for revision in revisions}
    for revision in revisions[:only]:
        previous = before.get(revision.number)
        found = _documents(previous, revision) if previous else []
        said = changes.in_short(found) or "Values of secret variables" if previous else "Created"
        if revision.number == current:
            outcome = outcomes.of_newest(standing.phase, standing.sentence)
        else:
            outcome = outcomes.of_earlier(
                phases.get(revision.number, {}),
                serves=revision.number == serving,
                touches_pods=not found or any(change.restarts for change in found),
            )
        yield Row(revision, said, outcome, revision.number == current)


def _phases(deployment: Deployment, numbers: list[int]) -> dict[int, dict[Phase, Seen]]:
    """The last time that each revision came into each phase, in one statement."""
    rows = (
        Transition.objects.filter(deployment=deployment, revision__in=numbers)
        .order_by("revision", "after", "-at", "-id")
        .distinct("revision", "after")
        .values_list("revision", "after", "at", "sentence")
    )
    found: dict[int, dict[Phase, Seen]] = {}
    for number, after, at, sentence in rows:
        if after != Phase.QUEUED:
            found.setdefault(number, {})[Phase(after)] = Seen(at, sentence)
    return found


def _documents(old: Revision, new: Revision) -> list[Change]:
    return [
        *changes.of_weights(old.model_source, new.model_source),
        *changes.between(old.document, new.document),
    ]


def _differences(old: Revision, new: Revision) -> list[Change]:
    """With the secret variables that have another value, which a document cannot say."""
    return [
        *changes.of_weights(old.model_source, new.model_source),
        *changes.between(old.document, new.document, secret_changes.between(old, new)),
    ]


def _yaml(revision: Revision) -> str:
    """The document in its usual order; one that this version cannot read, as it is stored."""
    try:
        return document.write(revision.spec)
    except InvalidDocument:
        text: str = yaml.safe_dump(revision.document, sort_keys=False, allow_unicode=True, width=100)
        return text


def _diff(old: Revision, new: Revision) -> str:
    lines = difflib.unified_diff(
        _yaml(old).splitlines(),
        _yaml(new).splitlines(),
        f"revision {old.number}",
        f"revision {new.number}",
        lineterm="",
    )
    return "\n".join(lines)
