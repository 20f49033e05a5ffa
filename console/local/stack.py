"""`make up`: what runs, in which order, with which environment.

PostgreSQL and Valkey first, the sandbox beside them, then migrations and the example, then everything that
needs a database.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import os
import secrets
import sys
from pathlib import Path
from typing import Final

from console.local.family import Family
from console.local.postgres import Postgres
from console.local.processes import Service, StartFailed, StopRequested, Supervisor
from console.local.sockets import LOOPBACK, answers, free_port, is_free, socket_folder
from console.local.state import AlreadyRuns, State
from console.local.terminal import Terminal
from console.local.valkey import Valkey

PROJECT: Final = Path(__file__).resolve().parents[2]
ADMINISTRATOR: Final = "admin@example.com"
DATABASE: Final = "slipway"
_OURS: Final = (
    "DATABASE_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "FIELD_ENCRYPTION_KEYS",
    "ALLOWED_HOSTS",
    "GATEWAY_URL",
    "CONSOLE_URL",
    "DEBUG",
)

#: What a command beside the stack needs, to work on the same data.
_SHARED: Final = (
    *_OURS,
    "SECURE",
    "STATIC_ROOT",
    "SLIPWAY_SANDBOX_KUBECONFIG",
    "SLIPWAY_EXAMPLE_PASSWORD",
)

_WELCOME: Final = """
Slipway is ready.

  Console   {console}
  Gateway   {gateway}/v1
  Sign in   {admin}
  Password  {password}

