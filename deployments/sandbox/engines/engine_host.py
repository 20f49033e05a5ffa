"""The door between the kubelet and the engines that it starts: what a container runtime is to a real kubelet.

The kubelet decides when a process serves and when it ends; a host makes that true on the network. Tests of the
kubelet use a host that listens nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from deployments.sandbox.engines.engine_config import EngineConfig


class EngineHost(Protocol):
    """Opens and closes engines. A key names one container of one pod; an unknown key is never an error."""

    def open(self, key: str, config: EngineConfig, write: Callable[[str], None]) -> str:
        """Start serving and return the base URL; `write` takes lines for the container's log."""

    def stop(self, key: str, drain_seconds: float) -> None:
        """SIGTERM: end requests at once, or let them finish for so many (real) seconds."""

    def stopped(self, key: str) -> bool:
        """Whether the engine has ended after `stop`; true for an unknown key."""

    def fail(self, key: str) -> None:
        """The engine process dies: open answers end in an error, then nobody listens."""

    def close(self, key: str) -> None:
        """SIGKILL: drop every connection and the listener."""

    def take_failed(self) -> set[str]:
        """Keys of engines that died by themselves since the last call."""

    def busy_seconds(self, key: str) -> float:
        """Request-seconds of work done so far: grows by 2 per second while two requests run."""

    def extra_load(self, key: str) -> tuple[int, int]:
        """Millicores and bytes that somebody set on top of the real load."""

    def page(self, key: str) -> str:
        """The metrics page of an engine; empty for an unknown key."""


class NoEngines:
    """A host without a network: every engine has the same address and answers nothing."""

    def __init__(self) -> None:
        self.open_engines: dict[str, EngineConfig] = {}
        self.failed: set[str] = set()
        self.busy: dict[str, float] = {}
        self.load: dict[str, tuple[int, int]] = {}
        self.pages: dict[str, str] = {}

    def open(self, key: str, config: EngineConfig, write: Callable[[str], None]) -> str:
        """See EngineHost."""
        self.open_engines[key] = config
        return "http://127.0.0.1:9"

    def stop(self, key: str, drain_seconds: float) -> None:
        """See EngineHost."""
        self.open_engines.pop(key, None)

    def stopped(self, key: str) -> bool:
        """See EngineHost."""
        return key not in self.open_engines

    def fail(self, key: str) -> None:
        """See EngineHost."""
        self.open_engines.pop(key, None)

    def close(self, key: str) -> None:
        """See EngineHost."""
        self.open_engines.pop(key, None)

    def take_failed(self) -> set[str]:
        """See EngineHost."""
        failed, self.failed = self.failed, set()
        return failed

    def busy_seconds(self, key: str) -> float:
        """See EngineHost."""
        return self.busy.get(key, 0.0)

    def extra_load(self, key: str) -> tuple[int, int]:
        """See EngineHost."""
        return self.load.get(key, (0, 0))

    def page(self, key: str) -> str:
        """See EngineHost."""
        return self.pages.get(key, "") if key in self.open_engines else ""
