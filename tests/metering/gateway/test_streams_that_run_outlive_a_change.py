"""E25: rights end while a hundred streams run: no new request on any gateway, and every stream to its own end.

A budget that is used up stops nothing (docs/metering.md), and who loses a role of the platform is signed out at once:
tests/console/accounts/test_sessions_end.py.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import redis
from django.db import connections

from console.models import Membership, User
from console.organizations import changing
from deployments.spec import SharingSpec
from deployments.vocabulary import Sharing
from metering import issuing
from tests import loops
from tests.metering.gateway import world
from tests.metering.gateway.engine import Engine, Script
from tests.metering.gateway.test_what_changes_reaches_gateways import Town, town

__all__ = ["town"]
pytestmark = pytest.mark.django_db(transaction=True)
STREAMS, TOKENS = 100, 30

CHANGES: dict[str, tuple[Callable[[Town], Any], int]] = {
    "the key is revoked": (lambda town: issuing.revoke(town.key, by=town.bob), 401),
    "its person is deactivated": (
        lambda town: User.objects.filter(pk=town.bob.pk).update(is_active=False),
        401,
    ),
    "its person leaves": (lambda town: Membership.objects.filter(user=town.bob).delete(), 401),
    "the organisation is suspended": (
        lambda town: changing.suspend(town.acme, reason="Unpaid.", by=town.bob),
        403,
    ),
    "the model is unshared": (lambda town: town.save(sharing=SharingSpec(Sharing.PRIVATE)), 404),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_runs_ends_as_usual_and_nothing_new_begins(
    town: Town, engine: Engine, old_valkey: redis.Redis, change: str
) -> None:
    act, status = CHANGES[change]
    before = len(engine.seen)
    engine.script = Script(tokens=TOKENS, itl=0.1)
    texts, took = loops.run(_while_streams_run(town, engine, before, lambda: act(town), status))
    assert took < 1.0
    assert [text.rstrip().endswith("data: [DONE]") for text in texts] == [True] * STREAMS
    ours = engine.seen[before : before + STREAMS]
    assert all(each.is_complete and each.generated == TOKENS for each in ours)
    # And every one of them is on the bill, to the last token.
    told = [
        event for event in world.events(old_valkey, before + STREAMS, 15) if event.output_tokens == TOKENS
    ]
    assert len(told) == STREAMS
    assert {event.status for event in told} == {"completed"}


async def _while_streams_run(
    town: Town, engine: Engine, before: int, act: Callable[[], Any], status: int
) -> tuple[list[str], float]:
    async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=None)) as client:
        running = [
            asyncio.create_task(_stream(client, town.gateways[number % 2].url, town.text))
            for number in range(STREAMS)
        ]
        deadline = time.monotonic() + 10
        while len(engine.seen) < before + STREAMS:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        engine.script = Script()  # of those that are let in while the change is under way
        await asyncio.to_thread(_acting(act))
        took = await asyncio.to_thread(town.until, status)
        assert not any(each.is_complete for each in engine.seen[before : before + STREAMS]), (
            "they still ran then"
        )
        return await asyncio.gather(*running), took


def _acting(act: Callable[[], Any]) -> Callable[[], None]:
    def run() -> None:
        try:
            act()
        finally:
            connections.close_all()

    return run


async def _stream(client: httpx.AsyncClient, url: str, key: str) -> str:
    body = {"model": "chat", "stream": True, "messages": [{"role": "user", "content": "one two three"}]}
    answer = await client.post(
        f"{url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"}
    )
    assert answer.status_code == 200, answer.text
    return answer.text
