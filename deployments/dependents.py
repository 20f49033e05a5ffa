"""Who depends on a deployment, in sentences, for pages that ask before they take it away.

What is counted lives in apps above this one; they say so here when they start, and no page has to know them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from console.models import Organization
from deployments.models import Deployment

Teller = Callable[[Deployment, Collection[Organization] | None], list[str]]
"""Sentences about all who depend on a deployment, or about those of some organisations."""
_tellers: list[Teller] = []


def register(teller: Teller) -> None:
    """Once for each, when an app starts."""
    if teller not in _tellers:
        _tellers.append(teller)


def sentences(
    deployment: Deployment, organizations: Collection[Organization] | None = None
) -> tuple[str, ...]:
    return tuple(sentence for teller in _tellers for sentence in teller(deployment, organizations))
