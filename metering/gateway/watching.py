"""Keeps the snapshot fresh: told by Postgres when something changes, read whole every so often, kept on disk.

1. Listen first, then read: what changes in between is announced.
2. A notice names what to read again, keys or routes; notices that come together are one reading.
3. Every few seconds the connection has to answer, because a dead one announces nothing.
4. While Postgres is away the snapshot stays as it is. Limits, shares and keys hold as they were last known.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from metering.gateway import snapshot as kept
from metering.gateway.reading import RouteReader, read_keys
from metering.gateway.snapshot import Snapshot

logger = logging.getLogger(__name__)

CHANNEL = "slipway_gateway"
#: Seconds between two proofs that the connection lives, between two whole readings, and at most for a statement.
ALIVE_EVERY, WHOLE_EVERY, PATIENCE = 3.0, 30.0, 10.0
#: Notices that come within so many seconds of each other are answered by one reading.
GATHER = 0.05
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0


class Watcher:
    """Calls `take` with every new snapshot; the first one may come from the disk."""

    def __init__(self, database_url: str, file: Path, take: Callable[[Snapshot], None]) -> None:
        self._conninfo = database_url.replace("postgres://", "postgresql://", 1)
        self._file = file
        self._take = take
        self._now = kept.EMPTY
        self._routes = RouteReader()
        self._task: asyncio.Task[None] | None = None
        self.is_connected = False

    async def start(self) -> None:
        """Takes what the disk has, and goes on listening in the background."""
        with contextlib.suppress(OSError, ValueError):
            self._now = kept.unpack(self._file.read_bytes())
            self._take(self._now)
        self._task = asyncio.create_task(self._watch())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._conninfo,
                    autocommit=True,
                    connect_timeout=int(PATIENCE),
                    application_name="slipway-gateway",
                ) as connection:
                    pause = _FIRST_PAUSE
                    await self._follow(connection)
            except (psycopg.Error, OSError, TimeoutError, ValueError) as error:
                # ValueError: a row that this version cannot read, in the middle of an upgrade.
                logger.warning("snapshot not refreshed: %s", type(error).__name__)
            self.is_connected = False
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _follow(self, connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute(f"LISTEN {CHANNEL}")
        wanted, whole_at = {"keys", "routes"}, time.monotonic() + WHOLE_EVERY
        while True:
            if wanted:
                await asyncio.wait_for(self._read(connection, wanted), PATIENCE)
                self.is_connected = True
            wanted = await self._notices(connection)
            if time.monotonic() >= whole_at:
                wanted, whole_at = {"keys", "routes"}, time.monotonic() + WHOLE_EVERY
            elif not wanted:
                await asyncio.wait_for(connection.execute("SELECT 1"), PATIENCE)

    async def _notices(self, connection: psycopg.AsyncConnection[Any]) -> set[str]:
        """What changed, as soon as something does; nothing after a while."""
        found = {notice.payload async for notice in connection.notifies(timeout=ALIVE_EVERY, stop_after=1)}
        if found:
            found |= {notice.payload async for notice in connection.notifies(timeout=GATHER)}
        return found

    async def _read(self, connection: psycopg.AsyncConnection[Any], wanted: set[str]) -> None:
        async with connection.transaction():
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            keys = await read_keys(connection) if "keys" in wanted else self._now.keys
            routes = await self._routes.read(connection) if "routes" in wanted else self._now.routes
        # A new reading that finds the same is worth a new time only, and no write to the disk.
        is_news = keys != self._now.keys or routes != self._now.routes
        self._now = Snapshot(keys, routes, time.time())
        self._take(self._now)
        if is_news:
            self._keep()

    def _keep(self) -> None:
        fresh = self._file.with_suffix(".new")
        try:
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(kept.pack(self._now))
            fresh.replace(self._file)
        except OSError as error:
            logger.error("snapshot not kept on disk: %s", error.strerror)
