"""The wizard is for people who deploy, and a draft is for its author."""

import uuid

import pytest
from django.test import Client
from django.urls import reverse

from console.access import Role
from deployments.models import CatalogModel, Deployment, Draft, Endpoint
from tests.deployments.wizard.conftest import ENGINE, person


def addresses(draft: Draft) -> list[str]:
    return [
        reverse("model_deploy", args=["opt-125m"]),
        reverse("draft_step", args=[draft.pk, "engine"]),
        reverse("draft_step", args=[draft.pk, "review"]),
        reverse("deployment_name_check"),
    ]


@pytest.mark.parametrize(
    ("role", "status"), [(Role.VIEWER, 403), (Role.BILLING, 403), (None, 404), (Role.OPERATOR, 200)]
)
def test_roles_decide_who_sees_the_wizard(
    client: Client, draft: Draft, role: Role | None, status: int
) -> None:
    other = person("other@example.com", role)
    Draft.objects.update(author=other)
    client.force_login(other)
    assert {client.get(url).status_code for url in addresses(draft)} == {status}


def test_a_stranger_finds_no_draft(client: Client, draft: Draft) -> None:
    client.force_login(person("other@example.com", Role.ADMINISTRATOR))
    for step in ("general", "engine", "review"):
        url = reverse("draft_step", args=[draft.pk, step])
        assert client.get(url).status_code == 404
        assert client.post(url, ENGINE).status_code == 404
    assert client.post(reverse("draft_delete", args=[draft.pk])).status_code == 404
    assert Draft.objects.get().sections["engine"]["tag"] == "v0.33.0"


def test_a_strangers_draft_cannot_be_taken_over_by_its_id(client: Client, draft: Draft) -> None:
    client.force_login(person("other@example.com", Role.ADMINISTRATOR))
    url = reverse("model_deploy", args=["opt-125m"])
    client.post(url, {"name": "mine", "endpoint": "main", "draft": str(draft.pk)})
    assert Draft.objects.count() == 2
    draft.refresh_from_db()
    assert draft.sections["general"]["name"] == "chat"


def test_nobody_signed_in_is_asked_to_sign_in(client: Client, draft: Draft) -> None:
    client.logout()
    for url in addresses(draft):
        assert client.get(url).url.startswith("/sign-in/")


@pytest.mark.parametrize(
    "url", ["/models/nothing/deploy/", f"/drafts/{uuid.UUID(int=7)}/engine/", "/deployments/no/edit/"]
)
def test_what_does_not_exist_is_not_found(web: Client, model: CatalogModel, url: str) -> None:
    assert web.get(url).status_code == 404


def test_deleting_a_draft_needs_a_post_and_leaves_the_deployment(web: Client, draft: Draft, at) -> None:
    url = reverse("draft_delete", args=[draft.pk])
    assert web.get(url).status_code == 405
    web.post(at("review"))
    assert web.post(url).url == "/models/opt-125m/"
    assert not Draft.objects.exists()
    assert Deployment.objects.exists()


def test_without_an_endpoint_the_page_says_what_is_missing(web: Client, model: CatalogModel) -> None:
    page = web.get(reverse("model_deploy", args=["opt-125m"])).content.decode()
    assert "No endpoint to serve from" in page
    assert "Continue to" not in page


def test_the_first_page_offers_unfinished_drafts(web: Client, draft: Draft, endpoint: Endpoint) -> None:
    page = web.get(reverse("model_deploy", args=["opt-125m"])).content.decode()
    assert "Your unfinished draft" in page
    assert reverse("draft_step", args=[draft.pk, "engine"]) in page
