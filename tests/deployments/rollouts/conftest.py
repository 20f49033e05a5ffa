"""Two sandboxes for these tests: one that only keeps what is written, one that lives, twenty times as fast as life."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from deployments.clusters import connections
from deployments.desired import queueing, wishes
from tests.deployments.rollouts.world import World
from tests.deployments.sandbox_api.cluster import Cluster as Sandbox
from tests.deployments.sandbox_api.conftest import make_namespace


@pytest.fixture(scope="session")
def still_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path_factory.mktemp("still") / "data", "--no-controllers")
    yield sandbox
    assert sandbox.end() == 0


@pytest.fixture(scope="session")
def living_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path_factory.mktemp("living") / "data", "--speed", "60")
    yield sandbox
    assert sandbox.end() == 0


@pytest.fixture(autouse=True)
def no_hints(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No worker runs here; and connections end with the test."""
    for module in (queueing, wishes):
        monkeypatch.setattr(module, "hint", lambda deployment_id: None)
    yield
    connections.close_all()


@pytest.fixture
def world(db: None, still_sandbox: Sandbox) -> Iterator[World]:
    yield World(still_sandbox, make_namespace(still_sandbox))
    still_sandbox.ask("DELETE", "/sandbox/faults")


@pytest.fixture
def living(db: None, living_sandbox: Sandbox) -> Iterator[World]:
    world = World(living_sandbox, make_namespace(living_sandbox))
    yield world
    living_sandbox.ask("DELETE", "/sandbox/faults")
    # Pods that stay would hold the GPUs of the tests that follow.
    living_sandbox.ask("DELETE", f"/api/v1/namespaces/{world.namespace}")


@pytest.fixture
def fault(world: World) -> Callable[..., None]:
    """Asks for a failure of the API."""

    def ask(**fault: Any) -> None:
        status, body, _headers = world.sandbox.ask("POST", "/sandbox/faults", fault)
        assert status == 201, body

    return ask
