"""The autoscaler's card, and the notice about changes that others made in the cluster."""

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from deployments.drifting import REPAIR
from deployments.models import Deployment
from deployments.spec import Autoscaling
from deployments.vocabulary import DriftPolicy, Phase, ScalingMetric
from tests.deployments.pages import world

ADDRESS = "/deployments/chat/"


def text(answer) -> str:
    return unescape(answer.content.decode())


def scaling(**more: Any) -> dict[str, Any]:
    event = {
        "at": timezone.now().isoformat(),
        "kind": "HorizontalPodAutoscaler",
        "name": "md-chat",
        "reason": "SuccessfulRescale",
        "message": "New size: 2; reason: cpu resource utilization <above> target",
        "times": 1,
        "warning": False,
    }
    known = {
        "metric": "cpu",
        "unit": "percent",
        "current": 93.0,
        "target": 80.0,
        "replicas": 2,
        "desired": 3,
        "minimum": 1,
        "maximum": 4,
        "last_scaled_at": world.ago(minutes=5).isoformat(),
        "capped": False,
        "capped_since": None,
        "reason": "",
        "events": [event],
    }
    return {"scaling": known | more}


def scaled(details: dict[str, Any], metric: ScalingMetric = ScalingMetric.CPU, **more: Any) -> Deployment:
    wanted = Autoscaling(True, 1, 4, metric, 80)
    return world.deployment(autoscaling=wanted, details=details, **more)


def card(web: Client) -> str:
    return text(web.get(ADDRESS)).partition('id="scaling-title"')[2].partition("</section>")[0]


def test_what_is_measured_stands_beside_its_target(web: Client) -> None:
    scaled(scaling())
    shown = card(web)
    assert "By CPU, 1 to 4 replicas" in shown
    assert "93 of 80 %" in shown
    assert "2, and it wants 3" in shown
    assert "(5 min ago)" in shown
    assert "SuccessfulRescale" in shown
    assert "New size: 2" in shown
    assert "The autoscaler sets the number of replicas. While it is off, the Engine page does: 1." in shown


def test_requests_are_counted_for_each_replica(web: Client) -> None:
    scaled(scaling(current=2.5, target=5.0, unit="requests"), ScalingMetric.REQUESTS_WAITING)
    assert "2.5 of 5 for each replica" in card(web)


def test_labels_that_only_keda_needs_are_left_out_of_what_it_did(web: Client) -> None:
    labels = (
        "&LabelSelector{MatchLabels:map[string]string{scaledobject.keda.sh/name: md-chat,},"
        "MatchExpressions:[]LabelSelectorRequirement{},}"
    )
    told = [
        {"reason": "SuccessfulRescale", "message": f"external metric s0-prometheus({labels}) above target"},
        {"reason": "FailedGet", "message": f"external metric models/s0-prometheus/{labels}: lost"},
    ]
    scaled(scaling(events=told), ScalingMetric.REQUESTS_WAITING)
    shown = card(web)
    assert "external metric s0-prometheus above target" in shown
    assert "external metric models/s0-prometheus: lost" in shown


def test_at_its_maximum_it_says_since_when(web: Client) -> None:
    since = world.ago(minutes=7)
    scaled(scaling(capped=True, capped_since=since.isoformat(), replicas=4, desired=4))
    shown = card(web).replace("\xa0", " ")
    # Shortly after midnight the day is said, too.
    assert re.search(rf"At its maximum of 4 replicas since [^<.]*{since:%H:%M}", shown)
    assert 'data-tone="warn"' in shown


def test_one_that_cannot_act_says_why_and_shows_no_figure(web: Client) -> None:
    scaled(scaling(current=None, reason="The autoscaler cannot read how busy the replicas are."))
    shown = card(web)
    assert "The autoscaler cannot act" in shown
    assert "cannot read how busy" in shown
    assert "meter" not in shown


def test_before_anything_is_measured_it_says_so(web: Client) -> None:
    scaled(scaling(current=None, events=[]))
    assert "Nothing has been measured yet." in card(web)


@pytest.mark.parametrize("details", [{}, {"scaling": None}, {"scaling": "odd"}])
def test_one_that_was_not_found_is_not_made_up(web: Client, details: dict[str, Any]) -> None:
    scaled(details)
    assert "No autoscaler was found at the last look." in card(web)


