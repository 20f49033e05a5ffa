"""Events of a stream as vLLM sends them."""

from __future__ import annotations

import json
from typing import Any

from metering.gateway.stream import Stream


def encoded(message: dict[str, Any]) -> bytes:
    """A message as one event, without spaces."""
    return b"data: " + json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


def event(content: str | None = None, usage: Any = None, *, last: bool = False, **members: Any) -> bytes:
    """One event in vLLM's shape; `last` is the one with usage only."""
    choices = [] if last else [{"index": 0, "delta": {"content": content}, "finish_reason": None}]
    message = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": choices, **members}
    if usage is not None:
        message["usage"] = usage
    return encoded(message)


def used(output: Any, prompt: Any = 7, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "total_tokens": 0, "completion_tokens": output, **more}


def stream(**options: Any) -> Stream:
    return Stream(**{"keep_last": False, "keep_all": False, **options})
