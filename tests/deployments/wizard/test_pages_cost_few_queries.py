"""Every page of the wizard costs at most eight statements, however much there is."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from deployments.models import Deployment, Draft, Endpoint, Observation
from deployments.wizard import steps
from tests.deployments.wizard.conftest import variables

MOST = 8


def cost(web: Client, url: str) -> int:
    """Statements of the page itself, once a message that waited has been shown."""
    web.get(url)
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert web.get(url).status_code == 200
    return len(seen)


@pytest.fixture
def many(draft: Draft, endpoint: Endpoint) -> None:
    """Fifty of everything that a page might go through one by one."""
    for number in range(50):
        Endpoint.objects.create(
            slug=f"e{number}", name=f"E{number}", hostname=f"e{number}.example.com", cluster=endpoint.cluster
        )
        Draft.objects.create(author=draft.author, model=draft.model, sections=draft.sections)
        deployment = Deployment.objects.create(
            name=f"opt-125m-{number}", model=draft.model, endpoint=endpoint
        )
        Observation.objects.create(deployment=deployment)


@pytest.mark.parametrize("step", [step.slug for step in steps.STEPS])
def test_a_step_costs_the_same_with_more_around_it(web: Client, at, step: str, request) -> None:
    few = cost(web, at(step))
    request.getfixturevalue("many")
    web.post(at("environment"), variables(*({"name": f"V{n}", "value": "x"} for n in range(60))))
    assert cost(web, at(step)) == few <= MOST


def test_the_first_page_costs_the_same_with_more_around_it(web: Client, draft: Draft, request) -> None:
    url = reverse("model_deploy", args=["opt-125m"])
    few = cost(web, url)
    request.getfixturevalue("many")
    assert cost(web, url) == few <= MOST


def test_the_pages_of_an_edit_cost_no_more(web: Client, draft: Draft, at) -> None:
    web.post(at("review"))
    assert cost(web, reverse("deployment_edit", args=["chat"])) <= MOST
    web.post(reverse("deployment_edit", args=["chat"]), {"description": ""})
    change = Draft.objects.get(editing__isnull=False)
    for step in steps.STEPS:
        assert cost(web, reverse("draft_step", args=[change.pk, step.slug])) <= MOST, step
