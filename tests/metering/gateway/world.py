"""A real gateway process in front of whatever engines a test has, with a snapshot that the test writes.

No database is needed: a gateway that finds a snapshot on its disk serves by it, which is one of the things it is for.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import redis
from django.conf import settings

from console.local.sockets import free_port
from deployments.vocabulary import DesiredState, Sharing
from metering.events import FIELD, STREAM, Event, decode
from metering.gateway import snapshot as snapshots
from metering.gateway.snapshot import Key, Keys, Route, Routes, Snapshot
from metering.keys import digest

PROJECT = Path(__file__).parents[3]
NOWHERE = "postgresql://slipway@/postgres?host=%2Fnonexistent"
ACME, GLOBEX = 1, 2
BOB, CHARLIE = "slipway_bobs_key", "slipway_charlies_key"
PATIENCE = 20.0


def key(number: int = 1, organization: int = ACME, user: int = 11, **facts: Any) -> Key:
    given: dict[str, Any] = {"expires": 0.0, "deployments": None, **facts}
    return Key(id=number, organization_id=organization, user_id=user, **given)


def route(name: str = "chat", *upstreams: str, number: int = 7, **facts: Any) -> Route:
    given: dict[str, Any] = {
        "revision": 3,
        "model": "llama",
        "created": 1_790_000_000,
        "state": DesiredState.RUNNING,
        "sharing": Sharing.SELECTED,
        "organizations": frozenset({ACME}),
        "reports_continuously": True,
        "context": 8192,
        "price_id": 5,
        **facts,
    }
    return Route(deployment_id=number, name=name, upstreams=upstreams, **given)


def snapshot(routes: Iterable[Route], keys: dict[str, Key] | None = None) -> Snapshot:
    """Bob of Acme and Charlie of Globex, unless the test has others."""
    people = keys if keys is not None else {BOB: key(), CHARLIE: key(2, GLOBEX, 12)}
    return Snapshot(
        Keys({digest(text): one for text, one in people.items()}),
        Routes({one.name: one for one in routes}),
        time.time(),
    )


@dataclass
class GatewayProcess:
    """One gateway: where it answers, and how it is told things."""

    folder: Path
    port: int = field(default_factory=free_port)
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def start(self, known: Snapshot | None = None) -> GatewayProcess:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if known is not None:
            (self.folder / "snapshot").write_bytes(snapshots.pack(known))
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "DATABASE_URL": NOWHERE,
            "REDIS_URL": settings.REDIS_URL,
            "GATEWAY_FOLDER": str(self.folder),
            "GATEWAY_DRAIN_SECONDS": "10",
            **self.environment,
        }
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "metering.gateway", "--port", str(self.port)],
                cwd=PROJECT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.wait_until_alive()
        return self

    def wait_until_alive(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if httpx.get(f"{self.url}/healthz").status_code == 200:
                    return
            except httpx.TransportError:
                assert self.process.poll() is None, self.log
                assert time.monotonic() < deadline, self.log
                time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Tells it to end, and waits; the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def ask(self, path: str = "/v1/chat/completions", *, secret: str = BOB, **body: Any) -> httpx.Response:
        """A question as most clients put it."""
        given: dict[str, Any] = {"model": "chat", **body}
        if "chat" in path:
            given.setdefault("messages", [{"role": "user", "content": "Hello there"}])
        return httpx.post(
            f"{self.url}{path}", json=given, headers={"Authorization": f"Bearer {secret}"}, timeout=PATIENCE
        )

    def figures(self) -> dict[str, float]:
        """The metrics page, by series."""
        lines = httpx.get(f"{self.url}/metrics").text.splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}


def events(valkey: redis.Redis, count: int, patience: float = 5.0) -> list[Event]:
    """What has reached the ledger's stream, as soon as there are so many; one that came twice counts once."""
    deadline = time.monotonic() + patience
    while True:
        entries: Any = valkey.xrange(STREAM)
        if len(entries) >= count or time.monotonic() > deadline:
            found = [decode(entry[FIELD.encode()]) for _, entry in entries]
            if len({each.id for each in found}) >= count or time.monotonic() > deadline:
                return found
        time.sleep(0.02)


def error(answer: httpx.Response) -> dict[str, Any]:
    """The one object of a refusal, in OpenAI's shape."""
    body = answer.json()
    assert list(body) == ["error"]
    assert set(body["error"]) == {"message", "type", "param", "code"}
    found: dict[str, Any] = body["error"]
    return found


def chunks(text: str) -> list[Any]:
    """The JSON of a stream's events, without the end mark."""
    return [json.loads(line[6:]) for line in text.split("\n\n") if line.startswith("data: {")]
