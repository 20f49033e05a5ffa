"""Deleting says who loses what, asks for the name, and is not the way out when the cluster is gone."""

from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from deployments.leftovers import GONE_AFTER
from deployments.models import Cluster, Deployment
from deployments.spec import Gpu, Resources
from deployments.vocabulary import DesiredState, Sharing
from tests.deployments.pages import world

VOLUMES = [{"name": f"data-md-chat-{i}", "size": "100Gi"} for i in range(3)]
DELETE, ABANDON = "/deployments/chat/delete/", "/deployments/chat/abandon/"


def text(answer) -> str:
    return unescape(answer.content.decode())


def gone(span: timedelta = GONE_AFTER) -> None:
    Cluster.objects.update(unreachable_since=timezone.now() - span, unreachable_reason="No route to host.")


def test_it_states_who_loses_it_what_becomes_free_and_which_volumes_go(web: Client) -> None:
    gpu = Resources(gpu=Gpu(count=2, product="NVIDIA-H100-80GB-HBM3"))
    shared = world.shared(Sharing.SELECTED, "acme", "globex")
    world.deployment(wanted=2, resources=gpu, sharing=shared, details={"volumes": VOLUMES})
    page = text(web.get(DELETE))
    assert "Acme and Globex lose it at once." in page
    assert "2 replicas end. 4 × H100 on fra-1 become free." in page
    assert "3 volumes of 300 GiB are deleted, with what is in them." in page
    assert "data-md-chat-2, 100Gi" in page
    assert "with its revisions and rate limits. Usage and prices stay in the ledger" in page
    assert "cannot be undone" in page


def test_a_volume_of_unknown_size_is_named_without_one(web: Client) -> None:
    world.deployment(details={"volumes": [{"name": "data-md-chat-0", "size": ""}]})
    page = text(web.get(DELETE))
    assert "1 volume is deleted, with what is in it." in page
    assert "data-md-chat-0</pre>" in page


def test_the_name_is_typed_and_then_it_is_done(web: Client, ada) -> None:
    world.deployment()
    assert "Type chat to confirm" in text(web.get(DELETE))
    answer = web.post(DELETE, {"name": " chat "}, follow=True)
    assert answer.redirect_chain == [("/deployments/", 302)]
    assert "chat is being deleted" in text(answer)
    found = Deployment.objects.get()
    assert (found.desired_state, found.changed_by) == (DesiredState.DELETED, ada)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "Nothing was typed. Type chat."),
        ("Chat", "“Chat” is not chat. Type chat."),
        ("chat2", "“chat2” is not chat. Type chat."),
        ("<b>", "“<b>” is not chat. Type chat."),
        ("x" * 300, "at most 200 characters"),
    ],
)
@pytest.mark.parametrize("address", [DELETE, ABANDON])
def test_another_name_is_refused_beside_the_field(
    web: Client, address: str, typed: str, sentence: str
) -> None:
    world.deployment()
    gone()
    answer = web.post(address, {"name": typed})
    assert answer.status_code == 422
    assert sentence in text(answer).partition('id="confirm_name_error"')[2]
    assert Deployment.objects.get().desired_state == DesiredState.RUNNING


def test_sent_twice_it_is_said_once(web: Client) -> None:
    world.deployment()
    web.post(DELETE, {"name": "chat"})
    page = text(web.post(DELETE, {"name": "chat"}, follow=True))
    assert page.count("chat is being deleted.") == 1
    assert "already" not in page


@pytest.mark.parametrize("address", [DELETE, ABANDON])
def test_a_second_click_that_comes_when_all_is_done_leads_to_the_list(web: Client, address: str) -> None:
    assert web.post(address, {"name": "chat"}).headers["Location"] == "/deployments/"
    assert web.get(address).status_code == 404
    stranger = world.signed_in(world.tenant("bea@acme.example", "acme"))
    assert stranger.post(address, {"name": "chat"}).status_code == 404


def test_with_the_cluster_gone_it_says_that_deleting_waits_and_shows_the_other_way(web: Client) -> None:
    world.deployment()
    assert ABANDON not in text(web.get(DELETE))
    gone()
    page = text(web.get(DELETE))
    assert "no route to host. Deleting waits until it answers again." in page
    assert ABANDON in page


def test_giving_up_names_what_is_left_and_how_to_remove_it(web: Client) -> None:
    world.deployment(details={"replicas": [{"name": "md-chat-0"}], "volumes": VOLUMES})
    gone()
    page = text(web.get(ABANDON))
    for line in ("StatefulSet md-chat", "Pod md-chat-0", "PersistentVolumeClaim data-md-chat-2"):
        assert line in page
    assert "kubectl --namespace models delete" in page
    assert "--selector slipway/deployment=chat" in page
    assert "Nothing is deleted in the cluster." in page
    answer = web.post(ABANDON, {"name": "chat"}, follow=True)
    assert "chat is removed from Slipway. What was left in fra-1 is still there." in text(answer)
    assert not Deployment.objects.exists()
    assert text(web.post(ABANDON, {"name": "chat"}, follow=True)).count("is removed from Slipway") == 0


@pytest.mark.parametrize("span", [None, timedelta(minutes=1)])
def test_a_cluster_that_answers_is_not_given_up(web: Client, span: timedelta | None) -> None:
    world.deployment()
    if span:
        gone(span)
    for answer in (web.get(ABANDON, follow=True), web.post(ABANDON, {"name": "chat"}, follow=True)):
        assert "fra-1 answers. Delete chat there instead." in text(answer)
    assert Deployment.objects.exists()


def test_one_that_was_being_deleted_when_its_cluster_went_can_be_given_up(web: Client) -> None:
    made = world.deployment(seen=world.ago(minutes=20))
    web.post(DELETE, {"name": "chat"})
    refusal = {"code": "unreachable", "sentence": "No answer.", "remedy": "Wait.", "terminal": False}
    Deployment.objects.update(refusal=refusal)
    gone()
    assert ABANDON in text(web.get(f"/deployments/{made.name}/"))
    web.post(ABANDON, {"name": "chat"})
    assert not Deployment.objects.exists()
