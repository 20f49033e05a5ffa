"""The embedded PostgreSQL and Valkey: real, private, kept between runs, and gone with their parent."""

import os
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import psycopg
import pytest
import redis

from console.local.family import Family
from console.local.postgres import Postgres
from console.local.processes import StartFailed, Supervisor
from console.local.sockets import socket_folder
from console.local.terminal import Terminal
from console.local.valkey import Valkey
from tests.console.local.conftest import is_alive, until


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder with a short path, however deep the folder for the test's data is."""
    with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
        yield Path(folder)


@pytest.fixture
def supervisor(sockets: Path) -> Iterator[Supervisor]:
    with Family() as family, Supervisor(family, Terminal(StringIO())) as supervisor:
        yield supervisor


def test_what_was_written_is_there_after_a_restart(tmp_path: Path, sockets: Path) -> None:
    for run in range(2):
        postgres, valkey = Postgres(tmp_path / "postgres", sockets), Valkey(tmp_path / "valkey", sockets)
        with Family() as family, Supervisor(family, Terminal(StringIO())) as supervisor:
            supervisor.start(postgres.service(), valkey.service())
            postgres.create_database("slipway")
            client = redis.Redis.from_url(valkey.url)
            with psycopg.connect(postgres.url("slipway")) as connection:
                if run == 0:
                    connection.execute("CREATE TABLE kept AS SELECT 'öß' AS word")
                    client.set("kept", "yes")
                assert connection.execute("SELECT word FROM kept").fetchone() == ("öß",)
            assert client.get("kept") == b"yes"
            client.close()


def test_the_servers_listen_on_private_sockets_only(
    tmp_path: Path, sockets: Path, supervisor: Supervisor
) -> None:
    postgres, valkey = Postgres(tmp_path / "postgres", sockets), Valkey(tmp_path / "valkey", sockets)
    supervisor.start(postgres.service(), valkey.service())

    with psycopg.connect(postgres.url("postgres")) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
    client = redis.Redis.from_url(valkey.url)
    assert client.config_get("port") == {"port": "0"}
    client.close()
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700


def test_no_rights_change_outside_the_folder(tmp_path: Path, sockets: Path, supervisor: Supervisor) -> None:
    project = tmp_path / "closed"
    project.mkdir(mode=0o700)
    folders = [project, *project.parents]
    before = [(stat.S_IMODE(folder.stat().st_mode), folder.stat().st_uid) for folder in folders]

    postgres = Postgres(project / ".local" / "postgres", sockets)
    supervisor.start(postgres.service())

    assert [(stat.S_IMODE(folder.stat().st_mode), folder.stat().st_uid) for folder in folders] == before


def test_a_long_path_falls_back_to_a_short_socket_folder(tmp_path: Path, supervisor: Supervisor) -> None:
    deep = tmp_path / ("d" * 120) / "run"
    sockets = socket_folder(deep)
    try:
        assert len(os.fsencode(sockets)) < 60
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        assert socket_folder(deep) == sockets
        postgres, valkey = Postgres(deep / "postgres", sockets), Valkey(deep / "valkey", sockets)
        supervisor.start(postgres.service(), valkey.service())
        psycopg.connect(postgres.url("postgres")).close()
    finally:
        supervisor.__exit__()
        sockets.rmdir()


def test_a_short_folder_of_somebody_else_is_not_trusted(tmp_path: Path) -> None:
    deep = tmp_path / ("e" * 120) / "run"
    usual = socket_folder(deep)
    usual.chmod(0o755)
    other = socket_folder(deep)
    try:
        assert other != usual
        assert stat.S_IMODE(other.stat().st_mode) == 0o700
    finally:
        usual.rmdir()
        other.rmdir()


def test_an_interrupted_first_start_is_begun_again(
    tmp_path: Path, sockets: Path, supervisor: Supervisor
) -> None:
    (tmp_path / "postgres" / "data.new" / "base").mkdir(parents=True)
    postgres = Postgres(tmp_path / "postgres", sockets)
    supervisor.start(postgres.service())
    assert not (tmp_path / "postgres" / "data.new").exists()


def test_a_killed_server_starts_again_on_its_data(tmp_path: Path, sockets: Path) -> None:
    postgres = Postgres(tmp_path / "postgres", sockets)
    service = postgres.service()
    with Family() as family, Supervisor(family, Terminal(StringIO())) as supervisor:
        supervisor.start(service)
        pid_file = tmp_path / "postgres" / "data" / "postmaster.pid"
        remains = pid_file.read_text()
    # As after a kill, when the number now belongs to a stranger: this process.
    pid_file.write_text(remains.replace(remains.split("\n")[0], str(os.getpid()), 1))
    with Family() as family, Supervisor(family, Terminal(StringIO())) as supervisor:
        supervisor.start(postgres.service())


def test_data_of_another_major_version_is_refused_with_a_way_out(tmp_path: Path, sockets: Path) -> None:
    data = tmp_path / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("9\n")
    with pytest.raises(StartFailed, match=r"written by PostgreSQL 9 and this is \d+"):
        Postgres(tmp_path / "postgres", sockets).service()


def test_a_killed_parent_leaves_no_server_and_no_folder(
    start_parent: "Callable[[str], subprocess.Popen[str]]", tmp_path: Path
) -> None:
    parent = start_parent("servers")
    database, valkey = (tmp_path / "addresses").read_text().split()
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
    client = redis.Redis.from_url(valkey)
    server = int(client.info("server")["process_id"])
    client.close()
    sockets = Path(parse_qs(urlparse(database).query)["host"][0])
    assert row
    assert is_alive(server)

    parent.kill()

    until(lambda: not is_alive(server), "the end of Valkey")
    until(lambda: not sockets.parent.exists(), "the removal of the folder, which comes last")
