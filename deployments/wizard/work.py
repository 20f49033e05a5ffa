"""A draft together with what its pages need around it, loaded once for a request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from console.models import User
from deployments import fixed
from deployments.context import ModelSource
from deployments.document import read_engine
from deployments.document.engine import kind_of
from deployments.facts import ClusterFacts
from deployments.models import CatalogModel, Deployment, Draft, Endpoint, Revision
from deployments.spec import DeploymentSpec
from deployments.vocabulary import Engine
from deployments.wizard import reading, steps
from deployments.wizard.reading import Reading
from deployments.wizard.steps import Step

#: Key in a draft's sections: {"revision": number, "terms": "back" or "kept"} of the revision that it rolls back to.
RESTORES = "restores"


@dataclass
class Work:
    draft: Draft
    """Not saved yet while the first step is shown."""
    endpoint: Endpoint | None
    """The one that the draft names, with its cluster; None while it names none that exists."""

    @property
    def model(self) -> CatalogModel:
        return self.draft.model

    @property
    def editing(self) -> Deployment | None:
        return self.draft.editing

    @property
    def sections(self) -> dict[str, Any]:
        sections: dict[str, Any] = self.draft.sections
        return sections

    @property
    def is_saved(self) -> bool:
        return not self.draft._state.adding

    @cached_property
    def facts(self) -> ClusterFacts | None:
        """What the endpoint's cluster offers; None when nobody has checked it."""
        raw = self.endpoint.cluster.facts if self.endpoint else None
        return ClusterFacts.from_mapping(raw) if raw else None

    @property
    def engine(self) -> Engine:
        """The one that the draft has chosen."""
        return kind_of(self.sections.get("engine"))

    @cached_property
    def secret_names(self) -> frozenset[str]:
        """Secret variables that have a value: typed in this draft, or kept from the revision being edited."""
        kept = self.editing.spec.secret_names if self.editing and self.editing.current else ()
        earlier = self.restores.spec.secret_names if self.restores else ()
        return frozenset([*typed_secrets(self.draft), *kept, *earlier])

    @cached_property
    def restores(self) -> Revision | None:
        """The revision that this draft rolls back to; None for any other draft."""
        mark = self.draft.sections.get(RESTORES)
        if self.editing is None or not isinstance(mark, dict):
            return None
        return Revision.objects.filter(deployment=self.editing, number=mark.get("revision") or 0).first()

    @property
    def source(self) -> ModelSource:
        """What the model's name stands for once this is saved."""
        return self.restores.model_source if self.restores else self.model.source

    def stored_secrets(self) -> dict[str, str]:
        """Opens the values that are kept where nothing is typed: the current revision's, or those that come back."""
        current = self.editing.current if self.editing else None
        kept = current.secret_values() if current else {}
        return {**kept, **(self.restores.secret_values() if self.restores else {})}

    @cached_property
    def reading(self) -> Reading:
        return self._with_fixed(reading.read(self.sections, self.secret_names), self.sections.get("engine"))

    def with_section(self, step: Step, section: Any, secret_names: frozenset[str] = frozenset()) -> Reading:
        """The draft judged as if this step said something else, and these secrets had a value too."""
        known = self.secret_names | secret_names
        found = reading.read({**self.sections, step.slug: section}, known)
        return self._with_fixed(found, section if step == steps.ENGINE else self.sections.get("engine"))

    @cached_property
    def there(self) -> DeploymentSpec | None:
        """What the cluster has of the deployment that is edited."""
        return reached(self.editing) if self.editing else None

    def _with_fixed(self, found: Reading, section: Any) -> Reading:
        """With what the engine that is there does not let go of."""
        if self.there is None or self.there.engine.kind is not Engine.DYNAMO:
            return found
        wanted = read_engine(section, "spec.engine", [])
        problems = fixed.of_engine(self.there.engine, wanted) if wanted else []
        return found.with_problems(steps.ENGINE, problems) if problems else found

    def forget(self) -> None:
        """Looks again at the draft after a change."""
        for name in ("secret_names", "reading"):
            self.__dict__.pop(name, None)


def reached(deployment: Deployment) -> DeploymentSpec | None:
    """The newest spec that the cluster has taken whole; None when it has taken none."""
    current, number = deployment.current, deployment.applied_revision
    if current is not None and current.number == number:
        return current.spec
    found = Revision.objects.filter(deployment=deployment, number=number).first() if number else None
    return found.spec if found else None


def typed_secrets(draft: Draft) -> dict[str, str]:
    """Opens the secrets that were typed in this draft."""
    values: dict[str, str] = json.loads(draft.secrets.reveal() or "{}") if draft.secrets else {}
    return values


def load(draft: Draft, user: User) -> Work:
    """One query, for the endpoint and its cluster; none while the draft names no endpoint."""
    slug = (draft.sections.get("general") or {}).get("endpoint")
    endpoint = None
    if isinstance(slug, str) and slug:
        endpoint = Endpoint.objects.visible_to(user).select_related("cluster").filter(slug=slug).first()
    return Work(draft, endpoint)
