"""The simulated model's language: how text becomes tokens, and what it answers.

Deterministic: the same prompt gives the same answer on every engine, so that a test or a demonstration can be
repeated.
"""

from __future__ import annotations

import hashlib
import random
import re
import zlib
from collections.abc import Iterator

_TOKEN = re.compile(r" ?[^\W\d_]{1,6}|\d{1,3}| ?[^\w\s]|_|\s+")
_VOCABULARY = 32_000
_SHORTEST, _LONGEST = 24, 160
_OPENINGS = (
    "In short",
    "As a rule",
    "In practice",
    "To begin with",
    "Most of the time",
    "For example",
    "Put simply",
)
_SUBJECTS = (
    "a small harbour",
    "the night train",
    "a good map",
    "the old library",
    "every careful plan",
    "a quiet engine",
    "the first draft",
    "a clear question",
    "the river",
    "a patient gardener",
)
_VERBS = (
    "carries",
    "follows",
    "explains",
    "changes",
    "outlasts",
    "connects",
    "repays",
    "needs",
    "finds",
    "keeps",
)
_OBJECTS = (
    "more than it shows",
    "the shape of the land",
    "the people who use it",
    "a little more time",
    "what came before",
    "its own weather",
    "the next small step",
    "many short journeys",
    "an honest answer",
    "the light of the morning ✨",
)


def _chance(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311 (repeatable is the point)


def tokenize(text: str) -> list[int]:
    """Token numbers of a text."""
    return [zlib.crc32(piece.encode()) % _VOCABULARY for piece in _TOKEN.findall(text)]


def fingerprint(text: str) -> str:
    """A stable short name of a text, as a seed."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def natural_length(seed: str) -> int:
    """How many tokens the model says by itself before it stops, at the end of a sentence."""
    wanted = _chance(f"length {seed}").randint(_SHORTEST, _LONGEST)
    return next(count for count, piece in enumerate(pieces(seed), 1) if count >= wanted and piece == ".")


def pieces(seed: str) -> Iterator[str]:
    """The answer's tokens, without an end. A character outside the Latin alphabet takes three tokens, and only the
    last of them has text, as with a byte-level vocabulary."""
    chance = _chance(f"answer {seed}")
    first = True
    while True:
        words = f"{chance.choice(_SUBJECTS)} {chance.choice(_VERBS)} {chance.choice(_OBJECTS)}"
        if chance.random() < 0.3:
            words = f"{chance.choice(_OPENINGS)}, {words}"
        sentence = words[0].upper() + words[1:] + "."
        for piece in _TOKEN.findall(sentence if first else f" {sentence}"):
            first = False
            if not piece.isascii():
                yield from ("", "")
            yield piece


def embedding(text: str, size: int) -> list[float]:
    """A unit vector for a text."""
    chance = _chance(f"vector {fingerprint(text)}")
    values = [chance.gauss(0.0, 1.0) for _ in range(size)]
    length = sum(value * value for value in values) ** 0.5 or 1.0
    return [value / length for value in values]


def relevance(query: str, document: str) -> float:
    """How well a document answers a query, from 0 to 1: shared words, and a little chance."""
    asked, told = set(query.lower().split()), set(document.lower().split())
    shared = len(asked & told) / max(1, len(asked))
    return min(1.0, 0.9 * shared + 0.1 * _chance(fingerprint(query + document)).random())
