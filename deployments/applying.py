"""A document becomes a deployment, or a new revision of one: what `manage.py apply` and the import page share.

Applying is idempotent: the same document twice changes nothing the second time. A dry run goes the whole way,
constraints included, and takes everything back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db import transaction

from console.models import User
from deployments import desired, document
from deployments.document import InvalidDocument, Problem
from deployments.models import Deployment
from deployments.spec import DeploymentSpec
from deployments.vocabulary import Sharing


class Result(StrEnum):
    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that is another one than before."""

    path: str
    before: str
    """Empty: there was none."""
    after: str
    """Empty: it goes."""

    def __str__(self) -> str:
        return f"{self.path}: {self.before or '(none)'} → {self.after or '(none)'}"


@dataclass(frozen=True, slots=True)
class Outcome:
    result: Result
    deployment: Deployment
    revision: int
    differences: tuple[Difference, ...] = ()
    """What a new revision changes; empty for a new deployment."""


def apply_document(
    spec: DeploymentSpec,
    author: User | None,
    *,
    dry_run: bool = False,
    secrets: Mapping[str, str] | None = None,
    note: str = "",
    may_share: bool = True,
    hold: Callable[[Deployment | None], None] | None = None,
) -> Outcome:
    """Creates or revises the deployment of that name. Raises InvalidDocument, Conflict, and what `hold` raises.

    A dry run saves nothing; its outcome says what would have happened. Secret variables keep their stored values.
    Without `may_share`, a document that changes with whom it is shared is invalid.
    `hold` looks at what is there, which nobody changes meanwhile, and raises when it must not be changed.
    """
    with transaction.atomic():
        found = Deployment.objects.select_for_update(of=("self",)).filter(name=spec.name).first()
        if hold is not None:
            hold(found)
        if not may_share and (problems := _share_problems(spec, found)):
            raise InvalidDocument(problems)
        if found is None:
            made = desired.create(spec, author=author, secrets=secrets, note=note)
            outcome = Outcome(Result.CREATED, made, 1)
        else:
            outcome = _revise(found, spec, author, secrets, note)
        if dry_run:
            transaction.set_rollback(True)
    return outcome


def _share_problems(spec: DeploymentSpec, found: Deployment | None) -> list[Problem]:
    """What speaks against a document of somebody who may not share: it is no way around that right."""
    before = found.current.spec.sharing if found and found.current else None
    if spec.sharing == before or (before is None and spec.sharing.mode is Sharing.PRIVATE):
        return []
    sentence = (
        "Your role does not include sharing. Leave this part as it is, and ask an administrator to share."
    )
    return [Problem("spec.sharing", sentence)]


def differences(before: DeploymentSpec, after: DeploymentSpec) -> tuple[Difference, ...]:
    """Every value that changes, in the order of the document."""
    return tuple(_compare("", document.to_mapping(before), document.to_mapping(after)))


def _revise(
    found: Deployment,
    spec: DeploymentSpec,
    author: User | None,
    secrets: Mapping[str, str] | None,
    note: str,
) -> Outcome:
    current = found.current
    assert current is not None
    changes = differences(current.spec, spec)
    revised = desired.revise(found, spec, author=author, expected=current.number, secrets=secrets, note=note)
    assert revised.current is not None
    changed = revised.current.number != current.number
    return Outcome(Result.CHANGED if changed else Result.UNCHANGED, revised, revised.current.number, changes)


def _compare(at: str, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _compare(f"{at}.{key}" if at else str(key), before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            old = before[index] if index < len(before) else None
            new = after[index] if index < len(after) else None
            yield from _compare(f"{at}[{index}]", old, new)
    elif isinstance(before, dict) or isinstance(after, dict):
        yield from _compare(
            at, before if isinstance(before, dict) else {}, after if isinstance(after, dict) else {}
        )
    elif isinstance(before, list) or isinstance(after, list):
        yield from _compare(
            at, before if isinstance(before, list) else [], after if isinstance(after, list) else []
        )
    elif before != after:
        yield Difference(at, _text(before), _text(after))


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
