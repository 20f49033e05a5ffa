"""A cluster is removed after a question, and only without endpoints."""

from __future__ import annotations

from django.test import Client
from django.urls import reverse

from deployments.models import Cluster, Endpoint


def test_a_cluster_with_endpoints_stays_and_says_which(web: Client, cluster: Cluster) -> None:
    Endpoint.objects.create(slug="main", name="Main", hostname="llm.example.com", cluster=cluster)
    response = web.post(reverse("cluster_delete", args=["osl-1"]))
    assert response.status_code == 409
    assert reverse("endpoint_detail", args=["main"]) in response.content.decode()
    assert Cluster.objects.exists()


def test_it_is_removed_after_the_question(web: Client, cluster: Cluster) -> None:
    url = reverse("cluster_delete", args=["osl-1"])
    assert "Remove Oslo 1?" in web.get(url).content.decode()
    assert Cluster.objects.exists()
    page = web.post(url, follow=True).content.decode()
    assert "Oslo 1 is removed." in page
    assert not Cluster.objects.exists()
