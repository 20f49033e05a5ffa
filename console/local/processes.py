"""A small supervisor: starts services in order, waits until they answer, restarts what crashes, stops in reverse.

One thread and one loop. Services write into pipes that the loop empties into prefixed lines; nothing here
blocks for longer than one turn, so that a signal is answered at once.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Final, NoReturn

from console.local.family import SELF, Family
from console.local.terminal import Terminal

_TURN: Final = 0.1  # seconds between two looks at the children
_FIRST_DELAY: Final = 1.0  # seconds before the first restart; doubles up to the longest
_LONGEST_DELAY: Final = 30.0
_HEALTHY_AFTER: Final = 30.0  # seconds of running that make an earlier crash forgotten
_ONE_WISH: Final = 1.0  # seconds within which several signals count as one
_REMEMBERED_LINES: Final = 40
_LONGEST_LINE: Final = 16 * 1024


class StartFailed(Exception):
    """A service or task did not come up; the message says which, why and what it last said."""


class StopRequested(Exception):
    """Ctrl-C, SIGTERM or the end of our parent: stop everything, this is no failure."""


def _always() -> bool:
    return True


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Service:
    """A program that should run until we stop it. Times in seconds."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] | None = None
    ready: Callable[[], bool] = _always
    """Asked on every turn until it says yes; must return within about a second."""
    before_start: Callable[[], None] = _nothing
    """Clears what an earlier, crashed run left behind; called before each start."""
    stop_signal: int = signal.SIGTERM
    patience: float = 60.0
    """How long it may take until `ready`."""
    grace: float = 8.0
    """How long it may take to stop before it is killed."""
    quiet: bool = False
    """Its lines are shown only when it fails."""
    identity: str = SELF


@dataclass
class _Running:
    service: Service
    process: subprocess.Popen[bytes]
    since: float
    ready: bool = False
    crashes: int = 0
    restart_at: float | None = None
    unfinished: bytes = b""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_LINES))

    @property
    def name(self) -> str:
        return self.service.name


