"""Lists come a page at a time, and nothing is left out or told twice when rows come and go meanwhile."""

from __future__ import annotations

import pytest

from console.models import Organization
from tests.console.api.conftest import Caller, problem
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db


def test_all_pages_together_are_all_rows(admin: Caller) -> None:
    for number in range(7):
        world.organization(f"org-{number}")
    seen, path, pages = [], "/organizations?limit=3", 0
    while path:
        answer = admin("GET", path)
        pages += 1
        seen += [each["slug"] for each in answer.json()["items"]]
        following = answer.json()["next"]
        assert (f"cursor={following}" in answer.get("Link", "")) is (following is not None)
        path = f"/organizations?limit=3&cursor={following}" if following else ""
    assert seen == [f"org-{number}" for number in range(7)]
    assert pages == 3


def test_rows_that_come_and_go_shift_nothing(admin: Caller) -> None:
    for number in range(6):
        world.organization(f"org-{number}")
    first = admin("GET", "/organizations?limit=3").json()
    Organization.objects.get(slug="org-1").delete()
    world.organization("aaa")
    rest = admin("GET", f"/organizations?limit=3&cursor={first['next']}").json()
    assert [each["slug"] for each in rest["items"]] == ["org-3", "org-4", "org-5"]
    assert rest["next"] is None


@pytest.mark.parametrize("cursor", ["nonsense", "e30", "bnVsbA", "W10", "x" * 500, "%F0%9F%98%80"])
def test_a_cursor_that_nobody_gave_is_refused(admin: Caller, cursor: str) -> None:
    said = problem(admin("GET", f"/organizations?cursor={cursor}"), 422)
    assert said["errors"][0]["path"] == "cursor"


@pytest.mark.parametrize("limit", ["0", "201", "-1", "many"])
def test_a_page_has_1_to_200_rows(admin: Caller, limit: str) -> None:
    assert problem(admin("GET", f"/models?limit={limit}"), 422)["errors"][0]["path"] == "limit"


def test_a_page_costs_the_same_for_one_row_and_for_many(
    admin: Caller, django_assert_max_num_queries: object
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def queries() -> int:
        with CaptureQueriesContext(connection) as spent:
            admin("GET", "/deployments")
        return len(spent)

    world.deployment("chat-0")
    queries()
    one = queries()
    for number in range(1, 12):
        world.deployment(f"chat-{number}")
    assert queries() == one
