"""What only a browser shows: accessibility, narrow screens, dialogs, and polls that disturb nobody."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from deployments.facts import ClusterFacts, GpuNode
from deployments.models import Cluster, Deployment, Transition
from deployments.spec import Autoscaling
from deployments.vocabulary import DesiredState, Phase, ScalingMetric, Sharing
from tests.browser import wait_for_the_last_answer
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = [
    "/",
    "/deployments/",
    "/deployments/?q=falcon",
    "/deployments/bad/",
    "/deployments/good/",
    "/deployments/rests/",
    "/deployments/old/",
    *(
        f"/deployments/bad/{part}/"
        for part in ("configuration", "metrics", "logs", "sharing", "yaml", "restart", "drift", "delete")
    ),
    "/deployments/scaled/",
    "/deployments/away/",
    "/deployments/away/delete/",
    "/deployments/away/abandon/",
    "/import/",
]


@pytest.fixture
def several(db: None) -> None:
    at = timezone.now().isoformat()
    replica = {
        "name": "md-bad-0",
        "label": "Failed",
        "tone": "bad",
        "sentence": "No such tag.",
        "node": "gpu-4",
        "since": at,
    }
    event = {
        "at": at,
        "kind": "Pod",
        "name": "md-bad-0",
        "reason": "ErrImagePull",
        "message": "not found",
        "warning": True,
    }
    details = {
        "replicas": [replica],
        "events": [event],
        "log": ["INFO start", "ERROR gone"],
        "log_of": "md-bad-0",
    }
    sharing = world.shared(Sharing.SELECTED, "acme", "globex")
    bad = world.deployment(
        "bad",
        Phase.FAILED,
        ready=0,
        sentence="No such tag.",
        remedy="Correct it.",
        details=details,
        sharing=sharing,
    )
    good = world.deployment("good", Phase.SERVING)
    Transition.objects.all().delete()
    for made, last in ((bad, Phase.FAILED), (good, Phase.SERVING)):
        for minutes, phase in ((9, Phase.QUEUED), (8, Phase.PULLING), (5, last)):
            world.move(made, phase, timezone.now() - timedelta(minutes=minutes))
    world.deployment("moves", Phase.LOADING, ready=0, sentence="Loading weights.")
    world.deployment("old", Phase.SERVING, seen=world.ago(seconds=200))
    world.deployment("rests", Phase.STOPPED, ready=0, wanted=0, sentence="No replica runs.")
    scaled()
    away()
    node = GpuNode("gpu-4", "NVIDIA-H100-80GB-HBM3", None, total=24, free=5)
    Cluster.objects.update(
        facts=ClusterFacts("v1.34.2", gpu_nodes=(node,)).to_mapping(), observed_at=timezone.now()
    )


def scaled() -> None:
    """One whose autoscaler is at its maximum, and of which somebody changed an object by hand."""
    at = timezone.now().isoformat()
    event = {"at": at, "reason": "SuccessfulRescale", "message": "New size: 4; reason: above target"}
    seen = {"current": 9.5, "target": 5.0, "replicas": 4, "desired": 4, "minimum": 1, "maximum": 4}
    made = world.deployment(
        "scaled",
        autoscaling=Autoscaling(True, 1, 4, ScalingMetric.REQUESTS_WAITING, 5),
        details={"scaling": {**seen, "capped": True, "capped_since": at, "events": [event]}},
    )
    change = {"object": "StatefulSet/md-scaled", "paths": ["spec.replicas"], "by": "kubectl-scale"}
    made.drift = {"at": at, "policy": "leave", "changes": [change], "repaired": False}
    made.save(update_fields=["drift"])


def away() -> None:
    """One on a cluster that is gone."""
    place = world.endpoint("lost", "lost-1").cluster
    volumes = [{"name": f"data-md-away-{i}", "size": "100Gi"} for i in range(9)]
    world.deployment("away", endpoint="lost", details={"volumes": volumes}, seen=world.ago(minutes=20))
    place.unreachable_since, place.unreachable_reason = world.ago(minutes=20), "No route to host."
    place.save()


@pytest.fixture
def browse(live_server, browser: Browser, several: None) -> Iterator[Callable[..., Page]]:
    """Opens a page as the administrator; afterwards no console may have said anything."""
    said: list[str] = []
    cookie = world.signed_in(world.person()).cookies[settings.SESSION_COOKIE_NAME].value
    contexts = []

    def go(path: str, *, theme: str = "light", width: int = 1280) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
        contexts.append(context)
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(live_server.url + path)
        return page

    yield go
    for context in contexts:
        context.close()
    wait_for_the_last_answer()
    assert said == []


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_every_page_is_accessible_and_fits(browse: Callable[..., Page], theme: str, width: int) -> None:
    page = browse("/", theme=theme, width=width)
    root = page.url.rstrip("/")
    found = {}
    for path in PAGES:
        page.goto(root + path)
        violations = Axe().run(page).response["violations"]
        found[path] = [(v["id"], [node["html"] for node in v["nodes"]]) for v in violations]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found[path].append(("scrolls sideways", []))
    assert {path: what for path, what in found.items() if what} == {}


def test_typing_narrows_the_list_and_keeps_the_focus(browse: Callable[..., Page]) -> None:
    page = browse("/deployments/")
    page.get_by_label("Search deployments").press_sequentially("goo")
    expect(page.locator("#deployments tbody tr")).to_have_count(1)
    expect(page).to_have_url(page.url.split("?")[0] + "?q=goo")
    expect(page.get_by_label("Search deployments")).to_be_focused()
    expect(page.locator("#segment-all")).to_contain_text("1")


def test_a_poll_leaves_an_open_menu_open_and_catches_up_later(browse: Callable[..., Page]) -> None:
    page = browse("/deployments/")
    page.get_by_role("button", name="Actions for good").click()
    menu = page.locator(".menu:popover-open")
    expect(menu).to_be_visible()
    world.see(Deployment.objects.get(name="good"), Phase.DEGRADED, sentence="One is gone.")
    page.wait_for_timeout(3500)
    expect(menu).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("One is gone.")).to_be_visible()


def test_a_poll_keeps_the_focus(browse: Callable[..., Page]) -> None:
    page = browse("/deployments/")
    link = page.get_by_role("link", name="good", exact=True)
    link.focus()
    world.see(Deployment.objects.get(name="good"), Phase.DEGRADED, sentence="One is gone.")
    expect(page.get_by_text("One is gone.")).to_be_visible()
    expect(link).to_be_focused()


def test_delete_asks_in_a_dialog_and_the_way_out_changes_nothing(browse: Callable[..., Page]) -> None:
    page = browse("/deployments/")
    page.get_by_role("button", name="Actions for bad").click()
    page.locator(".menu:popover-open").get_by_text("Delete…").click()
    dialog = page.get_by_role("dialog", name="Delete bad?")
    expect(dialog).to_contain_text("Acme and Globex lose it at once.")
    dialog.get_by_role("button", name="Keep it").click()
    expect(dialog).to_be_hidden()
    assert Deployment.objects.get(name="bad").desired_state == DesiredState.RUNNING
    page.get_by_role("button", name="Actions for bad").click()
    page.locator(".menu:popover-open").get_by_text("Delete…").click()
    dialog.get_by_label("Type bad to confirm").fill("bad")
    dialog.get_by_role("button", name="Delete deployment").dblclick()
    expect(page.get_by_text("bad is being deleted.")).to_have_count(1)
    assert Deployment.objects.get(name="bad").desired_state == DesiredState.DELETED


def test_a_double_click_restarts_once_and_going_back_asks_anew(browse: Callable[..., Page]) -> None:
    page = browse("/deployments/good/restart/")
    expect(page.get_by_text("Last restart")).to_have_count(0)
    page.get_by_role("button", name="Restart replicas").dblclick()
    page.wait_for_url("**/deployments/good/")
    expect(page.get_by_text("The replicas of good are being restarted.")).to_have_count(1)
    page.go_back()
    expect(page.get_by_text("Last restart")).to_be_visible()


def test_a_change_made_by_hand_is_taken_back_from_its_page(browse: Callable[..., Page]) -> None:
    page = browse("/deployments/scaled/")
    expect(page.get_by_text("A change made in the cluster was left")).to_be_visible()
    page.get_by_role("button", name="Repair now").click()
    expect(page.get_by_text("A change made in the cluster is being taken back")).to_be_visible()


def test_a_rollout_is_followed_until_it_serves(browse: Callable[..., Page]) -> None:
    page = browse("/deployments/moves/")
    badge = page.locator("#state")
    expect(badge).to_have_text("Loading weights")
    world.see(Deployment.objects.get(name="moves"), Phase.SERVING, ready=1)
    expect(badge).to_have_text("Serving")
    expect(page.locator("#live")).to_have_attribute("hx-trigger", "every 15s")


def test_the_effect_of_sharing_is_shown_while_choosing(browse: Callable[..., Page]) -> None:
    page = browse("/deployments/bad/sharing/")
    page.get_by_label("Globex").uncheck()
    expect(page.get_by_text("Lose it at once")).to_be_visible()
    page.get_by_role("button", name="Save sharing").click()
    expect(page.get_by_text("Sharing of bad is saved.")).to_be_visible()
    assert [s.organization.slug for s in Deployment.objects.get(name="bad").shares.all()] == ["acme"]