def test_switched_off_or_stopped_there_is_no_card(web: Client) -> None:
    made = world.deployment(details=scaling())
    assert card(web) == ""
    Deployment.objects.update(desired_state="stopped")
    world.see(made, Phase.STOPPED, ready=0, wanted=0, details=scaling())
    assert card(web) == ""


def drifted(repaired: bool, policy: DriftPolicy = DriftPolicy.REPAIR, **more: Any) -> None:
    changes = [
        {"object": "StatefulSet/md-chat", "paths": ["spec.replicas"], "by": "kubectl-scale"},
        {"object": "Service/md-chat", "paths": [], "by": ""},
        {"object": "StatefulSet/md-chat", "paths": ["metadata.labels"], "by": ""},
    ]
    world.deployment()
    record = {
        "at": timezone.now().isoformat(),
        "policy": policy.value,
        "changes": changes,
        "repaired": repaired,
    }
    Deployment.objects.update(drift=record | more, drift_policy=policy)


def test_a_change_that_was_taken_back_is_told_with_who_made_it(web: Client) -> None:
    drifted(repaired=True)
    page = text(web.get(ADDRESS))
    assert "3 changes made in the cluster were taken back" in page
    assert "StatefulSet md-chat: spec.replicas changed by kubectl-scale." in page
    assert "Service md-chat was removed." in page
    assert "metadata.labels changed, by whom the cluster does not say." in page
    assert "Repair now" not in page


def test_a_change_that_is_left_can_be_taken_back_once(web: Client) -> None:
    drifted(repaired=False, policy=DriftPolicy.LEAVE)
    assert "3 changes made in the cluster were left" in text(web.get(ADDRESS))
    for _ in range(2):
        page = text(web.post(f"{ADDRESS}drift/repair/", follow=True))
    found = Deployment.objects.get()
    assert found.drift[REPAIR] is True
    assert found.drift_policy == DriftPolicy.LEAVE
    assert "3 changes made in the cluster are being taken back" in page
    assert 'id="repair-now"' not in page


def test_without_any_change_there_is_nothing_to_take_back(web: Client) -> None:
    world.deployment()
    assert "Nothing is left to take back." in text(web.post(f"{ADDRESS}drift/repair/", follow=True))
    assert Deployment.objects.get().drift is None


def test_the_policy_is_chosen_with_what_each_means(web: Client) -> None:
    world.deployment()
    page = text(web.get(f"{ADDRESS}drift/"))
    assert "A changed field is set back" in page
    assert "The page says what was changed and by whom." in page
    answer = web.post(f"{ADDRESS}drift/", {"policy": "leave"}, follow=True)
    assert "Slipway leaves them and says so here." in text(answer)
    assert Deployment.objects.get().drift_policy == DriftPolicy.LEAVE


@pytest.mark.parametrize("policy", ["", "ignore"])
def test_a_policy_that_does_not_exist_is_refused(web: Client, policy: str) -> None:
    world.deployment()
    assert web.post(f"{ADDRESS}drift/", {"policy": policy}).status_code == 422
    assert Deployment.objects.get().drift_policy == DriftPolicy.REPAIR


def test_a_viewer_sees_the_change_and_no_button(web: Client) -> None:
    drifted(repaired=False, policy=DriftPolicy.LEAVE)
    viewer = world.signed_in(world.person("vera@example.com", world.Role.VIEWER))
    page = text(viewer.get(ADDRESS))
    assert "3 changes made in the cluster were left" in page
    assert "Repair now" not in page


def test_a_poll_notices_a_new_change(web: Client) -> None:
    world.deployment()
    version = web.get(ADDRESS).context["version"]
    poll = {"HX-Request": "true", "X-Seen": version}
    assert web.get(ADDRESS, headers=poll).status_code == 204
    Deployment.objects.update(
        drift={
            "at": timezone.now().isoformat(),
            "policy": "leave",
            "changes": [{"object": "Service/md-chat"}],
            "repaired": False,
        }
    )
    assert "was removed" in text(web.get(ADDRESS, headers=poll))
