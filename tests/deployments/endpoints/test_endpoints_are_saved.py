"""An endpoint is saved with what belongs to its route and certificate, and checked at once."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from deployments.models import Cluster, Deployment, Endpoint
from tests.deployments.endpoints.certificates import HOST, NOW, issuer, make
from tests.deployments.endpoints.conftest import fields


def test_a_new_endpoint_is_checked_at_once(web: Client, cluster: Cluster) -> None:
    response = web.post(
        reverse("endpoint_create"), fields(cluster, hostname="Models.Example.com"), follow=True
    )
    assert "Main is added. Main is ready." in response.content.decode()
    saved = Endpoint.objects.get()
    assert saved.hostname == HOST
    assert saved.ready is True


def test_the_cluster_of_the_address_is_chosen(web: Client, cluster: Cluster) -> None:
    Cluster.objects.create(slug="other", name="Other")
    page = web.get(reverse("endpoint_create") + "?cluster=osl-1").content.decode()
    assert f'<option value="{cluster.pk}" selected>' in page


def test_settings_of_another_route_are_dropped(web: Client, cluster: Cluster) -> None:
    web.post(
        reverse("endpoint_create"),
        fields(cluster, routing="service", ingress_class="nginx", tls_secret_name="tls"),
    )
    saved = Endpoint.objects.get()
    assert (saved.gateway_name, saved.ingress_class, saved.tls_secret_name) == ("", "", "")


def test_a_pair_is_kept_and_its_key_never_shown(web: Client, cluster: Cluster, at_noon: datetime) -> None:
    leaf = make(issuer=issuer(), end=NOW + timedelta(days=10))
    chain = leaf.pem + issuer().pem
    pair = fields(cluster, routing="ingress", tls="pem", tls_certificate=chain, tls_key_text=leaf.key_pem)
    assert web.post(reverse("endpoint_create"), pair).status_code == 302
    saved = Endpoint.objects.get()
    assert saved.tls_key.reveal() == leaf.key_pem.strip()
    assert saved.tls_expires_at == leaf.certificate.not_valid_after_utc
    detail = web.get(reverse("endpoint_detail", args=["main"])).content.decode()
    assert "Example Issuer" in detail
    assert "Expires soon" in detail
    form = web.get(reverse("endpoint_edit", args=["main"])).content.decode()
    assert "A key is stored" in form
    assert leaf.pem.splitlines()[1] in form
    for page in (detail, form, web.get(reverse("endpoint_list")).content.decode()):
        assert leaf.key_pem.splitlines()[1] not in page


def test_an_empty_key_keeps_the_stored_one_and_is_judged_with_it(
    web: Client, cluster: Cluster, at_noon: datetime
) -> None:
    leaf = make()
    pair = fields(cluster, tls="pem", tls_certificate=leaf.pem, tls_key_text=leaf.key_pem)
    web.post(reverse("endpoint_create"), pair)
    edit = reverse("endpoint_edit", args=["main"])
    assert web.post(edit, {**pair, "tls_key_text": "", "name": "Renamed"}).status_code == 302
    saved = Endpoint.objects.get()
    assert saved.name == "Renamed"
    assert saved.tls_key.reveal() == leaf.key_pem.strip()
    renewed = make().pem
    response = web.post(edit, {**pair, "tls_key_text": "", "tls_certificate": renewed})
    assert response.status_code == 422
    assert "does not belong to this certificate" in response.content.decode()


def test_a_key_that_is_no_longer_used_is_forgotten(web: Client, cluster: Cluster, at_noon: datetime) -> None:
    leaf = make()
    pair = fields(cluster, tls="pem", tls_certificate=leaf.pem, tls_key_text=leaf.key_pem)
    web.post(reverse("endpoint_create"), pair)
    web.post(reverse("endpoint_edit", args=["main"]), fields(cluster))
    saved = Endpoint.objects.get()
    assert not saved.tls_key
    assert saved.tls_certificate == ""
    assert saved.tls_expires_at is None


@pytest.mark.parametrize("change", ["namespace", "slug", "cluster"])
def test_what_objects_are_bound_to_stays_while_there_are_deployments(
    web: Client, cluster: Cluster, deployment: Deployment, change: str
) -> None:
    other = Cluster.objects.create(slug="other", name="Other", kubeconfig=cluster.kubeconfig)
    value = str(other.pk) if change == "cluster" else "another"
    response = web.post(reverse("endpoint_edit", args=["main"]), fields(cluster, **{change: value}))
    assert response.status_code == 422
    assert "cannot change while deployments run here" in response.context["form"].errors[change][0]
    saved = Endpoint.objects.get()
    assert (saved.slug, saved.namespace, saved.cluster) == ("main", "models", cluster)


def test_the_rest_may_change_while_there_are_deployments(
    web: Client, cluster: Cluster, deployment: Deployment
) -> None:
    edit = reverse("endpoint_edit", args=["main"])
    assert "Cannot change while a deployment runs here." in web.get(edit).content.decode()
    page = web.post(edit, fields(cluster, hostname="new.example.com"), follow=True).content.decode()
    assert "The routes of its deployments follow now" in page
    assert Endpoint.objects.get().hostname == "new.example.com"


def test_an_endpoint_with_deployments_stays_and_says_which(
    web: Client, endpoint: Endpoint, deployment: Deployment
) -> None:
    response = web.post(reverse("endpoint_delete", args=["main"]))
    assert response.status_code == 409
    assert reverse("deployment_detail", args=["chat"]) in response.content.decode()
    assert Endpoint.objects.exists()


def test_it_is_deleted_after_the_question(web: Client, endpoint: Endpoint) -> None:
    url = reverse("endpoint_delete", args=["main"])
    assert "Delete Main?" in web.get(url).content.decode()
    assert "Main is deleted." in web.post(url, follow=True).content.decode()
    assert not Endpoint.objects.exists()
