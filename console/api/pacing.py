"""How many calls an access key may make in a minute. Without Valkey nobody is held: the API goes on."""

from __future__ import annotations

import time
from functools import lru_cache

import redis
from django.conf import settings

from console.api.problems import Problem

MOST_A_MINUTE = 600


@lru_cache(maxsize=1)
def _valkey(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=0.2, socket_connect_timeout=0.2)


def hold_pace(owner: str) -> None:
    """Counts one call. Raises Problem (429) with the seconds to wait."""
    now = time.time()
    minute = int(now // 60)
    try:
        with _valkey(settings.REDIS_URL).pipeline(transaction=False) as pipeline:
            name = f"slipway:api:{owner}:{minute}"
            pipeline.incr(name)
            pipeline.expire(name, 120)
            count = int(pipeline.execute()[0])
    except redis.RedisError:
        return
    if count > MOST_A_MINUTE:
        wait = str(60 - int(now % 60))
        raise Problem(
            429,
            f"At most {MOST_A_MINUTE} calls a minute with one access key. Try again in {wait} s.",
            headers={"Retry-After": wait},
        )
