"""An admission here and what Valkey has counted of it agree in the end, in whatever order things happen."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from deployments.vocabulary import LimitScope
from metering.gateway.admission import Admission
from metering.gateway.limits import Limits
from metering.gateway.valkey import Valkey
from metering.limiter import EPOCH_KEY, Bucket, Refused
from tests import loops
from tests.faults.proxy import Fault, FaultProxy, fault_proxy
from tests.faults.valkey import KillableValkey

REQUESTS = Bucket("{1}:organization:1", LimitScope.ORGANIZATION, 40, None)
TOKENS = Bucket("{1}:user:1", LimitScope.USER, None, 1000)
WINDOW = 20.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KillableValkey]:
    valkey = KillableValkey(tmp_path)
    valkey.start()
    with redis.Redis.from_url(valkey.url) as client:
        client.set(EPOCH_KEY, 1)  # as if it had run for long
    yield valkey
    valkey.kill()


@pytest.fixture
def proxy(server: KillableValkey) -> Iterator[FaultProxy]:
    with fault_proxy(server.socket) as between:
        yield between


@contextlib.asynccontextmanager
async def gateway(url: str, name: str = "one", gateways: int = 1) -> AsyncIterator[Limits]:
    valkey = Valkey(url)
    limits = Limits(valkey, gateway=name, assumed_gateways=gateways, window_seconds=WINDOW)
    await valkey.start()
    await limits.start()
    yield limits
    await limits.close()
    await valkey.close()


async def admitted(limits: Limits, bucket: Bucket, tokens: int) -> Admission:
    admission = await limits.admit((bucket,), tokens)
    assert not isinstance(admission, Refused)
    return admission


def known(server: KillableValkey, bucket: Bucket) -> tuple[int, int]:
    """Tokens used and held."""
    with redis.Redis.from_url(server.url) as client:
        used, held = client.hmget(bucket.key, "used", "held")
        return int(used or 0), int(held or 0)


def after(server: KillableValkey, story: Callable[[Limits], Coroutine[Any, Any, None]]) -> tuple[int, int]:
    """What Valkey knows of TOKENS when one gateway has done so and has told all."""

    async def once() -> None:
        async with gateway(server.url) as limits:
            await story(limits)

    loops.run(once())
    return known(server, TOKENS)


def test_a_request_that_holds_nothing_is_over_at_once(server: KillableValkey) -> None:
    """Under a limit on requests alone nobody settles, and nothing may gather."""

    async def story(limits: Limits) -> None:
        for _ in range(5):
            await admitted(limits, REQUESTS, 0)
        await asyncio.sleep(0.05)
        assert limits.oldest_hold_seconds == 0

    after(server, story)


def test_a_stream_that_ends_while_it_asks_for_more_leaves_nothing_held(server: KillableValkey) -> None:
    async def story(limits: Limits) -> None:
        for _ in range(10):
            stream = await admitted(limits, TOKENS, 50)
            asking = asyncio.create_task(limits.extend(stream, used=20, hold=60))
            await asyncio.sleep(0)
            limits.settle(stream, used=25)
            await asking
        assert limits.oldest_hold_seconds == 0

    assert after(server, story) == (250, 0)


def test_what_goes_back_while_a_stream_asks_for_more_is_not_taken_from_others(server: KillableValkey) -> None:
    async def story(limits: Limits) -> None:
        other = await admitted(limits, TOKENS, 100)
        stream = await admitted(limits, TOKENS, 100)
        asking = asyncio.create_task(limits.extend(stream, used=10, hold=50))
        await asyncio.sleep(0)
        limits.adjust(stream, hold=90)
        assert await asking is None
        await asyncio.sleep(0.1)
        assert known(server, TOKENS) == (10, 100 + stream.hold)
        limits.settle(stream, used=5)
        await asyncio.sleep(0.1)
        assert known(server, TOKENS) == (15, 100)
        limits.settle(other, used=100)

    assert after(server, story) == (115, 0)


def test_a_refused_stream_keeps_what_it_has(server: KillableValkey) -> None:
    async def story(limits: Limits) -> None:
        stream = await admitted(limits, TOKENS, 600)
        refused = await limits.extend(stream, used=100, hold=901)
        assert isinstance(refused, Refused)
        assert refused.never
        assert await limits.extend(stream, used=100, hold=900) is None
        limits.settle(stream, used=900)

    assert after(server, story) == (1000, 0)


def test_who_does_not_trust_valkey_yet_keeps_to_what_it_says_all_the_same(
    proxy: FaultProxy, server: KillableValkey
) -> None:
    """E5: of two gateways one was cut off. It is back, and must not add its share to what the other has admitted."""

    async def once() -> list[int]:
        async with (
            gateway(server.url, "steady", 2) as steady,
            gateway(f"redis://127.0.0.1:{proxy.port}/0", "back", 2) as back,
        ):
            proxy.set(Fault.REFUSE)
            await asyncio.sleep(0.2)
            proxy.set(Fault.PASS)
            await asyncio.sleep(1.5)
            assert back.is_alone
            assert not steady.is_alone
            counts = []
            for limits in (steady, back):
                answers = [await limits.admit((REQUESTS,), 0) for _ in range(50)]
                counts.append(sum(not isinstance(each, Refused) for each in answers))
            return counts

    assert loops.run(once()) == [40, 0]


def test_who_does_not_trust_valkey_yet_takes_no_more_than_its_share(
    proxy: FaultProxy, server: KillableValkey
) -> None:
    async def once() -> int:
        async with gateway(f"redis://127.0.0.1:{proxy.port}/0", "back", 2) as back:
            proxy.set(Fault.REFUSE)
            await asyncio.sleep(0.2)
            proxy.set(Fault.PASS)
            await asyncio.sleep(1.5)
            answers = await asyncio.gather(*(back.admit((REQUESTS,), 0) for _ in range(50)))
            return sum(not isinstance(each, Refused) for each in answers)

    assert loops.run(once()) == 20
    with redis.Redis.from_url(server.url) as client:
        assert client.hget(REQUESTS.key, "requests") == b"20"
