"""Two people edit at once: the second sees what each changed, and loses nothing (E13)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse

from console.access import Role
from deployments import desired
from deployments.models import Deployment, Draft
from deployments.spec import Variable
from tests.deployments.wizard.conftest import ENGINE, person, variables

MINE = {**ENGINE, "volume": "30Gi", "tag": "v0.32.0"}


@pytest.fixture
def deployment(web: Client, draft: Draft, at) -> Deployment:
    web.post(at("environment"), variables({"name": "TOKEN", "value": "first", "secret": "on"}))
    assert web.post(at("review")).status_code == 302
    return Deployment.objects.get()


@pytest.fixture
def review(web: Client, deployment: Deployment) -> str:
    """The review of my change of the tag; Bob has saved a revision meanwhile."""
    web.post(reverse("deployment_edit", args=["chat"]), {"description": "For everyone"})
    key = Draft.objects.get(editing=deployment).pk
    web.post(reverse("draft_step", args=[key, "engine"]), MINE)
    return reverse("draft_step", args=[key, "review"])


def bob_saves(deployment: Deployment, secret: str = "", **engine: object) -> None:
    spec = deployment.spec
    desired.revise(
        deployment,
        replace(spec, engine=replace(spec.engine, **engine)),  # type: ignore[arg-type]
        author=person("bob@example.com", Role.OPERATOR),
        expected=1,
        secrets={"TOKEN": secret} if secret else None,
        note="Faster",
    )


def text(response) -> str:
    return " ".join(response.content.decode().split())


def test_the_second_one_sees_what_each_changed(web: Client, deployment: Deployment, review: str) -> None:
    bob_saves(deployment, replicas=3)
    response = web.post(review)
    page = text(response)
    assert response.status_code == 409
    assert "Bob saved revision 2 meanwhile" in page
    assert "“Faster”" in page
    assert '<th scope="row" class="name">Replicas</th>' in page
    assert '<th scope="row" class="name">Image tag</th>' in page
    assert '<td class="status" data-label="Changed by">You</td>' in page
    assert '<td class="status" data-label="Changed by">Bob</td>' in page
    assert ">Both<" not in page
    assert Deployment.objects.get().current.number == 2


def test_where_both_touched_a_setting_it_says_so(web: Client, deployment: Deployment, review: str) -> None:
    bob_saves(deployment, tag="v0.31.0")
    page = text(web.get(review))
    assert "Both" in page
    assert "<ins>v0.31.0</ins>" in page
    assert "<ins>v0.32.0</ins>" in page


def test_going_on_keeps_both_changes_of_one_step(web: Client, deployment: Deployment, review: str) -> None:
    bob_saves(deployment, replicas=3)
    page = text(web.post(review, {"action": "newest"}, follow=True))
    assert "1 setting changes" in page
    assert web.post(review).status_code == 302
    saved = Deployment.objects.get().current
    assert (saved.number, saved.spec.engine.tag, saved.spec.engine.replicas) == (3, "v0.32.0", 3)


def test_throwing_mine_away_leaves_theirs(web: Client, deployment: Deployment, review: str) -> None:
    bob_saves(deployment, replicas=3)
    key = Draft.objects.get(editing=deployment).pk
    response = web.post(reverse("draft_delete", args=[key]))
    assert response.url == "/deployments/chat/"
    assert not Draft.objects.filter(editing=deployment, result=None).exists()
    assert Deployment.objects.get().current.number == 2


def test_a_secret_that_both_set_is_named_without_its_values(
    web: Client, deployment: Deployment, review: str
) -> None:
    bob_saves(deployment, secret="bobs")
    row = {"name": "TOKEN", "secret": "on", "was": "TOKEN", "value": "mine-own"}
    web.post(review.replace("review", "environment"), variables(row))
    page = text(web.get(review))
    assert "Your new secret value" in page
    assert "Both" in page
    assert "bobs" not in page
    assert "mine-own" not in page


def test_an_incomplete_draft_can_still_be_compared(web: Client, deployment: Deployment, review: str) -> None:
    web.post(review.replace("review", "engine"), {**MINE, "replicas": "many", "action": "back"})
    bob_saves(deployment, replicas=3)
    page = text(web.get(review))
    assert "Bob saved revision 2 meanwhile" in page
    assert "<ins>many</ins>" in page


def test_a_variable_that_they_add_is_kept_beside_mine(
    web: Client, deployment: Deployment, review: str
) -> None:
    spec = replace(deployment.spec, environment=(*deployment.spec.environment, Variable("THEIRS", "1")))
    desired.revise(deployment, spec, author=None, expected=1)
    kept = {"name": "TOKEN", "secret": "on", "was": "TOKEN"}
    web.post(review.replace("review", "environment"), variables(kept, {"name": "MINE", "value": "2"}))
    web.post(review, {"action": "newest"})
    assert web.post(review).status_code == 302
    names = [variable.name for variable in Deployment.objects.get().spec.environment]
    assert sorted(names) == ["MINE", "THEIRS", "TOKEN"]


def test_twenty_clicks_save_one_revision(web: Client, deployment: Deployment, review: str) -> None:
    answers = {web.post(review).url for _ in range(20)}
    assert answers == {"/deployments/chat/"}
    assert Deployment.objects.get().current.number == 2
