"""The table of invitations to organisations. Of the link only a digest is kept."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone


class Invitation(models.Model):
    """An e-mail address that may join an organisation. It becomes a membership, or ends."""

    organization = models.ForeignKey("console.Organization", models.CASCADE, related_name="invitations")
    email = models.EmailField(max_length=254)
    """In small letters."""
    role = models.CharField(max_length=10)
    """A `Membership.Role`."""
    digest = models.CharField(max_length=64, unique=True)
    """SHA-256 of what stands in the link, in hexadecimal. It has 256 random bits, so no salt is needed."""
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey("console.User", models.SET_NULL, null=True, related_name="+")
    expires_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    """When the last message went out; null: none could be sent."""
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "email"],
                condition=Q(accepted_at__isnull=True, revoked_at__isnull=True),
                name="one_open_invitation",
            )
        ]

    def __str__(self) -> str:
        return f"{self.email} to {self.organization_id}"
