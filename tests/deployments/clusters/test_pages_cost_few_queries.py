"""Every page of clusters and endpoints costs at most eight statements, however much there is."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from deployments.models import CatalogModel, Cluster, Deployment, Endpoint, Observation, Provider
from tests.deployments.clusters.conftest import FACTS

MOST = 8
PAGES = [
    *(("cluster_list", None), ("cluster_create", None), ("endpoint_list", None), ("endpoint_create", None)),
    *(("cluster_detail", "osl-1"), ("cluster_edit", "osl-1"), ("cluster_delete", "osl-1")),
    *(("endpoint_detail", "main"), ("endpoint_edit", "main"), ("endpoint_delete", "main")),
]


def grow(cluster: Cluster, endpoint: Endpoint) -> None:
    """Forty more of everything that a page might go through one by one."""
    provider = Provider.objects.create(slug="meta", name="Meta")
    model = CatalogModel.objects.create(slug="m", name="M", provider=provider, source_reference="a/b")
    for number in range(40):
        Cluster.objects.create(slug=f"c{number}", name=f"C{number}", facts=FACTS.to_mapping())
        other = Endpoint.objects.create(
            slug=f"e{number}", name=f"E{number}", hostname=f"e{number}.example.com", cluster=cluster
        )
        for place, name in ((endpoint, f"a{number}"), (other, f"b{number}")):
            Observation.objects.create(
                deployment=Deployment.objects.create(name=name, model=model, endpoint=place)
            )


@pytest.mark.parametrize(("name", "slug"), PAGES)
def test_a_page_costs_the_same_with_more(web: Client, cluster: Cluster, name: str, slug: str | None) -> None:
    endpoint = Endpoint.objects.create(slug="main", name="Main", hostname="llm.example.com", cluster=cluster)
    url = reverse(name, args=[slug] if slug else [])
    few = _cost(web, url)
    grow(cluster, endpoint)
    assert _cost(web, url) == few <= MOST


def _cost(web: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert web.get(url).status_code == 200
    return len(seen)
