"""How many gateways there are, and which of them this one is: what its share of each limit depends on.

Each gateway beats into a sorted set on Valkey and reads who else did. While Valkey is away, what was last read stands.
"""

from __future__ import annotations

import contextlib

from metering import limiter
from metering.gateway.valkey import Away, Valkey
from metering.local_share import Share

KEY = "slipway:gateways"
"""Sorted set of gateways by their last beat, in seconds of Valkey's clock."""
#: Seconds between two beats, and after which a silent gateway is not counted any more.
BEAT, SILENT = 2.0, 10.0
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
        self.share = Share(assumed)

    async def beat(self) -> None:
        """Says that this gateway lives, and learns how many do."""
        with contextlib.suppress(Away):
            found = await self._valkey.evalsha(_SCRIPT, [KEY], [self._gateway, int(SILENT), _FORGOTTEN])
            if found:
                gateways, rank = found
                self.share = Share(max(gateways, self._assumed), rank)

    async def leave(self) -> None:
        """This gateway admits nothing any more."""
        with contextlib.suppress(Away):
            await self._valkey.call("ZREM", KEY, self._gateway)
