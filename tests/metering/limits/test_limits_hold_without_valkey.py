"""E5: Valkey emptied, killed, started anew, silent: limits hold in all gateways together, and nobody waits or fails.

Windows are a second and a half instead of a minute. Every gateway is a real one with a connection of its own; all of
them want as much as they can get all the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import redis

from deployments.vocabulary import LimitScope
from metering.gateway.limits import Limits
from metering.gateway.valkey import Valkey
from metering.limiter import EPOCH_KEY, Bucket, Refused
from tests import loops
from tests.faults.proxy import Fault, FaultProxy, fault_proxy
from tests.faults.valkey import KillableValkey
from tests.metering.limits.exact import worst_overlap, worst_window

WINDOW = 1.4
LIMIT = 60
BUCKET = Bucket("{1}:organization:1", LimitScope.ORGANIZATION, LIMIT, None)
TOKENS = Bucket("{1}:user:1", LimitScope.USER, None, 600)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KillableValkey]:
    valkey = KillableValkey(tmp_path)
    valkey.start()
    age(valkey)
    yield valkey
    valkey.kill()


def age(server: KillableValkey) -> None:
    """As if this Valkey had run for long: the history of a new one is not trusted for a window."""
    with redis.Redis.from_url(server.url) as client:
        client.set(EPOCH_KEY, int((time.time() - 3600) * 1000))


class Fleet:
    """So many gateways, and what they have admitted."""

    def __init__(self, gateways: list[Limits]) -> None:
        self.gateways = gateways
        self.moments: list[tuple[int, int]] = []
        self.spans: list[tuple[int, int, int]] = []
        self.slowest = 0.0
        self._is_over = False

    async def run(self, plan: Callable[[], AsyncIterator[None]]) -> None:
        workers = [asyncio.create_task(self._want(gateway)) for gateway in self.gateways for _ in range(4)]
        async for _ in plan():
            pass
        self._is_over = True
        await asyncio.gather(*workers)

    async def _want(self, gateway: Limits) -> None:
        while not self._is_over:
            began = time.monotonic()
            admission = await gateway.admit((BUCKET, TOKENS), 5)
            now = time.monotonic()
            self.slowest = max(self.slowest, now - began)
            if isinstance(admission, Refused):
                await asyncio.sleep(min(0.02, admission.retry_ms / 1000))
                continue
            self.moments.append((int(now * 1000), 1))
            await asyncio.sleep(0.01)
            gateway.settle(admission, used=4)
            self.spans.append((int(began * 1000), int(time.monotonic() * 1000), 4))

    def admitted(self, since: float, until: float) -> int:
        return sum(since * 1000 <= at < until * 1000 for at, _ in self.moments)


@contextlib.asynccontextmanager
async def fleet(url: str, count: int) -> AsyncIterator[Fleet]:
    valkeys = [Valkey(url) for _ in range(count)]
    gateways = [
        Limits(valkey, gateway=f"gateway-{number}", assumed_gateways=count, window_seconds=WINDOW)
        for number, valkey in enumerate(valkeys)
    ]
    for valkey in valkeys:
        await valkey.start()
    for _ in range(2):  # twice, so that each has counted the others
        for gateway in gateways:
            await gateway.peers.beat()
    for gateway in gateways:
        await gateway.start()
    yield Fleet(gateways)
    for gateway, valkey in zip(gateways, valkeys, strict=True):
        await gateway.close()
        await valkey.close()


def run(server_url: str, plan: Callable[[Fleet], AsyncIterator[None]], count: int = 3) -> Fleet:
    async def once() -> Fleet:
        async with fleet(server_url, count) as all_of_them:
            await all_of_them.run(lambda: plan(all_of_them))
        return all_of_them

    return loops.run(once())


def holds(fleet: Fleet) -> None:
    """What must be true whatever happened."""
    window = int(WINDOW * 1000)
    # A gateway reads its clock after Valkey's answer: the moments may be a few milliseconds late.
    assert worst_window(fleet.moments, window - 25) <= LIMIT
    assert worst_overlap(fleet.spans, window - 25) <= TOKENS.tokens  # type: ignore[operator]
    assert len(fleet.moments) > LIMIT


def test_together_they_admit_all_of_the_limit_and_no_more(server: KillableValkey) -> None:
    async def plan(fleet: Fleet) -> AsyncIterator[None]:
        await asyncio.sleep(3 * WINDOW)
        yield

    found = run(server.url, plan)
    holds(found)
    assert len(found.moments) >= 3 * LIMIT
    assert all(gateway.alone == 0 for gateway in found.gateways)


def test_an_emptied_valkey_is_not_believed_for_a_window(server: KillableValkey) -> None:
    """E5: FLUSHALL under load."""
    ended: list[float] = []

    async def plan(fleet: Fleet) -> AsyncIterator[None]:
        await asyncio.sleep(WINDOW)
        with redis.Redis.from_url(server.url) as client:
            client.flushall()
        await asyncio.sleep(2.5 * WINDOW)
        ended.append(time.monotonic())
        yield
        assert not any(gateway.is_alone for gateway in fleet.gateways)

    found = run(server.url, plan)
    holds(found)
    assert all(gateway.alone > 0 for gateway in found.gateways)
    assert found.admitted(ended[0] - WINDOW, ended[0]) > LIMIT / 2


def test_a_valkey_that_is_killed_and_comes_back_empty_costs_nobody_a_limit(server: KillableValkey) -> None:
    """E5: killed under load, away for longer than a window, started anew without its data."""
    outage: list[float] = []

    async def plan(fleet: Fleet) -> AsyncIterator[None]:
        await asyncio.sleep(WINDOW)
        server.kill()
        outage.append(time.monotonic())
        await asyncio.sleep(1.5 * WINDOW)
        outage.append(time.monotonic())
        await asyncio.to_thread(server.start)
        await asyncio.sleep(3 * WINDOW)
        yield
        assert not any(gateway.is_alone for gateway in fleet.gateways)

    found = run(server.url, plan)
    holds(found)
    assert found.admitted(outage[0] + WINDOW / 2, outage[1]) > LIMIT / 4, "they served on their own"
    assert found.slowest < 1.0


@pytest.fixture
def proxy(server: KillableValkey) -> Iterator[FaultProxy]:
    with fault_proxy(server.socket) as between:
        yield between


def test_a_silent_valkey_is_waited_for_once_and_not_by_everybody_in_turn(proxy: FaultProxy) -> None:
    """E5: a black hole under load. One time limit, then each gateway goes on by itself."""

    async def plan(fleet: Fleet) -> AsyncIterator[None]:
        await asyncio.sleep(WINDOW)
        proxy.set(Fault.SWALLOW)
        await asyncio.sleep(1.5 * WINDOW)
        proxy.set(Fault.PASS)
        await asyncio.sleep(3 * WINDOW)
        yield
        assert not any(gateway.is_alone for gateway in fleet.gateways)

    found = run(f"redis://127.0.0.1:{proxy.port}/0", plan)
    holds(found)
    assert found.slowest < 0.8


def test_a_gateway_that_is_cut_off_alone_takes_its_share_only(
    proxy: FaultProxy, server: KillableValkey
) -> None:
    """E5, P16: while the others go on together, the one that Valkey does not answer keeps to L / N."""

    async def once() -> tuple[int, int]:
        valkeys = [Valkey(server.url), Valkey(f"redis://127.0.0.1:{proxy.port}/0")]
        together, cut_off = (
            Limits(valkey, gateway=f"g{number}", assumed_gateways=2, window_seconds=WINDOW)
            for number, valkey in enumerate(valkeys)
        )
        for valkey, gateway in zip(valkeys, (together, cut_off), strict=True):
            await valkey.start()
            await gateway.start()
        proxy.set(Fault.REFUSE)
        await asyncio.sleep(0.1)
        counts = []
        for gateway in (cut_off, together):
            admissions = [await gateway.admit((BUCKET,), 0) for _ in range(2 * LIMIT)]
            counts.append(sum(not isinstance(each, Refused) for each in admissions))
        for valkey, gateway in zip(valkeys, (together, cut_off), strict=True):
            await gateway.close()
            await valkey.close()
        return counts[0], counts[1]

    alone, together = loops.run(once())
    assert alone == LIMIT // 2
    assert together == LIMIT


def test_what_was_admitted_alone_is_told_when_valkey_is_back(
    proxy: FaultProxy, server: KillableValkey
) -> None:
    async def once() -> int:
        valkey = Valkey(f"redis://127.0.0.1:{proxy.port}/0")
        limits = Limits(valkey, gateway="one", window_seconds=30.0)
        await valkey.start()
        await limits.start()
        proxy.set(Fault.REFUSE)
        await asyncio.sleep(0.1)
        for _ in range(10):
            admission = await limits.admit((BUCKET, TOKENS), 5)
            assert not isinstance(admission, Refused)
            limits.settle(admission, used=3)
        proxy.set(Fault.PASS)
        await asyncio.sleep(1.0)
        await limits.close()
        await valkey.close()
        with redis.Redis.from_url(server.url) as client:
            assert client.hget(BUCKET.key, "requests") == b"10"
            return int(client.hget(TOKENS.key, "used") or 0)

    assert loops.run(once()) == 30
