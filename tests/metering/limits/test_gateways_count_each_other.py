"""How many gateways there are decides the share of each: seen on Valkey, remembered while it cannot be asked."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import redis
from django.conf import settings

from metering.gateway.peers import STANDS, Peers
from metering.gateway.valkey import Valkey
from tests import loops


@contextlib.asynccontextmanager
async def gateways(count: int, assumed: int = 1) -> AsyncIterator[list[Peers]]:
    valkey = Valkey(settings.REDIS_URL)
    await valkey.start()
    yield [Peers(valkey, f"gateway-{number}", assumed) for number in range(count)]
    await valkey.close()


def test_each_has_another_part(valkey: redis.Redis) -> None:
    async def once() -> list[int]:
        async with gateways(3) as peers:
            for each in peers * 2:
                await each.beat()
            return [each.share.of(11) for each in peers]

    assert loops.run(once()) == [4, 4, 3]


def test_who_looks_first_into_an_emptied_valkey_does_not_take_all(valkey: redis.Redis) -> None:
    """E5: FLUSHALL."""

    async def once() -> list[int]:
        async with gateways(3) as peers:
            for each in peers * 2:
                await each.beat()
            valkey.flushall()
            seen = []
            for each in peers * 2:
                await each.beat()
                seen.append(sum(other.share.of(11) for other in peers))
            return seen

    seen = loops.run(once())
    assert max(seen) <= 11
    assert seen[-1] == 11


def test_one_that_left_leaves_its_part_to_the_others_after_a_while(valkey: redis.Redis) -> None:
    async def once() -> tuple[int, int]:
        async with gateways(2) as (stays, leaves):
            for each in (stays, leaves, stays):
                await each.beat()
            await leaves.leave()
            await stays.beat()
            at_first = stays.share.of(10)
            stays.see(1, 0, stays._stands_until + 1)
            return at_first, stays.share.of(10)

    assert STANDS >= 60, "what it admitted counts for a minute"
    assert loops.run(once()) == (5, 10)


def test_who_has_never_seen_valkey_takes_the_smallest_part() -> None:
    """Whichever of the assumed gateways it is."""
    assert Peers(Valkey("unix:///nonexistent"), "new", 3).share.of(11) == 3
    assert Peers(Valkey("unix:///nonexistent"), "new", 1).share.of(11) == 11