The sandbox cluster answers kubectl: KUBECONFIG={kubeconfig}
Ctrl-C stops everything; the data stays in {folder}.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `manage.py up` understands."""
    parser.add_argument(
        "--port",
        type=_port,
        default=8000,
        help="port of the console; the gateway takes the next one (default 8000)",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=PROJECT / ".local",
        help="where data, secrets and sockets are kept (default .local)",
    )
    parser.add_argument(
        "--stop-with-parent",
        action="store_true",
        help="stop when the process that started this one ends (for make)",
    )


def main(arguments: list[str]) -> int:
    """The command line after `manage.py up`; returns the exit code."""
    parser = argparse.ArgumentParser(prog="manage.py up", description="Run the whole stack on this machine.")
    add_arguments(parser)
    options = parser.parse_args(arguments)
    return run(options.port, options.folder, stop_with_parent=options.stop_with_parent)


def run(port: int, folder: Path, *, stop_with_parent: bool = False) -> int:
    """Starts everything, waits for the wish to stop, stops everything. 0: stopped as asked; 1: could not start."""
    terminal = Terminal()
    previous_umask = os.umask(0o077)  # whatever is written below `.local/` is its owner's alone
    try:
        with contextlib.closing(State(folder.resolve())) as state:
            state.hold(f"http://{LOOPBACK}:{port}")
            _refuse_taken(port)
            return _run_held(port, state, terminal, stop_with_parent=stop_with_parent)
    except (AlreadyRuns, StartFailed) as refusal:
        terminal.warn(str(refusal))
        return 1
    except KeyboardInterrupt:  # before there was anything to stop
        return 0
    finally:
        os.umask(previous_umask)


def _run_held(port: int, state: State, terminal: Terminal, *, stop_with_parent: bool) -> int:
    with (
        Family(hold=[state.lock]) as family,
        Supervisor(family, terminal, folder=PROJECT, stop_with_parent=stop_with_parent) as supervisor,
    ):
        try:
            _Stack(port, state).start(supervisor, family, terminal)
            supervisor.watch()
        except StartFailed as failure:
            terminal.warn(str(failure))
            return 1
        except StopRequested:
            return 0
        finally:
            state.release()
            terminal.note("stopping")


def _refuse_taken(port: int) -> None:
    for taken, what in ((port, "the console"), (port + 1, "the gateway")):
        if not is_free(taken):
            raise StartFailed(
                f"Port {taken}, for {what}, is taken. Choose another: make up PORT={_other(port)}"
            )


class _Stack:
    """The services of one run and the environment that they share."""

    def __init__(self, port: int, state: State) -> None:
        self._port = port
        self._state = state
        self._folder = state.folder
        self._sockets = socket_folder(self._folder / "run")
        self._postgres = Postgres(self._folder / "postgres", self._sockets)
        self._valkey = Valkey(self._folder / "valkey", self._sockets)
        self._kubeconfig = self._folder / "sandbox" / "kubeconfig"
        self._facts = {
            "console": f"http://{LOOPBACK}:{port}",
            "gateway": f"http://{LOOPBACK}:{port + 1}",
            "kubeconfig": str(self._kubeconfig),
            "admin": ADMINISTRATOR,
            "password": os.environ.get("SLIPWAY_EXAMPLE_PASSWORD")
            or state.secret("example_password", _password),
        }
        self._environment = self._make_environment()

    def start(self, supervisor: Supervisor, family: Family, terminal: Terminal) -> None:
        family.remove_at_end(self._state.note)
        if self._sockets.parent != self._folder:
            family.remove_at_end(self._sockets)
        terminal.note("starting; the first time takes a little longer")
        supervisor.begin(self._postgres.service(), self._valkey.service())
        supervisor.begin(self._sandbox())
        supervisor.wait("postgres", "valkey")
        self._postgres.create_database(DATABASE)
        supervisor.finish(self._python("prepare", "console.local.prepare", patience=300))
        supervisor.start(self._web(), self._worker(), self._beat(), self._gateway(), self._ledger())
        self._state.keep_settings({name: self._environment[name] for name in _SHARED})
        self._state.announce(self._facts)
        terminal.plain(_WELCOME.format(**self._facts, folder=self._folder))

    def _make_environment(self) -> dict[str, str]:
        state = self._state
        ours = {
            "DATABASE_URL": self._postgres.url(DATABASE),
            "REDIS_URL": self._valkey.url,
            "SECRET_KEY": os.environ.get("SECRET_KEY")
            or state.secret("secret_key", lambda: secrets.token_urlsafe(48)),
            "FIELD_ENCRYPTION_KEYS": os.environ.get("FIELD_ENCRYPTION_KEYS")
            or state.secret("field_encryption_keys", _encryption_key),
            "ALLOWED_HOSTS": f"{LOOPBACK},localhost",
            "GATEWAY_URL": self._facts["gateway"],
            "CONSOLE_URL": self._facts["console"],
            "GATEWAY_FOLDER": str(self._folder / "gateway"),
            "GATEWAY_DRAIN_SECONDS": "2",  # whoever presses Ctrl-C does not want to wait for an answer
            "GATEWAY_ACCESS_LOG": "false",
            "DEBUG": "false",
            "SECURE": "false",  # there is no TLS on loopback
            "STATIC_ROOT": str(
                self._folder / "staticfiles"
            ),  # never made: files are served from where they are edited
            "BEAT_SCHEDULE_FILE": str(self._folder / "beat"),
            "SLIPWAY_SANDBOX_KUBECONFIG": str(self._kubeconfig),
            "SLIPWAY_EXAMPLE_PASSWORD": self._facts["password"],
            "DJANGO_SETTINGS_MODULE": "console.settings",
            "PYTHONUNBUFFERED": "1",
        }
        # A NAME_FILE of the environment or of `.env` would win over our NAME; an empty one does not count.
        return {**os.environ, **{f"{name}_FILE": "" for name in _OURS}, **ours}

    def _web(self) -> Service:
        return self._granian("web", "asginl", "console.asgi:application", self._port)

    def _gateway(self) -> Service:
        port = self._port + 1
        return self._python(
            "gateway",
            "metering.gateway",
            *("--host", LOOPBACK, "--port", str(port)),
            ready=lambda: answers(port, "/healthz"),
        )

    def _ledger(self) -> Service:
        return self._python("ledger", "manage", "record_usage")

    def _granian(self, name: str, interface: str, application: str, port: int) -> Service:
        return self._python(
            name,
            "granian",
            *("--interface", interface, "--host", LOOPBACK, "--port", str(port), "--workers", "1"),
            # An open event stream must not hold up the stop; a worker that fell over is started again.
            *(
                "--workers-kill-timeout",
                "3",
                "--respawn-failed-workers",
                "--log-level",
                "warning",
                application,
            ),
            ready=lambda: answers(port, "/healthz"),
        )

    def _worker(self) -> Service:
        return self._python(
            "worker",
            "celery",
            *("-A", "console", "worker", "--loglevel", "WARNING", "--concurrency", "2", "--without-gossip"),
            *("--without-mingle", "--hostname", "worker@local"),
            ready=lambda: answers(self._port, "/readyz"),
        )

    def _beat(self) -> Service:
        return self._python("beat", "celery", "-A", "console", "beat", "--loglevel", "WARNING", "--pidfile=")

    def _sandbox(self) -> Service:
        data = self._folder / "sandbox"
        data.mkdir(mode=0o700, exist_ok=True)
        # The cluster's address is in the database, so it should be the same the next time.
        port = self._state.number("sandbox_port")
        if port is None or port in (self._port, self._port + 1) or not is_free(port):
            port = free_port()
            self._state.keep("sandbox_port", port)
        return self._python(
            "sandbox",
            "deployments.sandbox",
            *("--port", str(port), "--data", str(data), "--kubeconfig", str(self._kubeconfig)),
            ready=self._kubeconfig.exists,
            before_start=lambda: self._kubeconfig.unlink(missing_ok=True),
        )

    def _python(self, name: str, module: str, *arguments: str, **options: object) -> Service:
        return Service(name, [sys.executable, "-m", module, *arguments], self._environment, **options)  # type: ignore[arg-type]


def _port(text: str) -> int:
    """A port that leaves room for the gateway's."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65534:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a number from 1 to 65534")
    return int(text)


def _other(port: int) -> int:
    """A pair of free ports to suggest."""
    candidates = (candidate for candidate in range(9000, 9100, 10) if candidate not in (port, port + 1))
    return next((c for c in candidates if is_free(c) and is_free(c + 1)), 9000)


def _password() -> str:
    return "-".join(secrets.token_hex(2) for _ in range(4))


def _encryption_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
