"""A change that Dynamo's operator would refuse is told on the Engine step and on the review, before it is saved."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse

from deployments import desired
from deployments.models import Deployment, Draft
from deployments.spec import DynamoSpec
from deployments.vocabulary import DynamoMode, Engine

GRAPH = {
    "kind": "dynamo",
    "shown": "dynamo",
    "image": "nvcr.io/nvidia/ai-dynamo/vllm-runtime",
    "tag": "1.3.1",
    "replicas": "1",
    "volume": "100Gi",
    "arguments": "",
    "mode": "aggregated",
    "backend": "vllm",
    "prefill_replicas": "1",
    "decode_replicas": "1",
}
SENTENCE = "The mode stays aggregated"


@pytest.fixture
def deployment(web: Client, draft: Draft, at) -> Deployment:
    """Revision 2 is a graph of alike workers, and the cluster has it."""
    assert web.post(at("review")).status_code == 302
    made = Deployment.objects.get()
    engine = replace(
        made.spec.engine, kind=Engine.DYNAMO, image=GRAPH["image"], tag=GRAPH["tag"], dynamo=DynamoSpec()
    )
    desired.revise(made, replace(made.spec, engine=engine), author=None, expected=1)
    Deployment.objects.update(applied_revision=2)
    return Deployment.objects.get()


@pytest.fixture
def change(web: Client, deployment: Deployment):
    web.post(reverse("deployment_edit", args=["chat"]), {"description": "For everyone"})
    draft = Draft.objects.get(editing=deployment)
    return lambda slug: reverse("draft_step", args=[draft.pk, slug])


def test_another_mode_is_told_beside_its_field_and_again_on_the_review(web: Client, change) -> None:
    answer = web.post(change("engine"), {**GRAPH, "mode": "disaggregated", "action": "continue"})
    assert answer.status_code == 422
    assert SENTENCE in answer.text
    review = web.get(change("review"))
    assert SENTENCE in review.text
    assert change("engine") in review.text
    assert web.post(change("review")).status_code == 422
    assert Deployment.objects.get().current.number == 2


def test_another_backend_is_told_in_the_same_way(web: Client, change) -> None:
    answer = web.post(change("engine"), {**GRAPH, "backend": "sglang", "action": "continue"})
    assert answer.status_code == 422
    assert "The backend stays vLLM" in answer.text


def test_other_settings_of_the_graph_are_saved(web: Client, change) -> None:
    assert web.post(change("engine"), {**GRAPH, "replicas": "2", "action": "continue"}).status_code == 302
    assert SENTENCE not in web.get(change("review")).text


def test_before_the_cluster_has_it_nothing_is_fixed(web: Client, change) -> None:
    Deployment.objects.update(applied_revision=0)
    web.post(change("engine"), {**GRAPH, "mode": "disaggregated", "action": "continue"})
    assert SENTENCE not in web.get(change("review")).text


def test_a_roll_back_to_another_mode_says_so(web: Client, deployment: Deployment, change) -> None:
    Deployment.objects.update(applied_revision=0)
    apart = replace(deployment.spec.engine, dynamo=DynamoSpec(DynamoMode.DISAGGREGATED))
    desired.revise(deployment, replace(deployment.spec, engine=apart), author=None, expected=2)
    Deployment.objects.update(applied_revision=3)
    page = web.post(reverse("deployment_roll_back", args=["chat", 2]), {"terms": "back"}, follow=True)
    assert "The mode stays disaggregated" in page.text
