"""An administrator, a cluster that answers as a test says, and the fields of an endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from console.access import Role
from deployments.models import CatalogModel, Cluster, Deployment, Endpoint, Observation, Provider
from tests.deployments.clusters.conftest import FACTS, kubeconfig, person
from tests.deployments.endpoints.certificates import HOST, NOW
from tests.deployments.endpoints.kubernetes import Objects, serve
from tests.deployments.pages import world
from tests.faults.server import FaultyServer, faulty_server


@pytest.fixture
def web(client: Client, db: None) -> Client:
    alice = person("alice@example.com", Role.ADMINISTRATOR)
    client.force_login(alice)
    world.confirm(client, alice)
    return client


@pytest.fixture
def objects() -> Objects:
    """What the cluster has, by address; a test changes it."""
    return Objects()


@pytest.fixture
def api(objects: Objects) -> Iterator[FaultyServer]:
    with faulty_server(serve(objects)) as server:
        yield server


@pytest.fixture
def cluster(db: None, api: FaultyServer) -> Cluster:
    return Cluster.objects.create(
        slug="osl-1", name="Oslo 1", kubeconfig=kubeconfig(api.url), facts=FACTS.to_mapping()
    )


@pytest.fixture
def endpoint(cluster: Cluster) -> Endpoint:
    return Endpoint.objects.create(
        slug="main",
        name="Main",
        hostname=HOST,
        cluster=cluster,
        namespace="models",
        gateway_name="inference",
        gateway_namespace="gateways",
    )


@pytest.fixture
def deployment(endpoint: Endpoint) -> Deployment:
    provider = Provider.objects.create(slug="meta", name="Meta")
    model = CatalogModel.objects.create(slug="m", name="M", provider=provider, source_reference="a/b")
    made = Deployment.objects.create(name="chat", model=model, endpoint=endpoint)
    Observation.objects.create(deployment=made)
    return made


@pytest.fixture
def at_noon(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """The moment for which the certificates of these tests are made."""
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    return NOW


def fields(on: Cluster, /, **changes: Any) -> dict[str, Any]:
    """What the form of an endpoint sends."""
    return {
        "name": "Main",
        "slug": "main",
        "hostname": HOST,
        "cluster": str(on.pk),
        "namespace": "models",
        "routing": "gateway",
        "gateway_name": "inference",
        "gateway_namespace": "gateways",
        "gateway_section": "",
        "ingress_class": "",
        "tls": "none",
        "tls_certificate": "",
        "tls_key_text": "",
        "tls_secret_name": "",
        "storage_class": "",
        **changes,
    }
