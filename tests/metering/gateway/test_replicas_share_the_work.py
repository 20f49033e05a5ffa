"""Replicas: the one with the least to do is next, one that fails is left out, and another one is asked once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest
import redis

from metering.vocabulary import RequestStatus
from tests.metering.gateway import world
from tests.metering.gateway.engine import Engine, Script, running
from tests.metering.gateway.world import GatewayProcess, error, events

Make = Callable[..., GatewayProcess]


@pytest.fixture
def engines() -> Iterator[list[Engine]]:
    with ExitStack() as stack:
        yield [stack.enter_context(running()) for _ in range(2)]


@pytest.fixture
def gateway(gateways: Make, engines: list[Engine]) -> GatewayProcess:
    return gateways(world.snapshot([world.route("chat", *(engine.url for engine in engines))]))


def test_the_replica_with_the_least_in_flight_takes_the_next_request(
    gateway: GatewayProcess, engines: list[Engine]
) -> None:
    for engine in engines:
        engine.script = Script(ttft=0.3)
    with ThreadPoolExecutor(8) as pool:
        assert all(each.status_code == 200 for each in pool.map(lambda _: gateway.ask(), range(8)))
    assert [len(engine.seen) for engine in engines] == [4, 4]


def test_connections_are_used_again(gateway: GatewayProcess, engines: list[Engine]) -> None:
    for _ in range(10):
        gateway.ask()
    assert sum(engine.connections for engine in engines) == 2


def test_an_engine_that_closes_what_is_kept_is_not_to_blame(
    gateway: GatewayProcess, engines: list[Engine]
) -> None:
    engines[1].stop_listening()
    gateway.ask()
    for engine in engines:
        engine.script = Script(keep_alive=False)
    for _ in range(5):
        assert gateway.ask().status_code == 200
        time.sleep(0.02)


def test_a_replica_that_is_gone_costs_no_request_and_is_left_out(
    gateway: GatewayProcess, engines: list[Engine], valkey: redis.Redis
) -> None:
    engines[0].stop_listening()
    answers = [gateway.ask() for _ in range(12)]
    assert {each.status_code for each in answers} == {200}
    assert len(engines[1].seen) == 12
    assert all(each.status is RequestStatus.COMPLETED for each in events(valkey, 12))
    assert gateway.figures()["slipway_gateway_retries_total"] <= 2
    engines[0].listen_again()
    time.sleep(1.1)  # the first rest is a second
    for _ in range(4):
        gateway.ask()
    assert engines[0].seen, "it is back"


def test_one_that_ends_before_it_answers_is_asked_once_and_then_another(
    gateway: GatewayProcess, engines: list[Engine], valkey: redis.Redis
) -> None:
    for engine in engines:
        engine.script = Script(closes_early=True)
    answer = gateway.ask()
    assert (answer.status_code, error(answer)["code"]) == (503, "engine_failed")
    assert sum(len(engine.seen) for engine in engines) == 2
    (event,) = events(valkey, 1)
    assert (event.status, event.input_tokens, event.output_tokens) == (RequestStatus.ENGINE_FAILED, 0, 0)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_one_that_is_full_or_leaving_hands_over(
    gateway: GatewayProcess, engines: list[Engine], valkey: redis.Redis, status: int
) -> None:
    engines[0].script = Script(error=(status, b'{"error":{"message":"busy"}}'))
    assert {gateway.ask().status_code for _ in range(4)} == {200}
    assert len(events(valkey, 4)) == 4


def test_a_request_that_breaks_an_engine_does_not_break_the_next_one(
    gateway: GatewayProcess, engines: list[Engine]
) -> None:
    for engine in engines:
        engine.script = Script(error=(500, b"{}"))
    assert gateway.ask().status_code == 502
    assert sum(len(engine.seen) for engine in engines) == 1


def test_when_all_are_busy_the_client_hears_when_to_come_back(
    gateway: GatewayProcess, engines: list[Engine]
) -> None:
    for engine in engines:
        engine.script = Script(error=(503, b'{"error":{"message":"queue full"}}'))
    answer = gateway.ask()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


def test_an_engine_that_says_nothing_is_given_up(gateways: Make, engine: Engine, valkey: redis.Redis) -> None:
    engine.script = Script(hangs=True)
    known = world.snapshot([world.route("chat", engine.url)])
    gateway = gateways(known, GATEWAY_FIRST_ANSWER_SECONDS="0.5")
    answer = gateway.ask()
    assert (answer.status_code, error(answer)["code"]) == (504, "engine_timeout")
    (event,) = events(valkey, 1)
    assert event.status is RequestStatus.ENGINE_FAILED


def test_an_engine_that_falls_silent_in_mid_stream_is_given_up(
    gateways: Make, engine: Engine, valkey: redis.Redis
) -> None:
    engine.script = Script(tokens=3, itl=30)
    gateway = gateways(world.snapshot([world.route("chat", engine.url)]), GATEWAY_SILENCE_SECONDS="0.5")
    answer = gateway.ask(stream=True)
    assert world.chunks(answer.text)[-1]["error"]["code"] == "engine_timeout"
    (event,) = events(valkey, 1)
    assert (event.status, event.output_tokens) == (RequestStatus.ENGINE_FAILED, 1)


def test_a_host_name_is_looked_up(gateways: Make, engine: Engine) -> None:
    gateway = gateways(world.snapshot([world.route("chat", f"http://localhost:{engine.port}")]))
    assert gateway.ask().status_code == 200


def test_the_path_of_an_endpoint_comes_before_the_address(gateways: Make, engine: Engine) -> None:
    gateway = gateways(world.snapshot([world.route("chat", f"{engine.url}/chat")]))
    assert gateway.ask().status_code == 200


def test_more_than_the_gateway_can_hold_is_turned_away_at_once(gateways: Make, engine: Engine) -> None:
    engine.script = Script(ttft=0.5)
    known = world.snapshot([world.route("chat", engine.url)])
    gateway = gateways(known, GATEWAY_MOST_REQUESTS="3")
    with ThreadPoolExecutor(6) as pool:
        answers: list[httpx.Response] = list(pool.map(lambda _: gateway.ask(), range(6)))
    assert sorted(each.status_code for each in answers) == [200] * 3 + [503] * 3
    assert {error(each)["code"] for each in answers if each.status_code == 503} == {"overloaded"}
