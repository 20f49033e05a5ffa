"""Corrections: new, signed entries beside the one that they correct, which stays as it was recorded.

A correction is dated when it is made, so no hour and no month that is over changes; it costs what the request's own
price says. Together with its corrections a request never has less than nothing. The same correction of the same request
with the same reason is one, however often it is asked for: whoever does not know whether it came through asks again.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db import connection, transaction

from console.audit import Thing, record
from console.models import Organization, User
from deployments.models import Price
from metering import pricing
from metering.ledger import partitions
from metering.ledger.judging import moment
from metering.models import UsageEvent
from metering.pricing import Rates
from metering.vocabulary import EntryKind, RequestStatus


class CannotCorrect(Exception):
    """The sentence says why."""


class Change(NamedTuple):
    """Tokens more, or less."""

    input: int = 0
    cached: int = 0
    output: int = 0


_NAMES = uuid.UUID("6f0b7c1e-3c52-5d0e-9d2b-5a4c0f3f8a11")
"""Of the ids of corrections, which say what is corrected, by how much and why."""
_SKEW = timedelta(minutes=1)
"""An id is minted just before its request begins."""


def correct(
    event_id: uuid.UUID, change: Change, *, reason: str, by: User | None, now: datetime
) -> UsageEvent:
    """Records a correction, or returns it when it is recorded already. Raises CannotCorrect."""
    reason = reason.strip()
    if not any(change):
        raise CannotCorrect("Nothing is corrected: say how many tokens more or less.")
    if not reason:
        raise CannotCorrect("Say why: the reason stays in the ledger.")
    identity = uuid.uuid5(_NAMES, repr((event_id.hex, *change, reason)))
    partitions.ensure([now])
    with transaction.atomic(), connection.cursor() as cursor:
        # One at a time for each request, so that two corrections do not take it below nothing together.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [event_id.int % 2**63])
        original = _request(event_id)
        if original is None:
            raise CannotCorrect(f"There is no request {event_id} in the ledger.")
        before = list(UsageEvent.objects.filter(corrects=event_id))
        if (already := next((entry for entry in before if entry.id == identity), None)) is not None:
            return already
        left = _left([original, *before], change)
        if min(left) < 0 or left.cached > left.input:
            raise CannotCorrect(
                f"The request would have {left.input} input, {left.cached} cached and {left.output} output tokens."
            )
        entry = UsageEvent(
            id=identity,
            kind=EntryKind.CORRECTION,
            corrects=event_id,
            note=f"{reason[:200]} ({by.email if by else 'command line'})"[:300],
            started_at=now,
            ended_at=now,
            deployment_id=original.deployment_id,
            deployment=original.deployment,
            revision=original.revision,
            model=original.model,
            organization_id=original.organization_id,
            user_id=original.user_id,
            api_key_id=original.api_key_id,
            status=original.status,
            input_tokens=change.input,
            cached_tokens=change.cached,
            output_tokens=change.output,
            is_estimated=False,
            price_id=original.price_id,
            currency=original.currency,
            amount=_amount(original, change),
        )
        entry.save(force_insert=True)
        cursor.execute(_HOUR, [entry.started_at, entry.id])
        record(
            "usage.corrected",
            Thing("request", str(event_id), str(event_id)),
            after={**change._asdict(), "reason": reason, "by": by.email if by else None},
            organization=Organization.objects.filter(pk=original.organization_id).first(),
        )
    return entry


def _request(event_id: uuid.UUID) -> UsageEvent | None:
    """By the time that its id says, or else among all."""
    requests = UsageEvent.objects.filter(id=event_id, kind=EntryKind.REQUEST)
    with contextlib.suppress(OverflowError):  # any number may be given as an id
        minted = moment((event_id.int >> 80) * 1000)
        if near := requests.filter(started_at__range=(minted - _SKEW, minted + _SKEW)).first():
            return near
    return requests.first()


def _left(entries: Iterable[UsageEvent], change: Change) -> Change:
    """What the request has altogether, once the change is made."""
    for entry in entries:
        tokens = (entry.input_tokens, entry.cached_tokens, entry.output_tokens)
        change = Change(*(more + has for more, has in zip(change, tokens, strict=True)))
    return change


def _amount(original: UsageEvent, change: Change) -> Decimal | None:
    price = Price.objects.filter(pk=original.price_id or 0).first()
    if price is None or price.input_per_million is None or price.output_per_million is None:
        return None
    if pricing.is_free(RequestStatus(original.status), original.output_tokens):
        return Decimal(0)
    rates = Rates(
        price.currency, price.input_per_million, price.output_per_million, price.cached_input_per_million
    )
    return pricing.amount(rates, RequestStatus.COMPLETED, change.input, change.cached, change.output)


_HOUR = """
INSERT INTO metering_usagehour AS old (
    hour, deployment_id, deployment, model, organization_id, user_id, api_key_id, status, price_id, currency,
    requests, estimated_requests, corrections, input_tokens, cached_tokens, output_tokens, amount
)
SELECT date_trunc('hour', started_at, 'UTC'), deployment_id, deployment, model, organization_id, user_id, api_key_id,
       status, coalesce(price_id, 0), currency, 0, 0, 1, input_tokens, cached_tokens, output_tokens, coalesce(amount, 0)
FROM metering_usageevent WHERE started_at = %s AND id = %s
ON CONFLICT (hour, deployment_id, organization_id, user_id, api_key_id, price_id, status) DO UPDATE SET
    corrections = old.corrections + 1,
    input_tokens = old.input_tokens + excluded.input_tokens,
    cached_tokens = old.cached_tokens + excluded.cached_tokens,
    output_tokens = old.output_tokens + excluded.output_tokens,
    amount = old.amount + excluded.amount
"""
