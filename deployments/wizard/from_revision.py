"""Drafts that begin from an earlier revision: a roll back of the same deployment, or a copy under another name."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.db import transaction

from console.access import Permission, can
from console.models import Organization, User
from deployments import document
from deployments.history import restoring
from deployments.history.restoring import Restored
from deployments.models import Deployment, Draft, Revision
from deployments.wizard import drafts, reading
from deployments.wizard.work import RESTORES, reached


@dataclass(frozen=True, slots=True)
class Terms:
    """What of the limits, the price and the sharing comes back."""

    kept: bool = False
    """Those of today stay."""

    @property
    def word(self) -> str:
        return "kept" if self.kept else "back"


def restored(user: User, deployment: Deployment, earlier: Revision, terms: Terms) -> Restored:
    """What a roll back by this person would save, with the organisations that are still there."""
    found = restoring.restored(
        earlier.spec,
        deployment.spec,
        keep_terms=terms.kept,
        keep_sharing=not can(user, Permission.SHARE),
        reached=reached(deployment),
    )
    sharing = found.spec.sharing
    if not sharing.organizations:
        return found
    there = set(Organization.objects.filter(slug__in=sharing.organizations).values_list("slug", flat=True))
    gone = [slug for slug in sharing.organizations if slug not in there]
    if not gone:
        return found
    kept = tuple(slug for slug in sharing.organizations if slug in there)
    remark = f"It is not shared with {', '.join(gone)} again: there is no such organisation any more."
    spec = replace(found.spec, sharing=replace(sharing, organizations=kept))
    return Restored(spec, (*found.remarks, remark))


def begin_roll_back(user: User, deployment: Deployment, earlier: Revision, terms: Terms) -> Draft:
    """Saves a draft that says what an earlier revision said; asked for again, it is the same draft anew."""
    mark = {"revision": earlier.number, "terms": terms.word}
    spec = restored(user, deployment, earlier, terms).spec
    with transaction.atomic():
        Deployment.objects.select_for_update(of=("self",)).get(pk=deployment.pk)
        draft = drafts.unsaved_edit(user, deployment)
        found = Draft.objects.filter(
            author=user,
            editing=deployment,
            result=None,
            base_revision=draft.base_revision,
            **{f"sections__{RESTORES}__revision": earlier.number},
        ).first()
        draft = found or draft
        draft.sections = {**reading.to_sections(document.to_mapping(spec)), RESTORES: mark}
        draft.secrets = ""
        draft.save()
    return draft


def unsaved_copy(user: User, deployment: Deployment, earlier: Revision, name: str, endpoint: str) -> Draft:
    """An unsaved draft of a new deployment with the settings of a revision.

    It is shared with nobody yet, and its secret variables have no values: they belong to the original.
    """
    draft = drafts.blank(user, deployment.model, name, endpoint)
    sections = reading.to_sections(earlier.document) | {"sharing": None}
    description = earlier.document["metadata"].get("description", "")
    draft.sections = {**sections, "general": {**draft.sections["general"], "description": description}}
    return draft
