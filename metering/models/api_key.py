"""API keys: what tenants call the gateway with. Only a digest of a key is kept; the key itself is shown once."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from console.access import TenantRight, sees_platform
from console.encryption import EncryptedTextField
from console.models import Membership, Organization, User
from console.visiting import Visit
from deployments.models import Deployment


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """The platform sees all; owners those of their organisations; members their own."""
        return self.all() if sees_platform(user) else self.in_portal_of(user)

    def in_portal_of(self, user: User | AnonymousUser) -> Self:
        """What a person sees as a tenant, whatever else they may be."""
        if isinstance(user, AnonymousUser) or not user.is_active:
            return self.none()
        memberships = user.memberships.all()
        owned = memberships.filter(role=Membership.Role.OWNER).values("organization")
        own = Q(user=user, organization__in=memberships.values("organization"))
        return self.filter(own | Q(organization__in=owned))

    def of_visit(self, visit: Visit) -> Self:
        """What is seen in the portal: an owner sees the keys of the organisation, a member their own in it."""
        found = self.filter(organization=visit.organization)
        return found if visit.may(TenantRight.ALL_KEYS) else found.filter(user=visit.user)

    def live(self, now: datetime) -> Self:
        """Those that gateways take: neither revoked nor expired, of a person who may still act for the organisation."""
        return self.with_owners().filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=now), revoked_at__isnull=True, is_suspended=False
        )

    def with_owners(self) -> Self:
        """`is_suspended`: the person was disabled, has left the organisation, or that is suspended itself."""
        membership = Membership.objects.filter(user=OuterRef("user"), organization=OuterRef("organization"))
        return self.annotate(
            is_suspended=Q(user__is_active=False)
            | Q(organization__suspended_at__isnull=False)
            | ~Exists(membership)
        )


class ApiKey(models.Model):
    """One key of one person in one organisation. Rows are never deleted: the ledger names them."""

    class Kind(models.TextChoices):
        PROGRAM = "program", "API key"
        """Made by a person, for their programs."""
        PLAYGROUND = "playground", "Playground"
        """Made by the portal for itself: one row for each person and organisation, with a new secret every hour."""

    kind = models.CharField(max_length=10, choices=Kind, default=Kind.PROGRAM)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="api_keys")
    user = models.ForeignKey(User, models.PROTECT, related_name="api_keys")
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=500, blank=True)
    prefix = models.CharField(max_length=20)
    """The first characters of the key, by which people recognise it."""
    digest = models.CharField(max_length=64, unique=True)
    """SHA-256 of the whole key, in hexadecimal. Keys carry 190 random bits, so no salt or slow hash is needed."""
    all_deployments = models.BooleanField(default=True)
    """For everything that is shared with the organisation, now and later; otherwise only for `deployments`."""
    deployments = models.ManyToManyField(Deployment, related_name="api_keys", blank=True)
    nonce = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    """Of the form that made it: sent twice, it makes one key."""
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    replaces = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="replaced_by")
    """The key that this one was made for by rotation; that one expires after the overlap."""
    secret = EncryptedTextField(blank=True, default="")
    """Of the playground's key alone: the portal calls with it, and no browser ever has it."""
    last_used_at = models.DateTimeField(null=True, blank=True)
    """Start of the newest request in the ledger; written by the ledger alone."""

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["user", "organization"],
                condition=models.Q(kind="playground"),
                name="one_playground_key_each",
            ),
            models.CheckConstraint(
                condition=models.Q(kind="playground") | models.Q(secret=""),
                name="only_the_playground_keeps_a_secret",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
