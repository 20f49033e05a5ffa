"""`manage.py up` as a person uses it: everything answers, everything stops, nothing is left."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from console.local.sockets import free_port, is_free
from tests.console.local.conftest import is_alive, until

PROJECT = Path(__file__).parents[3]
FIRST_START = 180.0  # seconds, on a busy machine

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="needs /proc to see all descendants"
)


def descendants(pid: int) -> set[int]:
    """The process numbers of all children, their children and so on."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], "tuple[subprocess.Popen[bytes], dict[str, str]]"]]:
    """Starts the stack in a folder of its own and waits for its note."""
    port = next(port for port in iter(free_port, None) if port < 65535 and is_free(port + 1))
    folder, log = tmp_path / ".local", tmp_path / "log"
    # The stack's own settings, not those of the test run.
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    started: list[subprocess.Popen[bytes]] = []

    def start() -> "tuple[subprocess.Popen[bytes], dict[str, str]]":
        with log.open("ab") as output:
            up = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--port", str(port), "--folder", str(folder)],
                cwd=PROJECT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        started.append(up)
        note = folder / "up.json"
        until(lambda: note.exists() or up.poll() is not None, "the start of the stack", FIRST_START)
        assert up.poll() is None, log.read_text()
        assert stat.S_IMODE(note.stat().st_mode) == 0o600
        return up, json.loads(note.read_text())

    yield start
    for up in started:
        if up.poll() is None:
            up.kill()
            up.wait()


def test_everything_answers_and_a_stop_leaves_nothing(
    start: Callable[[], "tuple[subprocess.Popen[bytes], dict[str, str]]"], tmp_path: Path
) -> None:
    up, note = start()
    assert httpx.get(note["console"] + "/readyz").json() == {"database": True, "valkey": True, "worker": True}
    assert httpx.get(note["gateway"] + "/healthz").status_code == 200
    assert httpx.get(note["console"] + "/", follow_redirects=True).status_code == 200
    assert Path(note["kubeconfig"]).is_file()
    assert stat.S_IMODE((tmp_path / ".local").stat().st_mode) == 0o700
    family = descendants(up.pid)

    up.send_signal(signal.SIGTERM)

    assert up.wait(timeout=60) == 0, (tmp_path / "log").read_text()
    assert not [pid for pid in family if is_alive(pid)]
    assert not (tmp_path / ".local" / "up.json").exists()


def test_a_killed_stack_leaves_no_orphan_and_starts_again_with_its_data(
    start: Callable[[], "tuple[subprocess.Popen[bytes], dict[str, str]]"],
) -> None:
    up, note = start()
    family = descendants(up.pid)
    assert len(family) > 8

    up.kill()
    up.wait()

    until(lambda: not any(is_alive(pid) for pid in family), "the end of every orphan")
    again, the_same = start()
    assert the_same == note
    again.send_signal(signal.SIGINT)
    assert again.wait(timeout=60) == 0
