"""Limits in virtual time: the worst trailing window, and how much of a limit can be used."""

from __future__ import annotations

import time
from collections.abc import Iterator

import redis
from django.conf import settings

from metering import limiter
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
    client.close()


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
