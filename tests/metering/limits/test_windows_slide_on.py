"""E14: what is as old as the window leaves it, however busy the bucket is and whatever is asked meanwhile."""

from __future__ import annotations

import time

import pytest
import redis

from metering import limiter
from metering.limiter import Bucket, Hold, Verdict
from tests.metering.limits.virtual import VirtualLimiter, bucket

WINDOW = 60_000


def ask_now(client: redis.Redis, only: Bucket, window_ms: int) -> Verdict:
    """By Valkey's own clock, which also decides when its keys end."""
    words = limiter.arguments([only], window_ms=window_ms, requests=1)
    answer = client.eval(limiter.SCRIPT.text, 2, *limiter.keys([only]), *words)
    return limiter.read(answer, [only], requests=1, tokens=0)


def test_who_is_refused_in_the_middle_of_a_window_is_admitted_after_it(valkey: redis.Redis) -> None:
    """The refusal keeps the bucket alive for longer than the list of what it admitted."""
    only = bucket(requests=2)
    assert [ask_now(valkey, only, 200).is_granted for _ in range(3)] == [True, True, False]
    time.sleep(0.12)
    assert not ask_now(valkey, only, 200).is_granted
    time.sleep(0.12)
    verdict = ask_now(valkey, only, 200)
    assert verdict.is_granted
    assert verdict.standings[0].requests == 1


@pytest.mark.parametrize("gap", [15, 20, 50])
def test_tokens_leave_however_often_more_are_reported(valkey: redis.Redis, gap: int) -> None:
    """Nothing is kept alive by what comes after it: a window of tokens counts, and no more."""
    virtual, only = VirtualLimiter(valkey), [bucket(tokens=10**9)]
    for _ in range((WINDOW + 10_000) // gap):
        virtual.now += gap
        counts = virtual.ask(only, used=1, mode="force").standings[0].tokens
    assert WINDOW // gap <= counts <= WINDOW // gap + 2


def test_a_bucket_keeps_no_trace_of_holds_that_were_taken_back(valkey: redis.Redis) -> None:
    virtual, only = VirtualLimiter(valkey), [bucket(tokens=100)]
    for _ in range(400):
        virtual.now += 1_000
        verdict = virtual.ask(only, hold=5)
        virtual.now += 50
        virtual.ask(only, used=1, last=Hold(verdict.slot, 5), mode="force")
    assert valkey.hlen(only[0].key) == len(("requests", "used", "held", "head"))


@pytest.mark.parametrize("offset", [0, 1, 100, 198, 199])
def test_a_retry_succeeds_though_nobody_takes_back_what_is_held(valkey: redis.Redis, offset: int) -> None:
    """Who held it has died: its slot has to leave as a whole."""
    virtual, only = VirtualLimiter(valkey), [bucket(tokens=100)]
    virtual.now += offset
    virtual.ask(only, hold=100)
    refused = virtual.ask(only, hold=1).refused
    assert refused is not None
    assert WINDOW < refused.retry_ms <= WINDOW + 200
    virtual.now += refused.retry_ms
    assert virtual.ask(only, hold=1).is_granted


def test_a_retry_succeeds_though_what_is_held_is_used_at_once(valkey: redis.Redis) -> None:
    virtual, only = VirtualLimiter(valkey), [bucket(tokens=100)]
    held = virtual.ask(only, hold=100)
    refused = virtual.ask(only, hold=1).refused
    virtual.ask(only, used=100, last=Hold(held.slot, 100), mode="force")
    assert refused is not None
    virtual.now += refused.retry_ms
    assert virtual.ask(only, hold=1).is_granted


def test_a_clock_that_is_set_back_lets_nothing_leave_early(valkey: redis.Redis) -> None:
    virtual, only = VirtualLimiter(valkey), [bucket(requests=2)]
    virtual.ask(only, requests=1)
    virtual.now -= 10_000
    assert virtual.ask(only, requests=1).is_granted
    refused = virtual.ask(only, requests=1).refused
    assert refused is not None
    virtual.now += refused.retry_ms - 1
    assert not virtual.ask(only, requests=1).is_granted
    virtual.now += 1
    assert virtual.ask(only, requests=1).is_granted
