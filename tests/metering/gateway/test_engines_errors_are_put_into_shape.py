"""What engines refuse with, in OpenAI's shape: the status that clients expect, and nothing of the insides."""

from __future__ import annotations

import json

import pytest

from metering.gateway.errors import of_engine


def vllm(status: int, message: str, kind: str = "BadRequestError", param: str | None = None) -> bytes:
    return json.dumps({"error": {"message": message, "type": kind, "param": param, "code": status}}).encode()


LONG = "This model's maximum context length is 512 tokens. However, your prompt contains at least 513 input tokens."
CASES = {
    "too long": (400, vllm(400, LONG, param="input_tokens"), 400, "context_length_exceeded", LONG),
    "bad value": (400, vllm(400, "n must be at least 1"), 400, None, "n must be at least 1"),
    "another model": (404, vllm(404, "no such model", param="model"), 502, "engine_failed", ""),
    "no such route": (404, b'{"detail":"Not Found"}', 400, "unsupported", "does not offer this kind"),
    "unprocessable": (422, b'{"detail":"wrong"}', 422, None, "wrong"),
    "its own key": (401, b'{"error":"Unauthorized"}', 502, "engine_failed", ""),
    "busy": (503, vllm(503, "queue full", "Service Unavailable"), 503, "engine_busy", "busy"),
    "dead": (500, vllm(500, "EngineCore: see stack trace"), 502, "engine_failed", "The engine failed"),
    "a page": (502, b"<html>nginx</html>", 502, "engine_failed", "The engine failed"),
    "elsewhere": (302, b"", 502, "engine_failed", ""),
    "its own limit": (429, vllm(429, "slow down"), 429, None, "slow down"),
    "nothing": (400, b"", 400, None, "The engine refused the request."),
}


@pytest.mark.parametrize("case", CASES)
def test_an_engines_error_is_told_in_our_words(case: str) -> None:
    status, body, told, code, words = CASES[case]
    refusal = of_engine(status, body, "chat")
    error = json.loads(refusal.body)["error"]
    assert (refusal.status, error["code"]) == (told, code)
    assert words in error["message"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "stack trace" not in error["message"]


def test_what_the_client_may_try_again_says_when() -> None:
    assert (b"retry-after", b"2") in of_engine(503, b"", "chat").headers
