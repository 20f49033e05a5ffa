"""The supervisor: order, signals, crashes, and nothing left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest

from console.local.family import Family
from console.local.processes import Service, StartFailed, Supervisor
from console.local.terminal import Terminal
from tests.console.local import programs
from tests.console.local.conftest import is_alive, number, until

StartParent = Callable[[str], "subprocess.Popen[str]"]


@pytest.mark.parametrize("wish", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_wish_to_stop_ends_all_in_reverse_order(
    start_parent: StartParent, tmp_path: Path, wish: signal.Signals
) -> None:
    parent = start_parent("supervise")
    pids = [number(tmp_path, name) for name in ("lower", "upper", "grandchild")]

    parent.send_signal(wish)
    said, _ = parent.communicate(timeout=30)

    assert parent.returncode == 0, said
    assert (tmp_path / "stopped").read_text().split() == ["upper", "lower"]
    assert not [pid for pid in pids if is_alive(pid)]


def test_a_killed_parent_leaves_no_child_and_no_grandchild(start_parent: StartParent, tmp_path: Path) -> None:
    parent = start_parent("supervise")
    pids = [number(tmp_path, name) for name in ("lower", "upper", "grandchild")]
    assert all(is_alive(pid) for pid in pids)

    parent.kill()

    until(lambda: not any(is_alive(pid) for pid in pids), "the end of every orphan")


def test_a_crashed_service_is_started_again(start_parent: StartParent, tmp_path: Path) -> None:
    start_parent("supervise")
    first = number(tmp_path, "upper")

    os.kill(first, signal.SIGKILL)

    until(lambda: number(tmp_path, "upper") != first, "the restart")
    assert is_alive(number(tmp_path, "upper"))
    assert is_alive(number(tmp_path, "lower"))


def test_lines_of_a_service_carry_its_name(tmp_path: Path) -> None:
    said = StringIO()
    with Family() as family, Supervisor(family, Terminal(said)) as supervisor:
        supervisor.start(programs.service("upper", tmp_path))
    assert "upper      upper says hello" in said.getvalue().splitlines()


def test_a_service_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    said = StringIO()
    with Family() as family, Supervisor(family, Terminal(said)) as supervisor:
        supervisor.start(programs.service("deaf", tmp_path, grace=0.3))
    assert not is_alive(number(tmp_path, "deaf"))
    assert "deaf did not stop by itself and was killed" in said.getvalue()


def test_a_service_that_cannot_start_says_its_last_words(tmp_path: Path) -> None:
    with Family() as family, Supervisor(family, Terminal(StringIO())) as supervisor:
        supervisor.begin(programs.service("broken", tmp_path, quiet=True))
        with pytest.raises(StartFailed, match=r"broken ended \(exit code 3\)(.|\n)*the disk is on fire"):
            supervisor.wait()


def test_a_service_that_is_never_ready_is_given_up(tmp_path: Path) -> None:
    with Family() as family, Supervisor(family, Terminal(StringIO())) as supervisor:
        supervisor.begin(programs.service("silent", tmp_path, patience=0.2))
        with pytest.raises(StartFailed, match="silent was not ready"):
            supervisor.wait()


def test_a_program_that_is_missing_is_named() -> None:
    with Family() as family, Supervisor(family, Terminal(StringIO())) as supervisor:
        supervisor.begin(Service("ghost", ["/nonexistent/program"], ready=lambda: False, quiet=True))
        with pytest.raises(StartFailed, match="/nonexistent/program: No such file"):
            supervisor.wait()


def test_a_failing_task_stops_the_start_and_says_why() -> None:
    task = Service("prepare", [sys.executable, "-c", "import sys; sys.exit('no such table')"], quiet=True)
    with (
        Family() as family,
        Supervisor(family, Terminal(StringIO())) as supervisor,
        pytest.raises(StartFailed, match=r"prepare failed \(exit code 1\)(.|\n)*no such table"),
    ):
        supervisor.finish(task)


def test_a_service_that_dies_during_a_task_stops_the_start(tmp_path: Path) -> None:
    with Family() as family, Supervisor(family, Terminal(StringIO())) as supervisor:
        supervisor.start(programs.service("upper", tmp_path))
        os.kill(number(tmp_path, "upper"), signal.SIGKILL)
        with pytest.raises(StartFailed, match="upper ended"):
            supervisor.finish(programs.service("silent", tmp_path))


def test_a_reader_that_went_away_does_not_stop_the_stack() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as stream:
        terminal = Terminal(stream)
        terminal.note("nobody hears this")
        terminal.note("nor this")


def test_control_characters_of_a_service_do_not_reach_the_terminal() -> None:
    said = StringIO()
    Terminal(said).line("web", "\x1b[2Jhello\x07")
    assert said.getvalue() == "web        [2Jhello\n"
