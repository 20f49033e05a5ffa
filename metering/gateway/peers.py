"""How many gateways there are, and which of them this one is: what its share of each limit depends on.

Each gateway beats into a sorted set on Valkey and reads who else did. While Valkey is away, what was last read stands.
"""

from __future__ import annotations

import contextlib
import time

from metering import limiter
from metering.gateway.valkey import Away, Valkey
from metering.local_share import Share

KEY = "slipway:gateways"
"""Sorted set of gateways by their last beat, in seconds of Valkey's clock."""
#: Seconds between two beats, and after which a silent gateway is not counted any more.
BEAT, SILENT = 2.0, 10.0
#: Seconds for which a number of gateways stands after there were fewer: what those that are gone have admitted still
#: counts, and of a Valkey that was emptied the first to beat sees only itself.
STANDS = 60.0
_FORGOTTEN = 3600
_SCRIPT = limiter.Script.of("""
local t = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], t, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', t - ARGV[3])
local live = redis.call('ZRANGEBYSCORE', KEYS[1], t - ARGV[2], '+inf')
table.sort(live)
for index, name in ipairs(live) do if name == ARGV[1] then return {#live, index - 1} end end
""")


class Peers:
    """This gateway among all. `assumed`: there are at least so many, whoever can be seen."""

    def __init__(self, valkey: Valkey, gateway: str, assumed: int) -> None:
        self._valkey, self._gateway, self._assumed = valkey, gateway, assumed
        self._most, self._stands_until = 0, 0.0
        self.share = self._smallest(assumed)

    async def beat(self) -> None:
        """Says that this gateway lives, and learns how many do."""
        with contextlib.suppress(Away):
            found = await self._valkey.evalsha(_SCRIPT, [KEY], [self._gateway, int(SILENT), _FORGOTTEN])
            if found:
                gateways, rank = found
                self.see(gateways, rank, time.monotonic())

    def see(self, gateways: int, rank: int, now: float) -> None:
        """So many live, and this is the `rank`-th of them."""
        if gateways >= self._most or now >= self._stands_until:
            self._most, self._stands_until = gateways, now + STANDS
        number = max(self._most, self._assumed)
        # Among fewer than there were, two may believe that they have the same rank.
        self.share = Share(number, rank) if gateways == self._most else self._smallest(number)

    @staticmethod
    def _smallest(gateways: int) -> Share:
        """What every gateway may take, whichever it is."""
        return Share(gateways, gateways - 1)

    async def leave(self) -> None:
        """This gateway admits nothing any more."""
        with contextlib.suppress(Away):
            await self._valkey.call("ZREM", KEY, self._gateway)
