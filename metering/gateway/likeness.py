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

    __slots__ = (
        "_end",
        "_end_size",
        "_head",
        "_kept",
        "_output",
        "_rest",
        "_size",
        "_start",
        "_tail",
        "_total",
    )

    def __init__(self, head: bytes, tail: bytes, kept: int, total: int, output: int, rest: bytes) -> None:
        self._head, self._start = head, len(head)
        self._tail, self._size = tail, len(tail)
        self._kept = kept
        """Bytes of the tail that the client sees: the others are usage."""
        self._total, self._output, self._rest = total, output, rest
        self._end, self._end_size = b"\0", 1
        """How the next event ends when it counts one token more. No event ends like the first one."""

    def read(self, event: bytes) -> tuple[bytes, int] | None:
        """The event without its usage, and the output tokens that it tells; None when it differs in more."""
        if not event.startswith(self._head):
            return None
        if event.endswith(self._end):
            at, total, output = len(event) - self._end_size, self._total + 1, self._output + 1
        else:
            at = event.rfind(self._tail, self._start)
            counts = _COUNTS.match(event, at + self._size) if at >= 0 else None
            if counts is None:
                return None
            total, output, self._rest = int(counts[1]), int(counts[2]), counts[3]
        text = event[self._start : at]
        if at < self._start or _QUOTE in text or _NEWLINE in text or _RETURN in text:
            return None
        self._total, self._output = total, output
        # From this event's own bytes: they are nearer than those of the first one.
        self._end = end = b'%b%d,"completion_tokens":%d%b' % (
            event[at : at + self._size],
            total + 1,
            output + 1,
            self._rest,
        )
        self._end_size = len(end)
        return event[: at + self._kept] + b"}\n\n", output


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
