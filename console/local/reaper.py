"""Ends what its parent leaves behind. Run as a script (`python -I -S reaper.py`), standard library only.

The parent holds the other end of our standard input and says on it which process groups it started. When the
pipe closes, by an orderly end or by `kill -9`, every group that is still there is asked to stop, then killed:
also grandchildren, which no death signal of the kernel reaches. Any descriptor we inherit (a lock) stays held
until that is done.

Lines: `+ GROUP SIGNAL` started, `- GROUP` ended, `~ PATH` remove this file at
once when the pipe closes, or this folder when all have ended.
"""

import contextlib
import os
import shutil
import signal
import sys
import time

_GRACE = 8.0  # seconds between the wish and the kill
_HEADLESS = 1.0  # seconds that members of a group may outlive its leader
_TICK = 0.05


def main() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    groups: dict[int, int] = {}
    remains: list[str] = []
    for line in sys.stdin.buffer:
        kind, _, rest = line.decode("utf-8", "surrogateescape").rstrip("\n").partition(" ")
        if kind == "+":
            group, stop_signal = rest.split()
            groups[int(group)] = int(stop_signal)
        elif kind == "-":
            groups.pop(int(rest), None)
        elif kind == "~":
            remains.append(rest)
    for path in remains:
        with contextlib.suppress(OSError):
            os.unlink(path)
    _end(groups)
    for path in remains:
        shutil.rmtree(path, ignore_errors=True)


def _end(groups: dict[int, int]) -> None:
    for leader, stop_signal in groups.items():
        with contextlib.suppress(OSError):
            os.kill(leader, stop_signal)
    started = time.monotonic()
    headless_since: dict[int, float] = {}
    while groups:
        now = time.monotonic()
        for group in list(groups):
            if not _is_there(-group):
                del groups[group]
            elif now - started > _GRACE:
                _kill(group)
                del groups[group]
            elif not _is_there(group) and now - headless_since.setdefault(group, now) > _HEADLESS:
                _kill(group)
        time.sleep(_TICK)


def _is_there(target: int) -> bool:
    try:
        os.kill(target, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _kill(group: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
