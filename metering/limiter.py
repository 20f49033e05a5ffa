"""What the limiter on Valkey is asked and what it answers: buckets, the script and its words. Pure.

`limiter.lua` holds the limits; this module puts a question into its words and reads its answer. In any trailing window
no bucket admits more than its limit, whatever the number of gateways, by Valkey's own clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from deployments.vocabulary import LimitScope

What = Literal["requests", "tokens"]

#: Holds are dated by slots, so many to a window.
SLOTS = 300
EPOCH_KEY = "slipway:limits:epoch"
"""When the history in Valkey began, in milliseconds; made by whoever finds none."""

_BODY = Path(__file__).with_name("limiter.lua").read_text()
_SERVER_CLOCK = "local t = redis.call('TIME')\nlocal now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
_GIVEN_CLOCK = "local now = tonumber(table.remove(ARGV, 1))\n"


class Script(NamedTuple):
    """A Lua script and the name that Valkey knows it by."""

    text: str
    sha: str

    @classmethod
    def of(cls, text: str) -> Script:
        return cls(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


SCRIPT = Script.of(_SERVER_CLOCK + _BODY)
SIMULATED = Script.of(_GIVEN_CLOCK + _BODY)
"""The same, with the time as the first argument: for simulations of hours in seconds."""


class Bucket(NamedTuple):
    """Who is counted together for one deployment, and what it may have in a minute. None: no limit of that kind."""

    key: str
    """Like "{17}:user:12"."""
    scope: LimitScope
    requests: int | None
    tokens: int | None


def bucket_key(deployment_id: int, scope: LimitScope, owner_id: int) -> str:
    """`owner_id`: of the organisation, the user or the API key."""
    return f"{{{deployment_id}}}:{scope.value}:{owner_id}"


class Standing(NamedTuple):
    """What counts in a bucket now."""

    bucket: Bucket
    requests: int
    tokens: int


class Hold(NamedTuple):
    """What is held of one request in each of its buckets, and in which slot."""

    slot: int
    tokens: int


class Refused(NamedTuple):
    """Why something was not granted."""

    bucket: Bucket
    what: What
    limit: int
    used: int
    """What counts now, without what was asked."""
    asked: int
    retry_ms: int
    """After so many milliseconds the same question is granted, if nobody else asks meanwhile."""
    never: bool
    """It is larger than the limit itself."""

    def weight(self) -> tuple[bool, int]:
        """Of several refusals the one with the largest weight counts: when it has passed, so have the others."""
        return self.never, self.retry_ms


class Verdict(NamedTuple):
    """The script's answer."""

    is_granted: bool
    slot: int
    epoch_age_ms: int
    refused: Refused | None
    """Also in shadow mode, where it is granted all the same."""
    standings: tuple[Standing, ...]


NO_HOLD = Hold(0, 0)


def slot_ms(window_ms: int) -> int:
    """The length of a slot."""
    return -(-window_ms // SLOTS)


def keys(buckets: Sequence[Bucket]) -> list[str]:
    return [*(bucket.key for bucket in buckets), EPOCH_KEY]


def arguments(
    buckets: Sequence[Bucket],
    *,
    window_ms: int = 60_000,
    mode: Literal["ask", "shadow", "force"] = "ask",
    requests: int = 0,
    used: int = 0,
    hold: int = 0,
    last: Hold = NO_HOLD,
) -> list[str | int]:
    """The script's ARGV: take back `last`, count `requests`, date `used` tokens now, and hold `hold` anew."""
    words: list[str | int] = [
        window_ms,
        slot_ms(window_ms),
        mode,
        requests,
        used,
        hold,
        last.slot,
        last.tokens,
    ]
    for bucket in buckets:
        words.append(-1 if bucket.requests is None else bucket.requests)
        words.append(-1 if bucket.tokens is None else bucket.tokens)
    return words


def read(answer: Sequence[int], buckets: Sequence[Bucket], *, requests: int, tokens: int) -> Verdict:
    """The answer to a question for so many requests and tokens."""
    granted, slot, age, index, lacks, wait, *counts = answer
    standings = tuple(
        Standing(bucket, counts[2 * number], counts[2 * number + 1]) for number, bucket in enumerate(buckets)
    )
    refused = None
    if index:
        standing = standings[index - 1]
        what: What = "requests" if lacks == 1 else "tokens"
        asked = requests if lacks == 1 else tokens
        refused = refusal(standing, what, asked, wait, is_counted=bool(granted))
    return Verdict(bool(granted), slot, age, refused, standings)


def refusal(standing: Standing, what: What, asked: int, wait_ms: int, *, is_counted: bool = False) -> Refused:
    """`is_counted`: what was asked is in the standing already. `wait_ms` -1: for ever."""
    bucket = standing.bucket
    limit = bucket.requests if what == "requests" else bucket.tokens
    used = standing.requests if what == "requests" else standing.tokens
    assert limit is not None
    return Refused(
        bucket, what, limit, used - asked if is_counted else used, asked, max(0, wait_ms), wait_ms < 0
    )
