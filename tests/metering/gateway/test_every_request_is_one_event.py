"""E15: however a request ends, there is one event, flagged rightly, with what the engine's own books say."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import httpx
import pytest
import redis

from metering.events import STREAM, Event
from metering.vocabulary import RequestStatus
from tests.metering.gateway import world
from tests.metering.gateway.conftest import Tap
from tests.metering.gateway.engine import Script
from tests.metering.gateway.world import BOB, error, events


@pytest.fixture(autouse=True)
def fresh(tap: Tap, valkey: redis.Redis) -> None:
    tap.engine.script = Script()
    tap.engine.seen.clear()


def one(valkey: redis.Redis) -> Event:
    """The one event; a moment later there is still no other."""
    events(valkey, 1)
    time.sleep(0.05)
    (only,) = events(valkey, 1)
    return only


def counts(event: Event) -> tuple[int, int, bool]:
    return event.input_tokens, event.output_tokens, event.is_estimated


def stream(tap: Tap, **body: Any) -> httpx.Response:
    return tap.gateway.ask(stream=True, **body)


def test_an_answer_is_passed_on_as_the_engine_gave_it(tap: Tap, valkey: redis.Redis) -> None:
    tap.engine.script = Script(tokens=4, cached=1)
    answer = tap.gateway.ask()
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == " w0 w1 w2 w3"
    event = one(valkey)
    assert counts(event) == (2, 4, False)
    assert (event.status, event.cached_tokens, event.first) == (RequestStatus.COMPLETED, 1, None)
    assert (event.organization_id, event.user_id, event.api_key_id, event.revision) == (world.ACME, 11, 1, 3)
    assert answer.headers["x-request-id"] == f"req_{event.id}"
    assert tap.engine.seen[0].headers["x-request-id"] == event.id


def test_nothing_of_the_clients_head_reaches_the_engine(tap: Tap, valkey: redis.Redis) -> None:
    """E24: the key is the gateway's business alone."""
    headers = {"Authorization": f"Bearer {BOB}", "Cookie": "a=b", "X-Forwarded-For": "1.2.3.4", "X-Org": "9"}
    httpx.post(
        f"{tap.gateway.url}/v1/completions?key=canary",
        json={"model": "chat", "prompt": "a b c"},
        headers=headers,
    )
    sent = tap.engine.seen[0].headers
    assert set(sent) == {
        *("host", "user-agent", "accept", "accept-encoding", "content-type", "x-request-id", "content-length")
    }
    assert BOB not in str(sent)
    assert counts(one(valkey)) == (3, 5, False)


def test_a_stream_passes_without_the_usage_that_nobody_asked_for(tap: Tap, valkey: redis.Redis) -> None:
    tap.engine.script = Script(tokens=3, ttft=0.05, itl=0.02)
    answer = stream(tap)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    shown = world.chunks(answer.text)
    assert [each["choices"][0]["delta"].get("content") for each in shown] == ["", " w0", " w1", " w2"]
    assert not any("usage" in each for each in shown)
    assert answer.text.endswith("data: [DONE]\n\n")
    event = one(valkey)
    assert counts(event) == (2, 3, False)
    assert event.first is not None
    assert 45_000 < event.first - event.started < 500_000
    assert 15_000 < (event.itl_us or 0) < 100_000


def test_who_asks_for_usage_gets_it(tap: Tap, valkey: redis.Redis) -> None:
    answer = stream(tap, stream_options={"include_usage": True})
    used = [each["usage"] for each in world.chunks(answer.text) if "usage" in each]
    assert [each["completion_tokens"] for each in used] == [5]
    assert counts(one(valkey)) == (2, 5, False)


def test_an_embedding_has_input_only(tap: Tap, valkey: redis.Redis) -> None:
    answer = tap.gateway.ask("/v1/embeddings", input="one two three")
    assert answer.json()["data"][0]["embedding"] == [0.5]
    assert counts(one(valkey)) == (3, 0, False)


USAGE: dict[str, Any] = {
    "missing": None,
    "malformed": "many",
    "negative": {"prompt_tokens": -1, "completion_tokens": -5},
    "enormous": {"prompt_tokens": 10**18, "completion_tokens": 10**18},
    "without completion": {"prompt_tokens": "x"},
}


