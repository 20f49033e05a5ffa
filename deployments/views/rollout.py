"""The overview of one deployment: what is wrong, how the rollout goes, its replicas, events and last lines."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.utils.html import format_html
from django.views.decorators.http import require_safe

from console.access import Permission, requires
from console.http import Request, page
from console.presentation import figures, times
from deployments import gpus, leftovers, log_reading, naming
from deployments.history import usual_times
from deployments.history.moments import moment_of
from deployments.history.timeline import Change, spent, steps
from deployments.listing import shared_text
from deployments.models import Deployment
from deployments.spec import DeploymentSpec
from deployments.standing import Standing, observation_of
from deployments.views import drift, scaling
from deployments.views.frame import find, head
from deployments.vocabulary import DesiredState, Phase, Sharing, TlsMode, Tone

EVERY_WHILE_MOVING = 2
EVERY = 15
MOST_CHANGES = 200
EVENTS_SHOWN = 8
LINES_SHOWN = 8


@require_safe
@requires(Permission.VIEW)
def detail(request: Request, name: str) -> HttpResponse:
    """A poll of a deployment at rest, of which nothing has changed, is answered with 204."""
    deployment, standing, now = find(request, name)
    version = _version(deployment, standing, now)
    moving = standing.phase.is_moving
    if request.htmx and not moving and request.headers.get("X-Seen") == version:
        return HttpResponse(status=204)
    spec, seen = deployment.spec, observation_of(deployment)
    details: Mapping[str, Any] = seen.details or {}
    number, changes = _changes(deployment, standing)
    median, rollouts = usual_times.of(deployment, leave_out=number)
    timeline = steps(changes, standing.phase, now, expected=median, note=standing.sentence)
    began = changes[0].at if changes else deployment.changed_at
    replicas = list(_replicas(details, spec))
    context = head(deployment, standing, "deployment_detail", now) | {
        "version": version,
        "every": EVERY_WHILE_MOVING if moving else EVERY,
        "number": number,
        "roll_back_to": _roll_back_to(deployment, standing, details),
        "diagnosis_facts": _diagnosis_facts(deployment, standing, details, changes, now),
        "steps": timeline,
        "stopped": deployment.desired_state != DesiredState.RUNNING,
        "began": began,
        "rollouts": rollouts if any(step.expected for step in timeline) else 0,
        "replicas": replicas,
        "roles": any(replica["role"] for replica in replicas),
        "scaling": scaling.card(spec, details, now)
        if deployment.desired_state == DesiredState.RUNNING
        else None,
        "drift": drift.notice(deployment),
        "gone": leftovers.is_gone(deployment.endpoint.cluster, now),
        "remarks": details.get("remarks") or [],
        "events": list(_events(details)),
        "events_shown": EVENTS_SHOWN,
        "log": [log_reading.line(text) for text in (details.get("log") or [])[-LINES_SHOWN:]],
        "log_of": details.get("log_of") or "",
        "rollout_facts": _rollout_facts(deployment, now),
        "access_facts": _access_facts(deployment, spec),
    }
    return page(request, "deployments/detail.html", context, fragment="live")


def _version(deployment: Deployment, standing: Standing, now: datetime) -> str:
    """Stands for everything that the page shows, save the passing of time."""
    seen = observation_of(deployment)
    parts = [
        standing.phase.value,
        standing.sentence,
        standing.remedy,
        f"{standing.ready}/{standing.wanted}",
        deployment.changed_at.isoformat(),
        str(deployment.current_id),  # type: ignore[attr-defined]
        deployment.desired_state,
        deployment.attempts,
        seen.details,
        deployment.drift,
        leftovers.is_gone(deployment.endpoint.cluster, now),
        deployment.shared_with,  # type: ignore[attr-defined]
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _changes(deployment: Deployment, standing: Standing) -> tuple[int, list[Change]]:
    """The rollout to show: its revision, and its changes of phase, oldest first.

    It is the present revision's, or, where that one moved nothing in the cluster (sharing, prices), the last that did.
    """
    number = deployment.current.number  # type: ignore[union-attr]
    found = list(
        deployment.transitions.order_by("-at", "-id").values_list("revision", "at", "after")[:MOST_CHANGES]
    )[::-1]
    if standing.phase.is_moving and (
        not found or found[-1][0] < number or found[-1][1] < deployment.changed_at
    ):
        return number, [Change(deployment.changed_at, Phase.QUEUED)]
    if not found:
        return number, []
    shown = found[-1][0]
    changes = [Change(at, Phase(after)) for revision, at, after in found if revision == shown]
    # A start after a stop is a rollout of its own, of the same revision.
    rests = [i for i, change in enumerate(changes) if change.after in (Phase.STOPPED, Phase.STOPPING)]
    began = deployment.current.created_at if shown == number else changes[0].at  # type: ignore[union-attr]
    if rests and rests[-1] + 1 < len(changes):
        changes, began = changes[rests[-1] + 1 :], deployment.changed_at
    if changes[0].after is not Phase.QUEUED and began < changes[0].at:
        changes.insert(0, Change(began, Phase.QUEUED))
    return shown, changes


def _roll_back_to(deployment: Deployment, standing: Standing, details: Mapping[str, Any]) -> int | None:
    """The newest earlier revision that serves, or did, while the present one fails; None when there is none."""
    number = deployment.current.number  # type: ignore[union-attr]
    if standing.phase is not Phase.FAILED or number == 1:
        return None
    serving = details.get("serving_revision") if standing.ready else None
    if isinstance(serving, int) and serving < number:
        return serving
    served = deployment.transitions.filter(after=Phase.SERVING, revision__lt=number)
    return served.order_by("-revision").values_list("revision", flat=True).first()


def _diagnosis_facts(
    deployment: Deployment,
    standing: Standing,
    details: Mapping[str, Any],
    changes: list[Change],
    now: datetime,
) -> list[tuple[str, str]]:
    """Where the diagnosis comes from; only what is known."""
    if not standing.needs_attention:
        return []
    revision = details.get("serving_revision")
    ready = f"{standing.ready} of {standing.wanted} replica{'' if standing.wanted == 1 else 's'}"
    serving = f"Revision {revision}, {ready}" if revision and standing.ready else ready
    known = "Last known" if standing.phase is Phase.UNKNOWN else "Serving now"
    facts = [(known, serving if standing.ready else "Nothing")]
    if standing.phase is Phase.FAILED and changes:
        facts.append(("Failed in", spent(changes, now).at.label))
    if deployment.attempts:
        due = deployment.reconcile_due_at
        following = f", next in {times.duration(due - now)}" if due and due > now else ""
        facts.append(("Attempts", f"{deployment.attempts}{following}"))
    worst = next((event for event in details.get("events") or [] if event.get("warning")), None)
    if worst:
        at = moment_of(worst.get("at"))
        facts.append(
            (
                "Evidence",
                format_html(
                    '<a href="#events-title">Event {}{}</a>', worst.get("reason", ""), _clock(at, now)
                ),
            )
        )
    if standing.seen_at:
        facts.append(("Last look", times.ago(standing.seen_at, now)))
    return facts


def _replicas(details: Mapping[str, Any], spec: DeploymentSpec) -> Iterator[dict[str, Any]]:
    gpu = spec.resources.gpu
    for replica in details.get("replicas") or []:
        tone = replica.get("tone")
        yield {
            "name": replica.get("name", ""),
            "label": replica.get("label", ""),
            "tone": tone if tone in set(Tone) else Tone.IDLE.value,
            "sentence": replica.get("sentence", ""),
            "node": replica.get("node", ""),
            "restarts": replica.get("restarts", 0),
            "revision": replica.get("revision"),
            "since": moment_of(replica.get("since")),
            "gpus": gpus.count(replica.get("gpus", gpu.count), gpu.product),
            "role": "Extra" if replica.get("extra") else str(replica.get("role") or "").capitalize(),
        }


def _events(details: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for event in details.get("events") or []:
        yield {**event, "at": moment_of(event.get("at")), "times": event.get("times") or 1}


def _rollout_facts(deployment: Deployment, now: datetime) -> list[tuple[str, str]]:
    current = deployment.current
    assert current is not None
    author = str(current.author) if current.author else "Command line"
    return [
        ("Revision", str(current.number)),
        ("Saved", f"{times.moment(current.created_at, now)} UTC"),
        ("Saved by", author),
        ("Note", current.note),
        ("Created", f"{times.moment(deployment.created_at, now)} UTC"),
    ]


def _access_facts(deployment: Deployment, spec: DeploymentSpec) -> list[tuple[str, str]]:
    limits = [
        (
            f"Limit per {scope.label[:1].lower() + scope.label[1:] if scope.label != 'API key' else 'API key'}",
            _limit(limit),
        )
        for scope, limit in spec.rate_limits.by_scope().items()
    ]
    price = spec.pricing
    sums = (
        f"{figures.money(price.input_per_million, price.currency)} in, "
        f"{figures.money(price.output_per_million, price.currency)} out per 1M tokens"
        if price
        else "Not set"
    )
    return [
        ("Address", endpoint_address(deployment)),
        ("Shared with", shared_names(deployment)),
        *(limits or [("Limits", "None")]),
        ("Price", sums),
    ]


def endpoint_address(deployment: Deployment) -> str:
    """Where requests go: the endpoint's host name and this deployment's path on it."""
    endpoint = deployment.endpoint
    scheme = "http" if endpoint.tls == TlsMode.NONE else "https"
    return f"{scheme}://{endpoint.hostname}{naming.route_path(deployment.name)}"


def shared_names(deployment: Deployment) -> str:
    names: list[str] = deployment.shared_with  # type: ignore[attr-defined]
    if deployment.sharing == Sharing.ALL:
        return "All organisations"
    if deployment.sharing == Sharing.SELECTED and names:
        more = f" and {len(names) - 10} more" if len(names) > 10 else ""
        if more or len(names) == 1:
            return ", ".join(names[:10]) + more
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return shared_text(deployment.sharing, 0)


def _limit(limit: Any) -> str:
    parts = [
        f"{limit.tokens_per_minute:,} tokens/min" if limit.tokens_per_minute else "",
        f"{limit.requests_per_minute:,} requests/min" if limit.requests_per_minute else "",
    ]
    return ", ".join(part for part in parts if part)


def _clock(at: datetime | None, now: datetime) -> str:
    return f", {times.moment(at, now, seconds=True)}" if at else ""
