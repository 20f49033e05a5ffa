"""Child processes that never outlive us, however we end.

Three layers: an orderly `close`, the kernel's death signal (set by launch.py), and a reaper that outlives a
`kill -9` just long enough to end whole process groups. Each child leads its own session, so that a Ctrl-C in
the terminal reaches us alone and the order of stopping stays ours.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_HERE = Path(__file__).parent
# Isolated and without site-packages: these scripts start in milliseconds and cannot be changed by the
# environment.
_SCRIPT = (sys.executable, "-I", "-S")

_TICK = 0.02

SELF = "self"
MAPPED = "mapped"


def launcher(command: Sequence[str], *, stop_signal: int = signal.SIGTERM, identity: str = SELF) -> list[str]:
    """The command line that runs `command` as a child of this process which dies with it.

    `identity` is `SELF`, `MAPPED` (root appears as an ordinary user) or `account:NAME`.
    """
    return [*_SCRIPT, str(_HERE / "launch.py"), str(os.getpid()), str(int(stop_signal)), identity, *command]


class Family:
    """Starts children and sees to their end. Use as a context manager; start children from the main thread only.

    The kernel's death signal fires when the starting *thread* ends, hence the main thread. Descriptors in
    `hold` stay open in the reaper until every orphan is gone.
    """

    def __init__(self, hold: Sequence[int] = ()) -> None:
        self._reaper = subprocess.Popen(
            [*_SCRIPT, str(_HERE / "reaper.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=tuple(hold),
            cwd="/",
        )
        self._children: set[subprocess.Popen[bytes]] = set()

    def __enter__(self) -> Family:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def spawn(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        stop_signal: int = signal.SIGTERM,
        identity: str = SELF,
        output: int | IO[bytes] = subprocess.PIPE,
        folder: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Starts one child as leader of its own session; its two outputs are joined in `output`."""
        child = subprocess.Popen(
            launcher(command, stop_signal=stop_signal, identity=identity),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            cwd=folder,
            start_new_session=True,
        )
        self._children.add(child)
        self._tell(f"+ {child.pid} {int(stop_signal)}")
        return child

    def bury(self, child: subprocess.Popen[bytes]) -> None:
        """Ends what a finished child left in its process group, and forgets it."""
        with contextlib.suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)
        self._children.discard(child)
        self._tell(f"- {child.pid}")

    def remove_at_end(self, path: Path) -> None:
        """Has a file deleted when we end, or a folder when everything has ended, even after a `kill -9`."""
        self._tell(f"~ {path}")

    def close(self) -> None:
        """Ends what still runs and waits for it."""
        if self._reaper.stdin and not self._reaper.stdin.closed:
            with contextlib.suppress(OSError):
                self._reaper.stdin.close()
        while self._reaper.poll() is None:
            for child in self._children:
                child.poll()  # the reaper sees a dead child as long as we have not taken note of its death
            time.sleep(_TICK)

    def _tell(self, line: str) -> None:
        assert self._reaper.stdin is not None
        with contextlib.suppress(OSError):  # no reaper: the kernel's death signal remains
            self._reaper.stdin.write(os.fsencode(line) + b"\n")
            self._reaper.stdin.flush()
