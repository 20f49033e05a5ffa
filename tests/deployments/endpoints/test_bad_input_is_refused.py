"""Every refused value is answered with 422 and a sentence beside its field, and keeps what was typed."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.test import Client
from django.urls import reverse

from deployments.models import Cluster, Endpoint
from tests.deployments.endpoints.certificates import HOST, make
from tests.deployments.endpoints.conftest import fields

BAD = [
    ("hostname", "169.254.169.254", "link-local"),
    ("hostname", "10.1.2.3", "is an IP address"),
    ("hostname", "localhost", "whoever asks"),
    ("hostname", "a\x00b.example.com", "Null characters"),
    ("hostname", "", "required"),
    ("hostname", "a" * 2000, "at most 1000"),
    ("slug", "Main", "not a DNS label"),
    ("slug", "new", "part of an address"),
    ("namespace", "Models", "not the name of a namespace"),
    ("namespace", "a.b", "not the name of a namespace"),
    ("namespace", "a" * 64, "at most 63"),
    ("namespace", "kube-system", "belongs to Kubernetes itself"),
    ("cluster", "999999", "not one of the available choices"),
    ("cluster", "x", "not one of the available choices"),
    ("routing", "teleport", "not one of the available choices"),
    ("gateway_name", "", "Give the name of one"),
    ("gateway_name", "a b", "not the name of a Gateway"),
    ("gateway_section", "a/b", "not the name of a listener"),
    ("ingress_class", "-", "not the name of an ingress class"),
    ("storage_class", "../x", "not the name of a storage class"),
    ("tls", "magic", "not one of the available choices"),
]


@pytest.mark.parametrize(("name", "value", "sentence"), BAD)
def test_a_bad_value_is_refused_beside_its_field(
    web: Client, cluster: Cluster, name: str, value: str, sentence: str
) -> None:
    response = web.post(reverse("endpoint_create"), fields(cluster, **{"name": "Typed here", name: value}))
    assert response.status_code == 422
    assert sentence in " ".join(response.context["form"].errors[name])
    assert 'value="Typed here"' in response.content.decode()
    assert not Endpoint.objects.exists()


def test_a_secret_needs_its_name(web: Client, cluster: Cluster) -> None:
    response = web.post(reverse("endpoint_create"), fields(cluster, tls="secret"))
    assert response.status_code == 422
    assert "tls_secret_name" in response.context["form"].errors


def test_a_host_name_is_taken_once_per_cluster(web: Client, cluster: Cluster, endpoint: Endpoint) -> None:
    response = web.post(reverse("endpoint_create"), fields(cluster, slug="second", hostname=HOST.upper()))
    assert response.status_code == 422
    assert "is the host name of Main on Oslo 1 already" in response.content.decode()
    other = Cluster.objects.create(slug="other", name="Other", kubeconfig=cluster.kubeconfig)
    assert web.post(reverse("endpoint_create"), fields(other, slug="second")).status_code == 302


def test_a_pair_that_does_not_fit_is_refused_and_its_key_is_not_echoed(
    web: Client, cluster: Cluster, at_noon: datetime
) -> None:
    leaf, other = make(names=("other.example.com",)), make()
    response = web.post(
        reverse("endpoint_create"),
        fields(cluster, tls="pem", tls_certificate=leaf.pem, tls_key_text=other.key_pem),
    )
    assert response.status_code == 422
    errors = response.context["form"].errors
    assert "is for other.example.com, not for models.example.com" in errors["tls_certificate"][0]
    assert "does not belong to this certificate" in errors["tls_key_text"][0]
    page = response.content.decode()
    assert leaf.pem.splitlines()[1] in page
    assert other.key_pem.splitlines()[1] not in page


def test_a_key_in_the_field_of_the_certificate_is_not_echoed(web: Client, cluster: Cluster) -> None:
    leaf = make()
    response = web.post(
        reverse("endpoint_create"),
        fields(cluster, tls="pem", tls_certificate=leaf.pem + leaf.key_pem, tls_key_text=leaf.key_pem),
    )
    assert response.status_code == 422
    page = response.content.decode()
    assert "This holds a private key." in page
    assert leaf.key_pem.splitlines()[1] not in page


def test_without_a_cluster_there_is_no_form(web: Client, db: None) -> None:
    page = web.get(reverse("endpoint_create")).content.decode()
    assert "No clusters yet" in page
    assert reverse("cluster_create") in page
