"""Small programs for the tests of the supervisor, run as `python -m tests.console.local.programs NAME FOLDER`.

Each notes its process number in FOLDER/<name>.pid; those that stop by themselves append their name to FOLDER/stopped.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from console.local import throwaway
from console.local.family import Family
from console.local.processes import Service, StartFailed, StopRequested, Supervisor
from console.local.terminal import Terminal


def command(name: str, folder: Path) -> list[str]:
    """The command line of one of these programs."""
    return [sys.executable, "-m", "tests.console.local.programs", name, str(folder)]


def service(name: str, folder: Path, **options: object) -> Service:
    """One of these programs as a service that is ready when it has noted its number."""
    noted = folder / f"{name}.pid"
    return Service(name, command(name, folder), ready=noted.exists, **options)  # type: ignore[arg-type]


def supervise(folder: Path) -> None:
    """A parent of `lower`, which has a child of its own, and of `upper`, started after it."""
    try:
        with Family() as family, Supervisor(family, Terminal()) as supervisor:
            supervisor.start(service("lower", folder))
            supervisor.start(service("upper", folder))
            _note("supervise", folder)
            supervisor.watch()
    except StopRequested:
        pass
    except StartFailed as failure:
        sys.exit(str(failure))


def servers(folder: Path) -> None:
    """A parent of a real PostgreSQL and a real Valkey."""
    with Family() as family:
        addresses = throwaway.start(family)
        (folder / "addresses").write_text("\n".join(addresses.values()))
        _note("servers", folder)
        time.sleep(600)


def lower(folder: Path) -> None:
    subprocess.Popen(command("grandchild", folder))
    while not (folder / "grandchild.pid").exists():
        time.sleep(0.01)
    _run_until_stopped("lower", folder)


def upper(folder: Path) -> None:
    print("upper says hello", flush=True)
    _run_until_stopped("upper", folder)


def grandchild(folder: Path) -> None:
    """Deaf to every wish, so that only a kill ends it."""
    for deaf in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(deaf, signal.SIG_IGN)
    _note("grandchild", folder)
    time.sleep(600)


def deaf(folder: Path) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _note("deaf", folder)
    time.sleep(600)


def broken(_folder: Path) -> None:
    print("the disk is on fire", flush=True)
    sys.exit(3)


def silent(_folder: Path) -> None:
    time.sleep(600)


def _run_until_stopped(name: str, folder: Path) -> None:
    def stop(*_: object) -> None:
        with (folder / "stopped").open("a") as file:
            file.write(name + "\n")
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    _note(name, folder)
    time.sleep(600)


def _note(name: str, folder: Path) -> None:
    fresh = folder / f"{name}.new"
    fresh.write_text(str(os.getpid()))
    fresh.replace(folder / f"{name}.pid")


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]))
