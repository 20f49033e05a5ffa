"""What an engine says it has done, and whether that can be believed. Pure.

An engine's figures are believed only when they can be true; without believable ones the gateway counts for itself, and
the event is marked as estimated.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

#: No request has more tokens than this; larger figures are not believed.
MOST_TOKENS = 100_000_000

_ABORTED = re.compile(rb'"finish_reason"\s*:\s*"abort"')


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class Message(msgspec.Struct):
    """The members of an answer that are looked at; the others are skipped."""

    usage: msgspec.Raw = msgspec.Raw(b"")
    choices: msgspec.Raw = msgspec.Raw(b"")
    error: msgspec.Raw = msgspec.Raw(b"")


read_message = msgspec.json.Decoder(Message).decode
_usage = msgspec.json.Decoder(_Usage)
UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class Counted(msgspec.Struct):
    """Tokens of one request."""

    input: int = 0
    output: int = 0
    cached: int = 0
    is_known: bool = False
    """The engine said so; otherwise they are to be estimated."""

    def take(self, raw: bytes) -> bool:
        """Takes an engine's usage object, if it can be true. Later ones replace earlier ones, and never take back."""
        try:
            usage = _usage.decode(raw)
        except UNREADABLE:
            return False
        output = usage.completion_tokens or 0
        if not (0 <= usage.prompt_tokens <= MOST_TOKENS and 0 <= output <= MOST_TOKENS):
            return False
        details = usage.prompt_tokens_details
        cached = (details.cached_tokens if details else None) or 0
        self.input = usage.prompt_tokens
        self.output = max(self.output, output)
        self.cached = cached if 0 <= cached <= self.input else 0
        self.is_known = True
        return True


def of_answer(body: bytes) -> Counted:
    """The tokens of an answer that is not streamed; not known when the engine does not say.

    The output is then guessed by its text: four bytes a token.
    """
    counted = Counted()
    try:
        message = read_message(body)
    except UNREADABLE:
        return counted
    if not counted.take(bytes(message.usage)):
        counted.output = _guess(bytes(message.choices))
    return counted


def was_aborted(answer: bytes) -> bool:
    """Whether the engine ended before the answer did, and said so as its finish reason only."""
    return b"abort" in answer and _ABORTED.search(answer) is not None


def _guess(choices: bytes) -> int:
    try:
        found: Any = msgspec.json.decode(choices)
        texts = [(each.get("message") or {}).get("content") or each.get("text") or "" for each in found]
        size = sum(len(text.encode()) for text in texts)
    except (*UNREADABLE, AttributeError, TypeError):
        return 0
    return -(-size // 4)