@pytest.mark.parametrize("case", USAGE)
@pytest.mark.parametrize("streams", [True, False])
def test_without_believable_usage_the_gateway_counts_and_says_so(
    tap: Tap, valkey: redis.Redis, case: str, streams: bool
) -> None:
    tap.engine.script = Script(tokens=6, usage=USAGE[case])
    assert tap.gateway.ask(stream=streams).status_code == 200
    event = one(valkey)
    assert event.is_estimated
    assert event.status is RequestStatus.COMPLETED
    assert event.output_tokens == (6 if streams else 5)  # events with text; a quarter of 18 bytes
    assert event.input_tokens > 0


def test_usage_that_is_told_twice_counts_once(tap: Tap, valkey: redis.Redis) -> None:
    tap.engine.script = Script(tokens=6, repeats_usage=True)
    stream(tap)
    assert counts(one(valkey)) == (2, 6, False)


def test_several_tokens_in_one_event_are_several_tokens(tap: Tap, valkey: redis.Redis) -> None:
    tap.engine.script = Script(tokens=10, merge=4)
    stream(tap)
    assert counts(one(valkey)) == (2, 10, False)


def test_events_that_come_in_pieces_are_whole_for_the_meter(tap: Tap, valkey: redis.Redis) -> None:
    tap.engine.script = Script(tokens=4, pieces=7)
    assert len(world.chunks(stream(tap).text)) == 5
    assert counts(one(valkey)) == (2, 4, False)


def test_the_engine_may_cut_its_stream_at_any_byte(tap: Tap, valkey: redis.Redis) -> None:
    """E15: all along the answer; what the engine wrote is billed, and the client is told."""
    script = Script(tokens=3)
    tap.engine.script = script
    whole = len(_raw(tap))
    valkey.delete(STREAM)
    for cut in range(0, whole, 31):
        tap.engine.seen.clear()
        tap.engine.script = Script(tokens=3, cut_after=cut)
        answer = stream(tap)
        (event,) = events(valkey, 1)
        valkey.delete(STREAM)
        (seen,) = tap.engine.seen[:1]
        assert event.status is RequestStatus.ENGINE_FAILED, cut
        assert 0 <= seen.generated - event.output_tokens <= 1, cut  # the last event may have been cut in two
        if answer.status_code == 200:
            assert error_event(answer)["code"] == "engine_failed", cut
        else:
            assert error(answer)["code"] == "engine_failed", cut


def _raw(tap: Tap) -> bytes:
    """An answer as the engine writes it."""
    options = {"include_usage": True, "continuous_usage_stats": True}
    body = json.dumps({"messages": [{"content": "Hello there"}], "stream": True, "stream_options": options})
    head = f"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", tap.engine.port)) as connection:
        connection.sendall((head + body).encode())
        found = b""
        while not found.endswith(b"0\r\n\r\n"):
            found += connection.recv(65536)
    return found


def error_event(answer: httpx.Response) -> dict[str, Any]:
    """The error that a stream ended with."""
    assert answer.text.endswith("data: [DONE]\n\n")
    last: dict[str, Any] = world.chunks(answer.text)[-1]["error"]
    assert "stack trace" not in last["message"]
    return last


def test_the_client_may_hang_up_at_any_byte(tap: Tap, valkey: redis.Redis) -> None:
    """E15: the engine's work ends within a second, and what it had generated by then is billed."""
    body = json.dumps(
        {"model": "chat", "stream": True, "messages": [{"role": "user", "content": "Hello there"}]}
    )
    request = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {BOB}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
    tap.engine.script = Script(tokens=400, itl=0.004)
    for wanted in (1, 40, 200, 350, 600, 1000, 1700, 2500):
        tap.engine.seen.clear()
        with socket.create_connection(("127.0.0.1", tap.gateway.port)) as connection:
            connection.sendall(request)
            left = wanted
            while left > 0:
                left -= len(connection.recv(left))
        hung_up = time.monotonic()
        (event,) = events(valkey, 1)
        valkey.delete(STREAM)
        (seen,) = tap.engine.seen
        _wait_for_end(seen)
        assert seen.ended - hung_up < 1.0
        assert event.status is RequestStatus.CLIENT_GONE
        # Before the first token the engine has not said how long the prompt is.
        assert event.is_estimated is (event.output_tokens == 0)
        assert event.input_tokens == 2 or event.is_estimated
        assert abs(seen.generated - event.output_tokens) <= 2
        assert not seen.is_complete


