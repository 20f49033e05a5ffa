"""The gateway's settings, read from the environment as the console's are; docs/configuration.md lists them."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import environ

_PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str
    redis_url: str
    folder: Path
    """Where the snapshot, the journal and the spool are kept; must outlive the process."""
    processes: int
    """At least so many gateways share each limit while Valkey is away."""
    most_body: int
    """Bytes of a request."""
    most_requests: int
    """In flight in this process."""
    drain_seconds: float
    """How long a gateway that is told to stop waits for the answers that are under way."""
    first_answer_seconds: float
    """How long an engine may take until its answer begins."""
    silence_seconds: float
    """How long an engine, or a client that reads, may pause in the middle of an answer."""
    access_log: bool


def read() -> Settings:
    """Reads the environment and `.env`."""
    env = environ.FileAwareEnv()
    if (_PROJECT / ".env").is_file():
        env.read_env(_PROJECT / ".env")
    folder = env.str("GATEWAY_FOLDER", default=os.path.join(tempfile.gettempdir(), "slipway-gateway"))
    return Settings(
        database_url=env.str("DATABASE_URL", default="postgres://slipway@localhost/slipway"),
        redis_url=env.str("REDIS_URL", default="redis://localhost:6379/0"),
        folder=Path(folder),
        processes=env.int("GATEWAY_PROCESSES", default=1),
        most_body=env.int("GATEWAY_MOST_BODY", default=8 * 1024 * 1024),
        most_requests=env.int("GATEWAY_MOST_REQUESTS", default=2000),
        drain_seconds=env.float("GATEWAY_DRAIN_SECONDS", default=300.0),
        first_answer_seconds=env.float("GATEWAY_FIRST_ANSWER_SECONDS", default=600.0),
        silence_seconds=env.float("GATEWAY_SILENCE_SECONDS", default=120.0),
        access_log=env.bool("GATEWAY_ACCESS_LOG", default=True),
    )
