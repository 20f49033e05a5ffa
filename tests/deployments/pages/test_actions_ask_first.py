"""Stop, start and restart say what they mean before they are done; look again forgets a refusal."""

from dataclasses import replace

import pytest
from django.test import Client

from deployments import desired
from deployments.models import Deployment
from deployments.spec import DynamoSpec, EngineSpec
from deployments.vocabulary import DesiredState, DynamoMode, Engine, Phase
from tests.deployments.pages import world


def state() -> str:
    return Deployment.objects.get().desired_state


def test_one_that_is_being_deleted_takes_no_other_wish(web: Client, ada) -> None:
    world.deployment()
    web.post("/deployments/chat/delete/", {"name": "chat"})
    answer = web.post("/deployments/chat/stop/", follow=True)
    assert "is being deleted already" in answer.content.decode()
    assert state() == DesiredState.DELETED


def test_stop_and_start_there_and_back(web: Client) -> None:
    made = world.deployment()
    page = web.get("/deployments/chat/stop/").content.decode()
    assert "shared with nobody" in page
    web.post("/deployments/chat/stop/")
    assert state() == DesiredState.STOPPED
    world.see(made, Phase.STOPPED, ready=0, wanted=0)
    assert "Start…" in web.get("/deployments/chat/").content.decode()
    assert (
        "1 replica starts on fra-1, as revision 1 says."
        in web.get("/deployments/chat/start/").content.decode()
    )
    web.post("/deployments/chat/start/")
    assert state() == DesiredState.RUNNING


def test_for_htmx_the_question_is_the_content_of_a_dialog(web: Client) -> None:
    world.deployment()
    part = web.get("/deployments/chat/delete/", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert 'action="/deployments/chat/delete/"' in part
    assert "csrfmiddlewaretoken" in part


@pytest.mark.parametrize(("action", "said"), [("stop", "is being stopped"), ("start", "is being started")])
def test_sent_twice_it_is_done_and_said_once(web: Client, action: str, said: str) -> None:
    made = world.deployment()
    if action == "start":
        desired.stop(made, author=None)
    web.post(f"/deployments/chat/{action}/")
    before = Deployment.objects.values().get()
    page = web.post(f"/deployments/chat/{action}/", follow=True).content.decode()
    assert page.count(said) == 1
    assert Deployment.objects.values().get() == before


def test_restart_says_which_replicas_in_which_order_and_what_is_missing_meanwhile(web: Client) -> None:
    world.deployment(ready=2, wanted=2, engine=replace(world.spec().engine, replicas=2))
    page = web.get("/deployments/chat/restart/").content.decode()
    assert "2 replicas restart, one after the other. All settings stay as revision 1 says." in page
    assert "md-chat-1, then md-chat-0. Each waits until the one before is ready." in page
    assert "1 of 2 replicas is away at a time" in page
    assert "Replace in place." in page


def test_the_frontend_of_dynamo_is_counted_as_no_worker(web: Client) -> None:
    dynamo = DynamoSpec(DynamoMode.DISAGGREGATED)
    engine = EngineSpec(Engine.DYNAMO, "nvcr.io/nvidia/ai-dynamo/vllm-runtime", "1.4.0", dynamo=dynamo)
    world.deployment(ready=3, wanted=3, engine=engine)
    page = web.get("/deployments/chat/restart/").content.decode()
    assert "2 workers restart" in page
    assert "The Dynamo operator rolls all workers together" in page


def restarting(web: Client) -> dict[str, str]:
    """The form as the page gives it."""
    return {"since": web.get("/deployments/chat/restart/").context["form"]["since"].value()}


def test_restart_is_done_by_post(web: Client, ada) -> None:
    world.deployment()
    answer = web.post("/deployments/chat/restart/", restarting(web), follow=True)
    assert "The replicas of chat are being restarted." in answer.content.decode()
    found = Deployment.objects.get()
    assert found.restarted_at is not None
    assert found.changed_by == ada


def test_a_second_click_restarts_nothing_more_and_says_nothing_more(web: Client) -> None:
    world.deployment()
    asked = restarting(web)
    web.post("/deployments/chat/restart/", asked)
    first = Deployment.objects.get().restarted_at
    page = web.post("/deployments/chat/restart/", asked, follow=True).content.decode()
    assert page.count("are being restarted") == 1
    assert Deployment.objects.get().restarted_at == first


def test_whoever_asks_once_more_sees_the_last_restart(web: Client) -> None:
    world.deployment()
    web.post("/deployments/chat/restart/", restarting(web))
    first = Deployment.objects.get().restarted_at
    assert "Last restart" in web.get("/deployments/chat/restart/").content.decode()
    web.post("/deployments/chat/restart/", restarting(web))
    assert Deployment.objects.get().restarted_at > first


def test_two_people_restart_once_and_the_second_is_told(web: Client) -> None:
    world.deployment()
    other = world.signed_in(world.person("bob@example.com"))
    asked = restarting(other)
    web.post("/deployments/chat/restart/", restarting(web))
    first = Deployment.objects.get().restarted_at
    page = other.post("/deployments/chat/restart/", asked, follow=True).content.decode()
    assert "Somebody changed chat since you were asked, so it was not restarted again." in page
    assert Deployment.objects.get().restarted_at == first


@pytest.mark.parametrize("since", ["", "yesterday", "2026-13-01", "9" * 500])
def test_nonsense_about_the_last_restart_is_no_other_answer(web: Client, since: str) -> None:
    world.deployment()
    Deployment.objects.update(restarted_at=world.ago(minutes=5))
    before = Deployment.objects.get().restarted_at
    assert web.post("/deployments/chat/restart/", {"since": since}).status_code == 302
    assert Deployment.objects.get().restarted_at == before


def test_what_is_stopped_is_started_and_not_restarted(web: Client) -> None:
    world.deployment(phase=Phase.STOPPED, ready=0, wanted=0)
    for answer in (
        web.get("/deployments/chat/restart/", follow=True),
        web.post("/deployments/chat/restart/", follow=True),
    ):
        assert "chat is stopped, so nothing can be restarted. Start it instead." in answer.content.decode()
    assert Deployment.objects.get().restarted_at is None
    assert "Restart…" not in web.get("/deployments/chat/").content.decode()


def test_look_again_forgets_the_refusal(web: Client) -> None:
    world.deployment(phase=Phase.QUEUED)
    Deployment.objects.update(
        attempts=4, refusal={"code": "quota", "sentence": "Too much.", "remedy": "", "terminal": True}
    )
    assert "Too much." in web.get("/deployments/chat/").content.decode()
    answer = web.post("/deployments/chat/look-again/", follow=True)
    assert answer.redirect_chain == [("/deployments/chat/", 302)]
    found = Deployment.objects.get()
    assert (found.attempts, found.refusal) == (0, None)
