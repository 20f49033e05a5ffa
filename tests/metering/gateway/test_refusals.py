"""The gateway without a known key: refusals that OpenAI's own client understands."""

from __future__ import annotations

from typing import Any

import httpx
import openai
import pytest

from metering.gateway.app import app
from tests import loops

CALLS = {
    "models": lambda client: client.models.list(),
    "chat": lambda client: client.chat.completions.create(
        model="llama-8b-chat", messages=[{"role": "user", "content": "Hello"}]
    ),
    "completions": lambda client: client.completions.create(model="llama-8b-chat", prompt="Hello"),
    "embeddings": lambda client: client.embeddings.create(model="embed", input="Hello"),
}
ADDRESSES = {
    "/v1/models": "GET",
    "/v1/chat/completions": "POST",
    "/v1/completions": "POST",
    "/v1/embeddings": "POST",
}


def ask(method: str, address: str, **options: Any) -> httpx.Response:
    async def once() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.request(method, address, **options)

    return loops.run(once())


@pytest.fixture
def client() -> openai.AsyncOpenAI:
    transport = httpx.ASGITransport(app=app)
    return openai.AsyncOpenAI(
        api_key="sk-canary",
        base_url="http://gateway/v1",
        max_retries=0,
        http_client=httpx.AsyncClient(transport=transport),
    )


def error(answer: httpx.Response) -> dict[str, Any]:
    """The one object of the body, in OpenAI's shape."""
    body = answer.json()
    assert list(body) == ["error"]
    assert set(body["error"]) == {"message", "type", "param", "code"}
    return body["error"]


@pytest.mark.parametrize("call", CALLS)
def test_the_official_client_sees_that_its_key_is_unknown(client: openai.AsyncOpenAI, call: str) -> None:
    async def once() -> None:
        async with client:
            await CALLS[call](client)

    with pytest.raises(openai.AuthenticationError) as raised:
        loops.run(once())
    assert raised.value.status_code == 401
    assert raised.value.code == "invalid_api_key"
    assert raised.value.type == "invalid_request_error"
    assert "sk-canary" not in str(raised.value)


@pytest.mark.parametrize(("address", "method"), ADDRESSES.items())
@pytest.mark.parametrize("header", [None, "", "Basic YTpi", "Bearer", "bearer sk-1", "Bearer sk-1"])
def test_without_a_known_key_nothing_is_answered(address: str, method: str, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = ask(method, address, headers=headers, content=b"\xff not json")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    found = error(answer)
    assert found["code"] == "invalid_api_key"
    has_key = bool(header) and header.lower().startswith("bearer ")
    assert ("is not known" in found["message"]) is has_key
    assert ("No API key was sent" in found["message"]) is not has_key


@pytest.mark.parametrize("address", ["/", "/v1", "/v1/nothing", "/v1/models/llama", "/admin/"])
def test_an_unknown_address_is_named(address: str) -> None:
    answer = ask("GET", address)
    assert answer.status_code == 404
    assert error(answer)["code"] == "unknown_url"
    assert f"GET {address}." in error(answer)["message"]


def test_a_long_address_is_cut() -> None:
    assert len(error(ask("GET", "/" + "a" * 5000))["message"]) < 300


@pytest.mark.parametrize(
    ("method", "address"),
    [("POST", "/v1/models"), ("GET", "/v1/chat/completions"), ("DELETE", "/v1/embeddings")],
)
def test_a_wrong_method_is_named(method: str, address: str) -> None:
    answer = ask(method, address)
    assert answer.status_code == 405
    assert error(answer) == {
        "message": f"{method} is not allowed here.",
        "type": "invalid_request_error",
        "param": None,
        "code": "method_not_allowed",
    }
    assert answer.headers["Allow"]


def test_the_gateway_says_that_it_lives_to_anybody() -> None:
    answer = ask("GET", "/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})
