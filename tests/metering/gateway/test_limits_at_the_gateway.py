"""Limits as a client meets them: headers, a 429 that says when, a stream that ends where its limit does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from deployments.vocabulary import LimitScope
from metering.vocabulary import RequestStatus
from tests.metering.gateway import world
from tests.metering.gateway.engine import Engine, Script
from tests.metering.gateway.world import GatewayProcess, error, events

Make = Callable[..., GatewayProcess]
KEY, USER, ORGANIZATION = LimitScope.API_KEY, LimitScope.USER, LimitScope.ORGANIZATION


def behind(gateways: Make, engine: Engine, **facts: Any) -> GatewayProcess:
    return gateways(world.snapshot([world.route("chat", engine.url, **facts)]))


def test_without_a_limit_nobody_is_asked_and_nothing_is_said(
    gateways: Make, engine: Engine, old_valkey: redis.Redis
) -> None:
    gateway = behind(gateways, engine)
    before = old_valkey.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)
    answer = gateway.ask()
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]
    after = old_valkey.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)
    assert after - before <= 1  # the beat


def test_the_headers_tell_of_the_limit_that_is_nearest(
    gateways: Make, engine: Engine, old_valkey: redis.Redis
) -> None:
    gateway = behind(
        gateways, engine, limits={KEY: (100, None), ORGANIZATION: (10, 50_000), USER: (None, 9_000)}
    )
    gateway.ask(max_tokens=5)
    headers = gateway.ask(max_tokens=5).headers
    assert headers["x-ratelimit-limit-requests"] == "10"
    assert headers["x-ratelimit-remaining-requests"] == "8"
    assert headers["x-ratelimit-limit-tokens"] == "9000"
    assert 8_000 < int(headers["x-ratelimit-remaining-tokens"]) < 9_000
    assert headers["x-ratelimit-reset-tokens"] == "1m0s"


def test_a_429_names_the_limit_and_says_when_to_come_back(
    gateways: Make, engine: Engine, old_valkey: redis.Redis
) -> None:
    gateway = behind(gateways, engine, limits={KEY: (2, None)})
    assert [gateway.ask().status_code for _ in range(2)] == [200, 200]
    answer = gateway.ask()
    assert answer.status_code == 429
    found = error(answer)
    assert (found["type"], found["code"]) == ("requests", "rate_limit_exceeded")
    assert "this API key: requests per minute. Limit 2, used 2, requested 1." in found["message"]
    assert 58_000 < int(answer.headers["retry-after-ms"]) <= 60_000
    assert answer.headers["retry-after"] in ("59", "60")
    assert len(engine.seen) == 2
    assert len(events(old_valkey, 2)) == 2
    name = 'slipway_gateway_limit_decisions_total{decision="refused",scope="api_key",what="requests"}'
    assert gateway.figures()[name] == 1


def test_what_can_never_be_had_is_not_to_be_tried_again(
    gateways: Make, engine: Engine, old_valkey: redis.Redis
) -> None:
    answer = behind(gateways, engine, limits={USER: (None, 500)}).ask(max_tokens=2000)
    assert answer.status_code == 429
    assert answer.headers["x-should-retry"] == "false"
    assert "retry-after" not in answer.headers
    assert "Ask for less" in error(answer)["message"]


def test_limits_of_others_are_not_mine(gateways: Make, engine: Engine, old_valkey: redis.Redis) -> None:
    people = {
        "slipway_one": world.key(1, user=11),
        "slipway_two": world.key(2, user=11),
        "slipway_three": world.key(3, user=12),
    }
    route = world.route("chat", engine.url, limits={KEY: (1, None), USER: (2, None), ORGANIZATION: (3, None)})
    gateway = gateways(world.snapshot([route], people))

    def ask(who: str) -> int:
        return gateway.ask(secret=f"slipway_{who}").status_code

    assert [ask("one"), ask("one"), ask("two"), ask("three"), ask("three")] == [200, 429, 200, 200, 429]


def test_an_organisation_may_have_limits_of_its_own(
    gateways: Make, engine: Engine, old_valkey: redis.Redis
) -> None:
    own = {world.ACME: {KEY: (None, None), ORGANIZATION: (1, None)}}
    gateway = behind(gateways, engine, limits={KEY: (0 + 1, None)}, overrides=own)
    answers = [gateway.ask() for _ in range(2)]
    assert [each.status_code for each in answers] == [200, 429]
    assert "your organisation" in error(answers[1])["message"]


def test_a_shadow_refuses_nobody_and_counts_what_it_would_have(
    gateways: Make, engine: Engine, old_valkey: redis.Redis
) -> None:
    gateway = behind(gateways, engine, limits={KEY: (1, None)}, shadow=True)
    assert {gateway.ask().status_code for _ in range(3)} == {200}
    name = 'slipway_gateway_limit_decisions_total{decision="would refuse",scope="api_key",what="requests"}'
    assert gateway.figures()[name] == 2


def test_a_stream_ends_where_its_limit_ends(gateways: Make, engine: Engine, old_valkey: redis.Redis) -> None:
    """The rule is in a header from the start, and the last event says what happened. Nothing beyond is delivered."""
    engine.script = Script(tokens=2000, itl=0.001)
    gateway = behind(gateways, engine, limits={KEY: (None, 600)})
    answer = gateway.ask(stream=True)
    assert answer.status_code == 200
    assert answer.headers["x-slipway-at-limit"] == "cut"
    *shown, last = world.chunks(answer.text)
    assert last["error"]["code"] == "rate_limit_exceeded"
    assert "600 tokens per minute" in last["error"]["message"]
    (event,) = events(old_valkey, 1)
    delivered = sum(bool(each["choices"][0]["delta"].get("content")) for each in shown)
    assert event.status is RequestStatus.LIMIT_REACHED
    assert event.output_tokens == delivered
    assert 500 < event.input_tokens + event.output_tokens <= 600
    assert not engine.seen[0].is_complete


def test_a_long_stream_within_its_limit_is_not_disturbed(
    gateways: Make, engine: Engine, old_valkey: redis.Redis
) -> None:
    engine.script = Script(tokens=1500, itl=0.001)
    gateway = behind(gateways, engine, limits={KEY: (None, 5000), USER: (None, 6000)})
    answer = gateway.ask(stream=True)
    assert len(world.chunks(answer.text)) == 1501
    (event,) = events(old_valkey, 1)
    assert (event.status, event.output_tokens) == (RequestStatus.COMPLETED, 1500)
    time.sleep(0.1)
    bucket = "{7}:api_key:1"
    assert old_valkey.hget(bucket, "held") == b"0"
    assert old_valkey.hget(bucket, "used") == b"1502"


def test_what_was_not_used_goes_back(gateways: Make, engine: Engine, old_valkey: redis.Redis) -> None:
    gateway = behind(gateways, engine, limits={KEY: (None, 2000)})
    for _ in range(5):
        assert gateway.ask(max_tokens=1500).status_code == 200
        time.sleep(0.1)
    assert int(gateway.ask(max_tokens=10).headers["x-ratelimit-remaining-tokens"]) > 1_500


def test_an_answer_without_a_stated_length_gets_one_that_fits(
    gateways: Make, engine: Engine, old_valkey: redis.Redis
) -> None:
    gateway = behind(gateways, engine, limits={KEY: (None, 3000)}, context=100_000)
    answer = gateway.ask()
    cap = int(answer.headers["x-slipway-max-tokens"])
    assert 2_000 < cap < 3_000
    assert engine.seen[0].body["max_tokens"] == cap


@pytest.mark.parametrize("streams", [True, False])
def test_what_fails_gives_back_all_that_it_held(
    gateways: Make, engine: Engine, old_valkey: redis.Redis, streams: bool
) -> None:
    gateway = behind(gateways, engine, limits={KEY: (None, 2000)})
    engine.stop_listening()
    for _ in range(3):
        assert gateway.ask(stream=streams, max_tokens=1500).status_code == 503
        time.sleep(0.1)
    assert old_valkey.hmget("{7}:api_key:1", "used", "held") == [b"0", b"0"]
    assert gateway.figures()["slipway_gateway_oldest_hold_seconds"] == 0
