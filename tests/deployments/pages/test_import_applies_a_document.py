"""A pasted document creates or revises; problems are listed by path and nothing is lost."""

import pytest
from django.test import Client

from console.access import Role
from deployments import document
from deployments.models import Deployment
from deployments.spec import Variable
from deployments.vocabulary import Sharing
from tests.deployments.pages import world

ADDRESS = "/import/"


@pytest.fixture(autouse=True)
def place(db: None) -> None:
    world.model()
    world.endpoint()


def text(**changes: object) -> str:
    return document.write(world.spec(**changes))


def test_a_new_name_creates(web: Client, ada) -> None:
    answer = web.post(ADDRESS, {"document": text(), "do": "apply"}, follow=True)
    assert answer.redirect_chain == [("/deployments/chat/", 302)]
    assert Deployment.objects.get().current.author == ada


def test_a_known_name_revises_and_the_same_changes_nothing(web: Client) -> None:
    world.deployment()
    web.post(ADDRESS, {"document": text(description="New"), "do": "apply"})
    assert Deployment.objects.get().current.number == 2
    answer = web.post(ADDRESS, {"document": text(description="New"), "do": "apply"}, follow=True)
    assert "Nothing was changed" in answer.content.decode()
    assert Deployment.objects.get().current.number == 2


def test_a_check_says_what_would_change_and_changes_nothing(web: Client) -> None:
    world.deployment()
    page = web.post(ADDRESS, {"document": text(description="New"), "do": "check"}).content.decode()
    assert "It would save revision 2 of chat" in page
    assert "metadata.description" in page
    assert Deployment.objects.get().current.number == 1
    assert (
        "It would create"
        in web.post(ADDRESS, {"document": text(name="other"), "do": "check"}).content.decode()
    )
    assert Deployment.objects.count() == 1


@pytest.mark.parametrize(
    ("broken", "path"),
    [
        ("", "document"),
        ("a: [", "document"),
        (text().replace("replicas: 1", "replicas: -1"), "spec.engine.replicas"),
        (text().replace("model: llama-8b", "model: no-such"), "spec.model"),
        (text() + "\nmore: 1\n", "more"),
    ],
)
def test_problems_are_listed_by_path_and_the_text_is_kept(web: Client, broken: str, path: str) -> None:
    answer = web.post(ADDRESS, {"document": broken, "do": "apply"})
    assert answer.status_code == 422
    assert [problem.path for problem in answer.context["problems"]] == [path]
    assert answer.context["text"] == broken
    assert not Deployment.objects.exists()


def test_a_secret_without_a_value_is_asked_for(web: Client) -> None:
    secret = text(environment=(Variable("HF_TOKEN", secret=True),))
    answer = web.post(ADDRESS, {"document": secret, "do": "apply"})
    assert answer.status_code == 422
    assert 'name="secret-HF_TOKEN"' in answer.content.decode()
    answer = web.post(
        ADDRESS, {"document": secret, "do": "apply", "secret-HF_TOKEN": "hidden-value"}, follow=True
    )
    assert "hidden-value" not in answer.content.decode()
    assert Deployment.objects.get().current.secret_values() == {"HF_TOKEN": "hidden-value"}


def test_a_document_is_no_way_around_the_right_to_share() -> None:
    world.organization("acme")
    operator = world.signed_in(world.person(role=Role.OPERATOR))
    shared = text(sharing=world.shared(Sharing.ALL))
    answer = operator.post(ADDRESS, {"document": shared, "do": "apply"})
    assert [problem.path for problem in answer.context["problems"]] == ["spec.sharing"]
    world.deployment(sharing=world.shared(Sharing.ALL))
    assert operator.post(ADDRESS, {"document": shared, "do": "apply"}).status_code == 302
    assert operator.post(ADDRESS, {"document": text(), "do": "apply"}).status_code == 422
