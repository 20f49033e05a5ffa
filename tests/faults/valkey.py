"""A Valkey of a test's own, which the test may kill."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

from console.local.valkey import Valkey


class KillableValkey:
    """Keeps nothing unless it is told to."""

    def __init__(self, folder: Path, *, keep: bool = False) -> None:
        self._valkey = Valkey(folder / "data", folder, keep=keep)
        self.socket = str(folder / "valkey.sock")
        self.url = self._valkey.url
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = self._valkey.service().command
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not self._valkey.ready():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)
