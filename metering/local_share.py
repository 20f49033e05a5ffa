"""Limits without Valkey: a gateway's own window, and the share of each limit that is its own to give. Pure.

While Valkey is away nobody knows what the other gateways admit. So each gives no more than its share: of a limit L and
N gateways, L // N, and one more for the first L mod N of them. The shares add up to L, so in any trailing window all
gateways together admit at most L, once all that was admitted before the outage has left the window.

In the first window of an outage what was admitted before still counts. Let a gateway have admitted `own` of the `known`
that the bucket held in all when Valkey last answered. It gives at most own + (L - known) / N then, and never more than
its share: what is admitted before and after together is at most sum(own) + N * (L - known) / N = L, up to what others
admitted after `known` was read. A bucket of which Valkey has said nothing for a whole window is taken for one that
nobody uses.

Requests and tokens are counted by slots as on Valkey (limiter.lua): a hold counts from its grant, a use until a window
after it was reported.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from metering.limiter import Bucket, Refused, Standing, What, refusal, slot_ms


class Known(NamedTuple):
    """What Valkey last said of a bucket."""

    at: float
    requests: int
    tokens: int


class Loss(NamedTuple):
    """What this gateway had admitted of a bucket itself when Valkey was lost."""

    at: float
    requests: int
    tokens: int


class Window:
    """What this gateway has admitted in one bucket. Seconds of a monotonic clock."""

    __slots__ = (
        "_length",
        "_slot",
        "_slots",
        "held",
        "known",
        "loss",
        "pending_requests",
        "pending_tokens",
        "requests",
        "used",
    )

    def __init__(self, seconds: float) -> None:
        window_ms = int(seconds * 1000)
        self._slot = slot_ms(window_ms)
        """Milliseconds."""
        self._length = -(-window_ms // self._slot)
        """Slots of a window."""
        self._slots: deque[list[int]] = deque()
        """[number of the slot, requests, used tokens], oldest first."""
        self.requests = self.used = self.held = 0
        self.pending_requests = self.pending_tokens = 0
        """Of questions that Valkey has not answered yet."""
        self.known: Known | None = None
        self.loss: Loss | None = None

    def let_go(self, now: float) -> None:
        """Forgets what has left the window."""
        oldest = self._number(now) - self._length
        slots = self._slots
        while slots and slots[0][0] < oldest:
            _, requests, used = slots.popleft()
            self.requests -= requests
            self.used -= used

    def count(self, now: float, requests: int, used: int) -> None:
        number = self._number(now)
        if not self._slots or self._slots[-1][0] != number:
            self._slots.append([number, 0, 0])
        last = self._slots[-1]
        last[1] += requests
        last[2] += used
        self.requests += requests
        self.used += used

    def pend(self, requests: int, tokens: int) -> None:
        """A question for so much begins; with the opposite figures it ends."""
        self.pending_requests += requests
        self.pending_tokens += tokens

    @property
    def tokens(self) -> int:
        return self.used + self.held

    @property
    def is_idle(self) -> bool:
        return not (self._slots or self.held or self.pending_requests or self.pending_tokens)

    def wait_ms(self, now: float, what: What, lack: int) -> int:
        """Until `lack` of it has left. What is held may be used as late as now."""
        index = 1 if what == "requests" else 2
        for slot in self._slots:
            lack -= slot[index]
            if lack <= 0:
                return (slot[0] + self._length + 1) * self._slot - int(now * 1000) + 1
        return (self._length + 2) * self._slot + 1

    def _number(self, now: float) -> int:
        return int(now * 1000) // self._slot


class Share(NamedTuple):
    """Which part of each limit is this gateway's: the `rank`-th of `gateways`."""

    gateways: int = 1
    rank: int = 0

    def of(self, limit: int) -> int:
        return limit // self.gateways + (self.rank < limit % self.gateways)


def decide(
    bucket: Bucket,
    window: Window,
    share: Share,
    now: float,
    lost_at: float,
    seconds: float,
    *,
    requests: int,
    tokens: int,
    instead_of: int = 0,
) -> Refused | None:
    """Whether this gateway may give so much of its share; `instead_of` held tokens that the new ones replace."""
    window.let_go(now)
    most_requests, most_tokens = bounds(bucket, window, share, now, lost_at, seconds)
    rows: tuple[tuple[What, int, int | None, int, int], ...] = (
        ("requests", most_requests, bucket.requests, requests, window.requests + window.pending_requests),
        ("tokens", most_tokens, bucket.tokens, tokens, window.tokens + window.pending_tokens - instead_of),
    )
    refusals = []
    for what, most, limit, asked, own in rows:
        if limit is not None and asked > 0 and own + asked > most:
            standing = Standing(bucket, window.requests, window.tokens)
            # More than the share may still fit when Valkey is back, but not more than the limit.
            wait = -1 if asked > limit else window.wait_ms(now, what, own + asked - most)
            refusals.append(refusal(standing, what, asked, wait))
    return max(refusals, key=Refused.weight, default=None)


def bounds(
    bucket: Bucket, window: Window, share: Share, now: float, lost_at: float, seconds: float
) -> tuple[int, int]:
    """The most requests and tokens that this gateway may have in the window now."""
    requests, tokens = share.of(bucket.requests or 0), share.of(bucket.tokens or 0)
    known = window.known
    if share.gateways == 1 or now >= lost_at + seconds or known is None or known.at <= lost_at - seconds:
        return requests, tokens
    if window.loss is None or window.loss.at != lost_at:
        window.loss = Loss(lost_at, window.requests, window.tokens)
    loss = window.loss
    return (
        min(requests, loss.requests + share.of(max(0, (bucket.requests or 0) - known.requests))),
        min(tokens, loss.tokens + share.of(max(0, (bucket.tokens or 0) - known.tokens))),
    )
