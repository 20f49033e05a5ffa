"""What was used of limits in the trailing minute, as Valkey knows it. Nothing is reserved by asking.

The limiter's own script is asked for nothing, so what is shown is what it decides by: one round trip for any number of
buckets. Where it cannot be known, it is unknown, and never a zero that nobody has counted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, cast

import redis
from django.conf import settings

from metering import limiter
from metering.limiter import Bucket, Standing

_PATIENCE = 0.5
"""Seconds; a page without these figures is better than one that is late."""
_PAUSE = 5.0
"""Seconds for which nobody is asked after there was no answer: pages stay quick while Valkey is away."""
MOST_BUCKETS = 300
_WINDOW_MS = 60_000

_away_until = 0.0


def used(buckets: Sequence[Bucket]) -> dict[str, Standing] | None:
    """By the key of the bucket. None: Valkey is away, or its memory is younger than the minute that is asked about."""
    global _away_until
    asked = list(buckets)[:MOST_BUCKETS]
    if not asked:
        return {}
    if time.monotonic() < _away_until:
        return None
    keys, words = limiter.keys(asked), limiter.arguments(asked, window_ms=_WINDOW_MS)
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE
        ) as valkey:
            answer = _run(valkey, keys, words)
    except redis.RedisError:
        _away_until = time.monotonic() + _PAUSE
        return None
    verdict = limiter.read(answer, asked, requests=0, tokens=0)
    if verdict.epoch_age_ms < _WINDOW_MS:
        return None
    return {standing.bucket.key: standing for standing in verdict.standings}


def _run(valkey: redis.Redis, keys: list[str], words: list[str | int]) -> list[int]:
    try:
        found: Any = valkey.evalsha(limiter.SCRIPT.sha, len(keys), *keys, *words)
    except redis.exceptions.NoScriptError:
        found = valkey.eval(limiter.SCRIPT.text, len(keys), *keys, *words)
    return cast(list[int], found)
