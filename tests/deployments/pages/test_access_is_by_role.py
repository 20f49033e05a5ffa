"""Who may see the pages of deployments, and who may act; strangers meet a 404."""

import pytest
from django.test import Client

from console.access import Role
from deployments.models import Deployment
from deployments.vocabulary import DesiredState
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db

READING = ["", "configuration/", "metrics/", "logs/", "sharing/", "yaml/", "yaml/document/"]
ACTING = [
    *("stop/", "start/", "restart/", "delete/", "abandon/", "look-again/", "drift/", "drift/repair/"),
]


@pytest.fixture(autouse=True)
def chat(db: None) -> Deployment:
    return world.deployment(sharing=world.shared(world.Sharing.SELECTED, "acme"))


@pytest.mark.parametrize("part", READING)
def test_viewers_read_everything_and_strangers_nothing(part: str) -> None:
    address = f"/deployments/chat/{part}"
    assert world.signed_in(world.person(role=Role.VIEWER)).get(address).status_code == 200
    assert world.signed_in(world.tenant("bea@acme.example", "acme")).get(address).status_code == 404
    assert Client().get(address).status_code == 302


@pytest.mark.parametrize("part", ACTING)
def test_only_those_who_deploy_may_act(part: str) -> None:
    address = f"/deployments/chat/{part}"
    assert world.signed_in(world.person(role=Role.VIEWER)).post(address).status_code == 403
    assert world.signed_in(world.tenant("bea@acme.example", "acme")).post(address).status_code == 404
    assert Deployment.objects.get().desired_state == DesiredState.RUNNING
    operator = world.signed_in(world.person("op@example.com", Role.OPERATOR))
    assert operator.post(address, {"name": "chat", "policy": "leave"}).status_code == 302


def test_only_those_who_share_may_change_sharing() -> None:
    form = {"mode": "all", "revision": "1", "do": "save"}
    operator = world.signed_in(world.person(role=Role.OPERATOR))
    assert operator.post("/deployments/chat/sharing/", form).status_code == 403
    assert "<form" not in operator.get("/deployments/chat/sharing/").content.decode().partition("<main")[2]
    assert Deployment.objects.get().sharing == "selected"


def test_import_is_for_those_who_deploy() -> None:
    assert world.signed_in(world.person(role=Role.VIEWER)).get("/import/").status_code == 403


@pytest.mark.parametrize("address", ["/deployments/", "/deployments/chat/"])
def test_a_viewer_sees_no_action(address: str) -> None:
    page = world.signed_in(world.person(role=Role.VIEWER)).get(address).content.decode()
    for action in (
        "Edit configuration",
        "Manage sharing",
        "Stop",
        "Restart",
        "Delete",
        "Import YAML",
        "Look again",
    ):
        assert action not in page


def test_what_does_not_exist_is_not_found(web: Client) -> None:
    for part in [*READING, "stop/", "delete/"]:
        assert web.get(f"/deployments/no-such/{part}").status_code == 404


@pytest.mark.parametrize("part", ACTING)
def test_nothing_is_changed_by_reading(web: Client, part: str) -> None:
    before = Deployment.objects.values().get()
    only_by_post, sent_away = ("look-again/", "drift/repair/"), ("abandon/",)
    expected = 405 if part in only_by_post else 302 if part in sent_away else 200
    assert web.get(f"/deployments/chat/{part}").status_code == expected
    assert Deployment.objects.values().get() == before


def test_a_post_needs_its_token() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.person())
    assert client.post("/deployments/chat/delete/").status_code == 403
