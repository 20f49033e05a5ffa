"""The folder `.local/`: who holds it, the secrets made at the first start, and the note where things answer."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

_PATIENCE: Final = 15.0  # seconds to wait for a killed run to be cleared away


class AlreadyRuns(Exception):
    """Another run holds the folder; the message says where it answers."""


class State:
    """One run's hold on `folder` (mode 0700, created when it is missing). Nothing outside the folder is changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.note = folder / "up.json"
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @property
    def lock(self) -> int:
        """The descriptor that holds the folder; whoever inherits it holds the folder too."""
        return self._lock

    def hold(self, address: str) -> None:
        """Takes the folder for a run that will answer at `address`, or raises AlreadyRuns."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                holder, holder_address = self._holder()
                if _is_alive(holder) or time.monotonic() > deadline:
                    raise AlreadyRuns(
                        f"Slipway runs already: {holder_address} (process {holder}). Stop that one first."
                    ) from None
                time.sleep(0.1)  # a killed run: its reaper lets go when the last orphan has ended
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()} {address}\n".encode(), 0)
        self.note.unlink(missing_ok=True)

    def secret(self, name: str, make: Callable[[], str]) -> str:
        """The secret kept under this name (mode 0600), made when there is none yet."""
        path = self.folder / name
        with contextlib.suppress(FileNotFoundError):
            if kept := path.read_text().strip():
                return kept
        value = make()
        self._write(path, value + "\n")
        return value

    def number(self, name: str) -> int | None:
        """A number kept from an earlier run."""
        try:
            return int((self.folder / name).read_text())
        except (FileNotFoundError, ValueError):
            return None

    def keep(self, name: str, number: int) -> None:
        """Keeps a number for the next run."""
        self._write(self.folder / name, f"{number}\n")

    def keep_settings(self, settings: dict[str, str]) -> None:
        """Writes environment.json (mode 0600), for commands that are run beside the stack."""
        self._write(self.folder / "environment.json", json.dumps(settings, indent=2) + "\n")

    def announce(self, facts: dict[str, str]) -> None:
        """Writes up.json (mode 0600), whole or not at all."""
        self._write(self.note, json.dumps(facts, indent=2) + "\n")

    def release(self) -> None:
        """Withdraws up.json. The lock ends with this process, and not before its children."""
        self.note.unlink(missing_ok=True)

    def close(self) -> None:
        """Lets go of the folder."""
        os.close(self._lock)

    def _holder(self) -> tuple[int, str]:
        pid, _, address = os.pread(self._lock, 200, 0).decode().strip().partition(" ")
        return int(pid) if pid.isdigit() else 0, address or "it is just starting"

    def _write(self, path: Path, text: str) -> None:
        fresh = path.with_name(path.name + ".new")
        fresh.unlink(missing_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        fresh.replace(path)


def _is_alive(pid: int) -> bool:
    if not pid:
        return True  # it holds the lock and has not written its name yet
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
