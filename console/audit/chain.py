"""The mathematics of the chain: each entry carries the digest of the one before, so no one can be changed unseen.

digest(n) = SHA-256(digest(n - 1), newline, canonical JSON of entry n). Entries are numbered without gaps. The head,
the newest number with its digest, is kept beside the entries: a chain alone does not show that its end was cut off.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

NOTHING = "0" * 64
"""What stands for the digest before the first entry."""


class Mark(NamedTuple):
    """A place in the chain: an entry's number and its digest."""

    number: int
    digest: str

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"

    @classmethod
    def read(cls, text: str) -> Mark:
        """The inverse of str. Raises ValueError."""
        number, _, digest = text.strip().partition(":")
        if not (number.isascii() and number.isdigit() and len(number) < 19 and len(digest) == 64):
            raise ValueError("A mark is a number, a colon and 64 hexadecimal digits.")
        bytes.fromhex(digest)
        return cls(int(number), digest.lower())


START = Mark(0, NOTHING)


class Link(NamedTuple):
    """An entry as it is stored."""

    number: int
    previous: str
    digest: str
    content: Mapping[str, object]
    """Everything that is recorded, as JSON values."""


@dataclass(frozen=True, slots=True)
class Break:
    """The first entry that is not what was recorded, and in what way."""

    number: int
    reason: str

    def __str__(self) -> str:
        return f"Entry {self.number}: {self.reason}"


def canonical(content: Mapping[str, object]) -> bytes:
    """The one way to write these values: keys in order, no spaces, UTF-8. Raises ValueError for NaN."""
    return json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest(previous: str, number: int, content: Mapping[str, object]) -> str:
    return hashlib.sha256(previous.encode() + b"\n" + canonical({**content, "number": number})).hexdigest()


class Walk:
    """Follows the chain entry by entry, in the order of their numbers, with no memory of those that were passed."""

    def __init__(self, anchor: Mark = START, expected: Mark | None = None) -> None:
        """`anchor`: the place before the first kept entry. `expected`: a place that somebody noted earlier."""
        self.at = anchor
        self.expected = expected

    def step(self, link: Link) -> Break | None:
        """The next entry; a break, when it is not the one that has to follow."""
        due = self.at.number + 1
        if link.number > due:
            return Break(due, "it is missing.")
        if link.number < due:
            return Break(link.number, "it has no place in the chain.")
        if link.digest != digest(link.previous, link.number, link.content):
            return Break(link.number, "it was changed: its content does not give its digest.")
        if link.previous != self.at.digest:
            return Break(
                link.number, "it does not follow from the entry before: one of the two was replaced."
            )
        self.at = Mark(link.number, link.digest)
        if self.expected and self.expected.number == link.number and self.expected.digest != link.digest:
            return Break(link.number, "it is not the one that was noted: the chain was written anew.")
        return None

    def end(self, head: Mark) -> Break | None:
        """After the last entry: whether the chain reaches its head, and what was expected of it."""
        if head.number > self.at.number:
            return Break(self.at.number + 1, f"it is missing: the chain ended at {head.number}.")
        if head.number < self.at.number:
            return Break(head.number + 1, "it has no place in the chain: the head was set back.")
        if head.digest != self.at.digest:
            return Break(head.number, "it is not the one that the head names: it was replaced.")
        if self.expected and self.expected.number > self.at.number:
            return Break(self.at.number + 1, f"it is missing: entry {self.expected.number} was noted once.")
        return None


def check(
    links: Iterable[Link], head: Mark, *, anchor: Mark = START, expected: Mark | None = None
) -> Break | None:
    """The first entry that is not right, or None."""
    walk = Walk(anchor, expected)
    for link in links:
        if (found := walk.step(link)) is not None:
            return found
    return walk.end(head)
