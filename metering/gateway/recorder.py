"""Brings every admitted request into the ledger's stream once it is over, whatever happens on the way.

1. A request is noted in the journal when it is admitted, and its event when it is over.
2. Events go to the Valkey stream in batches; a slot is free when Valkey has confirmed.
3. While Valkey is away they go to the spool, and from there to the stream when it is back.
4. What gateways before this one left in journals and spools is brought in at the start, and every now and then.

An event may reach the stream twice (the confirmation was lost); the ledger knows it by its id.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

from metering.events import FIELD, STREAM, Event, encode
from metering.gateway import journal as journals
from metering.gateway import spool as spools
from metering.gateway.journal import Full, Journal, Progress
from metering.gateway.spool import Spool
from metering.gateway.valkey import Away, Valkey

logger = logging.getLogger(__name__)

#: Seconds that an event may wait for others, and between two looks at what was left behind.
GATHER, LOOK_EVERY = 0.01, 5.0
MOST_AT_ONCE = 500
#: A gateway's own figures, for the page that checks the ledger, and how long they are kept after it is gone.
FIGURES_KEY = "slipway:gateway:"
_FIGURES_KEPT = 35 * 24 * 3600


class Recorder:
    """One gateway's way to the ledger."""

    def __init__(self, valkey: Valkey, folder: Path, gateway: str, slots: int) -> None:
        self._valkey = valkey
        self._folder = folder
        self._gateway = gateway
        self._journal = Journal(folder, gateway, slots)
        self._spool = Spool(folder, gateway)
        self._waiting: deque[tuple[int | None, bytes]] = deque()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_closing = False
        self._since = time.time()
        self.admitted = self.settled = self.spooled = self.recovered = 0

    @property
    def waiting(self) -> int:
        """Events that are neither in the stream nor in the spool yet; the journal has them."""
        return len(self._waiting)

    @property
    def in_spool(self) -> int:
        return self._spool.events

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._deliver()), asyncio.create_task(self._look_after())]

    async def close(self) -> None:
        """Delivers what is there, to the stream or to the spool."""
        self._is_closing = True
        self._wake.set()
        deliver, look_after = self._tasks
        await deliver
        look_after.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await look_after
        self._spool.seal()
        await self._publish(0, 0.0)
        self._journal.close()

    def open(self, event: Event) -> int | None:
        """Notes an admitted request; None when the journal is full, and a kill would lose it."""
        self.admitted += 1
        try:
            return self._journal.open(event)
        except Full:
            logger.error("the journal is full")
            return None

    def progress(self, slot: int | None) -> Progress:
        """Where to note how far a request has come, in case that this process does not live to see its end."""
        return journals.unkept() if slot is None else self._journal.progress(slot)

    def close_entry(self, slot: int | None, event: Event) -> None:
        """The end of a request: exactly once for each that was opened."""
        payload = encode(event)
        if slot is not None:
            self._journal.finish(slot, payload)
        self.settled += 1
        self._waiting.append((slot, payload))
        if not self._wake.is_set():
            self._wake.set()

    async def publish(self, in_flight: int, oldest_hold: float) -> None:
        """Writes this gateway's own figures where the ledger's page finds them."""
        with contextlib.suppress(Away):
            await self._publish(in_flight, oldest_hold)

    async def _publish(self, in_flight: int, oldest_hold: float) -> None:
        key = FIGURES_KEY + self._gateway
        figures: dict[str, str | int] = {
            "admitted": self.admitted,
            "settled": self.settled,
            "in_flight": in_flight,
            "spooled": self._spool.events + len(self._waiting),
            "at": int(time.time()),
            "since": int(self._since),
            "oldest_hold_s": f"{oldest_hold:.1f}",
        }
        with contextlib.suppress(Away):
            await self._valkey.call("HSET", key, *(word for pair in figures.items() for word in pair))
            await self._valkey.call("EXPIRE", key, _FIGURES_KEPT)

    async def _deliver(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if not self._is_closing:
                await asyncio.sleep(GATHER)
            while self._waiting:
                count = min(len(self._waiting), MOST_AT_ONCE)
                batch = [self._waiting[index] for index in range(count)]
                if not await self._hand_over([payload for _, payload in batch]):
                    await asyncio.sleep(1.0)  # the disk is full as well: the journal and the memory have them
                    if self._is_closing:
                        logger.critical("%d events stay in the journal", len(self._waiting))
                        return
                    continue
                for slot, _ in batch:
                    self._waiting.popleft()
                    if slot is not None:
                        self._journal.free(slot)
            if self._is_closing:
                return

    async def _hand_over(self, payloads: Sequence[bytes]) -> bool:
        """To the stream, or else to the spool; False when neither takes them."""
        if self._valkey.is_up:
            with contextlib.suppress(Away):
                await self._send(payloads)
                return True
        try:
            self._spool.append(payloads)
        except OSError as error:
            logger.critical("events cannot be spooled: %s", error.strerror)
            return False
        self.spooled += len(payloads)
        return True

    async def _send(self, payloads: Iterable[bytes]) -> None:
        """Raises Away unless Valkey has confirmed all of them."""
        added = [self._valkey.send("XADD", STREAM, "*", FIELD, payload) for payload in payloads]
        for answer in added:  # they were sent together, so nobody waits for more than one of them
            await answer

    async def _look_after(self) -> None:
        """Brings in what is in spools, and what gateways left that are gone."""
        while True:
            try:
                if self._valkey.is_up:
                    await self._replay()
                    await self._recover()
            except (Away, OSError) as error:
                logger.warning("left-over events wait: %s", type(error).__name__)
            await asyncio.sleep(LOOK_EVERY)

    async def _replay(self) -> None:
        self._spool.seal()
        for path, lock in spools.sealed(self._folder):
            try:
                payloads = list(spools.read(path))
                for at in range(0, len(payloads), MOST_AT_ONCE):
                    await self._send(payloads[at : at + MOST_AT_ONCE])
                path.unlink(missing_ok=True)
                if path.name.startswith(f"{self._gateway}-"):
                    self._spool.events = max(0, self._spool.events - len(payloads))
                logger.info("%d events brought in from the spool", len(payloads))
            finally:
                os.close(lock)

    async def _recover(self) -> None:
        for gateway, payloads, path, lock in journals.left_behind(self._folder):
            try:
                for at in range(0, len(payloads), MOST_AT_ONCE):
                    await self._send(payloads[at : at + MOST_AT_ONCE])
                path.unlink(missing_ok=True)
                self.recovered += len(payloads)
                await self._balance(gateway)
                logger.warning("%d requests of a gateway that is gone are settled", len(payloads))
            finally:
                os.close(lock)

    async def _balance(self, gateway: str) -> None:
        """A gateway that is gone has nothing in flight any more, and all that it admitted is settled."""
        key = FIGURES_KEY + gateway
        admitted = await self._valkey.call("HGET", key, "admitted")
        if admitted is not None:
            figures = ("settled", admitted, "in_flight", 0, "spooled", 0, "oldest_hold_s", "0.0")
            await self._valkey.call("HSET", key, *figures)
