"""An edit is the same wizard: it shows what changes, and saves a new revision on top of the one it began from."""

import pytest
from django.test import Client
from django.urls import reverse

from console.access import Role
from deployments import desired
from deployments.models import Deployment, Draft
from deployments.vocabulary import DesiredState, Sharing
from tests.deployments.wizard.conftest import ENGINE, PRICING, person


@pytest.fixture
def deployment(web: Client, draft: Draft, at) -> Deployment:
    web.post(at("review"))
    return Deployment.objects.get()


@pytest.fixture
def change(web: Client, deployment: Deployment):
    """A draft of a change, and the address of each of its steps."""
    web.post(reverse("deployment_edit", args=["chat"]), {"description": "For everyone"})
    draft = Draft.objects.get(editing=deployment)
    return lambda slug: reverse("draft_step", args=[draft.pk, slug])


def current(deployment: Deployment) -> int:
    return Deployment.objects.get(pk=deployment.pk).current.number


def test_looking_at_it_writes_nothing(web: Client, deployment: Deployment) -> None:
    page = web.get(reverse("deployment_edit", args=["chat"])).content.decode()
    assert "These three stay" in page
    assert not Draft.objects.filter(editing=deployment).exists()


def test_a_change_is_shown_old_and_new_and_saved(web: Client, deployment: Deployment, change) -> None:
    web.post(
        change("engine"), {**ENGINE, "volume": "30Gi", "tag": "v0.32.0", "arguments": "--max-model-len 1024"}
    )
    web.post(change("pricing"), PRICING)
    page = web.get(change("review")).content.decode()
    assert "<del>v0.33.0</del>" in page
    assert "<ins>v0.32.0</ins>" in page
    assert "<ins>--max-model-len 1024</ins>" in page
    response = web.post(change("review"), {"note": "Older engine"})
    assert response.url == "/deployments/chat/"
    saved = Deployment.objects.get(pk=deployment.pk).current
    assert (saved.number, saved.note, saved.spec.engine.tag) == (2, "Older engine", "v0.32.0")


def test_saving_without_a_change_makes_no_revision(web: Client, deployment: Deployment, change) -> None:
    assert "No setting changes" in web.get(change("review")).content.decode()
    assert web.post(change("review")).status_code == 302
    assert current(deployment) == 1


def test_name_model_and_endpoint_cannot_be_changed(web: Client, deployment: Deployment, change) -> None:
    data = {"name": "other", "endpoint": "elsewhere", "model": "x", "description": "New words"}
    assert web.post(change("general"), data).status_code == 302
    web.post(change("review"))
    spec = Deployment.objects.get(pk=deployment.pk).current.spec
    assert (spec.name, spec.endpoint, spec.model) == ("chat", "main", "opt-125m")
    assert spec.description == "New words"


def test_somebody_else_was_faster(web: Client, deployment: Deployment, change) -> None:
    web.post(change("engine"), {**ENGINE, "volume": "30Gi", "tag": "v0.32.0"})
    bob = person("bob@example.com", Role.OPERATOR)
    desired.share(deployment, Sharing.ALL, [], author=bob)
    response = web.post(change("review"))
    assert response.status_code == 409
    assert "Bob saved revision 2 meanwhile" in response.content.decode()
    assert current(deployment) == 2

    response = web.post(change("review"), {"action": "newest"}, follow=True)
    page = response.content.decode()
    assert "<ins>v0.32.0</ins>" in page
    assert "saved revision 2 meanwhile" not in page
    web.post(change("review"))
    saved = Deployment.objects.get(pk=deployment.pk).current
    assert (saved.number, saved.spec.engine.tag, saved.spec.sharing.mode) == (3, "v0.32.0", Sharing.ALL)


def test_going_on_takes_the_newest_of_steps_left_alone(web: Client, deployment: Deployment, change) -> None:
    second = Draft.objects.get(editing=deployment)
    second.pk, second._state.adding = None, True
    second.save()
    theirs = reverse("draft_step", args=[second.pk, "pricing"])
    web.post(theirs, PRICING)
    web.post(reverse("draft_step", args=[second.pk, "review"]))
    web.post(change("engine"), {**ENGINE, "volume": "30Gi", "tag": "v0.32.0"})
    web.post(change("review"), {"action": "newest"})
    web.post(change("review"))
    spec = Deployment.objects.get(pk=deployment.pk).current.spec
    assert spec.pricing is not None
    assert spec.engine.tag == "v0.32.0"


def test_beginning_again_goes_on_with_the_same_draft(web: Client, deployment: Deployment, change) -> None:
    url = reverse("deployment_edit", args=["chat"])
    assert (
        change("engine") in web.get(url).content.decode() or change("review") in web.get(url).content.decode()
    )
    web.post(url, {"description": "Again"})
    assert Draft.objects.filter(editing=deployment).count() == 1


def test_a_deployment_that_is_being_deleted_takes_no_change(
    web: Client, deployment: Deployment, change
) -> None:
    Deployment.objects.update(desired_state=DesiredState.DELETED)
    url = reverse("deployment_edit", args=["chat"])
    assert "being deleted" in web.get(url).content.decode()
    assert web.post(url, {"description": ""}).status_code == 422
    web.post(change("engine"), {**ENGINE, "volume": "30Gi", "tag": "v0.32.0"})
    response = web.post(change("review"))
    assert response.status_code == 422
    assert current(deployment) == 1
