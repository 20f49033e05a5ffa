"""What the person in front of `make up` sees: one prefixed line per line of a service, and our own few sentences."""

from __future__ import annotations

import os
import sys
from typing import TextIO

_PALETTE = (
    36,
    35,
    34,
    33,
    32,
    96,
    95,
    94,
)  # ANSI foreground colours, told apart on light and dark backgrounds
_WIDTH = 10
_CONTROL = {code: None for code in range(32) if code != 9} | {127: None}


class Terminal:
    """Writes to `stream`; colours only on a real terminal and without NO_COLOR. Survives a reader that went away."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream: TextIO | None = sys.stdout if stream is None else stream
        self._colours = self._stream.isatty() and "NO_COLOR" not in os.environ
        self._names: dict[str, int] = {}

    def line(self, name: str, text: str) -> None:
        """One line that a service wrote, without its control characters; nothing for an empty one."""
        if not text.strip():
            return
        colour = self._names.setdefault(name, _PALETTE[len(self._names) % len(_PALETTE)])
        self._write(f"{self._paint(name.ljust(_WIDTH), colour)} {text.translate(_CONTROL)}")

    def note(self, text: str) -> None:
        """Something that goes as planned."""
        self._write(f"{self._paint('slipway'.ljust(_WIDTH), 90)} {text}")

    def warn(self, text: str) -> None:
        """Something that the person should know."""
        self._write(f"{self._paint('slipway'.ljust(_WIDTH), 31)} {text}")

    def plain(self, text: str) -> None:
        """A block of text as it is."""
        self._write(text)

    def _paint(self, text: str, colour: int) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colours else text

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            print(text, file=self._stream, flush=True)
        except OSError:  # `make up | head`: nobody reads any more, the stack still runs
            self._give_up(self._stream)

    def _give_up(self, stream: TextIO) -> None:
        self._stream = None
        # What the stream still holds would raise again when it is closed, so it goes nowhere instead.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
