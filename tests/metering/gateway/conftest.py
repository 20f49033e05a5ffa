"""A gateway without engines, one for the whole run, for everything that ends before an engine is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from metering.gateway.snapshot import Snapshot
from tests.metering.gateway import world
from tests.metering.gateway.world import GatewayProcess


@pytest.fixture(scope="session")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
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
