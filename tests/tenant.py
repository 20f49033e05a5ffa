"""A tenant with OpenAI's official client: usual work at any address that speaks the API, and what they are told.

The same work is done against the sandbox, against a real engine, and against a real engine without the gateway.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import openai
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletionChunk

PATIENCE = 60.0


class Used(NamedTuple):
    """Tokens as the client was told."""

    input: int
    output: int
    cached: int = 0

    @classmethod
    def of(cls, usage: CompletionUsage) -> Self:
        details = usage.prompt_tokens_details
        cached = (details.cached_tokens if details else None) or 0
        return cls(usage.prompt_tokens, usage.completion_tokens, cached)


def total(parts: Iterable[Used]) -> Used:
    parts = list(parts)
    return Used(*(sum(column) for column in zip(*parts, strict=True))) if parts else Used(0, 0, 0)


class Streamed(NamedTuple):
    """An answer that came in pieces."""

    text: str
    used: Used | None
    """None: the stream said nothing of usage."""
    finish: str | None
    reports: int
    """Events that said something of usage."""


@dataclass
class Tenant:
    """One key, one model. What was used is added up in `told` wherever an answer says it."""

    address: str
    """Without the path /v1."""
    key: str
    model: str
    told: list[Used] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = self.with_key(self.key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def with_key(self, key: str, *, retries: int = 0) -> openai.OpenAI:
        return openai.OpenAI(
            base_url=f"{self.address}/v1", api_key=key, max_retries=retries, timeout=PATIENCE
        )

    def models(self) -> list[str]:
        return [model.id for model in self.client.models.list()]

    def chat(self, text: str = "Hello there", **options: Any) -> str:
        """A whole answer; its text."""
        answer = self.client.chat.completions.create(**self._asked(text, options))
        assert answer.object == "chat.completion"
        assert answer.model == self.model
        assert answer.usage is not None
        self._note(answer.usage)
        return answer.choices[0].message.content or ""

    def stream(self, text: str = "Hello there", *, usage: bool = False, **options: Any) -> Streamed:
        """A streamed answer, with the usage at its end if that is asked for."""
        if usage:
            options["stream_options"] = {"include_usage": True}
        with self.client.chat.completions.create(**self._asked(text, options), stream=True) as chunks:
            return self._read(chunks)

    def complete(self, prompt: str = "Once upon a time", **options: Any) -> str:
        answer = self.client.completions.create(model=self.model, prompt=prompt, **options)
        assert answer.object == "text_completion"
        assert answer.usage is not None
        self._note(answer.usage)
        return answer.choices[0].text

    def embed(self, texts: list[str]) -> list[list[float]]:
        answer = self.client.embeddings.create(model=self.model, input=texts)
        self.told.append(Used(answer.usage.prompt_tokens, 0))
        return [each.embedding for each in answer.data]

    def hang_up(self, after: int, text: str = "Hello there", **options: Any) -> int:
        """Reads a stream until so many pieces of text have come, then ends the connection; how many had come."""
        count = 0
        with self.client.chat.completions.create(**self._asked(text, options), stream=True) as chunks:
            for chunk in chunks:
                count += bool(_text_of(chunk))
                if count >= after:
                    break
        return count

    def _asked(self, text: str, options: dict[str, Any]) -> dict[str, Any]:
        return {"model": self.model, "messages": [{"role": "user", "content": text}], **options}

    def _read(self, chunks: Iterable[ChatCompletionChunk]) -> Streamed:
        text, usage, finish, reports = "", None, None, 0
        for chunk in chunks:
            text += _text_of(chunk)
            finish = next((choice.finish_reason for choice in chunk.choices if choice.finish_reason), finish)
            if chunk.usage is not None:
                usage, reports = chunk.usage, reports + 1
        return Streamed(text, self._note(usage) if usage else None, finish, reports)

    def _note(self, usage: CompletionUsage) -> Used:
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
        used = Used.of(usage)
        self.told.append(used)
        return used


def _text_of(chunk: ChatCompletionChunk) -> str:
    return "".join(choice.delta.content or "" for choice in chunk.choices)
