"""A kubeconfig is refused with its reason beside the field, and nothing of it is ever shown."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from deployments.models import Cluster
from tests.deployments.clusters.conftest import SECRET, fields, kubeconfig

BAD = {
    "program": (kubeconfig("https://k.example.com", user={"exec": {"command": "sh"}}), "runs a program"),
    "provider": (
        kubeconfig("https://k.example.com", user={"auth-provider": {"name": "gcp"}}),
        "auth provider",
    ),
    "file": (kubeconfig("https://k.example.com", user={"tokenFile": "/etc/shadow"}), "points to a file"),
    "link-local": (kubeconfig("https://169.254.169.254"), "is link-local or a metadata service"),
    "decimal": (kubeconfig("https://2852039166"), "unusual spelling of 169.254.169.254"),
    "mapped": (kubeconfig("https://[::ffff:169.254.169.254]"), "link-local"),
    "plain": (kubeconfig("http://k.example.com"), "Plain http is only accepted for this machine"),
    "no YAML": ("{", "cannot be read as YAML"),
    "something else": ("hello", "no kind: Config"),
    "too large": ("#" * (256 * 1024 + 1), "larger than 256 KiB"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("as_file", [False, True], ids=["text", "file"])
def test_a_bad_kubeconfig_is_refused_beside_its_field(web: Client, name: str, as_file: bool) -> None:
    text, sentence = BAD[name]
    given: dict[str, Any] = (
        {"kubeconfig_file": SimpleUploadedFile("config", text.encode())}
        if as_file
        else {"kubeconfig_text": text}
    )
    response = web.post(reverse("cluster_create"), fields(**given))
    assert response.status_code == 422
    field = "kubeconfig_file" if as_file else "kubeconfig_text"
    assert sentence in " ".join(response.context["form"].errors[field])
    page = response.content.decode()
    assert 'value="Oslo 2"' in page
    assert SECRET not in page
    assert not Cluster.objects.exists()


def test_an_accepted_kubeconfig_is_not_echoed_when_another_field_is_wrong(web: Client) -> None:
    response = web.post(
        reverse("cluster_create"),
        fields(slug="Not A Label", kubeconfig_text=kubeconfig("https://k.example.com")),
    )
    assert response.status_code == 422
    page = response.content.decode()
    assert SECRET not in page
    assert "Not A Label" in page
    assert "Give it again." in page


def test_text_and_file_at_once_are_refused(web: Client) -> None:
    text = kubeconfig("https://k.example.com")
    file = SimpleUploadedFile("config", text.encode())
    response = web.post(reverse("cluster_create"), fields(kubeconfig_text=text, kubeconfig_file=file))
    assert response.status_code == 422
    assert "not both" in response.content.decode()


def test_a_cluster_needs_a_kubeconfig(web: Client) -> None:
    response = web.post(reverse("cluster_create"), fields())
    assert response.status_code == 422
    assert "Paste a kubeconfig or choose a file." in response.content.decode()


@pytest.mark.parametrize("slug", ["new", "UPPER", "a b", "-a", "a" * 49, "a\x00b", "é"])
def test_a_bad_short_name_is_refused(web: Client, slug: str) -> None:
    response = web.post(reverse("cluster_create"), fields(slug=slug))
    assert response.status_code == 422
    assert "slug" in response.context["form"].errors


def test_a_taken_short_name_is_refused(web: Client, cluster: Cluster) -> None:
    response = web.post(
        reverse("cluster_create"), fields(slug="osl-1", kubeconfig_text=kubeconfig("https://k.example.com"))
    )
    assert response.status_code == 422
    assert "slug" in response.context["form"].errors
    assert Cluster.objects.count() == 1


@pytest.mark.parametrize("kind", ["", "other", "sandbox", "in-cluster"])
def test_a_kind_that_is_not_offered_is_refused(web: Client, kind: str) -> None:
    response = web.post(reverse("cluster_create"), fields(kind=kind))
    assert response.status_code == 422
    assert "kind" in response.context["form"].errors
