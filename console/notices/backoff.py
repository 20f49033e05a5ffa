"""How long to wait before a delivery is tried again, and when to stop trying. Pure."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

FIRST, LONGEST = timedelta(seconds=10), timedelta(hours=1)
GIVE_UP_AFTER = timedelta(hours=24)
LONGEST_RETRY_AFTER = timedelta(hours=6)
"""A receiver may ask for more patience, but not for so much that the notice is worth nothing."""


def wait(attempts: int, chance: random.Random, asked: timedelta | None = None) -> timedelta:
    """After so many failed attempts: doubled each time, between half and all of it, and at least what was asked."""
    full = min(LONGEST, FIRST * 2 ** min(attempts - 1, 20))
    return max(full * (0.5 + chance.random() / 2), min(asked or timedelta(0), LONGEST_RETRY_AFTER))


def is_over(since: datetime, next_try: datetime) -> bool:
    """Whether the next attempt would be later than anybody waits for."""
    return next_try - since > GIVE_UP_AFTER


def retry_after(text: str, now: datetime) -> timedelta | None:
    """Of the header's value, in seconds or as a date; None for anything else."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return timedelta(seconds=int(text))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(timedelta(0), (at if at.tzinfo else at.replace(tzinfo=UTC)) - now)
