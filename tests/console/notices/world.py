"""Subscriptions and announcements, as these tests want them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

from console.encryption import Sealed
from console.notices import signing
from console.notices.announcing import Announcement
from console.notices.kinds import Channel, Kind
from console.notices.rows import Delivery, Subscription

ALL = [kind.value for kind in Kind.offered()]


def webhook(url: str = "https://hooks.example.com/slipway", **facts: Any) -> Subscription:
    given = {"name": "Hook", "kinds": ALL, "secret": Sealed.of(signing.new_secret()), **facts}
    return Subscription.objects.create(channel=Channel.WEBHOOK, url=url, **given)


def mail(*addresses: str, **facts: Any) -> Subscription:
    given = {"name": "Mail", "kinds": ALL, "addresses": list(addresses or ["ops@example.com"]), **facts}
    return Subscription.objects.create(channel=Channel.EMAIL, **given)


def failed(key: str = "event-1", **facts: Any) -> Announcement:
    given: dict[str, Any] = {
        "kind": Kind.DEPLOYMENT_FAILED,
        "subject": "chat",
        "sentence": "Cannot pull image X: 401 unauthorised.",
        "remedy": "Add the registry secret.",
        "path": "/deployments/chat/",
        "place": "on fra-1",
        "deployment_id": 7,
        "facts": {"deployment": "chat", "revision": 3},
        **facts,
    }
    return Announcement(key=key, **given)


def make_due(at: datetime | None = None) -> None:
    Delivery.objects.update(due_at=at or timezone.now())
