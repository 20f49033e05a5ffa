"""The last page: everything that was chosen, what changes, what would be sent, and sending it.

The manifests are rendered with stand-ins for every secret: no secret is opened to show a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from console.models import User
from deployments import desired, masking
from deployments.history import portrait
from deployments.models import Deployment
from deployments.spec import DeploymentSpec
from deployments.vocabulary import DesiredState, RolloutStrategy
from deployments.wizard import steps, words
from deployments.wizard.steps import Step
from deployments.wizard.work import Work, typed_secrets


@dataclass(frozen=True, slots=True)
class Chosen:
    """One step in the summary."""

    step: Step
    facts: list[tuple[str, str]]


def summary(spec: DeploymentSpec, work: Work) -> list[Chosen]:
    """Every step with what it says."""
    engine, resources = spec.engine, spec.resources
    endpoint = work.endpoint
    return [
        Chosen(
            steps.GENERAL,
            [
                ("Name", spec.name),
                ("Description", spec.description),
                ("Model", work.model.name),
                (
                    "Endpoint",
                    f"{endpoint.name}, {endpoint.hostname} on {endpoint.cluster.name}" if endpoint else "",
                ),
                *portrait.sharing(spec),
            ],
        ),
        Chosen(
            steps.ENGINE,
            [
                *portrait.engine(spec),
                ("Arguments", words.join(engine.arguments).replace("\n", " ") or "None"),
            ],
        ),
        Chosen(
            steps.RESOURCES,
            [
                *portrait.gpus(spec),
                ("CPU", f"{resources.cpu_request} requested, {resources.cpu_limit or 'no'} limit"),
                ("Memory", f"{resources.memory_request} requested, {resources.memory_limit} limit"),
            ],
        ),
        Chosen(steps.AUTOSCALING, [*portrait.scaling(spec.autoscaling), *portrait.change(spec)]),
        Chosen(
            steps.ENVIRONMENT,
            [(v.name, masking.HIDDEN if v.secret else v.value or "Empty") for v in spec.environment]
            or [("Variables", "None")],
        ),
        Chosen(steps.RATE_LIMITS, _limits(spec) or [("Limits", "None")]),
        Chosen(steps.PRICING, portrait.price(spec)),
    ]


def _limits(spec: DeploymentSpec) -> list[tuple[str, str]]:
    said = []
    for scope, limit in spec.rate_limits.by_scope().items():
        parts = []
        if limit.tokens_per_minute is not None:
            parts.append(f"{limit.tokens_per_minute:,} tokens")
        if limit.requests_per_minute is not None:
            parts.append(f"{limit.requests_per_minute:,} requests")
        said.append((scope.label, " and ".join(parts) + " per minute"))
    return said


def manifests(spec: DeploymentSpec, work: Work, strategy: RolloutStrategy = RolloutStrategy.REPLACE) -> str:
    """What would be sent, as YAML, with every secret value masked. Raises EngineNotOffered."""
    endpoint = work.endpoint
    assert endpoint is not None
    editing = work.editing
    current = editing.current if editing else None
    made = masking.context(
        spec,
        work.model,
        endpoint,
        source=work.source,
        revision=current.number + 1 if current else 1,
        stopped=editing is not None and editing.desired_state != DesiredState.RUNNING,
        strategy=strategy,
        restarted_at=editing.restart_mark if editing else "",
    )
    return masking.manifests(spec, made)


def deploy(work: Work, spec: DeploymentSpec, author: User, note: str) -> Deployment:
    """Saves what the draft says. Raises InvalidDocument, EngineNotOffered, Conflict."""
    secrets = typed_secrets(work.draft)
    if work.editing is None:
        return desired.create(spec, author=author, secrets=secrets, note=note, draft=work.draft)
    save = partial(desired.roll_back, to=work.restores) if work.restores is not None else desired.revise
    return save(
        work.editing,
        spec=spec,
        author=author,
        expected=work.draft.base_revision,
        secrets=secrets,
        note=note,
        draft=work.draft,
    )
