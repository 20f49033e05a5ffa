"""Walks the whole chain as it is stored, in bounded memory, and says which entry is the first that is not right."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from django.utils import timezone

from console.audit.chain import START, Break, Link, Mark, check
from console.audit.entry import CONTENT, AuditEntry, AuditHead, content

log = logging.getLogger(__name__)

AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was walked, and what was found. None: the chain is whole."""

    anchor: Mark
    head: Mark
    found: Break | None

    @property
    def count(self) -> int:
        return self.head.number - self.anchor.number


def verify(expected: Mark | None = None) -> Outcome:
    """Up to the head of this moment; what is appended meanwhile is left for the next time.

    `expected`: a mark that was noted outside of the database earlier. It finds a chain that was written anew from some
    entry on, head included, which nothing inside of the database can find.
    """
    while True:
        head, anchor = _ends()
        found = check(_links(anchor, head), head, anchor=anchor, expected=expected) or _beyond()
        # Pruning may have taken the first entries away between the two looks.
        if found is None or _ends()[1] == anchor:
            break
    if found is not None:
        log.error("The audit is not as it was recorded. %s", found)
    outcome = Outcome(anchor, head, found)
    AuditHead.objects.update(
        verified_at=timezone.now(), verified_number=head.number, finding=str(found or "")[:300]
    )
    return outcome


def head() -> Mark:
    return _ends()[0]


def _ends() -> tuple[Mark, Mark]:
    row = AuditHead.objects.first()
    return (row.mark, row.anchor) if row else (START, START)


def _beyond() -> Break | None:
    """Entries after the head; it is read after them, because it moves on meanwhile."""
    last = AuditEntry.objects.first()
    if last is not None and last.number > (reached := _ends()[0].number):
        return Break(reached + 1, "it has no place in the chain: the head does not know of it.")
    return None


def _links(anchor: Mark, head: Mark) -> Iterator[Link]:
    """All that there is up to the head, also what should be gone."""
    at = -(2**63)
    while True:
        rows = AuditEntry.objects.filter(number__gt=at, number__lte=max(head.number, anchor.number))
        batch = list(rows.order_by("number").values_list("number", "previous", "digest", *CONTENT)[:AT_ONCE])
        for number, previous, digest, *values in batch:
            yield Link(number, previous, digest, content(dict(zip(CONTENT, values, strict=True))))
        if len(batch) < AT_ONCE:
            return
        at = batch[-1][0]