class Supervisor:
    """Owns the services of one run. Use as a context manager from the main thread; leaving it stops everything."""

    def __init__(
        self,
        family: Family,
        terminal: Terminal,
        *,
        folder: Path | None = None,
        stop_with_parent: bool = False,
    ) -> None:
        self._family = family
        self._terminal = terminal
        self._folder = folder
        self._parent = os.getppid() if stop_with_parent else None
        self._selector = selectors.DefaultSelector()
        self._stages: list[list[_Running]] = []
        self._signals = 0
        self._signalled_at = 0.0
        self._handlers: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Supervisor:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup: the terminal may go
            self._handlers[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_all()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._selector.close()

    def start(self, *services: Service) -> None:
        """Begins the services together and returns when all are ready."""
        self.begin(*services)
        self.wait()

    def begin(self, *services: Service) -> None:
        """Starts the services without waiting. What one call starts is stopped together, the last call's first."""
        stage: list[_Running] = []
        self._stages.append(stage)
        for service in services:
            self._check()
            stage.append(self._launch(service))

    def wait(self, *names: str) -> None:
        """Returns when the named services (none: all) are ready; raises StartFailed when one ends or takes too long."""
        while True:
            self._turn()
            awaited = [running for running in self._all() if not names or running.name in names]
            waiting = [running for running in awaited if not self._is_ready(running)]
            if not waiting:
                return
            for running in waiting:
                if time.monotonic() - running.since > running.service.patience:
                    raise StartFailed(
                        self._report(running, f"was not ready after {running.service.patience:.0f} s")
                    )

    def finish(self, task: Service) -> None:
        """Runs a task to its end while the services run; raises StartFailed unless it exits with 0."""
        running = self._launch(task)
        self._stages.append([running])
        while running.process.poll() is None:
            self._turn(but=running)
        self._drain(running)
        self._stages.pop()
        self._retire(running)
        if running.process.returncode != 0:
            raise StartFailed(self._report(running, f"failed ({_ending(running.process.returncode)})"))

    def watch(self) -> NoReturn:
        """Keeps everything running until it is asked to stop, then raises StopRequested."""
        while True:
            self._turn(restart=True)

    # One turn of the loop

    def _turn(self, *, restart: bool = False, but: _Running | None = None) -> None:
        self._check()
        self._read(_TURN)
        for running in self._all():
            if running is but:
                continue
            if running.restart_at is not None:
                if time.monotonic() >= running.restart_at:
                    self._restart(running)
            elif running.process.poll() is not None:
                self._drain(running)
                ending = _ending(running.process.returncode)
                if not restart:
                    raise StartFailed(self._report(running, f"ended ({ending})"))
                self._plan_restart(running, ending)

    def _check(self) -> None:
        if self._signals or (self._parent is not None and os.getppid() != self._parent):
            raise StopRequested

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        # A signal to our whole process group reaches us twice when make passes it on: that is one wish, not
        # impatience.
        now = time.monotonic()
        if not self._signals or now - self._signalled_at > _ONE_WISH:
            self._signals += 1
        self._signalled_at = now

    # Children

    def _all(self) -> list[_Running]:
        return [running for stage in self._stages for running in stage]

    def _launch(self, service: Service) -> _Running:
        service.before_start()
        process = self._family.spawn(
            service.command,
            environment=service.environment,
            stop_signal=service.stop_signal,
            identity=service.identity,
            folder=self._folder,
        )
        running = _Running(service, process, since=time.monotonic())
        self._listen(running)
        return running

    def _is_ready(self, running: _Running) -> bool:
        # `ready` may be answered by a stranger (another server on the same socket): ours must also be alive.
        if not running.ready and running.service.ready() and running.process.poll() is None:
            running.ready = True
            self._terminal.note(f"{running.name} ready after {time.monotonic() - running.since:.1f} s")
        return running.ready

    def _plan_restart(self, running: _Running, ending: str) -> None:
        if time.monotonic() - running.since > _HEALTHY_AFTER:
            running.crashes = 0
        delay = min(_FIRST_DELAY * 2**running.crashes, _LONGEST_DELAY)
        running.crashes += 1
        running.restart_at = time.monotonic() + delay
        self._retire(running)
        self._terminal.warn(self._report(running, f"ended ({ending}); starting it again in {delay:.0f} s"))

    def _restart(self, running: _Running) -> None:
        fresh = self._launch(running.service)
        self._selector.modify(_pipe(fresh), selectors.EVENT_READ, running)
        running.process, running.since = fresh.process, fresh.since
        running.restart_at, running.unfinished = None, b""
        running.lines.clear()

    def _retire(self, running: _Running) -> None:
        self._family.bury(running.process)
        pipe = _pipe(running)
        if pipe in self._selector.get_map():
            self._selector.unregister(pipe)
        pipe.close()

    # Output

    def _listen(self, running: _Running) -> None:
        os.set_blocking(_pipe(running).fileno(), False)
        self._selector.register(_pipe(running), selectors.EVENT_READ, running)

    def _read(self, timeout: float) -> None:
        if not self._selector.get_map():
            time.sleep(timeout)
            return
        for key, _ in self._selector.select(timeout):
            self._take(key.data)

    def _drain(self, running: _Running) -> None:
        while self._take(running):
            pass
        if running.unfinished:
            self._say(running, running.unfinished)
            running.unfinished = b""

    def _take(self, running: _Running) -> bool:
        try:
            data = os.read(_pipe(running).fileno(), 64 * 1024)
        except BlockingIOError:
            return False
        if not data:  # every writer is gone
            if _pipe(running) in self._selector.get_map():
                self._selector.unregister(_pipe(running))
            return False
        *lines, running.unfinished = (running.unfinished + data).split(b"\n")
        for line in lines:
            self._say(running, line)
        if len(running.unfinished) > _LONGEST_LINE:
            self._say(running, running.unfinished)
            running.unfinished = b""
        return True

    def _say(self, running: _Running, line: bytes) -> None:
        text = line[:_LONGEST_LINE].decode("utf-8", "replace").rstrip()
        running.lines.append(text)
        if not running.service.quiet:
            self._terminal.line(running.name, text)

    def _report(self, running: _Running, what: str) -> str:
        said = "".join(f"\n    {line}" for line in running.lines) if running.service.quiet else ""
        return f"{running.name} {what}" + (f"; it last said:{said}" if said else "")

    # The end

    def _stop_all(self) -> None:
        asked = self._signals
        for stage in reversed(self._stages):
            alive = [running for running in stage if running.restart_at is None]
            for running in alive:
                if running.process.poll() is None:
                    running.process.send_signal(running.service.stop_signal)
            deadline = time.monotonic() + max((running.service.grace for running in alive), default=0.0)
            # A second Ctrl-C means: now.
            while any(running.process.poll() is None for running in alive):
                if time.monotonic() > deadline or self._signals > max(asked, 1):
                    break
                self._read(_TURN / 2)
            for running in alive:
                if running.process.poll() is None:
                    self._terminal.warn(f"{running.name} did not stop by itself and was killed")
                    running.process.kill()
                    running.process.wait()
                self._drain(running)
                self._retire(running)
        self._stages.clear()


def _pipe(running: _Running) -> IO[bytes]:
    assert running.process.stdout is not None
    return running.process.stdout


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
