"""Events of a stream that differ from the one before in their text and their counts only. Pure.

Nearly all events of nearly all streams are such ones, and to read each as JSON would be most of what a stream costs.
Once one event was read, the next is compared with it: the same bytes, a text without anything that could end it, the
same bytes again, two numbers, the end. So it means the same, whatever shape an engine gives it. Most events count one
token more than the one before, so the end of the next one is foretold, numbers included: no more than one comparison.
"""

from __future__ import annotations

import re

#: The texts that answers are made of; one with an escape is not compared.
_TEXT = re.compile(rb'"(?:content|text|reasoning|reasoning_content)":"([^"\\\r\n]*)"')
#: Usage of plain numbers as the last member. One brace follows it, so it is a member of the message itself.
_USAGE = re.compile(rb',"usage":\{"prompt_tokens":\d{1,8},"total_tokens":')
_COUNTS = re.compile(
    rb'(\d{1,9}),"completion_tokens":(\d{1,8})((?:,"[a-z_]+":(?:null|true|false|\d{1,9}))*\}\}\n\n)\Z'
)
#: What could end a text, or an event; as numbers, which are looked for in less than half of the time.
_QUOTE, _NEWLINE, _RETURN = b'"\n\r'


class Likeness:
    """What the events of a stream have in common."""

    __slots__ = ("_end", "_end_size", "_head", "_kept", "_output", "_rest", "_start", "_tail", "_total")

    def __init__(self, head: bytes, tail: bytes, kept: int, total: int, output: int, rest: bytes) -> None:
        self._head, self._start, self._tail = head, len(head), tail
        self._kept = kept
        """Bytes of the tail that the client sees: the others are usage."""
        self._foretell(total, output, rest)

    def read(self, event: bytes) -> tuple[bytes, int] | None:
        """The event without its usage, and the output tokens that it tells; None when it differs in more."""
        if not event.startswith(self._head):
            return None
        if event.endswith(self._end):
            at, output = len(event) - self._end_size, self._output
            total, rest = self._total, self._rest
        else:
            at = event.rfind(self._tail, self._start)
            counts = _COUNTS.match(event, at + len(self._tail)) if at >= 0 else None
            if counts is None:
                return None
            total, output, rest = int(counts[1]), int(counts[2]), counts[3]
        text = event[self._start : at]
        if at < self._start or _QUOTE in text or _NEWLINE in text or _RETURN in text:
            return None
        self._foretell(total, output, rest)
        return event[: at + self._kept] + b"}\n\n", output

    def _foretell(self, total: int, output: int, rest: bytes) -> None:
        """How the next event ends when it counts one token more."""
        self._total, self._output, self._rest = total + 1, output + 1, rest
        self._end = b'%b%d,"completion_tokens":%d%b' % (self._tail, total + 1, output + 1, rest)
        self._end_size = len(self._end)


def of(event: bytes) -> Likeness | None:
    """From an event that was read, and that reports neither a failure nor an end."""
    usage = _USAGE.search(event, max(0, event.rfind(b',"usage":')))
    counts = _COUNTS.match(event, usage.end()) if usage is not None else None
    if usage is None or counts is None:
        return None
    text = _TEXT.search(event, 0, usage.start())
    if text is None:
        return None
    end = text.end(1)
    total, output = int(counts[1]), int(counts[2])
    return Likeness(
        event[: text.start(1)], event[end : usage.end()], usage.start() - end, total, output, counts[3]
    )
