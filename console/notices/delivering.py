"""Sends what is due: each at least once, again and again for a day, and never by two workers at a time on purpose.

An attempt begins by moving the row's due time on; a worker that dies in it leaves a row that is due again a minute
later. Whether the receiver got it before that nobody knows, so it is sent again, with the same id.
"""

from __future__ import annotations

import logging
import random
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from console.encryption import UnreadableSecret
from console.notices import backoff, mailing, posting, signing, wording
from console.notices.addresses import AddressRefused
from console.notices.kinds import DeliveryState
from console.notices.rows import Delivery, Notice, Subscription

logger = logging.getLogger(__name__)

CLAIM_FOR = timedelta(minutes=1)
"""Longer than any attempt takes."""
MOST_PER_TICK, MOST_PER_SUBSCRIPTION = 40, 10
MOST_ATTEMPTS = 200
"""More than a day has room for, unless each attempt kills its worker."""
NOTICES_KEPT = timedelta(days=90)


class Failed(RuntimeError):
    """An attempt came to nothing; the message is a sentence for people."""

    def __init__(self, sentence: str, retry_after: timedelta | None = None) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class Attempt(NamedTuple):
    """One that this worker has begun."""

    delivery: Delivery
    number: int


def due(now: datetime) -> list[int]:
    """Deliveries to try: a few of each subscription, and one of those that fail, so that nobody waits for others."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [now, MOST_PER_SUBSCRIPTION, MOST_PER_TICK])
        return [row[0] for row in cursor.fetchall()]


def deliver(delivery_id: int) -> bool:
    """One attempt; False when there is nothing to do, because another worker is at it or it is done."""
    attempt = _begin(delivery_id, timezone.now())
    if attempt is None:
        return False
    delivery = attempt.delivery
    try:
        if attempt.number > MOST_ATTEMPTS:
            raise Failed("No attempt came to an end.")
        _send(delivery.notice, delivery.subscription)
    except Failed as error:
        _note_failure(attempt, error, timezone.now())
    else:
        _note_success(attempt, timezone.now())
    return True


def forget_old(now: datetime) -> None:
    """Notices older than three months, with their deliveries."""
    Notice.objects.filter(send_at__lt=now - NOTICES_KEPT).delete()


def _begin(delivery_id: int, now: datetime) -> Attempt | None:
    with transaction.atomic():
        waiting = Delivery.objects.filter(
            pk=delivery_id, state=DeliveryState.WAITING, due_at__lte=now, subscription__is_on=True
        )
        found = waiting.with_words().select_for_update(skip_locked=True, of=("self",)).first()
        if found is None:
            return None
        Delivery.objects.filter(pk=found.pk).update(
            attempts=found.attempts + 1, due_at=now + CLAIM_FOR, tried_at=now
        )
    return Attempt(found, found.attempts + 1)


def _send(notice: Notice, subscription: Subscription) -> None:
    """Raises Failed."""
    try:
        if subscription.is_webhook:
            _post(notice, subscription)
        else:
            mailing.send(notice, subscription)
    except (AddressRefused, posting.Unsent, mailing.Unsent) as error:
        raise Failed(str(error)) from error
    except Failed:
        raise
    except UnreadableSecret as error:
        raise Failed("The secret cannot be opened any more. Make a new one.") from error
    except Exception as error:
        # Otherwise the row would come back every minute, for ever.
        logger.exception("notice %s to %s", notice.pk, subscription.pk)
        raise Failed(
            f"It cannot be sent because of a mistake in Slipway ({type(error).__name__})."
        ) from error


def _post(notice: Notice, subscription: Subscription) -> None:
    now = timezone.now()
    body = wording.payload(notice, mailing.console_url())
    headers = signing.headers(_secrets(subscription, now), str(notice.id), int(now.timestamp()), body)
    answer = posting.post(
        subscription.url, body, {"content-type": "application/json", "user-agent": "Slipway", **headers}
    )
    if 200 <= answer.status < 300:
        return
    if 300 <= answer.status < 400:
        raise Failed(
            f"The receiver answered {answer.status}. Redirects are not followed: enter where it leads."
        )
    raise Failed(f"The receiver answered {answer.status}.", backoff.retry_after(answer.retry_after, now))


def _secrets(subscription: Subscription, now: datetime) -> list[str]:
    found = [subscription.secret.reveal()]
    if subscription.previous_until is not None and now < subscription.previous_until:
        found.append(subscription.previous_secret.reveal())
    return [each for each in found if each]


def _note_success(attempt: Attempt, now: datetime) -> None:
    Delivery.objects.filter(pk=attempt.delivery.pk, state=DeliveryState.WAITING).update(
        state=DeliveryState.DELIVERED, error="", tried_at=now
    )
    Subscription.objects.filter(pk=attempt.delivery.subscription_id, failing_since__isnull=False).update(
        failing_since=None
    )


def _note_failure(attempt: Attempt, error: Failed, now: datetime) -> None:
    """Unless another attempt has begun meanwhile, which then has the say."""
    delivery = attempt.delivery
    # Not security: it only keeps those that failed together from coming back together.
    again = now + backoff.wait(attempt.number, random.Random(), error.retry_after)  # noqa: S311
    is_over = backoff.is_over(delivery.since, again) or attempt.number > MOST_ATTEMPTS
    sentence = f"{error} Given up." if is_over else str(error)
    logger.warning("notice %s to %s: %s", delivery.notice_id, delivery.subscription_id, sentence)
    Delivery.objects.filter(pk=delivery.pk, state=DeliveryState.WAITING, attempts=attempt.number).update(
        state=DeliveryState.GIVEN_UP if is_over else DeliveryState.WAITING,
        due_at=again,
        error=wording.one_line(sentence, 300),
        tried_at=now,
    )
    Subscription.objects.filter(pk=delivery.subscription_id, failing_since__isnull=True).update(
        failing_since=now
    )


_DUE = """
SELECT id FROM (
    SELECT delivery.id, delivery.due_at, subscription.failing_since,
           row_number() OVER (PARTITION BY delivery.subscription_id ORDER BY delivery.due_at, delivery.id) AS place
    FROM console_delivery AS delivery
    JOIN console_subscription AS subscription ON subscription.id = delivery.subscription_id AND subscription.is_on
    WHERE delivery.state = 'waiting' AND delivery.due_at <= %s
) AS waiting
WHERE place <= CASE WHEN failing_since IS NULL THEN %s ELSE 1 END
ORDER BY due_at, id LIMIT %s
"""
