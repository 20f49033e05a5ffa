"""Events of a stream that differ from the one before in their text and their counts only. Pure.

Nearly all events of nearly all streams are such ones, and to read each as JSON would be most of what a stream costs.
Once one event was read, the next is compared with it: the same bytes, a text without anything that could end it, the
same bytes again, two numbers, the end. So it means the same, whatever shape an engine gives it.
"""

from __future__ import annotations

import re

#: The texts that answers are made of; one with an escape is not compared.
_TEXT = re.compile(rb'"(?:content|text|reasoning|reasoning_content)":"([^"\\\r\n]*)"')
#: Usage of plain numbers as the last member. One brace follows it, so it is a member of the message itself.
_USAGE = re.compile(rb',"usage":\{"prompt_tokens":\d{1,8},"total_tokens":')
_COUNTS = re.compile(
    rb'\d{1,9},"completion_tokens":(\d{1,8})(?:,"[a-z_]+":(?:null|true|false|\d{1,9}))*\}\}\n\n\Z'
)


class Likeness:
    """What the events of a stream have in common."""

    __slots__ = ("_head", "_kept", "_start", "_tail")

    def __init__(self, head: bytes, tail: bytes, kept: int) -> None:
        self._head, self._start, self._tail = head, len(head), tail
        self._kept = kept
        """Bytes of the tail that the client sees: the others are usage."""

    def read(self, event: bytes) -> tuple[bytes, int] | None:
        """The event without its usage, and the output tokens that it tells; None when it differs in more."""
        if not event.startswith(self._head):
            return None
        at = event.rfind(self._tail, self._start)
        if at < 0:
            return None
        text = event[self._start : at]
        if b'"' in text or b"\n" in text or b"\r" in text:
            return None
        counts = _COUNTS.match(event, at + len(self._tail))
        if counts is None:
            return None
        return event[: at + self._kept] + b"}\n\n", int(counts[1])


def of(event: bytes) -> Likeness | None:
    """From an event that was read, and that reports neither a failure nor an end."""
    usage = _USAGE.search(event, max(0, event.rfind(b',"usage":')))
    if usage is None or _COUNTS.match(event, usage.end()) is None:
        return None
    text = _TEXT.search(event, 0, usage.start())
    if text is None:
        return None
    end = text.end(1)
    return Likeness(event[: text.start(1)], event[end : usage.end()], usage.start() - end)
