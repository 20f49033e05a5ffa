"""Engine arguments between a text box, where a person writes lines, and the document, where they are a list.

A line may hold a flag with its value; it is split into words as a shell splits them, with quotes around what has
spaces or is JSON. Nothing else of a shell happens: no variables, no globs, no comments.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

EXAMPLE = "--max-model-len 8192\n--gpu-memory-utilization 0.92"


class Unsplittable(ValueError):
    """A line whose quotes do not close; the message is for people."""


def split(text: str) -> tuple[list[str], list[int]]:
    """The words, and for each the number of its line, from 1. Raises Unsplittable."""
    words: list[str] = []
    lines: list[int] = []
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        try:
            found = shlex.split(line)
        except ValueError:
            raise Unsplittable(
                f"Line {number}: a quotation mark is not closed. Close it, or put the whole argument in quotes."
            ) from None
        words += found
        lines += [number] * len(found)
    return words, lines


def join(words: Sequence[object]) -> str:
    """Lines for the text box: each flag begins one, with its values behind it."""
    lines: list[list[str]] = []
    for word in map(str, words):
        if not lines or word.startswith("-"):
            lines.append([])
        lines[-1].append(shlex.quote(word))
    return "\n".join(" ".join(line) for line in lines)
