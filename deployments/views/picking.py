"""Choosing some of many organisations in a form that works without any script and with thousands of them.

A page shows a few: those that a search finds, and those that are chosen. What is chosen and not shown goes along in one
hidden field, so a choice outlives any number of searches.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q
from django.http import QueryDict

from console.models import Organization

MOST_SHOWN = 50
LONGEST_SEARCH = 100
_MOST_CHOSEN = 10_000


@dataclass(frozen=True, slots=True)
class Picker:
    """What the form shows."""

    rows: tuple[tuple[Organization, bool], ...]
    """Organisations by name, and whether each is chosen."""
    kept: str
    """Short names that are chosen and not shown, with spaces between."""
    search: str
    found: int
    """That the search finds, shown or not."""
    total: int
    """Organisations that there are."""
    chosen: int


def chosen_in(given: QueryDict) -> tuple[str, ...]:
    """The short names that a form has chosen, of organisations that there are."""
    kept = given.get("kept", "").split()[:_MOST_CHOSEN]
    wanted = {slug for slug in (*kept, *given.getlist("organizations")) if "\0" not in slug}
    return tuple(sorted(Organization.objects.filter(slug__in=wanted).values_list("slug", flat=True)))


def picker(chosen: Iterable[str], search: str) -> Picker:
    """Three queries."""
    chosen, search = set(chosen), search.strip()[:LONGEST_SEARCH]
    everybody = Organization.objects.order_by("name", "pk")
    matching = Q(name__icontains=search) | Q(slug__icontains=search) if search else Q()
    hits = everybody.filter(matching)
    shown = {each.pk: each for each in hits[:MOST_SHOWN]}
    shown |= {each.pk: each for each in everybody.filter(slug__in=chosen)[:MOST_SHOWN]}
    rows = sorted(shown.values(), key=lambda each: (each.slug not in chosen, each.name.casefold(), each.pk))
    if search:  # what was looked for stands first, chosen or not
        words = search.casefold()
        rows.sort(key=lambda each: words not in f"{each.name} {each.slug}".casefold())
    visible = {each.slug for each in rows}
    total = everybody.count()
    return Picker(
        rows=tuple((each, each.slug in chosen) for each in rows),
        kept=" ".join(sorted(chosen - visible)),
        search=search,
        found=hits.count() if search else total,
        total=total,
        chosen=len(chosen),
    )
