"""One API without controllers and one whole cluster for all tests of this folder; each test has its own namespace."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deployments.sandbox_api.cluster import Cluster


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The API alone: what is written stays as it is."""
    cluster = Cluster(tmp_path_factory.mktemp("sandbox") / "data", "--no-controllers")
    yield cluster
    assert cluster.end() == 0


@pytest.fixture(scope="session")
def living(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with controllers, twenty times as fast as life."""
    cluster = Cluster(tmp_path_factory.mktemp("sandbox") / "data", "--speed", "20")
    yield cluster
    assert cluster.end() == 0


@pytest.fixture
def namespace(api: Cluster) -> str:
    """A fresh namespace of the API."""
    return make_namespace(api)


@pytest.fixture
def living_namespace(living: Cluster) -> str:
    """A fresh namespace of the whole cluster."""
    return make_namespace(living)


@pytest.fixture
def faults(api: Cluster) -> Iterator[Any]:
    """A function that asks for a fault; all are forgotten after the test."""

    def ask(**fault: Any) -> None:
        status, body, _headers = api.ask("POST", "/sandbox/faults", fault)
        assert status == 201, body

    yield ask
    api.ask("DELETE", "/sandbox/faults")


@pytest.fixture(scope="session")
def client(api: Cluster) -> Iterator[Any]:
    """The official client."""
    from kubernetes import client, config

    configuration = client.Configuration()
    config.load_kube_config(str(api.kubeconfig), client_configuration=configuration)
    with client.ApiClient(configuration) as made:
        yield made


def make_namespace(cluster: Cluster) -> str:
    """Create a namespace with a name of its own."""
    name = f"test-{secrets.token_hex(4)}"
    status, body, _headers = cluster.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    assert status == 201, body
    return name
