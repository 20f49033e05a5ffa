"""A wizard's work in progress: it survives sign-out, restart and another browser."""

import uuid
from typing import Self

from django.contrib.auth.models import AnonymousUser
from django.db import models

from console.access import sees_platform
from console.encryption import EncryptedTextField
from console.models import User
from deployments.models.catalog import CatalogModel
from deployments.models.deployment import Deployment


class DraftQuerySet(models.QuerySet["Draft"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """One's own drafts."""
        return self.filter(author=user) if sees_platform(user) else self.none()


class Draft(models.Model):
    """Sections of a document as they were typed, one per step, and which steps are done."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    author = models.ForeignKey(User, models.CASCADE, related_name="drafts")
    model = models.ForeignKey(CatalogModel, models.CASCADE, related_name="drafts")
    editing = models.ForeignKey(Deployment, models.CASCADE, null=True, blank=True, related_name="drafts")
    """The deployment being edited; null: a new one."""
    base_revision = models.PositiveIntegerField(default=0)
    """The revision that the edit began from."""
    sections = models.JSONField(default=dict)
    """Step slug to the raw section of the document."""
    secrets = EncryptedTextField(default="")
    """JSON: secret variable name to value, for those typed in this draft."""
    done = models.JSONField(default=list)
    """Slugs of the steps that were completed."""
    result = models.ForeignKey(Deployment, models.SET_NULL, null=True, blank=True, related_name="+")
    """The deployment this draft became: submitting it again leads there."""
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = DraftQuerySet.as_manager()

    class Meta:
        ordering = ["-updated_at"]
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.id)
