"""The process: its secrets, its state between runs, its end."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployments.sandbox_api.cluster import Cluster, eventually
from tests.deployments.sandbox_api.objects import configmap

MAPS = "/api/v1/namespaces/models/configmaps"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path / "data", "--no-controllers")
    yield cluster
    cluster.end(signal.SIGKILL)


def _state(cluster: Cluster) -> bytes:
    path = cluster.data / "state.json"
    return path.read_bytes() if path.exists() else b""


def test_only_the_owner_can_read_what_it_writes(own: Cluster) -> None:
    own.ask("POST", MAPS, configmap())
    eventually((own.data / "state.json").exists)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in own.data.iterdir()}
    assert {"token", "kubeconfig", "state.json", "authority.key", "server.key"} <= set(modes)
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(own.data.stat().st_mode) == 0o700


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_stop_keeps_everything(own: Cluster, number: int) -> None:
    _status, made, _headers = own.ask("POST", MAPS, configmap())
    token = own.token
    assert own.end(number) == 0
    own.start()
    _status, found, _headers = own.ask("GET", f"{MAPS}/settings")
    assert (found, own.token) == (made, token)


def test_a_stop_does_not_wait_for_open_watches(own: Cluster) -> None:
    kubectl = [str(Path(sys.executable).with_name("kubectl")), "get", "nodes", "--watch"]
    environment = {"KUBECONFIG": str(own.kubeconfig), "PATH": os.defpath, "HOME": str(own.data)}
    watcher = subprocess.Popen(kubectl, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert watcher.stdout is not None
    with watcher.stdout:
        watcher.stdout.readline()
        try:
            assert own.end() == 0
        finally:
            watcher.kill()
            watcher.wait()


def test_after_a_crash_the_state_is_there_and_versions_are_never_used_twice(own: Cluster) -> None:
    own.ask("POST", MAPS, configmap("early"))
    eventually(lambda: b'"early"' in _state(own))
    # Too late to be saved: what a client saw of it must not come back as something else.
    _status, late, _headers = own.ask("POST", MAPS, configmap("late"))
    own.end(signal.SIGKILL)
    own.start()
    assert own.ask("GET", f"{MAPS}/early")[0] == 200
    _status, after, _headers = own.ask("POST", MAPS, configmap("after"))
    assert int(after["metadata"]["resourceVersion"]) > int(late["metadata"]["resourceVersion"])


def test_a_write_reaches_the_disk_within_seconds(own: Cluster) -> None:
    own.ask("POST", MAPS, configmap("soon"))
    eventually(lambda: b'"soon"' in _state(own), seconds=5)


def test_a_state_that_cannot_be_read_is_put_aside(own: Cluster) -> None:
    own.ask("POST", MAPS, configmap())
    own.end()
    (own.data / "state.json").write_text('{"format": 1, "obj')
    own.start()
    assert own.ask("GET", f"{MAPS}/settings")[0] == 404
    assert (own.data / "state.unreadable").exists()


def test_a_taken_port_is_an_error_in_words(own: Cluster, tmp_path: Path) -> None:
    port = own.address.rpartition(":")[2]
    command = [sys.executable, "-m", "deployments.sandbox", "--data", str(tmp_path / "other"), "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_another_than_a_loopback_address_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "deployments.sandbox", "--data", str(tmp_path), "--host", "0.0.0.0"]
    assert subprocess.run(command, capture_output=True, timeout=30).returncode == 2
