"""Reads the stream and hands batches to the intake; confirms what is committed. Any number may run at once.

What was read and not confirmed stays with its reader; when a reader dies, another one claims it after a while. So an
entry may come twice, and never not at all.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from collections.abc import Callable
from typing import Any

import redis
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from metering.events import FIELD, GROUP, STREAM
from metering.ledger import intake
from metering.ledger.intake import Taken
from metering.ledger.judging import Entry

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 5000
#: Milliseconds to wait for something new, and after which the entries of a silent reader are claimed.
BLOCK, ABANDONED = 1000, 30_000
CLAIM_EVERY = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
LAST_BATCH_KEY = "slipway:ledger:last"
"""Unix time of the last batch that was committed."""
_BEGINNING = b"0-0"

#: An entry's place in the stream, and its fields; none when it was deleted meanwhile, because it was taken in.
_Found = tuple[bytes, dict[bytes, bytes]]


class Ledger:
    """One reader. `stop` ends it after the batch that is under way."""

    def __init__(self, redis_url: str, *, abandoned_ms: int = ABANDONED) -> None:
        self._client = redis.Redis.from_url(
            redis_url, socket_timeout=BLOCK / 1000 + 4, socket_connect_timeout=2
        )
        self._name = f"ledger-{secrets.token_hex(4)}"
        self._abandoned = abandoned_ms
        self._claimed_at = 0.0
        self._claim_from = _BEGINNING
        self._has_pending = False
        """Entries were read and could not be taken in: they come before new ones."""
        self.is_stopping = False

    def stop(self) -> None:
        self.is_stopping = True

    def run(self, progress: Callable[[Taken], None] = lambda taken: None) -> None:
        """Until it is stopped. Waits, ever longer, for a Valkey or a Postgres that is away."""
        pause = _FIRST_PAUSE
        while not self.is_stopping:
            try:
                taken = self.step()
            except (redis.RedisError, DatabaseError, InterfaceError) as error:
                logger.warning(
                    "ledger waits: %s: %s", type(error).__name__, str(error).partition("\n")[0][:200]
                )
                connection.close()
                self._has_pending = True
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            pause = _FIRST_PAUSE
            if any(taken):
                progress(taken)
        with contextlib.suppress(redis.RedisError):
            if not self._has_pending:
                self._client.xgroup_delconsumer(STREAM, GROUP, self._name)
        self._client.close()

    def step(self) -> Taken:
        """One batch: read, taken in, confirmed."""
        found = self._read()
        if not found:
            return Taken()
        taken = intake.take([_entry(id, fields) for id, fields in found if fields], timezone.now())
        ids = [id for id, _ in found]
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.xack(STREAM, GROUP, *ids)
            pipeline.xdel(STREAM, *ids)
            pipeline.set(LAST_BATCH_KEY, int(time.time()))
            pipeline.execute()
        if taken.rejected:
            logger.warning("ledger rejected %d events: look at Usage, Correctness", taken.rejected)
        return taken

    def _read(self) -> list[_Found]:
        try:
            if self._has_pending:
                found = self._group_read("0", block=None)
                self._has_pending = bool(found)
                if found:
                    return found
            if time.monotonic() - self._claimed_at > CLAIM_EVERY:
                if found := self._claim():
                    return found
                self._claimed_at = time.monotonic()
            return self._group_read(">", block=BLOCK)
        except redis.ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            # The first start, or a Valkey that was emptied. From the beginning: what is known already changes nothing.
            with contextlib.suppress(redis.ResponseError):
                self._client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
            return []

    def _group_read(self, position: str, block: int | None) -> list[_Found]:
        answer: Any = self._client.xreadgroup(
            GROUP, self._name, {STREAM: position}, count=MOST_AT_ONCE, block=block
        )
        return answer[0][1] if answer else []

    def _claim(self) -> list[_Found]:
        """What a silent reader has left; a part of it, and nothing once all of it was looked through."""
        while True:
            answer: Any = self._client.xautoclaim(
                STREAM, GROUP, self._name, self._abandoned, self._claim_from, count=MOST_AT_ONCE
            )
            self._claim_from, found = answer[0], answer[1]
            if found or self._claim_from == _BEGINNING:
                return found


def _entry(id: bytes, fields: dict[bytes, bytes]) -> Entry:
    """What has no such field is nothing that a gateway wrote; it is judged like everything else."""
    return Entry(id.decode(), fields.get(FIELD.encode(), b""))