def _wait_for_end(seen: Any) -> None:
    deadline = time.monotonic() + 3
    while not seen.ended and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_client_that_hangs_up_before_the_answer_pays_for_the_prompt(tap: Tap, valkey: redis.Redis) -> None:
    tap.engine.script = Script(ttft=5)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{tap.gateway.url}/v1/chat/completions",
            json={"model": "chat", "messages": [{"role": "user", "content": "Hello there"}]},
            headers={"Authorization": f"Bearer {BOB}"},
            timeout=0.3,
        )
    event = one(valkey)
    assert event.status is RequestStatus.CLIENT_GONE
    assert (event.output_tokens, event.is_estimated) == (0, True)
    assert event.input_tokens > 0
    _wait_for_end(tap.engine.seen[0])
    assert tap.engine.seen[0].generated == 0


def test_an_engine_that_dies_in_mid_stream_is_paid_for_what_came(tap: Tap, valkey: redis.Redis) -> None:
    tap.engine.script = Script(tokens=10, fails_after=4)
    assert error_event(stream(tap))["code"] == "engine_failed"
    event = one(valkey)
    assert (event.status, *counts(event)) == (RequestStatus.ENGINE_FAILED, 2, 4, False)


def test_what_the_engine_refuses_costs_nothing(tap: Tap, valkey: redis.Redis) -> None:
    body = b'{"error":{"message":"n must be at least 1","type":"BadRequestError","param":"n","code":400}}'
    tap.engine.script = Script(error=(400, body))
    answer = tap.gateway.ask()
    assert (answer.status_code, error(answer)["message"]) == (400, "n must be at least 1")
    event = one(valkey)
    assert (event.status, *counts(event)) == (RequestStatus.REFUSED, 0, 0, False)


def test_an_engine_that_fails_before_the_first_token_costs_nothing(tap: Tap, valkey: redis.Redis) -> None:
    tap.engine.script = Script(error=(500, b'{"error":{"message":"EngineCore: see stack trace"}}'))
    answer = tap.gateway.ask(stream=True)
    assert answer.status_code == 502
    assert "stack trace" not in answer.text
    event = one(valkey)
    assert (event.status, *counts(event)) == (RequestStatus.ENGINE_FAILED, 0, 0, False)


def test_what_is_not_admitted_is_no_event(tap: Tap, valkey: redis.Redis) -> None:
    assert tap.gateway.ask(model="none").status_code == 404
    assert tap.gateway.ask(secret="slipway_unknown").status_code == 401
    assert tap.gateway.ask(n=0).status_code == 400
    time.sleep(0.1)
    assert events(valkey, 0) == []
    assert tap.engine.seen == []


def test_a_model_of_somebody_else_looks_like_none(tap: Tap, valkey: redis.Redis) -> None:
    """E19: the same status and the same body for "not yours" and "not there"."""
    not_theirs = tap.gateway.ask(secret=world.CHARLIE)
    not_there = tap.gateway.ask(model="nope")
    assert not_theirs.status_code == not_there.status_code == 404
    assert error(not_theirs) == {
        **error(not_there),
        "message": error(not_there)["message"].replace("nope", "chat"),
    }


def test_a_slow_reader_makes_the_engine_wait_and_not_the_gateway_grow(tap: Tap, valkey: redis.Redis) -> None:
    tap.engine.script = Script(tokens=200_000)
    body = json.dumps({"model": "chat", "stream": True, "messages": [{"role": "user", "content": "Hi"}]})
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        connection.connect(("127.0.0.1", tap.gateway.port))
        connection.sendall(
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {BOB}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        time.sleep(1.0)
        written = tap.engine.seen[0].generated
        time.sleep(0.5)
        assert tap.engine.seen[0].generated == written < 100_000
        connection.recv(1_000_000)
    assert one(valkey).status is RequestStatus.CLIENT_GONE
