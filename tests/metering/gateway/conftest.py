"""Gateways and engines for tests: some for the whole run, some for one test that breaks them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import redis

from metering.gateway.snapshot import Snapshot
from metering.limiter import EPOCH_KEY
from tests.metering.gateway import world
from tests.metering.gateway.engine import Engine, running
from tests.metering.gateway.world import GatewayProcess


class Tap(NamedTuple):
    engine: Engine
    gateway: GatewayProcess


@pytest.fixture(scope="session")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway without engines, for everything that ends before one is asked."""
    folder = tmp_path_factory.mktemp("edge")
    private = world.route("private", number=8, organizations=frozenset({world.GLOBEX}))
    gateway = GatewayProcess(folder, environment={"GATEWAY_MOST_BODY": str(1024 * 1024)})
    gateway.start(world.snapshot([world.route("chat", "http://127.0.0.1:9"), private]))
    yield gateway
    assert gateway.stop() == 0, gateway.log
    assert "Traceback" not in gateway.log


@pytest.fixture
def gateways(tmp_path: Path) -> Iterator[Callable[..., GatewayProcess]]:
    """Makes gateways of a test's own; all of them end with the test, and none may have failed in a way unforeseen."""
    made: list[GatewayProcess] = []

    def make(known: Snapshot, *, name: str = "gateway", **environment: str) -> GatewayProcess:
        gateway = GatewayProcess(tmp_path / name, environment=environment)
        made.append(gateway)
        return gateway.start(known)

    yield make
    for gateway in made:
        gateway.stop()
        assert "Traceback" not in gateway.log


@pytest.fixture
def engine() -> Iterator[Engine]:
    with running() as one:
        yield one


@pytest.fixture
def old_valkey(valkey: redis.Redis) -> redis.Redis:
    """As if it had run for long: the history of a new one is not trusted for a minute."""
    valkey.set(EPOCH_KEY, int((time.time() - 3600) * 1000))
    return valkey


@pytest.fixture(scope="session")
def tap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tap]:
    """One engine behind one gateway for the whole run, for what leaves both of them as they were."""
    with running() as one:
        gateway = GatewayProcess(tmp_path_factory.mktemp("tap"))
        gateway.start(world.snapshot([world.route("chat", one.url)]))
        yield Tap(one, gateway)
        assert gateway.stop() == 0, gateway.log
        assert "Traceback" not in gateway.log
