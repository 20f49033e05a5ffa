"""The folder `.local/`: one holder at a time, and secrets for its owner only."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from console.local.state import AlreadyRuns, State
from tests.console.local.conftest import until

_HOLD_AND_WAIT = """
import pathlib, sys, time
from console.local.family import Family
from console.local.state import State
folder = pathlib.Path(sys.argv[1])
state = State(folder)
state.hold("http://127.0.0.1:8123")
family = Family(hold=[state.lock])
family.spawn([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(0.5)"])
(folder / "held").touch()
time.sleep(600)
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    State(tmp_path / ".local").close()
    assert mode(tmp_path / ".local") == 0o700
    assert mode(tmp_path) == 0o755


def test_a_folder_that_was_open_is_closed(tmp_path: Path) -> None:
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local").chmod(0o755)
    State(tmp_path / ".local").close()
    assert mode(tmp_path / ".local") == 0o700


def test_a_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    state = State(tmp_path)
    assert state.secret("word", lambda: "first") == "first"
    assert state.secret("word", lambda: "second") == "first"
    assert mode(tmp_path / "word") == 0o600
    state.close()


def test_the_note_is_readable_by_its_owner_and_withdrawn_at_the_end(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.announce({"console": "http://127.0.0.1:8000"})
    assert mode(tmp_path / "up.json") == 0o600
    assert json.loads((tmp_path / "up.json").read_text()) == {"console": "http://127.0.0.1:8000"}
    state.release()
    assert not (tmp_path / "up.json").exists()
    state.close()


def test_a_second_holder_is_told_where_the_first_answers(tmp_path: Path) -> None:
    first, second = State(tmp_path), State(tmp_path)
    first.hold("http://127.0.0.1:8000")
    with pytest.raises(AlreadyRuns, match=rf"http://127\.0\.0\.1:8000 \(process {os.getpid()}\)"):
        second.hold("http://127.0.0.1:9000")
    first.close()
    second.hold("http://127.0.0.1:9000")
    second.close()


def test_a_killed_holder_lets_go_when_its_last_orphan_has_ended(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", _HOLD_AND_WAIT, str(tmp_path)])
    until((tmp_path / "held").exists, "the hold")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    state = State(tmp_path)
    state.hold("http://127.0.0.1:8000")
    state.close()
