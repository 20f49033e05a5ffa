"""The gateway's edge on real sockets: what could be read in two ways, is too large or too slow, gets no further."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from tests.metering.gateway.world import BOB, GatewayProcess

KEY = f"Authorization: Bearer {BOB}\r\n".encode()
HOST = b"Host: gateway\r\n"


def talk(gateway: GatewayProcess, *pieces: bytes, patience: float = 5.0) -> bytes:
    """Sends bytes as they are; everything that comes back until the gateway closes, or nothing comes for a moment."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=patience) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has said what it had to say
        return listen(connection)


def listen(connection: socket.socket) -> bytes:
    found = b""
    try:
        while piece := connection.recv(65536):
            found += piece
            connection.settimeout(0.3)
    except (TimeoutError, ConnectionResetError):
        pass
    return found


def statuses(answer: bytes) -> list[int]:
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


def post(*headers: bytes, body: bytes = b"") -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"POST /v1/chat/completions HTTP/1.1\r\n" + HOST + KEY + lines + b"\r\n" + body


SMUGGLED = b"GET /v1/models HTTP/1.1\r\nHost: gateway\r\n" + KEY + b"\r\n"
AMBIGUOUS: dict[str, tuple[bytes, int]] = {
    "length and coding": (
        post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED),
        400,
    ),
    "coding and length": (
        post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n" + SMUGGLED),
        400,
    ),
    "two lengths": (post(b"Content-Length: 0", b"Content-Length: 60", body=SMUGGLED), 400),
    "the same length twice": (post(b"Content-Length: 2", b"Content-Length: 2", body=b"{}"), 400),
    "two lengths in one": (post(b"Content-Length: 2, 2", body=b"{}"), 400),
    "a length with a sign": (post(b"Content-Length: +2", body=b"{}"), 400),
    "a negative length": (post(b"Content-Length: -2", body=b"{}"), 400),
    "a length in hexadecimal": (post(b"Content-Length: 0x2", body=b"{}"), 400),
    "another coding": (post(b"Transfer-Encoding: gzip", body=b"{}"), 501),
    "another coding before": (post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 501),
    "a coding after": (post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"), 400),
    "a disguised coding": (post(b"Transfer-Encoding:\x0bchunked", body=b"0\r\n\r\n"), 400),
    "a space before the colon": (post(b"Content-Length : 2", body=b"{}"), 400),
    "a folded header": (post(b"X-A: a\r\n b", b"Content-Length: 2", body=b"{}"), 400),
    "a NUL in a header": (post(b"X-A: a\x00b", b"Content-Length: 2", body=b"{}"), 400),
    "line feeds alone": (b"GET /v1/models HTTP/1.1\nHost: gateway\n\n", 400),
    "two hosts": (b"GET /v1/models HTTP/1.1\r\nHost: a\r\nHost: b\r\n" + KEY + b"\r\n", 400),
    "no host": (b"GET /v1/models HTTP/1.1\r\n" + KEY + b"\r\n", 400),
    "two keys": (
        b"GET /v1/models HTTP/1.1\r\nHost: a\r\n" + KEY + b"Authorization: Bearer other\r\n\r\n",
        400,
    ),
    "an old client with a coding": (
        b"POST /v1/chat/completions HTTP/1.0\r\n" + KEY + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "HTTP/0.9": (b"GET /v1/models\r\n\r\n", 400),
    "HTTP/2 without asking": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 40, 400),
    "a compressed body": (post(b"Content-Encoding: gzip", b"Content-Length: 2", body=b"{}"), 415),
    "an upgrade": (
        b"GET /v1/models HTTP/1.1\r\n" + HOST + KEY + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        501,
    ),
    "a broken chunk": (post(b"Transfer-Encoding: chunked", body=b"0x5\r\nhello\r\n0\r\n\r\n"), 400),
    "a chunk that is longer than it says": (
        post(b"Transfer-Encoding: chunked", body=b"2\r\n{} \r\n0\r\n\r\n"),
        400,
    ),
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_what_could_be_read_in_two_ways_is_refused_and_the_connection_ends(
    edge: GatewayProcess, case: str
) -> None:
    """E26: request smuggling. One answer, and what follows on the connection is never looked at."""
    sent, status = AMBIGUOUS[case]
    assert statuses(talk(edge, sent + SMUGGLED)) == [status]


def test_requests_that_follow_each_other_are_answered_in_order(edge: GatewayProcess) -> None:
    models = SMUGGLED
    health = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    nothing = b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"
    answer = talk(edge, models + nothing + health + models)
    assert statuses(answer) == [200, 404, 200, 200]
    assert answer.count(b'"object":"list"') == 2


def test_a_request_may_come_byte_by_byte(edge: GatewayProcess) -> None:
    assert statuses(talk(edge, *(SMUGGLED[i : i + 1] for i in range(len(SMUGGLED))))) == [200]


def test_a_body_in_chunks_is_one_body(edge: GatewayProcess) -> None:
    body = b'{"model":"none"}'
    parts = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    answer = talk(edge, post(b"Transfer-Encoding: chunked", body=parts))
    assert statuses(answer) == [404]
    assert b"model_not_found" in answer


def test_who_expects_to_be_asked_for_the_body_is_asked(edge: GatewayProcess) -> None:
    body = b'{"model":"none"}'
    with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as connection:
        connection.sendall(post(b"Expect: 100-continue", b"Content-Length: %d" % len(body)))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert statuses(listen(connection)) == [404]


TOO_MUCH: dict[str, tuple[bytes, int]] = {
    "a long header": (post(b"X-A: " + b"a" * 70_000, b"Content-Length: 2", body=b"{}"), 431),
    "many headers": (post(*(b"X-%d: a" % number for number in range(200)), body=b""), 431),
    "a head without an end": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-A: a\r\n" * 20_000, 431),
    "a long address": (b"GET /v1/models?" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + KEY + b"\r\n", 414),
    "a body that says that it is large": (post(b"Content-Length: 99999999"), 413),
    "a body that says that it is endless": (post(b"Content-Length: 99999999999999999999999"), 400),
    "a body that turns out to be large": (
        post(b"Transfer-Encoding: chunked", body=(b"10000\r\n" + b"a" * 65536 + b"\r\n") * 40),
        413,
    ),
}


@pytest.mark.parametrize("case", TOO_MUCH)
def test_what_is_too_large_is_refused_with_a_word_about_it(edge: GatewayProcess, case: str) -> None:
    """E26: long names, many fields, large bodies; refused before they are all read."""
    sent, status = TOO_MUCH[case]
    assert statuses(talk(edge, sent)) == [status]


def test_a_large_body_without_a_key_is_not_waited_for(edge: GatewayProcess) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n"
    assert statuses(talk(edge, head)) == [401]


def test_a_small_refusal_keeps_the_connection(edge: GatewayProcess) -> None:
    bad = b"POST /v1/embeddings HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
    assert statuses(talk(edge, bad + SMUGGLED)) == [401, 200]


def test_thousands_of_members_and_odd_text_are_read_or_refused(edge: GatewayProcess) -> None:
    """E26: a million fields, NUL, right-to-left, huge numbers; never a 500."""
    bodies = [
        b'{"model":"none",' + b",".join(b'"k%d":1' % number for number in range(60_000)) + b"}",
        b'{"model":"\\u0000"}',
        '{"model":"\u202eabc"}'.encode(),
        b'{"model":"' + b"a" * 65_536 + b'"}',
        b'{"model":"none","n":' + b"9" * 4000 + b"}",
        b'{"model":"none","max_tokens":1e400}',
    ]
    for body in bodies:
        (status,) = statuses(talk(edge, post(b"Content-Length: %d" % len(body), body=body)))
        assert status in (400, 404)


def test_the_gateway_goes_on_after_all_of_this(edge: GatewayProcess) -> None:
    for sent, _ in [*AMBIGUOUS.values(), *TOO_MUCH.values()]:
        with socket.create_connection(("127.0.0.1", edge.port)) as connection:
            connection.sendall(sent[: len(sent) // 2])
    deadline = time.monotonic() + 5
    while (figures := edge.figures())["slipway_gateway_connections"] > 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert figures["slipway_gateway_connections"] == 1  # the one that asks
    assert figures["slipway_gateway_in_flight"] == 0


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/v1", "/v1/", "/v1/nothing", "/admin/", "/tokenize", "/invocations", "/load", "/version"),
        *("/v1/completions/", "/V1/models", "/v1//models", "/v1/../metrics", "/%76%31/models", "//v1/models"),
        *("/v1/chat/completions/batch", "/v1/responses", "/pause", "/sleep", "/v1/load_lora_adapter"),
    ],
)
def test_only_the_known_addresses_are_there(edge: GatewayProcess, path: str) -> None:
    rest = b" " + path.encode() + b" HTTP/1.1\r\n" + HOST + KEY + b"Content-Length: 0\r\n\r\n"
    sent = b"".join(method + rest for method in (b"GET", b"POST", b"PUT", b"DELETE", b"OPTIONS"))
    assert statuses(talk(edge, sent)) == [404] * 5


def test_a_wrong_method_is_named(edge: GatewayProcess) -> None:
    answer = talk(edge, b"DELETE /v1/chat/completions HTTP/1.1\r\n" + HOST + KEY + b"\r\n")
    assert statuses(answer) == [405]
    assert b"allow: POST" in answer


def test_metrics_are_not_for_who_comes_through_a_proxy(edge: GatewayProcess) -> None:
    def status(*headers: bytes) -> Any:
        lines = b"".join(header + b"\r\n" for header in headers)
        return statuses(talk(edge, b"GET /metrics HTTP/1.1\r\n" + HOST + lines + b"\r\n"))[0]

    assert status() == 200
    assert status(b"X-Forwarded-For: 203.0.113.7") == 404
    assert status(b"Forwarded: for=203.0.113.7") == 404
