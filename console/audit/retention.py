"""How long entries are kept: whole days, and what is older goes from the beginning of the chain.

The digest before the first kept entry stays as the anchor, so that the rest still verifies; pruning records itself.
The database lets nothing else go, and nothing that is younger than thirty days (migration 0003).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction

from console.audit.entry import AuditEntry, AuditHead
from console.audit.recording import Thing, record

AT_ONCE = 5000
"""Entries in one transaction; others who record wait for it."""
SHORTEST_DAYS = 30


def prune(now: datetime) -> int:
    """Removes what is older than AUDIT_RETENTION_DAYS; how many entries that were. With 0 days nothing goes."""
    if not settings.AUDIT_RETENTION_DAYS:
        return 0
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    before = midnight - timedelta(days=settings.AUDIT_RETENTION_DAYS)
    gone = 0
    while count := _prune_some(before):
        gone += count
    return gone


@transaction.atomic
def _prune_some(before: datetime) -> int:
    head = AuditHead.objects.select_for_update().first()
    oldest = list(AuditEntry.objects.order_by("number").only("number", "at", "digest")[:AT_ONCE])
    # Clocks differ: what counts is the first entry that stays, not the last one that is old.
    old = next((place for place, entry in enumerate(oldest) if entry.at >= before), len(oldest))
    if head is None or not old:
        return 0
    last = oldest[old - 1]
    AuditHead.objects.update(anchor_number=last.number, anchor_digest=last.digest)
    AuditEntry.objects.filter(number__lte=last.number).delete()
    first = oldest[0].number
    record(
        "audit.pruned",
        Thing("audit", f"entries {first} to {last.number}"),
        after={"older_than": before, "anchor": str(AuditHead.objects.get().anchor)},
    )
    return old
