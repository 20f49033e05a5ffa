"""How gateways call the engines of a cluster is chosen with it, and pages say where there is no way."""

from __future__ import annotations

import html
import re

import pytest
from django.test import Client
from django.urls import reverse

from deployments.models import Cluster, Endpoint
from deployments.vocabulary import ClusterKind, Reach, Routing
from tests.deployments.clusters.conftest import fields, kubeconfig

CLOSED = kubeconfig("http://127.0.0.1:1")
NO_WAY = "Gateways have no way"


def text_of(page: str) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", page).split()))


@pytest.fixture
def endpoint(cluster: Cluster) -> Endpoint:
    return Endpoint.objects.create(
        slug="main", name="Main", hostname="llm.example.com", cluster=cluster, routing=Routing.SERVICE
    )


def test_a_cluster_is_called_through_host_names_unless_somebody_chooses(web: Client) -> None:
    web.post(reverse("cluster_create"), fields(kubeconfig_text=CLOSED))
    assert Cluster.objects.get().reach == Reach.ENDPOINT


def test_the_way_is_chosen_and_changed(web: Client) -> None:
    web.post(reverse("cluster_create"), fields(kubeconfig_text=CLOSED, reach="inside"))
    assert Cluster.objects.get().reach == Reach.INSIDE
    edit = reverse("cluster_edit", args=["osl-2"])
    assert re.search(r'value="inside"[^>]*checked', web.get(edit).text)
    web.post(edit, fields(reach="endpoint"))
    assert Cluster.objects.get().reach == Reach.ENDPOINT


def test_what_is_not_sent_stays_as_it_is(web: Client, cluster: Cluster) -> None:
    Cluster.objects.update(reach=Reach.INSIDE)
    web.post(
        reverse("cluster_edit", args=["osl-1"]), fields(name="Oslo", slug="osl-1", kubeconfig_text=CLOSED)
    )
    cluster.refresh_from_db()
    assert (cluster.name, cluster.reach) == ("Oslo", Reach.INSIDE)


def test_another_way_is_refused(web: Client) -> None:
    response = web.post(reverse("cluster_create"), fields(kubeconfig_text=CLOSED, reach="loopback"))
    assert response.status_code == 422
    assert list(response.context["form"].errors) == ["reach", "kubeconfig_text"]
    assert not Cluster.objects.exists()


def test_pages_say_where_there_is_no_way(web: Client, endpoint: Endpoint) -> None:
    of_cluster = text_of(web.get(reverse("cluster_detail", args=["osl-1"])).text)
    assert "Gateways have no way to some endpoints" in of_cluster
    assert "called through host names, and Main has a service only" in of_cluster
    assert "Gateways Through the endpoint's host name" in of_cluster
    of_endpoint = text_of(web.get(reverse("endpoint_detail", args=["main"])).text)
    assert "Gateways have no way to this endpoint" in of_endpoint
    assert "engines on Oslo 1 are called through host names" in of_endpoint
    assert "No way for gateways" in text_of(web.get(reverse("endpoint_list")).text)


@pytest.mark.parametrize(
    ("changes", "routing"),
    [
        ({"reach": Reach.INSIDE}, Routing.SERVICE),
        ({"kind": ClusterKind.SANDBOX}, Routing.SERVICE),
        ({}, Routing.INGRESS),
        ({}, Routing.GATEWAY),
    ],
)
def test_pages_say_nothing_where_there_is_one(
    web: Client, endpoint: Endpoint, changes: dict[str, str], routing: Routing
) -> None:
    Cluster.objects.update(**changes)
    Endpoint.objects.update(routing=routing)
    for address in (
        reverse("cluster_detail", args=["osl-1"]),
        reverse("endpoint_detail", args=["main"]),
        reverse("endpoint_list"),
    ):
        page = text_of(web.get(address).text)
        assert "Main" in page
        assert NO_WAY not in page
        assert "No way for gateways" not in page


def test_a_sandbox_is_called_on_this_machine(web: Client, endpoint: Endpoint) -> None:
    Cluster.objects.update(kind=ClusterKind.SANDBOX)
    assert "Gateways On this machine" in text_of(web.get(reverse("cluster_detail", args=["osl-1"])).text)
