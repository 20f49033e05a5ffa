"""E14: no trailing window has more than its limit, whatever is asked; what is refused may come back in time."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployments.vocabulary import LimitScope
from metering.limiter import Bucket, Hold
from tests.metering.limits.exact import worst_overlap, worst_window
from tests.metering.limits.virtual import VirtualLimiter, bucket

WINDOW = 60_000
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["request", "request", "stream", "extend", "settle", "touch", "shadow"]),
        st.integers(0, 9_000),  # ms that pass before
        st.integers(1, 60),  # tokens
    ),
    min_size=5,
    max_size=60,
)


@dataclass
class Held:
    """A stream: what it holds, since when, and what it has reported."""

    hold: Hold
    granted: int
    buckets: list[Bucket] = field(default_factory=list)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, limits=st.tuples(st.integers(1, 8), st.integers(40, 200), st.integers(40, 300)))
def test_no_window_has_more_than_its_limit(
    valkey: redis.Redis, steps: list[tuple[str, int, int]], limits: tuple[int, int, int]
) -> None:
    """Requests by their moment, tokens by whatever moment between grant and report; in every bucket at once."""
    virtual = VirtualLimiter(valkey)
    requests, tokens, more = limits
    buckets = [
        bucket(requests, tokens, LimitScope.API_KEY),
        bucket(None, more, LimitScope.USER),
        bucket(2 * requests, None, LimitScope.ORGANIZATION),
    ]
    admitted: list[tuple[int, int]] = []
    spans: list[tuple[int, int, int]] = []
    live: list[Held] = []
    for what, passes, amount in steps:
        virtual.now += passes
        if what in ("request", "stream", "shadow"):
            verdict = virtual.ask(buckets, requests=1, hold=amount)
            if verdict.is_granted:
                admitted.append((virtual.now, 1))
                live.append(Held(Hold(verdict.slot, amount), virtual.now))
            else:
                assert verdict.refused is not None
        elif live and what in ("extend", "touch"):
            stream = live[amount % len(live)]
            used = stream.hold.tokens if what == "extend" else 0
            hold = amount if what == "extend" else stream.hold.tokens
            verdict = virtual.ask(
                buckets, used=used, hold=hold, last=stream.hold, mode="ask" if what == "extend" else "force"
            )
            if verdict.is_granted:
                if used:
                    spans.append((stream.granted, virtual.now, used))
                    stream.granted = virtual.now
                stream.hold = Hold(verdict.slot, hold)
        elif live:
            stream = live.pop(amount % len(live))
            used = min(amount, stream.hold.tokens)
            virtual.ask(buckets, used=used, last=stream.hold, mode="force")
            spans.append((stream.granted, virtual.now, used))
        # A gateway touches its holds before they leave.
        for stream in live:
            if virtual.now - (stream.hold.slot * 200) > WINDOW // 3:
                verdict = virtual.ask(buckets, hold=stream.hold.tokens, last=stream.hold, mode="force")
                stream.hold = Hold(verdict.slot, stream.hold.tokens)
    spans += [(stream.granted, virtual.now, stream.hold.tokens) for stream in live]
    assert worst_window(admitted) <= requests
    assert worst_overlap(spans) <= min(tokens, more)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moments=st.lists(st.integers(0, 20_000), min_size=1, max_size=40), limit=st.integers(1, 10))
def test_a_refused_request_succeeds_when_it_is_told_to_come_back_and_not_before(
    valkey: redis.Redis, moments: list[int], limit: int
) -> None:
    virtual, only = VirtualLimiter(valkey), [bucket(requests=limit)]
    for passes in moments:
        virtual.now += passes
        verdict = virtual.ask(only, requests=1)
        if verdict.refused is None:
            continue
        assert (verdict.refused.what, verdict.refused.limit, verdict.refused.used) == (
            "requests",
            limit,
            limit,
        )
        virtual.now += verdict.refused.retry_ms - 1
        assert not virtual.ask(only, requests=1).is_granted
        virtual.now += 1
        assert virtual.ask(only, requests=1).is_granted


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asks=st.lists(st.tuples(st.integers(0, 9_000), st.integers(1, 100)), min_size=1, max_size=40))
def test_tokens_are_there_again_when_it_is_said(valkey: redis.Redis, asks: list[tuple[int, int]]) -> None:
    virtual, only = VirtualLimiter(valkey), [bucket(tokens=100)]
    for passes, tokens in asks:
        virtual.now += passes
        verdict = virtual.ask(only, requests=1, hold=tokens)
        if verdict.refused is not None:
            virtual.now += verdict.refused.retry_ms
            verdict = virtual.ask(only, requests=1, hold=tokens)
        assert verdict.is_granted
        virtual.ask(only, used=tokens, last=Hold(verdict.slot, tokens), mode="force")


def test_a_refusal_names_the_bucket_that_keeps_it_longest(valkey: redis.Redis) -> None:
    virtual = VirtualLimiter(valkey)
    early, late = bucket(requests=1), bucket(requests=1, scope=LimitScope.ORGANIZATION)
    virtual.ask([early], requests=1)
    virtual.now += 5_000
    virtual.ask([late], requests=1)
    refused = virtual.ask([early, late], requests=1).refused
    assert refused is not None
    assert (refused.bucket, refused.retry_ms) == (late, 60_000)


def test_what_is_larger_than_its_limit_can_never_be_had(valkey: redis.Redis) -> None:
    virtual = VirtualLimiter(valkey)
    refused = virtual.ask([bucket(requests=5, tokens=100)], requests=1, hold=101).refused
    assert refused is not None
    assert (refused.what, refused.never, refused.asked) == ("tokens", True, 101)


def test_one_bucket_that_refuses_leaves_the_others_as_they_were(valkey: redis.Redis) -> None:
    virtual = VirtualLimiter(valkey)
    free, full = bucket(requests=10, tokens=1000), bucket(requests=1)
    virtual.ask([full], requests=1)
    for _ in range(5):
        verdict = virtual.ask([free, full], requests=1, hold=10)
        assert not verdict.is_granted
        assert [(each.requests, each.tokens) for each in verdict.standings] == [(0, 0), (1, 0)]


def test_a_shadow_refuses_nothing_and_says_what_it_would_have(valkey: redis.Redis) -> None:
    virtual, only = VirtualLimiter(valkey), [bucket(requests=1)]
    assert virtual.ask(only, requests=1, mode="shadow").refused is None
    verdict = virtual.ask(only, requests=1, mode="shadow")
    assert verdict.is_granted
    assert verdict.refused is not None
    assert (verdict.refused.used, verdict.standings[0].requests) == (1, 2)


def test_what_a_gateway_that_died_has_held_comes_back_by_itself(valkey: redis.Redis) -> None:
    virtual, only = VirtualLimiter(valkey), [bucket(tokens=100)]
    virtual.ask(only, hold=100)
    virtual.now += WINDOW - 1
    assert not virtual.ask(only, hold=1).is_granted
    virtual.now += 201  # holds are dated by slots
    assert virtual.ask(only, hold=100).is_granted


def test_a_hold_is_taken_back_once_and_never_below_nothing(valkey: redis.Redis) -> None:
    virtual, only = VirtualLimiter(valkey), [bucket(tokens=100)]
    first = virtual.ask(only, hold=60)
    last = Hold(first.slot, 60)
    for _ in range(3):
        verdict = virtual.ask(only, last=last, mode="force")
        assert verdict.standings[0].tokens == 0
    assert virtual.ask(only, hold=100).is_granted


def test_a_window_forgets_itself(valkey: redis.Redis) -> None:
    virtual, only = VirtualLimiter(valkey), [bucket(requests=5, tokens=100)]
    virtual.ask(only, requests=1, used=1, hold=1)
    keys = list(valkey.keys("{virtual}*"))
    assert len(keys) == 3
    assert all(0 < valkey.pttl(key) <= WINDOW + 400 for key in keys)


def test_valkey_that_was_emptied_has_a_young_history(valkey: redis.Redis) -> None:
    virtual, only = VirtualLimiter(valkey), [bucket(requests=5)]
    virtual.ask(only, requests=1)
    virtual.now += 90_000
    assert virtual.ask(only, requests=1).epoch_age_ms == 90_000
    valkey.flushall()
    valkey.script_load("return 1")
    assert VirtualLimiter(valkey).ask(only, requests=1).epoch_age_ms == 0


@pytest.mark.parametrize("seed", range(3))
def test_lists_stay_short_however_busy_a_bucket_is(valkey: redis.Redis, seed: int) -> None:
    virtual, only = VirtualLimiter(valkey), [bucket(requests=10**6, tokens=10**9)]
    pick = random.Random(seed)
    for _ in range(3000):
        virtual.now += pick.randrange(0, 3)
        virtual.ask(only, requests=1, used=7)
    assert valkey.llen(f"{only[0].key}:r") <= virtual.now - 1_800_000_000_000 + 1
    assert valkey.llen(f"{only[0].key}:u") <= 3000 * 3 // 20 + 2
