"""An answer on its way to the playground: piece by piece from a real gateway, its cost exact, its refusals in words."""

from __future__ import annotations

import json
import threading
import time
from contextlib import aclosing
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from console.encryption import Sealed
from console.portal import relay
from console.portal.relay import Event, Wish
from deployments.vocabulary import LimitScope
from metering.pricing import Rates
from metering.vocabulary import RequestStatus
from tests import loops
from tests.metering.gateway import world
from tests.metering.gateway.conftest import gateways
from tests.metering.gateway.engine import Engine, Script, running
from tests.metering.gateway.world import BOB, GatewayProcess

__all__ = ["gateways"]
RATES = Rates("USD", Decimal("0.15"), Decimal("0.6"), Decimal("0.05"))


def wish(text: str = "one two three", rates: Rates | None = RATES, **changes: Any) -> Wish:
    content = {
        "model": "chat",
        "messages": [{"role": "user", "content": text}],
        "stream": True,
        "stream_options": {"include_usage": True},
        **changes,
    }
    return Wish(content, Sealed.of(BOB), rates)


def ask(given: Wish) -> list[Event]:
    async def collect() -> list[Event]:
        return [event async for event in relay.events(given)]

    return loops.run(collect())


@pytest.fixture
def engine() -> Any:
    with running() as made:
        yield made


@pytest.fixture
def gateway(engine: Engine, gateways: Any, valkey: Any, settings: Settings) -> GatewayProcess:
    """Two requests a minute for each person."""
    limits = {LimitScope.USER: (2, None)}
    made: GatewayProcess = gateways(world.snapshot([world.route("chat", engine.url, limits=limits)]))
    settings.GATEWAY_INTERNAL_URL = made.url
    return made


def test_pieces_come_as_they_are_written_and_then_what_it_took(
    engine: Engine, gateway: GatewayProcess
) -> None:
    engine.script = Script(tokens=4, cached=2)
    *pieces, end = ask(wish())
    assert [(piece["event"], piece["text"]) for piece in pieces] == [("text", f" w{n}") for n in range(4)]
    assert (end["event"], end["input"], end["cached"], end["output"]) == ("end", 3, 2, 4)
    # 1 fresh x 0.15 + 2 cached x 0.05 + 4 x 0.6, of a million
    assert end["cost"] == "$0.00000265"
    assert end["ttft_ms"] >= 0


def test_a_model_without_a_price_costs_nothing_that_could_be_told(
    engine: Engine, gateway: GatewayProcess
) -> None:
    assert ask(wish(rates=None))[-1]["cost"] == "No price"


def test_over_a_limit_it_says_so_and_for_how_long(engine: Engine, gateway: GatewayProcess) -> None:
    for _ in range(2):
        assert ask(wish())[-1]["event"] == "end"
    (refused,) = ask(wish())
    assert refused["event"] == "refused"
    assert "Limit 2, used 2" in refused["sentence"]
    assert 0 < refused["wait"] <= 61


def test_who_stops_reading_stops_the_engine(engine: Engine, gateway: GatewayProcess, valkey: Any) -> None:
    engine.script = Script(tokens=100_000, itl=0.005)

    async def leave_early() -> None:
        async with aclosing(relay.events(wish())) as events:
            async for _ in events:
                return

    loops.run(leave_early())
    (event,) = world.events(valkey, 1)
    assert event.status is RequestStatus.CLIENT_GONE
    deadline = time.monotonic() + 10
    while not engine.seen[0].ended:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not engine.seen[0].is_complete


def test_an_answer_that_fails_half_way_keeps_what_came(engine: Engine, gateway: GatewayProcess) -> None:
    engine.script = Script(tokens=5, fails_after=2)
    *pieces, last = ask(wish())
    assert [piece["text"] for piece in pieces] == [" w0", " w1"]
    assert last["event"] == "refused"
    assert "see stack trace" not in last["sentence"], "an engine's inside is not the tenant's business"


@pytest.mark.parametrize("size", [1, 7])
def test_events_may_be_cut_anywhere_on_their_way(engine: Engine, settings: Settings, size: int) -> None:
    engine.script = Script(tokens=3, pieces=size)
    settings.GATEWAY_INTERNAL_URL = engine.url
    *pieces, end = ask(wish("grüße, 世界"))
    assert "".join(piece["text"] for piece in pieces) == " w0 w1 w2"
    assert end["output"] == 3


def test_what_a_model_thinks_is_kept_apart(settings: Settings) -> None:
    reading = relay._Reading(RATES, 0.0)
    said = {"choices": [{"delta": {"reasoning_content": "Hm.", "content": "Hello"}}]}
    assert reading._read(said) == [
        {"event": "thought", "text": "Hm."},
        {"event": "text", "text": "Hello"},
    ]


def test_a_fresh_key_is_tried_again_until_the_gateway_has_learnt_it(
    engine: Engine, settings: Settings
) -> None:
    settings.GATEWAY_INTERNAL_URL = engine.url
    engine.script = Script(error=(401, b'{"error": {"message": "Incorrect API key provided."}}'))

    def learn() -> None:
        engine.script = Script(tokens=1)

    timer = threading.Timer(0.3, learn)
    timer.start()
    try:
        assert [event["event"] for event in ask(wish())] == ["text", "end"]
    finally:
        timer.join()
    assert len(engine.seen) > 1


def test_a_key_that_stays_unknown_is_told(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.GATEWAY_INTERNAL_URL = engine.url
    monkeypatch.setattr(relay, "_LEARNS_SECONDS", 0.0)
    engine.script = Script(error=(401, b'{"error": {"message": "Incorrect API key provided."}}'))
    assert ask(wish()) == [{"event": "refused", "sentence": "Incorrect API key provided.", "wait": None}]


def test_a_gateway_that_is_away_or_hangs_up_is_told(engine: Engine, settings: Settings) -> None:
    settings.GATEWAY_INTERNAL_URL = "http://127.0.0.1:1"
    assert ask(wish()) == [relay.CANNOT_REACH]
    settings.GATEWAY_INTERNAL_URL = engine.url
    engine.script = Script(closes_early=True)
    assert ask(wish()) == [relay.CANNOT_REACH]
    engine.script = Script(tokens=50, cut_after=600)
    *_, last = ask(wish())
    assert "cut off" in last["sentence"]


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b"[1]", json.dumps({"error": "x"}).encode()])
def test_a_refusal_without_a_sentence_still_says_something(
    engine: Engine, settings: Settings, body: bytes
) -> None:
    settings.GATEWAY_INTERNAL_URL = engine.url
    engine.script = Script(error=(502, body))
    assert ask(wish()) == [{"event": "refused", "sentence": "The gateway refused the request.", "wait": None}]
