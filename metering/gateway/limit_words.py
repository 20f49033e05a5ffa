"""What a client is told about limits: headers of every answer, the refusal of a request, the end of a stream. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from deployments.vocabulary import LimitScope
from metering.gateway.errors import Header, Refusal
from metering.limiter import Refused, Standing

_WHOSE = {
    LimitScope.ORGANIZATION: "your organisation",
    LimitScope.USER: "you",
    LimitScope.API_KEY: "this API key",
}


def limit_headers(standings: Sequence[Standing]) -> list[Header]:
    """x-ratelimit-*: the limit that is nearest to its end, for requests and for tokens, each where there is one."""
    headers: list[Header] = []
    for what, rows in (
        (b"requests", [(s.bucket.requests, s.requests) for s in standings if s.bucket.requests is not None]),
        (b"tokens", [(s.bucket.tokens, s.tokens) for s in standings if s.bucket.tokens is not None]),
    ):
        if rows:
            limit, used = min(rows, key=lambda row: row[0] - row[1])  # type: ignore[operator]
            headers += [
                (b"x-ratelimit-limit-" + what, b"%d" % limit),
                (b"x-ratelimit-remaining-" + what, b"%d" % max(0, limit - used)),  # type: ignore[operator]
                (b"x-ratelimit-reset-" + what, b"1m0s" if used else b"0s"),
            ]
    return headers


def over_limit(model: str, refused: Refused) -> Refusal:
    """The 429 for a request that is not admitted."""
    whose, what = _WHOSE[refused.bucket.scope], refused.what
    facts = f"Limit {refused.limit}, used {refused.used}, requested {refused.asked}."
    if refused.never:
        message = (
            f"This request is larger than the limit of {model} for {whose}: {what} per minute. {facts} "
            "Ask for less: a shorter prompt, or a smaller max_tokens."
        )
        return Refusal(
            429, message, kind=what, code="rate_limit_exceeded", headers=((b"x-should-retry", b"false"),)
        )
    message = (
        f"Rate limit of {model} reached for {whose}: {what} per minute. {facts} "
        f"Try again in {_seconds(refused.retry_ms)} s."
    )
    return Refusal(429, message, kind=what, code="rate_limit_exceeded", headers=_retry(refused))


def stream_over_limit(model: str, refused: Refused) -> Refusal:
    """The last event of a stream that its limit ends; there is no status any more to say it with."""
    message = (
        f"This answer ends here: the limit of {model} for {_WHOSE[refused.bucket.scope]} is used up "
        f"({refused.limit} {refused.what} per minute). Try again in {_seconds(refused.retry_ms)} s."
    )
    return Refusal(429, message, kind=refused.what, code="rate_limit_exceeded")


def _retry(refused: Refused) -> tuple[Header, ...]:
    return (
        (b"retry-after", b"%d" % math.ceil(refused.retry_ms / 1000)),
        (b"retry-after-ms", b"%d" % refused.retry_ms),
    )


def _seconds(milliseconds: int) -> str:
    return f"{math.ceil(milliseconds / 100) / 10:g}"
