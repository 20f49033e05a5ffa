"""The real script on the real Valkey, with a clock of our own: hours of traffic in seconds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Literal

import redis

from deployments.vocabulary import LimitScope
from metering import limiter
from metering.limiter import NO_HOLD, Bucket, Hold, Verdict

START = 1_800_000_000_000
_numbers = itertools.count()


def bucket(
    requests: int | None = None, tokens: int | None = None, scope: LimitScope = LimitScope.API_KEY
) -> Bucket:
    """One that nobody has used before."""
    return Bucket(f"{{virtual}}:{scope.value}:{next(_numbers)}", scope, requests, tokens)


class VirtualLimiter:
    """Asks the script what time it is told to be."""

    def __init__(self, client: redis.Redis, window_ms: int = 60_000) -> None:
        self.client = client
        self.now = START
        self.window = window_ms
        self._sha = str(client.script_load(limiter.SIMULATED.text))

    def ask(
        self,
        buckets: Sequence[Bucket],
        *,
        requests: int = 0,
        used: int = 0,
        hold: int = 0,
        last: Hold = NO_HOLD,
        mode: Literal["ask", "shadow", "force"] = "ask",
    ) -> Verdict:
        words = limiter.arguments(
            buckets, window_ms=self.window, mode=mode, requests=requests, used=used, hold=hold, last=last
        )
        keys = limiter.keys(buckets)
        answer: Any = self.client.evalsha(self._sha, len(keys), *keys, self.now, *words)
        return limiter.read(answer, buckets, requests=requests, tokens=hold)
