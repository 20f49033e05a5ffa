"""Access keys of the API: what programs of the platform's people call it with. Only a digest of a key is kept."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.utils import timezone


class AccessKeyQuerySet(models.QuerySet["AccessKey"]):
    def live(self, now: datetime) -> Self:
        """Those that the API takes."""
        return self.filter(revoked_at__isnull=True, expires_at__gt=now, user__is_active=True)


class AccessKey(models.Model):
    """One key of one person of the platform, or of a service. It may do what its owner may, within its scopes."""

    user = models.ForeignKey("console.User", models.CASCADE, related_name="access_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=30)
    """The first characters of the key, by which people recognise it."""
    digest = models.CharField(max_length=64, unique=True)
    """SHA-256 of the whole key, in hexadecimal. Keys carry 202 random bits, so no salt or slow hash is needed."""
    scopes = models.JSONField(default=list)
    """Words of `Permission` beyond looking."""
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey("console.User", models.SET_NULL, null=True, related_name="+")
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    """To the minute."""

    objects = AccessKeyQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def rights(self) -> list[str]:
        """The scopes in words."""
        words = dict(self.user._meta.permissions)
        return [words.get(scope, scope) for scope in self.scopes]


class IdempotentCall(models.Model):
    """A call that was made with an Idempotency-Key, so that the same one is not made twice."""

    owner = models.CharField(max_length=60)
    """Of the key: "access_key:7" or "person:3"."""
    key = models.CharField(max_length=255)
    request = models.CharField(max_length=64)
    """SHA-256 of method, address and body: the same key with another request is a mistake."""
    created_at = models.DateTimeField(default=timezone.now)
    status = models.PositiveSmallIntegerField(null=True)
    """Null: it is being answered."""
    body = models.JSONField(null=True)
    """Null of an answer that held a secret, which is not kept."""

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["owner", "key"], name="idempotent_call_once")]
        indexes = [models.Index(fields=["created_at"], name="idempotent_calls_by_age")]

    def __str__(self) -> str:
        return f"{self.owner} {self.key}"
