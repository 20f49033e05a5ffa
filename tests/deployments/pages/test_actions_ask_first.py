"""Stop, start and delete say what they mean before they are done; look again forgets a refusal."""

from django.test import Client

from deployments.models import Deployment
from deployments.spec import Gpu, Resources
from deployments.vocabulary import DesiredState, Phase, Sharing
from tests.deployments.pages import world


def state() -> str:
    return Deployment.objects.get().desired_state


def test_delete_states_who_loses_it_and_what_becomes_free(web: Client) -> None:
    gpu = Resources(gpu=Gpu(count=2, product="NVIDIA-H100-80GB-HBM3"))
    world.deployment(wanted=2, resources=gpu, sharing=world.shared(Sharing.SELECTED, "acme", "globex"))
    page = web.get("/deployments/chat/delete/").content.decode()
    assert "Acme and Globex lose it at once." in page
    assert "4 × H100 on fra-1 become free." in page
    assert "cannot be undone" in page


def test_delete_is_done_by_post_and_leads_to_the_list(web: Client) -> None:
    world.deployment()
    answer = web.post("/deployments/chat/delete/", follow=True)
    assert answer.redirect_chain == [("/deployments/", 302)]
    assert "chat is being deleted" in answer.content.decode()
    assert state() == DesiredState.DELETED


def test_one_that_is_being_deleted_takes_no_other_wish(web: Client, ada) -> None:
    world.deployment()
    web.post("/deployments/chat/delete/")
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
