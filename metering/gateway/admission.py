"""A request that was admitted, as its gateway knows it and as Valkey knows it."""

from __future__ import annotations

import asyncio

from metering.limiter import NO_HOLD, Bucket, Refused, Standing


class Admission:
    """A request that was admitted, until it is settled."""

    __slots__ = (
        "at_valkey",
        "began",
        "buckets",
        "hold",
        "is_over",
        "is_shadow",
        "levelling",
        "room",
        "standings",
        "touched",
        "unsaid_requests",
        "unsaid_used",
        "would_refuse",
    )

    def __init__(self, buckets: tuple[Bucket, ...], hold: int, now: float, *, shadow: bool = False) -> None:
        self.buckets = buckets
        self.hold = hold
        """Tokens held."""
        self.at_valkey = NO_HOLD
        """What Valkey knows to be held, and where."""
        self.unsaid_requests = self.unsaid_used = 0
        """What Valkey does not know yet."""
        self.began = self.touched = now
        self.is_shadow = shadow
        self.is_over = False
        self.levelling: asyncio.Future[None] | None = None
        self.standings: tuple[Standing, ...] = ()
        self.room = 0
        """Tokens that all limits had left when Valkey was last asked; 0 where it did not answer."""
        self.would_refuse: Refused | None = None
        """In shadow mode: what would have been refused."""
