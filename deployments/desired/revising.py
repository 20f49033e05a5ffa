"""Saves what people want as a revision: create, revise, roll back, share."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from django.db import IntegrityError, transaction
from django.utils import timezone

from console.models import Organization, User
from deployments import audited, document, fixed, strategy
from deployments.context import ModelSource
from deployments.desired.known import facts_of, serves
from deployments.desired.queueing import queue
from deployments.desired.terms import save_shares, save_terms
from deployments.document import InvalidDocument, Problem
from deployments.engines import ngc
from deployments.models import CatalogModel, Deployment, Draft, Endpoint, Observation, Revision, Transition
from deployments.spec import DeploymentSpec
from deployments.vocabulary import DesiredState, Phase, RolloutStrategy, Sharing


class Conflict(Exception):
    """Somebody else saved a revision since this change began."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(f"Revision {found} was saved meanwhile; this change began from revision {expected}.")
        self.expected, self.found = expected, found


def create(
    spec: DeploymentSpec,
    *,
    author: User | None,
    secrets: Mapping[str, str] | None = None,
    note: str = "",
    draft: Draft | None = None,
) -> Deployment:
    """Saves a new deployment with revision 1, its terms and shares, and queues it.

    A draft becomes at most one deployment: submitting it again returns the first one. Raises InvalidDocument
    when a name in the spec is taken, unknown or not offered, or when a secret variable has no value.
    """
    with transaction.atomic():
        if (already := _became(draft)) is not None:
            return already
        model, endpoint, organizations = _look_up(spec)
        spec = _with_image(spec, model.source)
        _require_secrets(spec, secrets or {})
        now = timezone.now()
        try:
            with transaction.atomic():
                deployment = Deployment.objects.create(
                    name=spec.name, model=model, endpoint=endpoint, created_by=author, changed_by=author
                )
        except IntegrityError:
            raise InvalidDocument([name_taken(spec.name)]) from None
        chosen = strategy.choose(spec, None, facts_of(endpoint), running=False)
        _save_revision(deployment, 1, spec, secrets or {}, author, note, chosen, model.source)
        save_terms(deployment, spec)
        save_shares(deployment, spec.sharing.mode, organizations)
        Observation.objects.create(
            deployment=deployment, phase_since=now, revision=1, wanted=spec.pods_at_least
        )
        Transition.objects.create(deployment=deployment, revision=1, after=Phase.QUEUED, at=now)
        _becomes(draft, deployment)
        queue(deployment, author, now)
        assert deployment.current is not None
        audited.record_revision(deployment, deployment.current, None, note)
    return deployment


def revise(
    deployment: Deployment,
    spec: DeploymentSpec,
    *,
    author: User | None,
    expected: int,
    secrets: Mapping[str, str] | None = None,
    note: str = "",
    draft: Draft | None = None,
    source: ModelSource | None = None,
) -> Deployment:
    """Saves a new revision and queues it; an unchanged spec saves nothing.

    `expected` is the number of the revision that the change began from. Secret variables without a new value keep
    the stored one. `source`: what the model's name stands for in this revision; None: what the catalogue says today.
    Raises Conflict, InvalidDocument.
    """
    with transaction.atomic():
        if (already := _became(draft)) is not None:
            return already
        # Without a join: after waiting for the lock, a joined revision would still be that of before.
        locked = Deployment.objects.select_for_update(of=("self",)).get(pk=deployment.pk)
        current = locked.current
        assert current is not None
        if current.number != expected:
            raise Conflict(expected, current.number)
        if locked.desired_state == DesiredState.DELETED:
            raise InvalidDocument(
                [Problem("metadata.name", f"{locked.name} is being deleted. Wait until it is gone.")]
            )
        if spec.name != locked.name:
            raise InvalidDocument([Problem("metadata.name", f"A deployment keeps its name, {locked.name}.")])
        model, endpoint, organizations = _look_up(spec)
        if endpoint.pk != locked.endpoint_id:
            sentence = f"{locked.name} stays on its endpoint. Deploy it again under another name to move it."
            raise InvalidDocument([Problem("spec.endpoint", sentence)])
        if model.pk != locked.model_id:
            sentence = f"{locked.name} serves {locked.model.slug}. Deploy {model.slug} under another name."
            raise InvalidDocument([Problem("spec.model", sentence)])
        source = source or model.source
        spec = _with_image(spec, source)
        # Against what the cluster has: a revision that it refused may be taken back.
        reached = locked.revisions.filter(number=locked.applied_revision).first()
        if reached is not None and (problems := fixed.of(reached.spec, spec)):
            raise InvalidDocument(problems)
        kept = current.secret_values()
        values = {name: (secrets or {}).get(name) or kept.get(name, "") for name in spec.secret_names}
        _require_secrets(spec, values)
        same_spec = current.document == document.to_mapping(spec)
        secrets_change = values != kept or not current.model_source.same_weights(source)
        if not same_spec or secrets_change:
            now = timezone.now()
            chosen = strategy.choose(
                spec,
                current.spec,
                facts_of(endpoint),
                serves(locked),
                secrets_change=secrets_change,
                present=RolloutStrategy(current.strategy),
            )
            _save_revision(locked, current.number + 1, spec, values, author, note, chosen, source)
            save_terms(locked, spec)
            save_shares(locked, spec.sharing.mode, organizations)
            queue(locked, author, now)
        _becomes(draft, locked)
        if locked.current is not None and locked.current != current:
            audited.record_revision(locked, locked.current, current, note)
    return locked


