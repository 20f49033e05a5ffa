"""A line of a few figures as the path of an SVG of 100 x 20, from the left to the right. Pure."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, HEIGHT = 100, 20
_TOP = 2
"""Room for the stroke."""


def path(values: Sequence[int | None]) -> str:
    """`M0,18 4.3,12 …`: zero is the bottom, the greatest value the top; a gap begins a new piece. Empty of nothing.

    A value between two gaps is a dot: a piece that goes to where it is.
    """
    known = [value for value in values if value is not None]
    if not known:
        return ""
    top, step = max(known) or 1, WIDTH / max(1, len(values) - 1)
    pieces: list[str] = []
    before: int | None = None
    for index, value in enumerate(values):
        if value is not None:
            at = f"{_short(index * step)},{_short(HEIGHT - (HEIGHT - _TOP) * value / top)}"
            alone = before is None and (index + 1 == len(values) or values[index + 1] is None)
            pieces.append(f"M{at}h0" if alone else f"{'M' if before is None else ''}{at}")
        before = value
    return " ".join(pieces)


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
