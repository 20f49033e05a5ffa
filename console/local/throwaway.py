"""Real servers for one run of tests or benchmarks: fast, empty, and gone at the end, also after a `kill -9`."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from console.local.family import Family
from console.local.postgres import Postgres
from console.local.processes import Service, StartFailed
from console.local.sockets import socket_folder
from console.local.valkey import Valkey

_PATIENCE: Final = 60.0
_TICK: Final = 0.02


def start(family: Family, *, durable: bool = False) -> dict[str, str]:
    """Starts a PostgreSQL and a Valkey that live as long as `family`; returns DATABASE_URL and REDIS_URL.

    `durable`: a commit of PostgreSQL reaches the disk, and costs what it costs in production.
    """
    folder = Path(tempfile.mkdtemp(prefix="slipway-"))
    family.remove_at_end(folder)
    sockets = socket_folder(folder / "run")
    family.remove_at_end(sockets)
    postgres = Postgres(folder / "postgres", sockets, durable=durable)
    valkey = Valkey(folder / "valkey", sockets, keep=False)
    started = [_start(family, service, folder) for service in (valkey.service(), postgres.service())]
    deadline = time.monotonic() + _PATIENCE
    for service, process, log in started:
        while not service.ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise StartFailed(f"{service.name} did not start:\n{log.read_text(errors='replace')}")
            time.sleep(_TICK)
    return {"DATABASE_URL": postgres.url("postgres"), "REDIS_URL": valkey.url}


def _start(family: Family, service: Service, folder: Path) -> tuple[Service, subprocess.Popen[bytes], Path]:
    log = folder / f"{service.name}.log"
    service.before_start()
    with open(os.open(log, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as output:
        process = family.spawn(
            service.command, stop_signal=service.stop_signal, identity=service.identity, output=output
        )
    return service, process, log
