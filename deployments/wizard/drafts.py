"""Writing drafts down: begin, keep what a step says, go on from a newer revision, and the names on offer.

A draft belongs to one person. Each step writes only its own section under a lock, so that two tabs cannot lose each
other's work. A draft that became a deployment does not change any more.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Collection, Mapping
from typing import Any

from django.db import transaction

from console.models import User
from deployments.facts import ClusterFacts
from deployments.history.merging import merged
from deployments.models import CatalogModel, Deployment, Draft, Endpoint, Revision
from deployments.vocabulary import Engine, RolloutStrategy
from deployments.wizard import defaults, reading, steps
from deployments.wizard.steps import Step
from deployments.wizard.text import fit_all
from deployments.wizard.work import RESTORES

#: Where a draft keeps what was typed for engines that are not chosen now.
ASIDE = "engines"
_OF_EVERY_ENGINE = ("replicas", "volume")
_EVERY_STEP = [step.slug for step in steps.FILLED]


class Finished(Exception):
    """The draft has become a deployment; nothing can be changed in it."""

    def __init__(self, result: Deployment) -> None:
        super().__init__(f"This draft has become {result.name}.")
        self.result = result


def blank(user: User, model: CatalogModel, name: str, endpoint: str) -> Draft:
    """An unsaved draft that the first step shows."""
    general = {"name": name, "description": "", "model": model.slug, "endpoint": endpoint}
    return Draft(author=user, model=model, sections={"general": general})


def unsaved_edit(user: User, deployment: Deployment) -> Draft:
    """An unsaved draft that says what the deployment's current revision says."""
    current = deployment.current
    assert current is not None
    return Draft(
        author=user,
        model=deployment.model,
        editing=deployment,
        base_revision=current.number,
        sections=reading.to_sections(current.document),
        done=_EVERY_STEP,
    )


def begin(
    user: User,
    model: CatalogModel,
    general: Mapping[str, Any],
    endpoint: Endpoint | None,
    key: str = "",
    copied: Mapping[str, Any] | None = None,
) -> Draft:
    """Saves a new draft with the first step done. The same key again gives the same draft.

    `copied`: sections to begin with; otherwise what suits the model and the cluster is proposed.
    """
    wanted = _uuid(key)
    with transaction.atomic():
        found = Draft.objects.select_for_update().filter(pk=wanted).first()
        if found is not None and (found.author_id, found.model_id, found.editing_id) == (
            user.pk,
            model.pk,
            None,
        ):
            if found.result_id is None:
                found.sections["general"] = fit_all(dict(general))
                found.save(update_fields=["sections", "updated_at"])
            return found
        proposed = defaults.propose(model.source, facts_of(endpoint)) if copied is None else dict(copied)
        return Draft.objects.create(
            id=uuid.uuid4() if found else wanted,
            author=user,
            model=model,
            sections={**proposed, "general": fit_all(dict(general))},
            done=["general"] if copied is None else _EVERY_STEP,
        )


def begin_edit(user: User, deployment: Deployment, general: Mapping[str, Any]) -> Draft:
    """Saves a draft of a change; an unfinished one of the same person from the same revision is gone on with."""
    draft = unsaved_edit(user, deployment)
    with transaction.atomic():
        Deployment.objects.select_for_update(of=("self",)).get(pk=deployment.pk)
        found = (
            Draft.objects.filter(
                author=user, editing=deployment, result=None, base_revision=draft.base_revision
            )
            .exclude(sections__has_key=RESTORES)
            .first()
        )
        draft = found or draft
        draft.sections["general"] = fit_all(dict(general))
        draft.save()
    return draft


def keep_strategy(draft: Draft, strategy: RolloutStrategy) -> None:
    """Writes down how the change is to roll out. Raises Finished."""
    with transaction.atomic():
        locked = Draft.objects.select_for_update(of=("self",)).select_related("result").get(pk=draft.pk)
        if locked.result is not None:
            raise Finished(locked.result)
        locked.sections["rollout"] = (
            None if strategy is RolloutStrategy.AUTO else {"strategy": strategy.value}
        )
        locked.save(update_fields=["sections", "updated_at"])
    draft.sections, draft.updated_at = locked.sections, locked.updated_at


