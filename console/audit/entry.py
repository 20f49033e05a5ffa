"""The tables of the audit: entries that nobody changes or deletes, and the one row that says how far they reach.

Nothing here points to another table: an entry outlives the people and objects that it names. The database refuses to
change, delete or truncate (migration 0003); what is older than the retention goes through retention.py alone.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

from django.db import models
from django.utils import timezone

from console.audit.chain import NOTHING, Link, Mark
from console.audit.context import ActorKind

CONTENT = (
    *("at", "action", "refused", "actor_kind", "actor_id", "actor", "address", "request_id"),
    *("object_kind", "object_id", "object_name", "organization_id", "organization", "changes"),
)
"""What the digest covers, beside the number and the digest of before. A new column goes into later entries only."""


class AuditEntry(models.Model):
    """One thing that somebody did or was refused."""

    number = models.BigIntegerField(primary_key=True)
    """Without gaps, from 1."""
    at = models.DateTimeField(default=timezone.now)
    action = models.CharField(max_length=60)
    """"noun.verb" in the past tense."""
    refused = models.BooleanField(default=False)
    """It did not happen: a failed sign-in, or a right that was missing."""
    actor_kind = models.CharField(max_length=12, choices=[(kind.value, kind.value) for kind in ActorKind])
    actor_id = models.BigIntegerField(null=True)
    actor = models.CharField(max_length=254)
    address = models.CharField(max_length=45, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    object_kind = models.CharField(max_length=40, blank=True)
    object_id = models.CharField(max_length=64, blank=True)
    object_name = models.CharField(max_length=254, blank=True)
    organization_id = models.BigIntegerField(null=True)
    organization = models.CharField(max_length=63, blank=True)
    """Its short name."""
    changes = models.JSONField(default=dict)
    """{field: [before, after]}, as console.audit.difference makes it."""
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    class Meta:
        ordering = ["-number"]
        default_permissions = ()
        indexes = [
            models.Index(fields=["at"], name="audit_at"),
            models.Index(fields=["action", "number"], name="audit_action"),
            models.Index(fields=["actor", "number"], name="audit_actor"),
            models.Index(fields=["object_kind", "object_name", "number"], name="audit_object"),
            models.Index(fields=["organization", "number"], name="audit_organization"),
            models.Index(fields=["address", "number"], name="audit_address"),
            models.Index(fields=["at"], condition=models.Q(refused=True), name="audit_refusals"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.action} {self.object_name}".strip()

    @property
    def content(self) -> dict[str, Any]:
        return content({name: getattr(self, name) for name in CONTENT})

    @property
    def link(self) -> Link:
        return Link(self.number, self.previous, self.digest, self.content)


class AuditHead(models.Model):
    """The one row about the whole chain. Whoever appends holds its lock, so that the chain has no forks."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    number = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, default=NOTHING)
    anchor_number = models.BigIntegerField(default=0)
    """The newest entry that was pruned; 0: none was."""
    anchor_digest = models.CharField(max_length=64, default=NOTHING)
    verified_at = models.DateTimeField(null=True)
    verified_number = models.BigIntegerField(default=0)
    finding = models.CharField(max_length=300, blank=True)
    """What the last verification found; empty: the chain was whole."""

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="audit_has_one_head")]

    def __str__(self) -> str:
        return str(self.mark)

    @property
    def mark(self) -> Mark:
        return Mark(self.number, self.digest)

    @property
    def anchor(self) -> Mark:
        return Mark(self.anchor_number, self.anchor_digest)


def content(row: dict[str, Any]) -> dict[str, Any]:
    """The row as the digest covers it: the time as text in UTC, to the microsecond."""
    return {**row, "at": row["at"].astimezone(UTC).isoformat(timespec="microseconds")}
