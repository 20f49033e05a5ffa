"""SQL statements per page: committed budgets, and the same number for 3 and for 300 deployments."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from deployments.models import Deployment, Observation, Revision, Share
from deployments.vocabulary import Phase, Sharing
from tests.deployments.pages import world

BUDGETS = {
    "/": 8,
    "/deployments/": 7,
    "/deployments/?q=d&state=serving&organization=acme&sort=-gpus": 7,
    "/deployments/d-0/": 7,
    "/deployments/d-0/configuration/": 6,
    "/deployments/d-0/metrics/": 11,
    "/deployments/d-0/sharing/": 9,
    "/deployments/d-0/yaml/": 5,
    "/deployments/d-0/delete/": 7,
}


def fill(count: int) -> None:
    """Copies in bulk: what a page costs does not depend on how its rows were made."""
    like = Deployment.objects.select_related("current").get(name="d-0")
    for number in range(Deployment.objects.count(), count):
        copy = Deployment.objects.create(name=f"d-{number}", model=like.model, endpoint=like.endpoint)
        copy.current = Revision.objects.create(
            deployment=copy, number=1, document=like.current.document, source=like.current.source
        )
        copy.save(update_fields=["current"])
        Observation.objects.create(
            deployment=copy, phase=Phase.FAILED, observed_at=world.ago(seconds=1), revision=1
        )


def queries(web: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert web.get(address).status_code == 200
    return len(captured)


@pytest.mark.parametrize(("address", "budget"), BUDGETS.items())
def test_a_page_stays_within_its_budget_at_any_size(web: Client, address: str, budget: int) -> None:
    first = world.deployment("d-0", Phase.FAILED, sharing=world.shared(Sharing.SELECTED, "acme"))
    fill(3)
    few = queries(web, address)
    assert few <= budget
    fill(300)
    for number in range(30):
        Share.objects.create(deployment=first, organization=world.organization(f"org-{number}"))
    assert queries(web, address) == few
