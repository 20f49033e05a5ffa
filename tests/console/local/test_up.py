"""`manage.py up` before any server starts: what it refuses, and in which words."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.local.sockets import free_port
from console.local.state import State

PROJECT = Path(__file__).parents[3]


def up(folder: Path, port: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", "up", "--port", str(port), "--folder", str(folder)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_taken_port_is_named(tmp_path: Path, taken_port: int) -> None:
    refused = up(tmp_path, taken_port)
    assert refused.returncode == 1
    assert f"Port {taken_port}, for the console, is taken" in refused.stdout


def test_a_taken_port_of_the_gateway_is_named(tmp_path: Path, taken_port: int) -> None:
    refused = up(tmp_path, taken_port - 1)
    assert refused.returncode == 1
    assert f"Port {taken_port}, for the gateway, is taken" in refused.stdout


@pytest.mark.parametrize("port", ["0", "-1", "65535", "http", "８０００", ""])
def test_what_is_no_port_is_refused(tmp_path: Path, port: str) -> None:
    refused = up(tmp_path, port)
    assert refused.returncode == 2
    assert "is not a port" in refused.stderr


def test_a_second_run_says_where_the_first_answers(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.hold("http://127.0.0.1:8765")
    refused = up(tmp_path, free_port())
    state.close()
    assert refused.returncode == 1
    assert f"Slipway runs already: http://127.0.0.1:8765 (process {os.getpid()})" in refused.stdout
