"""A stream of server-sent events from engine to client: metered, and shown as the client should see it. Pure.

The gateway makes engines report usage whether the client asked for it or not, so what the client did not ask for is
taken out again; everything else passes byte for byte.
"""

from __future__ import annotations

import re

import msgspec

from metering.gateway import likeness
from metering.gateway.likeness import Likeness
from metering.gateway.usage import UNREADABLE, Counted, read_message, was_aborted

#: An event of a stream that is longer than this is no event.
LONGEST_EVENT = 2 * 1024 * 1024

_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_TEXT = re.compile(rb'"(?:content|text|reasoning|reasoning_content|arguments|refusal)"\s*:\s*"[^"]')


class _Choice(msgspec.Struct):
    index: int


_choices = msgspec.json.Decoder(list[_Choice])
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _Parts:
    """Usage of a stream with several answers: in an event vLLM says what that event's answer alone has used, and the
    sum of all only at the end.
    """

    __slots__ = ("_answers", "_inputs", "_outputs")

    def __init__(self, answers: int) -> None:
        self._answers = answers
        """To each prompt; the first prompt's come first."""
        self._inputs: dict[int, int] = {}
        self._outputs: dict[int, int] = {}

    def take(self, choices: bytes, usage: bytes, whole: Counted) -> None:
        """Adds what an event says of its answer to the whole."""
        part = Counted()
        try:
            (choice,) = _choices.decode(choices)
        except (*UNREADABLE, ValueError):
            return
        if part.take(usage):
            self._inputs[choice.index // self._answers] = part.input
            self._outputs[choice.index] = max(part.output, self._outputs.get(choice.index, 0))
            whole.input, whole.output = sum(self._inputs.values()), sum(self._outputs.values())
            whole.is_known = True


class Stream:
    """One stream of server-sent events on its way from engine to client.

    `prompts` and `choices` are what was asked for: so many prompts, and so many answers in all.
    """

    __slots__ = (
        "_counted",
        "_ending",
        "_is_comparable",
        "_keep_all",
        "_keep_last",
        "_like",
        "_parts",
        "_pending",
        "failed",
        "has_text",
        "is_done",
        "texts",
    )

    def __init__(self, *, keep_last: bool, keep_all: bool, prompts: int = 1, choices: int = 1) -> None:
        self._keep_last, self._keep_all = keep_last, keep_all
        self._parts = _Parts(max(1, choices // prompts)) if choices > 1 else None
        self._is_comparable = self._parts is None and not keep_all
        self._like: Likeness | None = None
        """What the next event is likely to be like, while there is one with text and usage before it."""
        self._pending = self._ending = b""
        self._counted = Counted()
        self.texts = 0
        """Events with text: what the answer has at least, where the engine does not count."""
        self.has_text = False
        self.is_done = False
        """The engine ended the stream as it should."""
        self.failed = False
        """The engine said in the stream that it failed, or gave up."""

    @property
    def counted(self) -> Counted:
        """What the engine says of the request so far."""
        if self._like is not None:
            self._counted.output = self._like.output
        return self._counted

    @property
    def output(self) -> int:
        """Tokens of the answer so far."""
        counted = self.counted
        return counted.output if counted.is_known else self.texts

    def foretell(self, most: int) -> Likeness | None:
        """What the next events are likely to be, one token each and at most so many; None when nobody knows.

        An event that does follow it is all done with that; every other piece is for `feed`.
        """
        if self._like is None or most <= 0:
            return None
        self._like.foretell(most)
        return self._like

    def feed(self, data: bytes) -> bytes:
        """Bytes from the engine in, bytes for the client out. Raises ValueError for what is no stream of events."""
        if self._like is not None and (piece := self._like.compare(data)) is not None:
            return piece
        self._counted, self._like = self.counted, None
        if self._pending:
            data = self._pending + data
            self._pending = b""
        if data.endswith(b"\n\n") and data.find(b"\n\n") == len(data) - 2 and b"\r" not in data:
            return self._event(data, data[:-2])
        out, start = [], 0
        for end in _END.finditer(data):
            whole = data[start : end.end()]
            out.append(self._event(whole, data[start : end.start()]))
            start = end.end()
        self._pending = data[start:]
        if self._pending:
            self._like = None  # what comes next is the rest of an event
        if len(self._pending) > LONGEST_EVENT:
            raise ValueError("an event of a stream is too long")
        return b"".join(out)

    def rest(self) -> bytes:
        """What the client gets when all is over: the event that ends the stream.

        It is kept back until then, so that a client that has a whole answer is in the ledger as one that has. After it,
        or without it, there may be a piece of an event that the engine never ended: nothing a client could read.
        """
        rest, self._ending, self._pending = self._ending + self._pending, b"", b""
        return rest

    def _event(self, whole: bytes, text: bytes) -> bytes:
        """One event with its end, and without; what the client gets of it."""
        if not text.startswith(b"data:"):
            return whole  # a comment, or a field that carries no data
        payload = text[5:].strip()
        if payload == b"[DONE]":
            self.is_done, self._ending = True, whole
            return b""
        try:
            message = read_message(payload)
        except UNREADABLE:
            return whole
        if bytes(message.error) not in (b"", b"null"):
            self.failed = True
            return b""
        choices = bytes(message.choices)
        counted = self._counted
        is_looked_at = not self.has_text or not counted.is_known
        if is_looked_at and (_TEXT.search(choices) or b'"tool_calls"' in choices):
            self.has_text = True
            self.texts += 1
        if was_aborted(choices):
            self.failed = True
        usage = bytes(message.usage)
        if usage in (b"", b"null"):
            return whole
        is_last = choices in (b"", b"[]")
        # What is counted now is what this event says, and no longer what the one before it had.
        self._like = None
        if self._parts is not None and not is_last:
            self._parts.take(choices, usage, counted)
        else:
            counted.take(usage)
        if self._is_comparable and self.has_text and counted.is_known and not (is_last or self.failed):
            self._like = likeness.of(whole, counted.output)
        if self._keep_all or (is_last and self._keep_last):
            return whole
        return b"" if is_last else whole.replace(payload, without_usage(payload, usage), 1)


def without_usage(payload: bytes, usage: bytes) -> bytes:
    """The JSON object without its member "usage", whose value is `usage`; all other bytes as they were."""
    member = b',"usage":' + usage
    # Inside a text a quotation mark is escaped, so these bytes are nothing but the member.
    if payload.count(member) == 1:
        return payload.replace(member, b"", 1)
    members = _members.decode(payload)
    members.pop("usage", None)
    return msgspec.json.encode(members)
