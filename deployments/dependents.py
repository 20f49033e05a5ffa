"""Who depends on a deployment, and on what terms of their own, for pages that ask before they take it away.

What is counted lives in apps above this one; they say so here when they start, and no page has to know them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from console.models import Organization
from deployments.models import Deployment

Teller = Callable[[Deployment, Collection[Organization] | None], list[str]]
"""Sentences about all who depend on a deployment, or about those of some organisations."""
_tellers: list[Teller] = []


class OwnLimits(NamedTuple):
    """An organisation with limits of its own."""

    organization: Organization
    limits: tuple[tuple[str, str], ...]
    """By what each is counted, and what it is, in words."""


Excepting = Callable[[Deployment], list[OwnLimits]]
_excepting: list[Excepting] = []


def register(teller: Teller) -> None:
    """Once for each, when an app starts."""
    if teller not in _tellers:
        _tellers.append(teller)


def sentences(
    deployment: Deployment, organizations: Collection[Organization] | None = None
) -> tuple[str, ...]:
    return tuple(sentence for teller in _tellers for sentence in teller(deployment, organizations))


def register_limits(teller: Excepting) -> None:
    """As `register`, for who knows which organisations have limits of their own."""
    if teller not in _excepting:
        _excepting.append(teller)


def exceptions(deployment: Deployment) -> list[OwnLimits]:
    """Organisations with limits of their own, by name."""
    return [each for teller in _excepting for each in teller(deployment)]
