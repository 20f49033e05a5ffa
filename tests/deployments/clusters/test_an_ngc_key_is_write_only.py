"""The NGC key of a cluster goes in, is used, is removed on request, and never comes out to a page."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from console.models import User
from deployments.clusters import check as cluster_check
from deployments.models import Cluster
from tests.deployments.clusters.conftest import FACTS, fields
from tests.deployments.pages import world

KEY = "nvapi-canary-key-that-no-page-may-show"
EDIT = "/clusters/osl-1/edit/"


@pytest.fixture(autouse=True)
def answering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_check, "probe", lambda access: FACTS)


@pytest.fixture
def keyed(web: Client, cluster: Cluster) -> Cluster:
    assert web.post(EDIT, fields(slug="osl-1", ngc_key=f"  {KEY} ")).status_code == 302
    return Cluster.objects.get()


def test_it_is_stored_encrypted_with_its_time(keyed: Cluster) -> None:
    assert keyed.ngc_key.reveal() == KEY
    assert keyed.ngc_key_set_at is not None
    with connection.cursor() as cursor:
        cursor.execute("SELECT ngc_key FROM deployments_cluster")
        (stored,) = cursor.fetchone()
    assert stored
    assert KEY not in stored


def test_no_page_shows_it_and_the_form_says_that_there_is_one(web: Client, keyed: Cluster) -> None:
    for name, arguments in [("cluster_list", []), ("cluster_detail", ["osl-1"]), ("cluster_edit", ["osl-1"])]:
        page = web.get(reverse(name, args=arguments)).text
        assert KEY not in page
        assert keyed.ngc_key.ciphertext not in page
    assert "Remove the stored NGC key" in web.get(EDIT).text
    assert "Saved " in web.get(EDIT).text.partition('name="ngc_key"')[2].partition('id_ngc_key_helptext">')[0]
    assert "<dt>NGC key</dt><dd>Stored" in web.get("/clusters/osl-1/").text


@pytest.mark.parametrize("typed", ["", "   "])
def test_an_empty_field_keeps_it(web: Client, keyed: Cluster, typed: str) -> None:
    web.post(EDIT, fields(slug="osl-1", ngc_key=typed))
    again = Cluster.objects.get()
    assert (again.name, again.ngc_key.reveal()) == ("Oslo 2", KEY)
    assert again.ngc_key_set_at == keyed.ngc_key_set_at


def test_it_is_removed_on_request_and_a_new_one_wins(web: Client, keyed: Cluster) -> None:
    web.post(EDIT, fields(slug="osl-1", forget_ngc_key="on", ngc_key="nvapi-new"))
    assert Cluster.objects.get().ngc_key.reveal() == "nvapi-new"
    web.post(EDIT, fields(slug="osl-1", forget_ngc_key="on"))
    again = Cluster.objects.get()
    assert not again.ngc_key
    assert again.ngc_key_set_at is None
    assert "Remove the stored NGC key" not in web.get(EDIT).text


@pytest.mark.parametrize("typed", ["two words", "ключ", "a\u00a0b", "x" * 5000])
def test_what_is_no_key_is_refused_and_not_shown(web: Client, cluster: Cluster, typed: str) -> None:
    answer = web.post(EDIT, fields(slug="osl-1", ngc_key=typed))
    assert answer.status_code == 422
    assert typed not in answer.text
    assert not Cluster.objects.get().ngc_key


def test_a_key_beside_a_mistake_is_not_kept_and_the_form_says_so(web: Client, cluster: Cluster) -> None:
    answer = web.post(EDIT, fields(slug="osl-1", name="", ngc_key=KEY))
    assert answer.status_code == 422
    assert KEY not in answer.text
    assert "It was not kept while other settings need a change" in answer.text


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("http://prometheus-server.monitoring:9090/", "http://prometheus-server.monitoring:9090"),
        ("https://10.0.0.4/prometheus", "https://10.0.0.4/prometheus"),
        ("", ""),
    ],
)
def test_the_address_of_prometheus_is_stored(web: Client, cluster: Cluster, typed: str, stored: str) -> None:
    assert web.post(EDIT, fields(slug="osl-1", prometheus_url=typed)).status_code == 302
    assert Cluster.objects.get().prometheus_url == stored
    assert Cluster.objects.get().offers.prometheus_url == stored


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("prometheus:9090", "begins with http"),
        ("file:///etc/passwd", "begins with http"),
        ("http://me:secret@prometheus:9090", "must not hold a user name"),
        ("http://prometheus:9090/?a=b", "no ?"),
        ("http://prometheus:port", "cannot be read"),
        ("http://prom etheus", "no spaces"),
        ("http://169.254.169.254/", "never spoken to"),
        ("http://" + "a" * 400, "too long"),
    ],
)
def test_what_is_no_address_of_prometheus_is_refused(
    web: Client, cluster: Cluster, typed: str, why: str
) -> None:
    answer = web.post(EDIT, fields(slug="osl-1", prometheus_url=typed))
    assert answer.status_code == 422
    assert why in answer.text
    assert Cluster.objects.get().prometheus_url == ""


def test_the_admin_of_django_takes_a_key_and_shows_none(client: Client, keyed: Cluster) -> None:
    root = User.objects.create_superuser("root@example.com", "a-long-password", name="Root")
    client.force_login(root)
    world.confirm(client, root)
    address = f"/admin/deployments/cluster/{keyed.pk}/change/"
    page = client.get(address).text
    assert KEY not in page
    assert keyed.ngc_key.ciphertext not in page
    sent = {"name": "Oslo 3", "ngc_key": "nvapi-by-hand", "prometheus_url": ""}
    assert client.post(address, sent).status_code == 302
    again = Cluster.objects.get()
    assert (again.name, again.ngc_key.reveal()) == ("Oslo 3", "nvapi-by-hand")
    assert again.kubeconfig.reveal() == cluster_kubeconfig(keyed)
    for kind in ("cluster", "catalogmodel", "endpoint", "provider"):
        assert client.get(f"/admin/deployments/{kind}/").status_code == 200
        assert client.get(f"/admin/deployments/{kind}/add/").status_code == 403


def cluster_kubeconfig(cluster: Cluster) -> str:
    return cluster.kubeconfig.reveal()
