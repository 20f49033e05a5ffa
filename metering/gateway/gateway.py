"""The gateway as a whole: its parts, what is in flight, and how it starts and stops."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import Coroutine, Mapping
from typing import Any

from metering.gateway.access_log import AccessLog
from metering.gateway.call import Call
from metering.gateway.connection import Connection
from metering.gateway.doors import Doors
from metering.gateway.figures import Figures
from metering.gateway.limits import Limits
from metering.gateway.recorder import Recorder
from metering.gateway.settings import Settings
from metering.gateway.snapshot import EMPTY, Snapshot
from metering.gateway.upstream import Upstreams
from metering.gateway.valkey import Valkey
from metering.gateway.watching import Watcher

logger = logging.getLogger(__name__)

#: Seconds between two looks at what takes too long, and between two reports of its own figures.
TICK, REPORT = 1.0, 5.0
#: Seconds for which a gateway that is told to stop goes on as before, but for saying that it is not ready and closing
#: connections with each answer: who balances before it, and who is writing at this very moment, has to learn of it.
GRACE = 1.0
#: Requests that are over but not yet recorded need slots of the journal, too.
_SLOTS_PER_REQUEST = 3


class Gateway:
    """One process that serves."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.name = f"{socket.gethostname()[:20]}-{secrets.token_hex(4)}"
        self.snapshot: Snapshot = EMPTY
        self.valkey = Valkey(settings.redis_url)
        self.limits = Limits(self.valkey, gateway=self.name, assumed_gateways=settings.processes)
        self.recorder = Recorder(
            self.valkey, settings.folder, self.name, _SLOTS_PER_REQUEST * settings.most_requests
        )
        self.upstreams = Upstreams()
        self.figures = Figures(self._gauges, self.limits.decisions)
        self.calls: set[Call] = set()
        self.doors = Doors(self)
        self._connections: set[Connection] = set()
        self._watcher = Watcher(settings.database_url, settings.folder / "snapshot", self._take)
        self._log = AccessLog(settings.access_log)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None
        self._clock: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int, *, reuse_port: bool = False) -> None:
        """Serves from here on. Raises OSError when the address is taken."""
        await self.valkey.start()
        await self.limits.start()
        await self.recorder.start()
        await self._watcher.start()
        self._clock = asyncio.create_task(self._tick())
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self.doors, self._connections),
            host,
            port,
            backlog=4096,
            reuse_port=reuse_port or None,
        )

    async def stop(self) -> None:
        """Takes nothing new, lets what is under way end, and leaves nothing unrecorded."""
        self.doors.is_draining = True
        assert self._server is not None
        assert self._clock is not None
        grace = min(GRACE, self.settings.drain_seconds)
        deadline = time.monotonic() + self.settings.drain_seconds
        await asyncio.sleep(grace)
        self._server.close()
        last = time.monotonic() + grace  # for requests on connections that were just made
        while (now := time.monotonic()) < deadline and (self.calls or (self._connections and now < last)):
            await asyncio.sleep(0.02)
        for call in list(self.calls):
            call.cut()
        while self.calls or self._tasks:
            await asyncio.sleep(0.01)
        self._clock.cancel()
        for connection in list(self._connections):
            connection.end_if_unused()
        await self._watcher.close()
        await self.limits.close()
        await self.recorder.close()
        await self.valkey.close()
        self.upstreams.close()
        self._log.close()

    # What calls need

    def begin(self, call: Call) -> None:
        self.calls.add(call)
        self.begin_task(self._run(call))

    def begin_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Does something in the background; the loop itself forgets tasks that nobody holds."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, call: Call) -> None:
        try:
            await call.run()
        finally:
            self.calls.discard(call)
            self._note(call)

    def _note(self, call: Call) -> None:
        """Counts what is over, and writes a line about it."""
        event, figures = call.event, self.figures
        model = event.deployment if event else ""
        figures.answers[model, call.status] += 1
        if event is not None:
            figures.ends[model, event.status] += 1
            figures.tokens[model, "input"] += event.input_tokens
            figures.tokens[model, "output"] += event.output_tokens
            figures.tokens[model, "cached"] += event.cached_tokens
            figures.estimated += event.is_estimated
            if event.first:
                figures.ttft[model].add((event.first - event.started) / 1e6)
            if event.itl_us is not None:
                figures.itl[model].add(event.itl_us / 1e6)
        self._log.write(call)

    # Inside

    def _take(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        wanted = {
            (url, route.certificate) for route in snapshot.routes.by_name.values() for url in route.upstreams
        }
        self.upstreams.forget_all_but(wanted)

    async def _tick(self) -> None:
        reported = 0.0
        while True:
            await asyncio.sleep(TICK)
            now = time.monotonic()
            for connection in list(self._connections):
                connection.tick(now)
            for call in list(self.calls):
                call.tick(now)
            if now - reported >= REPORT:
                reported = now
                await self.recorder.publish(len(self.calls), self.limits.oldest_hold_seconds)

    def _gauges(self) -> Mapping[str, tuple[str, float]]:
        age = time.time() - self.snapshot.read_at if self.snapshot.read_at else float("inf")
        recorder = self.recorder
        return {
            "in_flight": ("Requests that are being answered.", len(self.calls)),
            "connections": ("Open connections of clients.", len(self._connections)),
            "snapshot_age_seconds": ("Since the last reading of Postgres that succeeded.", age),
            "valkey_up": ("Whether Valkey answers.", float(self.valkey.is_up)),
            "events_waiting": ("Events on their way to Valkey, kept in the journal.", recorder.waiting),
            "events_in_spool": ("Events on disk, because Valkey was away.", recorder.in_spool),
            "events_recovered": ("Requests settled for gateways that are gone.", recorder.recovered),
            "oldest_hold_seconds": ("Age of the oldest reservation.", self.limits.oldest_hold_seconds),
            "process_id": ("Of this process.", float(os.getpid())),
        }
