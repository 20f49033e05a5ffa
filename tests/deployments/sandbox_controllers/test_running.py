"""The real loop with real engines: it moves by itself, rests when there is nothing to do, and leaves nothing behind."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from deployments.sandbox.controllers import Controllers
from deployments.sandbox.settings import Settings
from deployments.sandbox.store import Store
from tests import loops
from tests.deployments.sandbox_controllers.cluster import NAMESPACE, workload


@contextlib.asynccontextmanager
async def _moving(speed: float = 100) -> AsyncIterator[tuple[Store, Controllers]]:
    store = Store(lambda: datetime.now(UTC))
    controllers = Controllers(store, Settings(speed=speed), store.now)
    task = asyncio.create_task(controllers.run())
    try:
        yield store, controllers
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


def _url(store: Store) -> str:
    pod = store.get("pods", NAMESPACE, "md-a-0") or {"metadata": {}}
    return str((pod["metadata"].get("annotations") or {}).get("sandbox.slipway/engine", ""))


def _ready(store: Store) -> bool:
    found = store.get("statefulsets", NAMESPACE, "md-a")
    return bool(found and (found.get("status") or {}).get("readyReplicas"))


def test_a_deployment_comes_up_serves_and_goes() -> None:
    async def scenario() -> None:
        async with _moving() as (store, _controllers), httpx.AsyncClient() as client:
            store.create("statefulsets", NAMESPACE, workload())
            await _until(lambda: _ready(store))
            url = _url(store)
            assert (await client.get(f"{url}/health")).status_code == 200
            body = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 3}
            answer = (await client.post(f"{url}/v1/chat/completions", json=body)).json()
            assert answer["usage"]["completion_tokens"] == 3
            store.delete("statefulsets", NAMESPACE, "md-a")
            await _until(lambda: not store.list("pods"))
            with pytest.raises(httpx.ConnectError):
                await client.get(f"{url}/health")

    loops.run(scenario())


def test_an_engine_that_is_told_to_fail_is_restarted_by_its_kubelet() -> None:
    async def scenario() -> None:
        async with _moving() as (store, _controllers), httpx.AsyncClient() as client:
            store.create("statefulsets", NAMESPACE, workload())
            await _until(lambda: _ready(store))
            first = _url(store)
            await client.post(f"{first}/sandbox/fail")
            await _until(lambda: _ready(store) and _url(store) not in ("", first))
            pod = store.get("pods", NAMESPACE, "md-a-0")
            assert pod is not None
            assert pod["status"]["containerStatuses"][0]["restartCount"] == 1

    loops.run(scenario())


def test_an_idle_cluster_does_not_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: list[int] = []
    tick = Controllers.tick

    def counted(self: Controllers) -> None:
        ticks.append(1)
        tick(self)

    monkeypatch.setattr(Controllers, "tick", counted)

    async def scenario() -> None:
        async with _moving() as (store, _controllers):
            await asyncio.sleep(0.9)
            assert len(ticks) == 1
            store.create("namespaces", None, {"metadata": {"name": "new"}})
            await _until(lambda: len(ticks) > 1)

    loops.run(scenario())


def test_a_controller_that_fails_does_not_end_the_cluster(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = [True]
    tick = Controllers.tick

    def sometimes(self: Controllers) -> None:
        if broken.pop() if broken else False:
            raise ValueError("an object that nobody understands")
        tick(self)

    monkeypatch.setattr(Controllers, "tick", sometimes)

    async def scenario() -> None:
        async with _moving() as (store, _controllers):
            await asyncio.sleep(0.3)
            store.create("statefulsets", NAMESPACE, workload())
            await _until(lambda: _ready(store))

    loops.run(scenario())
    assert "A controller failed" in caplog.text
