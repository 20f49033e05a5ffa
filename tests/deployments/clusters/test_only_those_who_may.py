"""Everybody of the platform reads clusters and endpoints, administrators change them, tenants find nothing."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from console.access import Role
from deployments.models import Cluster, Endpoint
from tests.deployments.clusters.conftest import person

READ = ("cluster_list", "cluster_detail", "endpoint_list", "endpoint_detail")
CHANGE = (
    *("cluster_create", "cluster_edit", "cluster_check", "cluster_delete"),
    *("endpoint_create", "endpoint_edit", "endpoint_check", "endpoint_delete"),
)


def address(name: str) -> str:
    if name.endswith(("list", "create")):
        return reverse(name)
    return reverse(name, args=["osl-1" if name.startswith("cluster") else "main"])


@pytest.fixture
def endpoint(cluster: Cluster) -> Endpoint:
    return Endpoint.objects.create(slug="main", name="Main", hostname="llm.example.com", cluster=cluster)


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.BILLING, Role.VIEWER])
def test_who_may_not_change_clusters_only_reads(client: Client, endpoint: Endpoint, role: Role) -> None:
    client.force_login(person("v@example.com", role))
    for name in READ:
        page = client.get(address(name))
        assert page.status_code == 200, name
        for forbidden in CHANGE:
            assert address(forbidden) not in page.content.decode(), (name, forbidden)
    for name in CHANGE:
        assert client.post(address(name)).status_code == 403, name
    assert Endpoint.objects.filter(name="Main").exists()


def test_a_tenant_finds_nothing(client: Client, endpoint: Endpoint) -> None:
    client.force_login(person("t@example.com", None))
    for name in (*READ, *CHANGE):
        assert client.post(address(name)).status_code in (404, 405), name
        assert client.get(address(name)).status_code in (404, 405), name


def test_a_stranger_signs_in_first(client: Client, endpoint: Endpoint) -> None:
    for name in READ:
        response = client.get(address(name))
        assert response.status_code == 302, name
        assert response["Location"].startswith(reverse("account_login")), name


def test_an_unknown_cluster_or_endpoint_is_not_found(web: Client) -> None:
    for name in (*READ, *CHANGE):
        if not name.endswith(("list", "create")):
            assert web.post(address(name)).status_code in (404, 405), name
            assert web.get(address(name)).status_code in (404, 405), name
