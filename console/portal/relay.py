"""An answer of a model on its way from the gateway to the playground, as events that say what a page shows.

{"event": "thought" or "text", "text": …}      a piece of what the model thinks, or answers
{"event": "end", …}                            how long it took, tokens, and the exact cost
{"event": "refused", "sentence": …, "wait": …} instead of an answer, or of the rest of one; seconds to wait, or null
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from console.encryption import Sealed
from console.portal import line
from console.portal.line import Answer, Broken
from console.presentation.figures import money
from metering import pricing
from metering.pricing import Rates
from metering.vocabulary import RequestStatus

_LEARNS_SECONDS, _PAUSE = 2.0, 0.1
"""A gateway learns of a new key within a second; until then it takes ours for a wrong one."""
_LONGEST_EVENT = 2 * 1024 * 1024

Event = dict[str, Any]
CANNOT_REACH: Event = {
    "event": "refused",
    "sentence": "The gateway does not answer. Wait a moment, then send it again.",
    "wait": None,
}
_CUT_OFF: Event = {
    "event": "refused",
    "sentence": "The answer was cut off on its way. What came of it is metered.",
    "wait": None,
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of which model, in whose name, and what it costs."""

    content: dict[str, Any]
    secret: Sealed
    rates: Rates | None


async def events(wish: Wish) -> AsyncGenerator[Event, None]:
    """The whole answer. Ending the iteration ends the request, and the engine's work on it."""
    began = time.monotonic()
    headers = {"authorization": f"Bearer {wish.secret.reveal()}", "accept": "text/event-stream"}
    content = json.dumps(wish.content).encode()
    url = f"{settings.GATEWAY_INTERNAL_URL.rstrip('/')}/v1/chat/completions"
    has_begun = False
    try:
        while True:
            sent = time.monotonic()
            async with line.post(url, content, headers) as answer:
                if answer.status == 401 and time.monotonic() - began < _LEARNS_SECONDS:
                    await asyncio.sleep(_PAUSE)
                    continue
                if answer.status != 200:
                    yield await _refusal(answer)
                    return
                async for event in _Reading(wish.rates, sent).events(answer):
                    has_begun = True
                    yield event
                return
    except Broken:
        yield _CUT_OFF if has_begun else CANNOT_REACH


class _Reading:
    """Server-sent events of a chat completion, read into ours."""

    def __init__(self, rates: Rates | None, sent: float) -> None:
        self._rates, self._sent = rates, sent
        self._first: float | None = None
        self._usage: dict[str, Any] | None = None
        self._reason = ""

    async def events(self, answer: Answer) -> AsyncIterator[Event]:
        pending = b""
        async for piece in answer.pieces():
            pending += piece
            *lines, pending = pending.split(b"\n")
            if len(pending) > _LONGEST_EVENT:
                raise Broken("too long")
            for each in lines:
                if not each.startswith(b"data:"):
                    continue
                said = _object(each[5:])
                if "error" in said:
                    yield _said(said, None)
                    return
                for event in self._read(said):
                    yield event
        yield self._end()

    def _read(self, said: dict[str, Any]) -> list[Event]:
        if isinstance(said.get("usage"), dict):
            self._usage = said["usage"]
        found: list[Event] = []
        for choice in said.get("choices") or []:
            delta = choice.get("delta") or {}
            self._reason = choice.get("finish_reason") or self._reason
            thought = delta.get("reasoning_content") or delta.get("reasoning")
            for name, text in (("thought", thought), ("text", delta.get("content"))):
                if isinstance(text, str) and text:
                    self._first = self._first or time.monotonic()
                    found.append({"event": name, "text": text})
        return found

    def _end(self) -> Event:
        now = time.monotonic()
        usage = self._usage or {}
        input_, output = usage.get("prompt_tokens"), usage.get("completion_tokens")
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        cost = "–"
        if self._rates is None:
            cost = "No price"
        elif isinstance(input_, int) and isinstance(output, int):
            exact = pricing.amount(self._rates, RequestStatus.COMPLETED, input_, cached, output)
            cost = money(exact, self._rates.currency)
        return {
            "event": "end",
            "ttft_ms": round((self._first - self._sent) * 1000) if self._first else None,
            "seconds": round(now - self._sent, 1),
            "input": input_,
            "cached": cached,
            "output": output,
            "cost": cost,
            "is_cut": self._reason == "length",
        }


async def _refusal(answer: Answer) -> Event:
    wait = answer.headers.get("retry-after", "")
    said = _object(await answer.whole())
    return _said(said, int(wait) if wait.isascii() and wait.isdigit() else None)


def _said(said: dict[str, Any], wait: int | None) -> Event:
    error = said.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    sentence = message if isinstance(message, str) and message else "The gateway refused the request."
    return {"event": "refused", "sentence": sentence[:2000], "wait": wait}


def _object(text: bytes) -> dict[str, Any]:
    """Empty for anything that is no JSON object, such as the [DONE] at the end."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
