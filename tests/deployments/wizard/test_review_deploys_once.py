"""The review shows what would happen, and deploys once, however often it is sent."""

import threading

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from deployments.models import Cluster, Deployment, Draft
from tests.deployments.wizard.conftest import ENGINE, PRICING, RESOURCES


def test_the_review_shows_settings_manifests_and_document(web: Client, at) -> None:
    page = web.get(at("review")).content.decode()
    assert "kind: StatefulSet" in page
    assert "apiVersion: slipway/v1" in page
    assert "None: usage is recorded as unpriced" in page
    assert page.count(">Edit<") == 7


def test_showing_any_page_writes_nothing(web: Client, draft: Draft, at) -> None:
    before = Draft.objects.values("sections", "done", "updated_at").get()
    for step in ("general", "engine", "resources", "environment", "review"):
        web.get(at(step))
    assert Draft.objects.values("sections", "done", "updated_at").get() == before
    assert not Deployment.objects.exists()


def test_deploying_makes_revision_one_with_its_terms(web: Client, draft: Draft, at) -> None:
    web.post(at("pricing"), PRICING)
    web.post(at("rate-limits"), {"user_on": "on", "user_requests": "60"})
    response = web.post(at("review"), {"note": "First try"})
    assert response.url == "/deployments/chat/"
    deployment = Deployment.objects.get()
    assert (deployment.current.number, deployment.current.note) == (1, "First try")
    assert deployment.prices.get().input_per_million.normalize().as_tuple().digits == (1, 5)
    assert deployment.rate_limits.get().requests_per_minute == 60


def test_sending_it_again_makes_nothing_new(web: Client, at) -> None:
    first, second = (web.post(at("review")) for _ in range(2))
    assert first.url == second.url == "/deployments/chat/"
    assert Deployment.objects.count() == 1
    assert web.get(at("engine")).url == "/deployments/chat/"
    assert web.post(at("engine"), ENGINE).url == "/deployments/chat/"


@pytest.mark.django_db(transaction=True)
def test_two_submissions_at_the_same_time_make_one_deployment(web: Client, at) -> None:
    url = at("review")
    answers: list[tuple[int, str]] = []

    def send() -> None:
        other = Client()
        other.cookies = web.cookies
        response = other.post(url)
        answers.append((response.status_code, response.headers.get("Location", "")))
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert answers == [(302, "/deployments/chat/")] * 4
    assert Deployment.objects.count() == 1


def test_a_blocker_stops_the_deployment_only_here(web: Client, at) -> None:
    data = {**RESOURCES, "gpu_count": "16"}
    assert web.post(at("resources"), data).status_code == 302
    assert "No node has 16" in web.get(at("review")).content.decode()
    response = web.post(at("review"))
    assert response.status_code == 422
    assert "This cannot be deployed yet" in response.content.decode()
    assert not Deployment.objects.exists()


def test_an_incomplete_draft_says_what_is_missing_and_where(web: Client, at) -> None:
    web.post(at("engine"), {**ENGINE, "tag": "", "action": "back"})
    page = web.get(at("review")).content.decode()
    assert f'<a href="{at("engine")}">Engine needs a change</a>' in page
    assert web.post(at("review")).status_code == 422


def test_a_name_taken_meanwhile_leads_back_to_it(web: Client, draft: Draft, at) -> None:
    endpoint_id = Cluster.objects.get().endpoints.get().pk
    Deployment.objects.create(name="chat", model=draft.model, endpoint_id=endpoint_id)
    response = web.post(at("review"))
    assert response.status_code == 422
    assert "There is a deployment chat already." in response.content.decode()


def test_a_cluster_that_nobody_checked_is_a_warning(web: Client, at) -> None:
    Cluster.objects.update(facts=None)
    assert "The cluster has not been reached" in web.get(at("review")).content.decode()
    assert web.post(at("review")).status_code == 302


def test_the_endpoint_may_go_while_one_is_at_it(web: Client, draft: Draft, at) -> None:
    Cluster.objects.get().endpoints.all().delete()
    for step in ("engine", "resources", "review"):
        assert web.get(at(step)).status_code == 200
    response = web.post(at("review"))
    assert response.status_code == 422
    assert "There is no endpoint main" in response.content.decode()


def test_the_first_step_sent_twice_begins_one_draft(web: Client, draft: Draft) -> None:
    url = reverse("model_deploy", args=["opt-125m"])
    key = web.get(url).context["form"]["draft"].value()
    answers = [web.post(url, {"name": "other", "endpoint": "main", "draft": key}).url for _ in range(2)]
    assert answers[0] == answers[1]
    assert Draft.objects.filter(sections__general__name="other").count() == 1
