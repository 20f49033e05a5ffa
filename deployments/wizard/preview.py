"""What saving an edit would change and do, for the review: against the revision in force, and the cluster as it is.

The manifests are rendered with stand-ins for secrets. Which secret variables get another value is found out by
comparing values, of which only the names leave this module.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from django import forms
from django.http import QueryDict

from console.presentation.widgets import ChoiceCards
from deployments import document, impact, masking, strategy
from deployments.context import RenderContext
from deployments.history import changes, secret_changes, usual_times
from deployments.history.changes import Change, Clash
from deployments.impact import Impact, Situation, sentences
from deployments.manifests import EngineNotOffered, render
from deployments.models import Revision
from deployments.spec import DeploymentSpec
from deployments.strategy import Choice
from deployments.vocabulary import DesiredState, RolloutStrategy
from deployments.wizard import reading
from deployments.wizard.work import Work, typed_secrets

_PREVIEW_KEY = b"preview"


@dataclass(frozen=True, slots=True)
class Preview:
    changes: list[Change]
    impact: Impact
    choice: Choice
    strategies: StrategyForm
    checked_at: datetime | None
    """When the cluster was last checked; None: never."""


class StrategyForm(forms.Form):
    """How the new revision takes the place of the old one; each choice says what it means now."""

    strategy = forms.ChoiceField(label="How it rolls out", choices=RolloutStrategy.choices())

    def __init__(
        self, spec: DeploymentSpec, safe: Choice, now: Situation, data: QueryDict | None = None
    ) -> None:
        super().__init__(data, initial={"strategy": spec.rollout.value})
        facts = {
            RolloutStrategy.AUTO.value: [f"{safe.strategy.label}. {safe.reason}"],
            **{
                how.value: [sentences.capacity(spec, how, now)]
                for how in (RolloutStrategy.REPLACE, RolloutStrategy.SURGE)
            },
        }
        obstacle = strategy.cannot_surge(spec)
        self.obstacle = obstacle
        self.fields["strategy"].widget = ChoiceCards(
            choices=RolloutStrategy.choices(),
            facts=facts,
            refused={RolloutStrategy.SURGE.value: obstacle} if obstacle else {},
            attrs={"form": "step"},
        )

    def clean_strategy(self) -> RolloutStrategy:
        chosen = RolloutStrategy(self.cleaned_data["strategy"])
        if chosen is RolloutStrategy.SURGE and self.obstacle:
            raise forms.ValidationError(f"{self.obstacle} Choose another way.")
        return chosen


def of(work: Work, spec: DeploymentSpec) -> Preview | None:
    """The preview of an edit; None for a new deployment."""
    deployment, endpoint = work.editing, work.endpoint
    current = deployment.current if deployment else None
    if deployment is None or current is None or endpoint is None:
        return None
    old, now = current.spec, situation(work)
    new_secrets = secrets_that_change(work, spec)
    running = not now.stopped and now.ready > 0
    weights = changes.of_weights(current.model_source, work.source)
    others = bool(new_secrets or weights)

    def chosen(wanted: DeploymentSpec) -> Choice:
        present = RolloutStrategy(current.strategy)
        return strategy.choose(wanted, old, work.facts, running, secrets_change=others, present=present)

    choice, safe = chosen(spec), chosen(replace(spec, rollout=RolloutStrategy.AUTO))

    def context(wanted: DeploymentSpec, revision: Revision | None) -> RenderContext:
        return masking.context(
            wanted,
            work.model,
            endpoint,
            source=revision.model_source if revision else work.source,
            revision=current.number + (revision is None),
            stopped=now.stopped,
            # That a rollout goes another way than the last one restarts nothing by itself.
            strategy=choice.strategy,
            restarted_at=deployment.restart_mark,
            new_secrets=() if revision else new_secrets,
            checksum_key=_PREVIEW_KEY,
        )

    try:
        before = render(old, context(old, current))
    except EngineNotOffered:
        before = []
    after = render(spec, context(spec, None))
    found = changes.between(current.document, document.to_mapping(spec), new_secrets)
    now = replace(now, kept=_serves_already(work, spec))
    return Preview(
        changes=[*weights, *found],
        impact=impact.impact(before, after, old, spec, choice, now),
        choice=choice,
        strategies=StrategyForm(spec, safe, now),
        checked_at=work.facts.checked_at if work.facts else None,
    )


def asked(work: Work, spec: DeploymentSpec, data: QueryDict) -> StrategyForm:
    """The form as it was sent."""
    return StrategyForm(spec, Choice(spec.rollout, ""), situation(work), data)


def situation(work: Work) -> Situation:
    """The deployment being edited, as it was last seen."""
    deployment = work.editing
    assert deployment is not None
    seen = getattr(deployment, "observation", None)
    times, rollouts = usual_times.of(deployment)
    return Situation(
        replicas=deployment.spec.workers_among(seen.wanted if seen else 0),
        ready=seen.ready if seen else 0,
        stopped=deployment.desired_state != DesiredState.RUNNING,
        facts=work.facts,
        start=usual_times.start_of(times),
        rollouts=rollouts,
    )


def _serves_already(work: Work, spec: DeploymentSpec) -> int:
    """The earlier revision whose replicas serve while the newest does not, where they are what is wanted; else 0."""
    deployment = work.editing
    current = deployment.current if deployment else None
    seen = getattr(deployment, "observation", None)
    if deployment is None or current is None or seen is None or not seen.ready:
        return 0
    number = (seen.details or {}).get("serving_revision")
    if not isinstance(number, int) or number >= current.number:
        return 0
    if deployment.restarted_at and deployment.restarted_at > current.created_at:
        return 0
    earlier = work.restores
    if earlier is None or earlier.number != number:
        earlier = Revision.objects.filter(deployment=deployment, number=number).first()
    if earlier is None or strategy.pods_change(earlier.spec, spec):
        return 0
    values = {**work.stored_secrets(), **typed_secrets(work.draft)}
    had = earlier.secret_values()
    same_secrets = all(values.get(name) == had.get(name) for name in spec.secret_names)
    return number if same_secrets and earlier.model_source.same_weights(work.source) else 0


def secrets_that_change(work: Work, spec: DeploymentSpec) -> frozenset[str]:
    """Secret variables whose value is another one than in the revision in force, as saving would find."""
    current = work.editing.current if work.editing else None
    typed = typed_secrets(work.draft)
    if current is None or not (typed or work.restores):
        return frozenset()
    kept = current.secret_values()
    wanted = {**work.stored_secrets(), **typed}
    return frozenset(
        name for name in spec.secret_names if name in kept and wanted.get(name, "") != kept.get(name)
    )


def clashes(work: Work) -> list[Clash]:
    """What was changed since this change began, by others and by it."""
    current = work.editing.current if work.editing else None
    begun = Revision.objects.filter(deployment=work.editing, number=work.draft.base_revision).first()
    if current is None or begun is None:
        return []
    return changes.three_way(
        begun.document,
        current.document,
        reading.to_mapping(reading.normal(work.sections)),
        their_secrets=secret_changes.between(begun, current),
        my_secrets=frozenset(typed_secrets(work.draft)),
    )
