"""Sharing: a look at who gains and who loses it comes before saving."""

import pytest
from django.test import Client

from deployments import desired
from deployments.models import Deployment
from deployments.vocabulary import Sharing
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
