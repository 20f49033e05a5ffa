"""Events of a stream that differ from the one before in their text and their counts only. Pure.

Nearly all events of nearly all streams are such ones, and to read each as JSON would be most of what a stream costs.
Once one event was read, the next is compared with it: the same bytes, a text without anything that could end it, the
same bytes again, two numbers, the end. So it means the same, whatever shape an engine gives it. Most events count one
token more than the one before, so the ends of the next ones are foretold, numbers included, and an event that comes as
foretold costs no more than two comparisons.
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
#: Events that are foretold at a time, at most.
_FURTHEST = 32


class Likeness:
    """What the events of a stream have in common."""

    __slots__ = ("_ahead", "_ends", "_head", "_kept", "_more", "_next", "_output", "_rest", "_start", "_tail")

    def __init__(self, head: bytes, tail: bytes, kept: int, total: int, output: int, rest: bytes) -> None:
        self._head, self._start, self._tail = head, len(head), tail
        self._kept = kept
        """Bytes of the tail that the client sees: the others are usage."""
        self._more, self._rest = total - output, rest
        """By how much the total is more than the output; what follows them."""
        self._output = output
        self._ends: tuple[bytes | None, ...] = (None,)
        """Of the events that are foretold; None is the end of them."""
        self._next = 0
        """How many of them have come."""
        self._ahead = 1
        """How many to foretell the next time: more and more, as long as they come."""

    @property
    def output(self) -> int:
        """Tokens of the answer so far."""
        return self._output + self._next

    def foretell(self, most: int) -> None:
        """Makes ready for the next events, if each counts one token more than the one before: `most` at most."""
        self._output, self._next = self.output, 0
        ahead = range(self._output + 1, self._output + 1 + min(self._ahead, most))
        totals = range(ahead.start + self._more, ahead.stop + self._more)
        pattern = self._tail.replace(b"%", b"%%") + b'%d,"completion_tokens":%d' + self._rest
        self._ends = (*map(pattern.__mod__, zip(totals, ahead, strict=True)), None)
        self._ahead = min(2 * self._ahead, _FURTHEST)

    def follow(self, event: bytes) -> bytes | None:
        """An event that has come as foretold, one token more, without its usage. None for every other one."""
        start, following = self._start, self._next
        end = self._ends[following]
        # Slices, which are compared in less time than it takes to call a method.
        if end is None or event[:start] != self._head:
            return None
        at = len(event) - len(end)
        text = event[start:at]
        if at < start or event[at:] != end or _QUOTE in text or _NEWLINE in text or _RETURN in text:
            return None
        self._next = following + 1
        return event[: at + self._kept] + b"}\n\n"

    def compare(self, event: bytes) -> bytes | None:
        """The same of an event that was not foretold. None when it differs in more than its text and its counts."""
        if not event.startswith(self._head):
            return None
        at = event.rfind(self._tail, self._start)
        counts = _COUNTS.match(event, at + len(self._tail)) if at >= 0 else None
        if counts is None:
            return None
        total, output = int(counts[1]), int(counts[2])
        text = event[self._start : at]
        if output < self.output or _QUOTE in text or _NEWLINE in text or _RETURN in text:
            return None
        if self._ends[self._next] is not None:  # not as foretold
            self._ahead = 1
        self._output, self._more, self._rest = output, total - output, counts[3]
        self._ends, self._next = (None,), 0
        return event[: at + self._kept] + b"}\n\n"


def of(event: bytes, output: int) -> Likeness | None:
    """From an event that was read, and that reports neither a failure nor an end, when the answer had so many tokens.

    None when it is of no kind that is compared, and when it counts fewer tokens than there were.
    """
    usage = _USAGE.search(event, max(0, event.rfind(b',"usage":')))
    counts = _COUNTS.match(event, usage.end()) if usage is not None else None
    if usage is None or counts is None or int(counts[2]) != output:
        return None
    text = _TEXT.search(event, 0, usage.start())
    if text is None:
        return None
    end = text.end(1)
    head, tail, kept = event[: text.start(1)], event[end : usage.end()], usage.start() - end
    return Likeness(head, tail, kept, int(counts[1]), output, counts[3])
