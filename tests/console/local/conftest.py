"""Running parents, and asking whether processes are gone."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.console.local import programs

PATIENCE = 30.0


def until(condition: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    """Waits until the condition holds, or fails saying what did not happen."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {patience:.0f} s"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that is dead and not yet buried does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self").exists()


def number(folder: Path, name: str) -> int:
    """The process number that a program noted."""
    return int((folder / f"{name}.pid").read_text())


@pytest.fixture
def start_parent(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts one of the parent programs and waits until its children are up; ends it after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(name: str) -> subprocess.Popen[str]:
        parent = subprocess.Popen(
            programs.command(name, tmp_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        started.append(parent)
        until(
            lambda: (tmp_path / f"{name}.pid").exists() or parent.poll() is not None, f"the start of {name}"
        )
        assert parent.poll() is None, parent.communicate()[0]
        return parent

    yield start
    for parent in started:
        if parent.poll() is None:
            parent.kill()
        parent.communicate()
