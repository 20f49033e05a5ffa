"""The one door that changes subscriptions: made, edited, switched, given a new secret, tried, removed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from console.audit import record
from console.encryption import Sealed
from console.models import User
from console.notices import signing
from console.notices.kinds import DeliveryState, Kind
from console.notices.rows import Delivery, Notice, Subscription

BOTH_SIGN_FOR = timedelta(days=1)
_FACTS = ("name", "channel", "is_on", "kinds", "deployments", "addresses", "host")


def save(subscription: Subscription, wanted: Mapping[str, Any], by: User) -> str:
    """Makes it or changes it; the secret of a new webhook, to be shown once, or nothing."""
    is_new = subscription.pk is None
    before = None if is_new else _facts(subscription)
    for name, value in wanted.items():
        setattr(subscription, name, value)
    secret = ""
    with transaction.atomic():
        if is_new:
            subscription.created_by = by
            if subscription.is_webhook:
                secret = signing.new_secret()
                subscription.secret = Sealed.of(secret)
        subscription.save()
        if not subscription.is_on:
            _drop_waiting(subscription)
        record(
            "subscription.made" if is_new else "subscription.edited",
            subscription,
            before=before,
            after=_facts(subscription),
        )
    return secret


def rotate(subscription: Subscription) -> str:
    """A new secret, to be shown once. Messages carry both signatures for a day."""
    secret = signing.new_secret()
    with transaction.atomic():
        subscription.previous_secret = subscription.secret
        subscription.previous_until = timezone.now() + BOTH_SIGN_FOR
        subscription.secret = Sealed.of(secret)
        subscription.save(update_fields=["secret", "previous_secret", "previous_until"])
        record("subscription.secret_rotated", subscription)
    return secret


def remove(subscription: Subscription) -> None:
    """With its deliveries, those that wait too."""
    with transaction.atomic():
        before = _facts(subscription)
        record("subscription.deleted", subscription, before=before)
        subscription.delete()


def send_test(subscription: Subscription, by: User) -> Delivery:
    """A notice for this subscription alone, delivered like any other. It has to be on."""
    now = timezone.now()
    with transaction.atomic():
        notice = Notice.objects.create(
            kind=Kind.TEST,
            key=f"test:{subscription.pk}:{now.isoformat()}",
            subject=subscription.name,
            sentence=f"This is a test, sent by {by.email}.",
            path="/notifications/",
            first_at=now,
            at=now,
            send_at=now,
        )
        record("subscription.tested", subscription)
        return Delivery.objects.create(notice=notice, subscription=subscription, due_at=now, since=now)


def deliver_again(delivery: Delivery) -> None:
    """At once, and for another day, with the same id."""
    now = timezone.now()
    with transaction.atomic():
        Delivery.objects.filter(pk=delivery.pk).update(
            state=DeliveryState.WAITING, due_at=now, since=now, attempts=0, error=""
        )
        record(
            "subscription.delivered_again", delivery.subscription, after={"notice": str(delivery.notice_id)}
        )


def _drop_waiting(subscription: Subscription) -> None:
    """What waits would be old news when it is switched on again."""
    subscription.deliveries.filter(state=DeliveryState.WAITING).update(
        state=DeliveryState.GIVEN_UP, error="The subscription was switched off."
    )


def _facts(subscription: Subscription) -> dict[str, object]:
    """For the audit: of the address of a webhook, whose path may be a password by itself, only the host is told."""
    return {**{name: getattr(subscription, name) for name in _FACTS}, "url": Sealed.of(subscription.url)}
