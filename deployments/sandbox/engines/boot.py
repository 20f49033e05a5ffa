"""What a container's process will do after it is started: its log lines, when it serves, when and how it ends.

The whole life is decided at the start from the command line, the variables, the GPUs and the memory that the pod
has, as a list of offsets in simulated seconds. The kubelet only plays it back, so every failure here is a pure
function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from deployments.sandbox.engines.engine_config import EngineConfig
from deployments.sandbox.settings import Settings

API_SERVER, ENGINE_CORE, WORKER = "APIServer pid=1", "EngineCore pid=142", "Worker_TP0 pid=208"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line, `offset` seconds after the start; without a source it is printed as it is."""

    offset: float
    text: str
    process: str = ""
    source: str = ""
    level: str = "INFO"

    def render(self, now: datetime) -> str:
        """The line as it stands in the container's log."""
        front = f"({self.process}) " if self.process else ""
        if not self.source:
            return front + self.text
        return f"{front}{self.level} {now:%m-%d %H:%M:%S} [{self.source}] {self.text}"


@dataclass(frozen=True, slots=True)
class Boot:
    """A process's life. Offsets are simulated seconds from its start; None means never."""

    lines: tuple[LogLine, ...] = ()
    serves_at: float | None = None
    exits_at: float | None = None
    exit_code: int = 0
    exit_reason: str = "Completed"
    message: str = ""
    config: EngineConfig | None = None
    port: int = 0
    # Paths that answer 200 without a key, for probes.
    open_paths: tuple[str, ...] = ()
    # Those that answer before the process serves, and from when on.
    early_paths: tuple[str, ...] = ()
    early_at: float | None = None
    memory_bytes: int = 64 * 1024**2
    # The model whose weights this start fetches, when they are complete, and the uid of their volume's claim.
    downloaded: str = ""
    downloaded_at: float = 0.0
    weights_claim: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the process finds: everything that decides its life besides the image."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    settings: Settings
    gpus: int = 0
    gpu_memory_bytes: int = 0
    gpu_product: str = ""
    memory_limit_bytes: int | None = None
    # Room on the volume that holds the weights; None when they go to the node's disk.
    volume_bytes: int | None = None
    # Whether /dev/shm is a memory volume and not the runtime's 64 MiB.
    shared_memory: bool = True
    # Whether the container's user may write where the weights go.
    cache_writable: bool = True
    # Models whose weights are already on that volume.
    cached: frozenset[str] = field(default_factory=frozenset)

    def number(self, variable: str) -> float | None:
        """A variable as a number of seconds or GiB; None when it is not set or is not a finite number from 0 on."""
        try:
            value = float(self.env[variable])
        except (KeyError, ValueError):
            return None
        return value if 0 <= value < 1e7 else None


class Script:
    """Collects the lines of a life while walking through its time."""

    def __init__(self, version: str) -> None:
        self.at = 0.0
        # The model whose weights have been fetched so far.
        self.downloaded = ""
        self.downloaded_at = 0.0
        self.version = version
        self._lines: list[LogLine] = []

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.at += seconds

    def say(self, process: str, source: str, text: str, level: str = "INFO") -> None:
        """A line of vLLM's logger."""
        self._lines.append(LogLine(self.at, text, process, source, level))

    def print(self, *texts: str, process: str = "") -> None:
        """Lines that the process prints without its logger: tracebacks, usage."""
        self._lines += [LogLine(self.at, text, process) for text in texts]

    def ends(self, code: int, reason: str = "Error", message: str = "", **more: Any) -> Boot:
        """The process ends now, without ever having served."""
        return Boot(
            tuple(self._lines),
            exits_at=self.at,
            exit_code=code,
            exit_reason=reason,
            message=message,
            downloaded=self.downloaded,
            downloaded_at=self.downloaded_at,
            **more,
        )

    def fails_in_engine(self, error: str, process: str = ENGINE_CORE, **more: Any) -> Boot:
        """The engine core dies of `error` while it starts, and the server gives up after it."""
        self.say(process, "core.py:866", "EngineCore failed to start.", "ERROR")
        self.say(process, "core.py:866", "Traceback (most recent call last):", "ERROR")
        for line in error.split("\n"):
            self.say(process, "core.py:866", line, "ERROR")
        self.wait(0.4)
        self.print(
            "Traceback (most recent call last):",
            "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
            process=API_SERVER,
        )
        return self.ends(1, **more)

    def fails_in_server(self, error: str, **more: Any) -> Boot:
        """The API server dies of `error` before there is an engine."""
        self.print("Traceback (most recent call last):", *error.split("\n"), process=API_SERVER)
        return self.ends(1, **more)

    def lines(self) -> tuple[LogLine, ...]:
        """Everything said so far."""
        return tuple(self._lines)


def plain_process(argv: tuple[str, ...], image_path: str) -> Boot:
    """The life of a container that is no engine: a sleeper, a web server, or a command that ends at once."""
    command = argv[0].rsplit("/", 1)[-1] if argv else image_path.rsplit("/", 1)[-1]
    if command == "sleep" and len(argv) == 2:
        seconds = float(argv[1]) if argv[1].replace(".", "", 1).isdecimal() else None
        return Boot(exits_at=seconds)
    if command in ("nginx", "python", "python3", "tail"):
        return Boot(serves_at=0.2, port=80 if command == "nginx" else 8000, open_paths=("/", "/health"))
    if command in ("sh", "bash", "busybox", "curl", "true", "echo", "env"):
        return Boot(exits_at=0.2)
    return no_such_command(argv[0])


def no_such_command(command: str) -> Boot:
    """A command that the image does not contain: the container runtime cannot start it."""
    text = (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed:"
        f' unable to start container process: error during container init: exec: "{command}": executable file'
        " not found in $PATH"
    )
    return Boot(exits_at=0.0, exit_code=128, exit_reason="StartError", message=text)
