"""Every check runs against the sandbox, and against the API server that SLIPWAY_TEST_KUBECONFIG names, if it does.

The account in that kubeconfig must be an administrator's. Each test makes a namespace `contract-…` and removes it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deployments.sandbox_api.cluster import Cluster as Sandbox
from tests.kube_contract.place import Place, Rollout
from tests.kube_contract.report import RAN_ON

NAMED = "SLIPWAY_TEST_KUBECONFIG"


def places() -> list[str]:
    return ["sandbox", *(["named"] if os.environ.get(NAMED) else [])]


@pytest.fixture(scope="session", params=places())
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if request.param == "named":
        named = Place("named", Path(os.environ[NAMED]))
        yield named
        named.close()
        return
    sandbox = Sandbox(tmp_path_factory.mktemp("contract") / "data", "--speed", "20")
    made = Place("sandbox", sandbox.kubeconfig, sandbox)
    yield made
    made.close()
    assert sandbox.end() == 0


@pytest.fixture(autouse=True)
def ran_on(place: Place, record_property: Callable[[str, Any], None]) -> None:
    """Noted with the test, so that the report can list which checks ran where."""
    record_property(RAN_ON, f"{place.name} {place.version}")


@pytest.fixture
def namespace(place: Place) -> Iterator[str]:
    with place.namespace() as name:
        yield name


@pytest.fixture
def rollout(place: Place, namespace: str) -> Rollout:
    return Rollout(place, namespace)


@pytest.fixture
def faults(place: Place) -> Iterator[Callable[..., None]]:
    """Asks the sandbox for a failure that no real API server gives on request."""
    if place.sandbox is None:
        pytest.skip("A real API server cannot be asked for this failure; the sandbox can.")
    sandbox = place.sandbox

    def ask(**fault: Any) -> None:
        status, body, _headers = sandbox.ask("POST", "/sandbox/faults", fault)
        assert status == 201, body

    yield ask
    sandbox.ask("DELETE", "/sandbox/faults")
