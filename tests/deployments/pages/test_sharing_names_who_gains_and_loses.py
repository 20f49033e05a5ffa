"""Sharing: a look at who gains and who loses it comes before saving."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from console.models import Organization
from deployments import desired
from deployments.models import Deployment
from deployments.vocabulary import LimitScope, Sharing
from metering.limit_changes import Amounts, set_exception
from tests.deployments.pages import world

ADDRESS = "/deployments/chat/sharing/"


@pytest.fixture(autouse=True)
def chat(ada) -> Deployment:
    world.organization("initech")
    return world.deployment(sharing=world.shared(Sharing.SELECTED, "acme", "globex"))


def shares() -> tuple[str, list[str]]:
    found = Deployment.objects.get()
    return found.sharing, sorted(found.shares.values_list("organization__slug", flat=True))


def form(mode: str, *organizations: str, do: str = "save", revision: int = 1) -> dict[str, object]:
    return {"mode": mode, "organizations": list(organizations), "do": do, "revision": revision}


def test_a_review_says_who_gains_and_loses_and_saves_nothing(web: Client) -> None:
    answer = web.post(ADDRESS, form("selected", "globex", "initech", do="review"))
    change = answer.context["change"]
    assert (change.gains, change.loses) == (("Initech",), ("Acme",))
    page = answer.content.decode()
    assert "Save sharing" in page
    assert "Lose it at once" in page
    assert shares() == ("selected", ["acme", "globex"])


def test_saving_changes_the_shares_as_a_revision(web: Client) -> None:
    answer = web.post(ADDRESS, form("selected", "initech"), follow=True)
    assert "Sharing of chat is saved." in answer.content.decode()
    assert shares() == ("selected", ["initech"])
    assert Deployment.objects.get().current.number == 2


def test_all_and_none_forget_the_selection(web: Client) -> None:
    web.post(ADDRESS, form("all", "acme"))
    assert shares() == ("all", [])
    web.post(ADDRESS, form("private", revision=2))
    assert shares() == ("private", [])


def test_selected_needs_an_organisation(web: Client) -> None:
    answer = web.post(ADDRESS, form("selected"))
    assert answer.status_code == 422
    assert "No organisation is chosen" in answer.content.decode()
    assert shares() == ("selected", ["acme", "globex"])


@pytest.mark.parametrize(
    "odd", [{"mode": "everyone"}, {}, {"mode": "selected", "organizations": ["no-such"]}]
)
def test_odd_input_is_refused(web: Client, odd: dict[str, object]) -> None:
    assert web.post(ADDRESS, {"do": "save", "revision": "1", **odd}).status_code == 422
    assert shares() == ("selected", ["acme", "globex"])


def test_a_change_that_began_from_an_older_revision_is_looked_at_again(
    web: Client, chat: Deployment, ada
) -> None:
    desired.share(chat, Sharing.ALL, (), author=ada)
    answer = web.post(ADDRESS, form("private"))
    assert answer.status_code == 422
    assert "revision 2 meanwhile" in answer.content.decode()
    assert shares() == ("all", [])


def test_the_same_choice_changes_nothing(web: Client) -> None:
    answer = web.post(ADDRESS, form("selected", "acme", "globex", do="review"))
    assert "Nothing changes" in answer.content.decode()
    assert "Save sharing" not in answer.content.decode()


def test_thousands_are_searched_and_what_is_chosen_outlives_the_search(web: Client) -> None:
    Organization.objects.bulk_create(
        Organization(slug=f"tenant-{number:04}", name=f"Tenant {number:04}") for number in range(3000)
    )
    first = web.post(ADDRESS, {**form("selected", "acme", "globex", do="search"), "q": "tenant-29"})
    shown = first.context["picker"]
    assert (shown.found, len(shown.rows), shown.chosen) == (100, 52, 2)
    assert first.context["change"] is None
    chosen = {
        **form("selected", "tenant-2900", "tenant-2901", do="search"),
        "kept": "acme globex",
        "q": "tenant-00",
    }
    second = web.post(ADDRESS, chosen).context["picker"]
    assert second.chosen == 4
    ticked = [each.slug for each, is_chosen in second.rows if is_chosen]
    rest = {"kept": second.kept, **form("selected", *ticked, "tenant-0007")}
    assert web.post(ADDRESS, rest).status_code == 302
    assert shares() == ("selected", ["acme", "globex", "tenant-0007", "tenant-2900", "tenant-2901"])


def test_a_selection_longer_than_the_page_is_kept_whole(web: Client, chat: Deployment, ada) -> None:
    Organization.objects.bulk_create(
        Organization(slug=f"tenant-{number:04}", name=f"Tenant {number:04}") for number in range(2000)
    )
    many = [f"tenant-{number:04}" for number in range(1500)]
    desired.share(chat, Sharing.SELECTED, many, author=ada)
    page = web.get(ADDRESS)
    shown = page.context["picker"]
    ticked = [each.slug for each, is_chosen in shown.rows if is_chosen]
    assert len(ticked) + len(shown.kept.split()) == 1500
    ticked.remove("tenant-0000")
    assert web.post(ADDRESS, {"kept": shown.kept, **form("selected", *ticked, revision=2)}).status_code == 302
    assert shares() == ("selected", many[1:])


def test_the_page_costs_the_same_at_any_size(web: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert web.get(ADDRESS).status_code == 200
        return len(captured)

    queries()  # the first request notes the session
    few = queries()
    Organization.objects.bulk_create(
        Organization(slug=f"tenant-{number:04}", name=f"Tenant {number:04}") for number in range(2000)
    )
    assert queries() == few


def test_limits_of_single_organisations_stand_beside(web: Client, chat: Deployment) -> None:
    set_exception(chat, world.organization("acme"), {LimitScope.USER: Amounts(5, None)})
    page = web.get(ADDRESS).content.decode()
    assert "5 requests" in page
    assert "/deployments/chat/limits/?organization=acme#exception" in page
