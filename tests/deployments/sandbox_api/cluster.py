"""A sandbox cluster for tests: the real process, reached over TLS by the official client and by kubectl."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

_PATIENCE_SECONDS = 30.0


class Cluster:
    """One process of `python -m deployments.sandbox` and plain HTTP access to it."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data = data
        self.kubeconfig = data / "kubeconfig"
        self._options = options
        self.start()

    def start(self) -> None:
        """Start the process on the folder and wait for its kubeconfig."""
        self.kubeconfig.unlink(missing_ok=True)
        command = [sys.executable, "-m", "deployments.sandbox", "--data", str(self.data), *self._options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        eventually(lambda: self.kubeconfig.exists() or self.process.poll() is not None)
        assert self.process.poll() is None, "the sandbox ended while starting"
        document = yaml.safe_load(self.kubeconfig.read_text())
        self.address = document["clusters"][0]["cluster"]["server"]
        self.token = document["users"][0]["user"]["token"]
        self._trust = ssl.create_default_context(cafile=self.data / "authority.crt")

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(_PATIENCE_SECONDS)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
        token: str | None = None,
    ) -> tuple[int, Any, dict[str, str]]:
        """(status, decoded JSON or text, headers) of one request; raises OSError if no answer comes."""
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, content, method=method)
        request.add_header("Authorization", f"Bearer {self.token if token is None else token}")
        if content is not None:
            request.add_header("Content-Type", content_type)
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS, context=self._trust) as answer:
                return answer.status, _decode(answer.read()), dict(answer.headers)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, _decode(refusal.read()), dict(refusal.headers)

    def kubectl(self, *arguments: str, stdin: str = "", check: bool = True) -> str:
        """What kubectl prints; with `check`, a failure fails the test with its message."""
        program = Path(sys.executable).with_name("kubectl")
        done = subprocess.run(
            [program, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
            env={"KUBECONFIG": str(self.kubeconfig), "PATH": os.defpath, "HOME": str(self.data)},
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout + done.stderr


def eventually(holds: Callable[[], bool], seconds: float = _PATIENCE_SECONDS) -> None:
    """Wait until something holds; fails the test if it never does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "this did not come true in time"
        time.sleep(0.02)


def _decode(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode()
