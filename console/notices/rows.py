"""The tables of notices: who wants to be told what, what happened, and each telling of it."""

from __future__ import annotations

import uuid
from typing import Any, Self
from urllib.parse import urlsplit

from django.conf import settings
from django.db import models
from django.utils import timezone

from console.encryption import EncryptedTextField
from console.notices.kinds import Channel, DeliveryState, Kind


class Subscription(models.Model):
    """Somebody who wants to be told, by one channel."""

    name = models.CharField(max_length=100, unique=True)
    channel = models.CharField(max_length=8, choices=[(each.value, each.label) for each in Channel])
    is_on = models.BooleanField(default=True)
    kinds = models.JSONField(default=list)
    """Values of Kind."""
    deployments = models.JSONField(default=list, blank=True)
    """Numbers of deployments; empty: all, now and later. What is about no deployment is always told."""
    addresses = models.JSONField(default=list, blank=True)
    """Of e-mail: to whom."""
    url = models.CharField(max_length=2048, blank=True)
    """Of a webhook."""
    secret = EncryptedTextField(default="")
    """Of a webhook: what its messages are signed with. Shown once."""
    previous_secret = EncryptedTextField(default="")
    """The one before; messages carry both signatures until `previous_until`."""
    previous_until = models.DateTimeField(null=True, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True)
    """Null: the last message arrived. While it fails, messages are tried one at a time."""
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["name", "id"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.name

    @property
    def is_webhook(self) -> bool:
        return self.channel == Channel.WEBHOOK

    @property
    def host(self) -> str:
        """Of a webhook: where it goes, without the path, which may be a password by itself."""
        return urlsplit(self.url).netloc


class Notice(models.Model):
    """Something that happened, in the words in which it is told. Once for each key."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    """By which receivers tell doubles."""
    kind = models.CharField(max_length=40, choices=[(each.value, each.label) for each in Kind])
    key = models.CharField(max_length=200, unique=True)
    """Of the event: announced twice, it is one notice. Of several events in one notice: of the last one."""
    subject = models.CharField(max_length=150)
    """Name of what it is about."""
    place = models.CharField(max_length=150, blank=True)
    """Where that is, for the subject of a mail: "on fra-1"."""
    deployment_id = models.BigIntegerField(null=True, blank=True)
    sentence = models.CharField(max_length=500)
    remedy = models.CharField(max_length=500, blank=True)
    path = models.CharField(max_length=300)
    """Of the page in the console, beginning with "/"."""
    facts = models.JSONField(default=dict)
    times = models.PositiveIntegerField(default=1)
    """How often it happened, until it was sent."""
    first_at = models.DateTimeField()
    at = models.DateTimeField()
    """When it happened; of several times the last one."""
    send_at = models.DateTimeField()
    """Later than `at` where the same was told a moment ago."""

    class Meta:
        ordering = ["-at", "id"]
        default_permissions = ()
        indexes = [
            models.Index(fields=["deployment_id", "kind", "-send_at"], name="notices_of_deployment"),
            models.Index(fields=["send_at"], name="notices_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}"

    @property
    def label(self) -> str:
        return Kind(self.kind).label


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def with_words(self) -> Self:
        """One query brings the notice and the subscription."""
        return self.select_related("notice", "subscription")


class Delivery(models.Model):
    """One notice to one subscription. The row is the truth; messages to workers are hints."""

    notice = models.ForeignKey(Notice, models.CASCADE, related_name="deliveries")
    subscription = models.ForeignKey(Subscription, models.CASCADE, related_name="deliveries")
    state = models.CharField(
        max_length=9,
        choices=[(each.value, each.label) for each in DeliveryState],
        default=DeliveryState.WAITING.value,
    )
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    """When to try next; a worker that tries moves it on, so that a dead one's attempt is made again."""
    since = models.DateTimeField(default=timezone.now)
    """From when on the day counts after which it is given up."""
    tried_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)
    """What went wrong the last time, for people."""

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["notice", "subscription"], name="delivery_once")]
        indexes = [
            models.Index(fields=["due_at"], name="delivery_due", condition=models.Q(state="waiting")),
            models.Index(fields=["subscription", "-id"], name="delivery_history"),
        ]

    def __str__(self) -> str:
        return f"{self.notice_id} to {self.subscription_id}: {self.state}"

    @property
    def standing(self) -> Any:
        """The state with its label and tone."""
        return DeliveryState(self.state)