def roll_back(
    deployment: Deployment,
    to: Revision,
    spec: DeploymentSpec,
    *,
    author: User | None,
    expected: int,
    secrets: Mapping[str, str] | None = None,
    note: str = "",
    draft: Draft | None = None,
) -> Deployment:
    """Saves a new revision that runs what an earlier one ran: its weights, and its values of secret variables.

    `spec` is what restoring.py made of the earlier document. Values in `secrets` come before those of the earlier
    revision. Raises what `revise` raises.
    """
    return revise(
        deployment,
        spec,
        author=author,
        expected=expected,
        secrets={**to.secret_values(), **(secrets or {})},
        note=note,
        draft=draft,
        source=to.model_source,
    )


def share(
    deployment: Deployment, mode: Sharing, organizations: Iterable[str], *, author: User | None
) -> Deployment:
    """Changes with whom it is shared, as a revision of its own; no pod notices."""
    current = deployment.current
    assert current is not None
    chosen = tuple(sorted(set(organizations))) if mode is Sharing.SELECTED else ()
    spec = replace(current.spec, sharing=replace(current.spec.sharing, mode=mode, organizations=chosen))
    return revise(deployment, spec, author=author, expected=current.number, note="Sharing")


def _became(draft: Draft | None) -> Deployment | None:
    """What a draft has become already; holds it, so that nobody else makes something of it meanwhile."""
    return None if draft is None else Draft.objects.select_for_update(of=("self",)).get(pk=draft.pk).result


def _becomes(draft: Draft | None, result: Deployment) -> None:
    """The draft's work is done: it points to what it became, and keeps no secret."""
    if draft is not None:
        draft.result, draft.secrets = result, ""
        draft.save(update_fields=["result", "secrets", "updated_at"])


def _look_up(spec: DeploymentSpec) -> tuple[CatalogModel, Endpoint, list[Organization]]:
    problems: list[Problem] = []
    model = CatalogModel.objects.filter(slug=spec.model).first()
    endpoint = Endpoint.objects.select_related("cluster").filter(slug=spec.endpoint).first()
    organizations = list(Organization.objects.filter(slug__in=spec.sharing.organizations))
    if model is None:
        problems.append(
            Problem("spec.model", f"There is no model {spec.model} in the catalogue. Add it first.")
        )
    if endpoint is None:
        problems.append(Problem("spec.endpoint", f"There is no endpoint {spec.endpoint}. Add it first."))
    for missing in sorted(set(spec.sharing.organizations) - {o.slug for o in organizations}):
        problems.append(Problem("spec.sharing.organizations", f"There is no organisation {missing}."))
    if problems:
        raise InvalidDocument(problems)
    assert model is not None
    assert endpoint is not None
    return model, endpoint, organizations


def _with_image(spec: DeploymentSpec, source: ModelSource) -> DeploymentSpec:
    """The spec with the image of a NIM that names none. Raises InvalidDocument when the model has none either."""
    resolved = ngc.resolve(spec, source)
    if not resolved.engine.image:
        sentence = (
            f"The model {spec.model} is no NGC image. Enter the image of the NIM, such as "
            "nvcr.io/nim/meta/llama-3.1-8b-instruct."
        )
        raise InvalidDocument([Problem("spec.engine.image", sentence)])
    return resolved


def _require_secrets(spec: DeploymentSpec, values: Mapping[str, str]) -> None:
    problems = [
        Problem(f"spec.environment[{index}]", f"The secret {variable.name} has no value yet. Enter one.")
        for index, variable in enumerate(spec.environment)
        if variable.secret and not values.get(variable.name)
    ]
    if problems:
        raise InvalidDocument(problems)


def name_taken(name: str) -> Problem:
    """The problem of a name that another deployment has."""
    return Problem("metadata.name", f"There is a deployment {name} already. Choose another name.")


def _save_revision(
    deployment: Deployment,
    number: int,
    spec: DeploymentSpec,
    secrets: Mapping[str, str],
    author: User | None,
    note: str,
    chosen: strategy.Choice,
    source: ModelSource,
) -> None:
    wanted = {name: secrets[name] for name in spec.secret_names}
    deployment.current = Revision.objects.create(
        deployment=deployment,
        number=number,
        document=document.to_mapping(spec),
        source=source.to_mapping(),
        secrets=json.dumps(wanted) if wanted else "",
        strategy=chosen.strategy,
        author=author,
        note=note,
    )
    deployment.save(update_fields=["current"])