def keep(
    draft: Draft, step: Step, section: Any, *, complete: bool, secrets: Mapping[str, str] | None = None
) -> None:
    """Writes one step down, valid or not. Raises Finished."""
    with transaction.atomic():
        locked = Draft.objects.select_for_update(of=("self",)).select_related("result").get(pk=draft.pk)
        if locked.result is not None:
            raise Finished(locked.result)
        locked.sections[step.slug] = fit_all(section)
        locked.done = [slug for slug in locked.done if slug != step.slug] + ([step.slug] if complete else [])
        if secrets is not None:
            locked.secrets = json.dumps(dict(secrets)) if secrets else ""
        locked.save(update_fields=["sections", "done", "secrets", "updated_at"])
    draft.sections, draft.done, draft.updated_at = locked.sections, locked.done, locked.updated_at
    draft.secrets = locked.secrets


def turn(draft: Draft, typed: Mapping[str, Any], to: Engine, proposed: Mapping[str, Any]) -> None:
    """Puts another engine into the draft: what was typed for it before, else what is proposed. Raises Finished.

    What was typed for the present one is kept aside. Replicas and volumes mean the same for both, so they go along.
    """
    with transaction.atomic():
        locked = Draft.objects.select_for_update(of=("self",)).select_related("result").get(pk=draft.pk)
        if locked.result is not None:
            raise Finished(locked.result)
        aside = {**(locked.sections.get(ASIDE) or {}), typed["kind"]: fit_all(dict(typed))}
        section = aside.pop(to.value, None) or dict(proposed)
        section |= {key: fit_all(typed[key]) for key in _OF_EVERY_ENGINE if typed.get(key)}
        locked.sections |= {steps.ENGINE.slug: section, ASIDE: aside}
        locked.done = [slug for slug in locked.done if slug != steps.ENGINE.slug]
        locked.save(update_fields=["sections", "done", "updated_at"])
    draft.sections, draft.done, draft.updated_at = locked.sections, locked.done, locked.updated_at


def facts_of(endpoint: Endpoint | None) -> ClusterFacts | None:
    """What the endpoint's cluster offers; None when nobody has checked it."""
    facts = endpoint.cluster.facts if endpoint else None
    return ClusterFacts.from_mapping(facts) if facts else None


def go_on_from_newest(draft: Draft, newest: Revision) -> None:
    """Puts the change on top of a revision that somebody else saved meanwhile.

    What this draft left alone says what the newest revision says; what it changed stays as it is, field by field,
    and the review shows it against the newest. Raises Finished.
    """
    with transaction.atomic():
        locked = Draft.objects.select_for_update(of=("self",)).select_related("result").get(pk=draft.pk)
        if locked.result is not None:
            raise Finished(locked.result)
        begun = Revision.objects.filter(deployment=newest.deployment_id, number=locked.base_revision).first()
        before = reading.normal(reading.to_sections(begun.document)) if begun else {}
        now = reading.normal(locked.sections)
        theirs = reading.normal(reading.to_sections(newest.document))
        for slug, section in theirs.items():
            locked.sections[slug] = merged(before.get(slug), section, now.get(slug))
        locked.base_revision = newest.number
        locked.save(update_fields=["sections", "base_revision", "updated_at"])
    draft.sections, draft.base_revision = locked.sections, locked.base_revision


def suggest(slug: str, taken: Collection[str]) -> str:
    """A free name for a deployment of this model: its own, else with a number."""
    base = re.sub(r"[^a-z0-9]+", "-", slug.lower()).strip("-")[:44].strip("-") or "model"
    numbered = (base if number == 1 else f"{base}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in numbered if name not in taken)


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.uuid4()
