"""The overview of one deployment: diagnosis, timeline, replicas, events, facts, and its own polling."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from deployments import desired
from deployments.models import Deployment, Observation, Transition
from deployments.spec import Limit, Pricing, RateLimits
from deployments.vocabulary import Phase, Sharing, Tone
from tests.deployments.pages import world

ADDRESS = "/deployments/chat/"


def details(**more: object) -> dict[str, object]:
    at = timezone.now().isoformat()
    replica = {
        "name": "md-chat-0",
        "label": "Failed",
        "tone": "bad",
        "sentence": "Tag unknown.",
        "node": "gpu-4",
        "restarts": 3,
        "since": at,
        "revision": 1,
    }
    event = {
        "at": at,
        "kind": "Pod",
        "name": "md-chat-0",
        "reason": "ErrImagePull",
        "message": "not found <b>",
        "times": 6,
        "warning": True,
    }
    return {"replicas": [replica], "events": [event], "log": ["ERROR gone"], "log_of": "md-chat-0", **more}


def failed(**changes: object) -> Deployment:
    made = world.deployment(
        phase=Phase.FAILED,
        ready=0,
        sentence="Cannot pull image x:9.",
        remedy="Correct the tag.",
        details=details(),
        **changes,
    )
    Transition.objects.all().delete()
    now = timezone.now()
    for seconds, phase in (
        (100, Phase.QUEUED),
        (98, Phase.SCHEDULING),
        (90, Phase.PULLING),
        (40, Phase.FAILED),
    ):
        world.move(made, phase, now - timedelta(seconds=seconds))
    return made


def test_a_failure_has_its_cause_its_remedy_and_its_evidence(web: Client) -> None:
    failed()
    page = web.get(ADDRESS).content.decode()
    for fact in (
        "Rollout failed",
        "Cannot pull image x:9.",
        "Correct the tag.",
        "Failed in",
        "Event ErrImagePull",
        "md-chat-0",
        "gpu-4",
        "ERROR gone",
        "not found &lt;b&gt;",
        "Look again",
        "Edit configuration",
    ):
        assert fact in page, fact


def test_the_timeline_marks_the_step_that_failed(web: Client) -> None:
    failed()
    steps = web.get(ADDRESS).context["steps"]
    assert [step.tone for step in steps] == [Tone.GOOD, Tone.GOOD, Tone.BAD, Tone.IDLE, Tone.IDLE]
    assert steps[2].note == "Cannot pull image x:9."


def test_the_expected_time_is_the_median_of_other_rollouts_of_the_model(web: Client) -> None:
    failed()
    other = world.deployment("other")
    Transition.objects.filter(deployment=other).delete()
    start = world.ago(hours=2)
    for seconds, phase in (
        (0, Phase.QUEUED),
        (2, Phase.SCHEDULING),
        (5, Phase.PULLING),
        (35, Phase.LOADING),
        (95, Phase.SERVING),
    ):
        world.move(other, phase, start + timedelta(seconds=seconds))
    response = web.get(ADDRESS)
    assert [step.expected for step in response.context["steps"]] == [
        timedelta(seconds=2),
        timedelta(seconds=3),
        timedelta(seconds=30),
        timedelta(seconds=60),
        None,
    ]
    assert "median of 1 rollout" in response.content.decode()


def test_nothing_is_expected_without_an_earlier_rollout(web: Client) -> None:
    failed()
    response = web.get(ADDRESS)
    assert {step.expected for step in response.context["steps"]} == {None}
    assert "median" not in response.content.decode()


def test_a_new_revision_begins_a_new_timeline(web: Client) -> None:
    made = failed()
    desired.revise(made, world.spec(description="Better"), author=None, expected=1)
    response = web.get(ADDRESS)
    assert "Rollout of revision 2" in response.content.decode()
    assert [step.tone for step in response.context["steps"]][:2] == [Tone.BUSY, Tone.IDLE]


def test_sharing_leaves_the_timeline_of_the_last_rollout(web: Client, ada) -> None:
    made = world.deployment()
    world.move(made, Phase.SERVING, timezone.now())
    desired.share(Deployment.objects.select_related("current").get(), Sharing.ALL, (), author=ada)
    world.see(made, Phase.SERVING, revision=2)
    response = web.get(ADDRESS)
    assert "Rollout of revision 1" in response.content.decode()
    assert response.context["steps"][-1].tone is Tone.GOOD


def test_what_is_well_has_no_diagnosis(web: Client) -> None:
    world.deployment()
    page = web.get(ADDRESS).content.decode()
    assert "diagnosis" not in page
    assert "Look again" not in page


def test_an_old_look_is_never_green(web: Client) -> None:
    world.deployment(seen=world.ago(seconds=75))
    page = web.get(ADDRESS).content.decode()
    assert "Unknown" in page
    assert "Last known" in page
    assert 'data-tone="good">' not in page.partition("<main")[2].partition("phases-title")[0]


@pytest.mark.parametrize(("phase", "every"), [(Phase.LOADING, 2), (Phase.SERVING, 15), (Phase.FAILED, 15)])
def test_it_asks_often_only_while_it_moves(web: Client, phase: Phase, every: int) -> None:
    world.deployment(phase=phase)
    assert f'hx-trigger="every {every}s"' in web.get(ADDRESS).content.decode()


def test_at_rest_an_unchanged_page_is_an_empty_answer(web: Client) -> None:
    made = world.deployment()
    seen = web.get(ADDRESS).context["version"]
    headers = {"HX-Request": "true", "X-Seen": seen}
    world.see(made, Phase.SERVING)
    assert web.get(ADDRESS, headers=headers).status_code == 204
    world.see(made, Phase.DEGRADED)
    part = web.get(ADDRESS, headers=headers).content.decode()
    assert "<html" not in part
    assert 'id="state" hx-swap-oob="true"' in part


def test_facts_name_author_note_address_limits_price_and_organisations(web: Client, ada) -> None:
    world.deployment(
        author=ada,
        rate_limits=RateLimits(organization=Limit(200_000, 600)),
        pricing=Pricing("USD", Decimal("0.15"), Decimal("0.6")),
        sharing=world.shared(Sharing.SELECTED, "acme"),
    )
    page = web.get(ADDRESS).content.decode()
    for fact in (
        "Ada Berg",
        "http://main.example.com/chat/v1",
        "200,000 tokens/min, 600 requests/min",
        "$0.15 in, $0.60 out per 1M tokens",
        "Acme",
    ):
        assert fact in page, fact


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"replicas": [{}], "events": [{}], "log": [], "remarks": None},
        {"replicas": [{"since": "yesterday", "tone": "odd"}], "events": None},
    ],
)
def test_missing_or_odd_details_do_not_break_the_page(web: Client, odd: dict[str, object]) -> None:
    world.deployment(phase=Phase.DEGRADED, details=odd)
    assert web.get(ADDRESS).status_code == 200


def test_pods_of_several_kinds_are_told_apart_with_the_gpus_of_each(ada, web: Client) -> None:
    pods = [
        {"name": "md-chat--graph-frontend-x", "role": "frontend", "gpus": 0},
        {"name": "md-chat--graph-prefill-y", "role": "prefill", "gpus": 4},
    ]
    world.deployment(details={"replicas": pods})
    shown = web.get(ADDRESS).context["replicas"]
    assert [(replica["role"], replica["gpus"]) for replica in shown] == [("Frontend", "–"), ("Prefill", "4")]


def test_a_role_is_a_column_only_where_pods_differ(ada, web: Client) -> None:
    made = world.deployment(details={"replicas": [{"name": "md-chat-0"}]})
    assert ">Role<" not in web.get(ADDRESS).content.decode()
    extra = {"replicas": [{"name": "md-chat-0"}, {"name": "md-chat-1", "extra": True}]}
    Observation.objects.filter(deployment=made).update(details=extra)
    page = web.get(ADDRESS)
    assert ">Role<" in page.content.decode()
    assert [replica["role"] for replica in page.context["replicas"]] == ["", "Extra"]


def test_what_would_help_a_rollout_that_waits_is_told_while_it_moves(ada, web: Client) -> None:
    world.deployment(phase=Phase.UPDATING, sentence="The extra replica waits.", remedy="Free a GPU.")
    assert "Free a GPU." in web.get(ADDRESS).content.decode()
