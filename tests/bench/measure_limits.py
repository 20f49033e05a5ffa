"""Limits in virtual time: the worst trailing window, and how much of a limit can be used."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import redis
from django.conf import settings

from metering import limiter
from metering.gateway.limits import Limits
from metering.gateway.valkey import Valkey
from tests.metering.limits import simulation
from tests.metering.limits.virtual import bucket

_LIMIT, _MINUTES = 600, 10


def measure() -> Iterator[tuple[str, object]]:
    """Worst window / limit (at most 1), admitted / an exact log's (at least 0.98), tokens alike (at least 0.95)."""
    client = redis.Redis.from_url(settings.REDIS_URL)
    worst, least = 0.0, 1.0
    for pattern in simulation.PATTERNS:
        for processes in simulation.PROCESSES:
            outcome = simulation.requests(client, pattern, processes, _LIMIT, _MINUTES)
            worst, least = max(worst, outcome.worst_window), min(least, outcome.utilisation)
            yield f"{pattern}.{processes}_processes.worst_window", f"{outcome.worst_window:.4f}"
            yield f"{pattern}.{processes}_processes.of_an_exact_log", f"{outcome.utilisation:.4f}"
    yield "requests.worst_window", f"{worst:.4f}"
    yield "requests.of_an_exact_log", f"{least:.4f}"
    tokens = simulation.tokens(client)
    yield "tokens.worst_window", f"{tokens.worst_window:.4f}"
    yield "tokens.utilisation", f"{tokens.utilisation:.4f}"
    yield "rate_of_plain_get", f"{_rate(client):.2f}"
    client.set(limiter.EPOCH_KEY, 1)  # a history that is long enough to be believed
    for at_once in (1, 64):
        yield f"writes_per_request_at_{at_once}", f"{asyncio.run(_writes(at_once)):.2f}"
    client.close()


async def _writes(at_once: int) -> float:
    """Writes to Valkey for each request that holds tokens under six limits, so many at once.

    A request waits for one answer, to its admission; nobody waits until what it gives back is written.
    """
    valkey = Valkey(settings.REDIS_URL)
    limits = Limits(valkey, gateway="bench")
    await valkey.start()
    await limits.start()
    buckets = tuple(bucket(10**9, 10**12) for _ in range(3))
    before, each = valkey.sent, 1_280 // at_once

    async def one_after_the_other() -> None:
        for _ in range(each):
            admission = await limits.admit(buckets, 100)
            if isinstance(admission, limiter.Refused) or admission.at_valkey == limiter.NO_HOLD:
                raise SystemExit("a request was not admitted by Valkey")
            limits.settle(admission, used=50)

    await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
    sent = valkey.sent - before
    await limits.close()
    await valkey.close()
    return sent / (at_once * each)


def _rate(client: redis.Redis) -> float:
    """Six limits in one call, against GET, on the same connection."""
    buckets = [bucket(10**9, 10**12) for _ in range(3)]
    keys = limiter.keys(buckets)
    words = limiter.arguments(buckets, requests=1, hold=100)
    sha = client.script_load(limiter.SCRIPT.text)
    seconds = {"limits": 0.0, "get": 0.0}
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(200):
            client.evalsha(sha, len(keys), *keys, *words)
        between = time.perf_counter()
        for _ in range(200):
            client.get("nothing")
        seconds["limits"] += between - began
        seconds["get"] += time.perf_counter() - between
    return seconds["get"] / seconds["limits"]
