"""The bodies of answers: chat and completion, whole and in events, with vLLM's keys in vLLM's order."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from deployments.sandbox.engines.engine_config import EngineConfig
from deployments.sandbox.engines.engine_core import Piece
from deployments.sandbox.engines.engine_requests import TextRequest
from deployments.sandbox.engines.engine_text import fingerprint

DONE = b"data: [DONE]\n\n"


def event(document: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


def dead_event() -> bytes:
    """The event that ends a stream whose engine died; its JSON has spaces, unlike all the others."""
    return b"data: " + json.dumps(dead_body()).encode() + b"\n\n"


def dead_body() -> dict[str, Any]:
    """The error of a dead engine."""
    message = "EngineCore encountered an issue. See stack trace (above) for the root cause."
    return {"error": {"message": message, "type": "InternalServerError", "param": None, "code": 500}}


@dataclass(slots=True)
class Answer:
    """One answer while it grows. `chat` decides between the two shapes."""

    request: TextRequest
    config: EngineConfig
    identity: str
    created: int
    chat: bool
    cached: int = 0
    completion_tokens: int = 0
    texts: dict[int, str] = field(default_factory=dict)
    ends: dict[int, tuple[str, str | None]] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """vLLM's system_fingerprint: the version and a hash of the configuration."""
        return f"vllm-{self.config.version}-{fingerprint(repr(self.config))[:8]}"

    def add(self, step: list[Piece]) -> None:
        """Take in one engine step."""
        for piece in step:
            self.completion_tokens += 1
            self.texts[piece.index] = self.texts.get(piece.index, "") + piece.text
            if piece.finish_reason:
                self.ends[piece.index] = (piece.finish_reason, piece.stop_reason)

    def usage(self, *, streamed: bool) -> dict[str, Any]:
        """Tokens so far."""
        prompt = len(self.request.job.prompt)
        used: dict[str, Any] = {
            "prompt_tokens": prompt,
            "total_tokens": prompt + self.completion_tokens,
            "completion_tokens": self.completion_tokens,
        }
        details = (
            {"audio_tokens": None, "cached_tokens": self.cached} if self.config.prompt_token_details else None
        )
        if details or not streamed:
            used["prompt_tokens_details"] = details
        if not streamed:
            used["completion_tokens_details"] = None
        return used

    # Streamed

    def role_event(self) -> dict[str, Any]:
        """The first event of a chat: the role, no text."""
        choices = [
            {
                "index": index,
                "delta": {"role": "assistant", "content": ""},
                "logprobs": None,
                "finish_reason": None,
            }
            for index in range(self.request.job.choices)
        ]
        return self._chunk(choices) | {"prompt_token_ids": None, "prompt_text": None}

    def piece_event(self, piece: Piece) -> dict[str, Any]:
        """One token."""
        choice: dict[str, Any] = {"index": piece.index}
        choice |= {"delta": {"content": piece.text}} if self.chat else {"text": piece.text}
        choice |= {"logprobs": None, "finish_reason": piece.finish_reason}
        if piece.finish_reason or not self.chat:
            choice["stop_reason"] = piece.stop_reason
        choice["token_ids"] = None
        chunk = self._chunk([choice])
        if piece.finish_reason and not self.request.include_usage:
            chunk["system_fingerprint"] = self.fingerprint
        return chunk

    def usage_event(self) -> dict[str, Any]:
        """The last event before the end, for those who asked for usage."""
        chunk = self._chunk([])
        return chunk | {"usage": self.usage(streamed=True), "system_fingerprint": self.fingerprint}

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        chunk: dict[str, Any] = {
            "id": self.identity,
            "object": "chat.completion.chunk" if self.chat else "text_completion",
            "created": self.created,
            "model": self.request.model,
            "choices": choices,
        }
        if self.request.continuous_usage and choices:
            chunk["usage"] = self.usage(streamed=True)
        return chunk

    # Whole

    def whole(self) -> dict[str, Any]:
        """The complete answer."""
        choices = [self._choice(index) for index in range(self.request.job.choices)]
        document: dict[str, Any] = {
            "id": self.identity,
            "object": "chat.completion" if self.chat else "text_completion",
            "created": self.created,
            "model": self.request.model,
            "choices": choices,
            "service_tier": None,
            "system_fingerprint": self.fingerprint,
            "usage": self.usage(streamed=False),
        }
        if self.chat:
            document |= {"prompt_logprobs": None, "prompt_token_ids": None, "prompt_text": None}
            document |= {"kv_transfer_params": None, "ec_transfer_params": None, "metrics": None}
        else:
            document |= {"kv_transfer_params": None}
        return document

    def _choice(self, index: int) -> dict[str, Any]:
        finish_reason, stop_reason = self.ends.get(index, ("abort", None))
        text = self.texts.get(index, "")
        if not self.chat:
            return {
                "index": index,
                "text": text,
                "logprobs": None,
                "finish_reason": finish_reason,
                "stop_reason": stop_reason,
                "token_ids": None,
                "prompt_logprobs": None,
                "prompt_token_ids": None,
            }
        message = {
            "role": "assistant",
            "content": text,
            "refusal": None,
            "annotations": None,
            "audio": None,
            "function_call": None,
            "reasoning": None,
        }
        return {
            "index": index,
            "message": message,
            "logprobs": None,
            "finish_reason": finish_reason,
            "stop_reason": stop_reason,
            "token_ids": None,
            "routed_experts": None,
        }
