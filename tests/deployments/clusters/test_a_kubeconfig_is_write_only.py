"""Once saved, a kubeconfig is used but never shown; an empty field keeps it."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from deployments.clusters import check as cluster_check
from deployments.models import Cluster
from tests.deployments.clusters.conftest import FACTS, SECRET, fields, kubeconfig


@pytest.fixture(autouse=True)
def answering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_check, "probe", lambda access: FACTS)


def test_no_page_shows_it(web: Client, cluster: Cluster) -> None:
    pages = [("cluster_list", []), ("cluster_detail", ["osl-1"]), ("cluster_edit", ["osl-1"])]
    for name, arguments in pages:
        assert SECRET not in web.get(reverse(name, args=arguments)).content.decode(), name
    assert "Saved 22 Nov" in web.get(reverse("cluster_edit", args=["osl-1"])).content.decode()


def test_it_is_encrypted_in_the_database(cluster: Cluster) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT kubeconfig FROM deployments_cluster")
        (stored,) = cursor.fetchone()
    assert stored
    assert SECRET not in stored


def test_an_empty_field_keeps_it(web: Client, cluster: Cluster) -> None:
    response = web.post(reverse("cluster_edit", args=["osl-1"]), fields(slug="osl-1"))
    assert response.status_code == 302
    saved = Cluster.objects.get()
    assert saved.name == "Oslo 2"
    assert SECRET in saved.kubeconfig.reveal()
    assert saved.kubeconfig_set_at == cluster.kubeconfig_set_at


def test_a_new_one_replaces_it(web: Client, cluster: Cluster) -> None:
    given = kubeconfig("https://k.example.com", user={"token": "another"})
    web.post(reverse("cluster_edit", args=["osl-1"]), fields(slug="osl-1", kubeconfig_text=given))
    saved = Cluster.objects.get()
    assert saved.kubeconfig.reveal() == given.strip()
    assert saved.kubeconfig_set_at != cluster.kubeconfig_set_at


def test_saving_leaves_what_was_observed(
    web: Client, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(access: object) -> object:
        Cluster.objects.update(unreachable_reason="seen by the worker")
        return FACTS

    monkeypatch.setattr(cluster_check, "probe", meanwhile)
    web.post(reverse("cluster_edit", args=["osl-1"]), fields(slug="osl-1"))
    assert Cluster.objects.get().unreachable_reason == "seen by the worker"


def test_the_sandbox_brings_its_own(web: Client, settings, tmp_path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig("http://127.0.0.1:7"))
    settings.SANDBOX_KUBECONFIG = str(path)
    page = web.get(reverse("cluster_create")).content.decode()
    assert "The simulated cluster on this machine." in page
    response = web.post(reverse("cluster_create"), fields(kind="sandbox"), follow=True)
    assert Cluster.objects.get().kubeconfig.reveal() == path.read_text()
    assert "Sandbox" in response.content.decode()


def test_a_sandbox_that_wrote_none_is_refused(web: Client, settings, tmp_path) -> None:
    settings.SANDBOX_KUBECONFIG = str(tmp_path / "none")
    response = web.post(reverse("cluster_create"), fields(kind="sandbox"))
    assert response.status_code == 422
    assert "has not written its kubeconfig" in response.content.decode()
