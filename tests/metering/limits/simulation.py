"""Traffic that tries to get more than a limit, or all of it, against the real script in virtual time.

Each pattern runs through 1, 2, 4 and 8 gateways, which are connections of their own whose clocks differ by up to half a
minute: only Valkey's clock counts. The exact log beside them says what could have been admitted at best.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import redis

from metering.gateway.lease import FIRST
from metering.limiter import Hold
from tests.metering.limits.exact import Log, worst_overlap, worst_window
from tests.metering.limits.virtual import START, VirtualLimiter, bucket

WINDOW = 60_000
PROCESSES = (1, 2, 4, 8)


class Outcome(NamedTuple):
    """As parts of the limit and of the best possible."""

    worst_window: float
    utilisation: float


def flood(limit: int, minutes: int) -> Iterator[int]:
    """Five times as much as is allowed, evenly."""
    step = WINDOW / (5 * limit)
    return (int(number * step) for number in range(int(minutes * WINDOW / step)))


def boundary(limit: int, minutes: int) -> Iterator[int]:
    """All of it just before each full minute, and again just after: what fixed windows let through twice."""
    for minute in range(1, minutes + 1):
        for offset in (-100, 100):
            yield from [minute * WINDOW + offset] * limit


def tailored(limit: int, minutes: int) -> Iterator[int]:
    """Bursts at the very moments at which what was admitted before may leave, a little early, and a little late."""
    for second in range(minutes * 60):
        for offset in (-1, 0, 1, 199, 200, 201):
            yield from [max(0, second * 1000 + offset)] * max(1, limit // 60)


def bursty(limit: int, minutes: int) -> Iterator[int]:
    """Bursts of any size after pauses of any length, twice as much as is allowed."""
    pick, now = random.Random(7), 0.0
    while now < minutes * WINDOW:
        size = pick.randint(1, limit)
        yield from [int(now)] * size
        now += pick.expovariate(1 / (size * WINDOW / (2 * limit)))


PATTERNS: dict[str, Callable[[int, int], Iterator[int]]] = {
    "flood": flood,
    "boundary": boundary,
    "tailored": tailored,
    "bursty": bursty,
}


def requests(client: redis.Redis, pattern: str, processes: int, limit: int, minutes: int) -> Outcome:
    """One pattern through so many gateways."""
    gateways = [VirtualLimiter(client) for _ in range(processes)]
    only, log = [bucket(requests=limit)], Log(limit)
    pick = random.Random(processes)
    admitted = []
    for at in sorted(PATTERNS[pattern](limit, minutes)):
        gateway = pick.choice(gateways)
        gateway.now = START + at
        if gateway.ask(only, requests=1).is_granted:
            admitted.append((at, 1))
        log.ask(at)
    return Outcome(worst_window(admitted) / limit, len(admitted) / log.total)


@dataclass
class _Stream:
    hold: Hold
    since: int
    """When the present hold was granted."""
    covered: int
    """Output tokens until the lease is used up."""
    size: int
    """Output tokens of the whole answer."""
    output: int = 0
    unsaid: int = 0


def tokens(
    client: redis.Redis, *, limit: int = 200_000, in_flight: int = 256, minutes: int = 5, pace: int = 40
) -> Outcome:
    """Streams with leases under steady overload: `in_flight` callers who begin anew as soon as they may.

    Each token takes 1000 / `pace` ms; leases last about a second, as in `metering.gateway.lease`.
    """
    virtual, only, pick = VirtualLimiter(client), [bucket(tokens=limit)], random.Random(3)
    step = 1000 // pace
    prompt = 200
    callers: list[_Stream | None] = [None] * in_flight
    waits = [pick.randrange(0, 2_000) for _ in callers]
    spans: list[tuple[int, int, int]] = []
    used_in_steady_state = 0
    for turn in range(0, minutes * WINDOW, step):
        for index, stream in enumerate(callers):
            now = turn + index * step // in_flight  # tokens of different streams come at different moments
            virtual.now = START + now
            if stream is None:
                if now < waits[index]:
                    continue
                verdict = virtual.ask(only, requests=1, hold=prompt + FIRST)
                if verdict.refused is not None:
                    waits[index] = now + min(2_000, verdict.refused.retry_ms)
                    continue
                size = pick.randint(50, 1_200)
                hold = Hold(verdict.slot, prompt + FIRST)
                callers[index] = _Stream(hold, now, FIRST, size, unsaid=prompt)
                continue
            stream.output += 1
            stream.unsaid += 1
            is_over = stream.output >= stream.size
            if not is_over and stream.covered - stream.output < pace // 2:
                hold_tokens = stream.covered - stream.output + pace
                verdict = virtual.ask(only, used=stream.unsaid, hold=hold_tokens, last=stream.hold)
                if verdict.is_granted:
                    spans.append((stream.since, now, stream.unsaid))
                    used_in_steady_state += stream.unsaid if now >= WINDOW else 0
                    stream.hold, stream.since, stream.unsaid = Hold(verdict.slot, hold_tokens), now, 0
                    stream.covered = stream.output + hold_tokens
                elif stream.output >= stream.covered:
                    is_over = True  # the stream is cut: the limit gives no more
            if is_over:
                virtual.ask(only, used=stream.unsaid, last=stream.hold, mode="force")
                spans.append((stream.since, now, stream.unsaid))
                used_in_steady_state += stream.unsaid if now >= WINDOW else 0
                callers[index], waits[index] = None, now + step
    possible = limit * (minutes - 1)
    return Outcome(worst_overlap(spans) / limit, used_in_steady_state / possible)
