"""The overview: what needs somebody first; before the first deployment the next step; for tenants their models."""

import pytest
from django.test import Client
from django.utils import timezone

from console.access import Role
from deployments.facts import ClusterFacts, GpuNode
from deployments.models import Cluster
from deployments.vocabulary import Phase
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def web() -> Client:
    return world.signed_in(world.person())


def test_what_needs_attention_has_its_cause_its_remedy_and_a_link(web: Client) -> None:
    world.deployment("bad", Phase.FAILED, ready=0, sentence="No such tag.", remedy="Correct it.")
    world.deployment("good", Phase.SERVING)
    page = web.get("/").content.decode()
    for fact in ("No such tag.", "Correct it.", 'href="/deployments/bad/"'):
        assert fact in page
    assert 'href="/deployments/good/"' not in page


def test_all_well_is_said_calmly(web: Client) -> None:
    world.deployment()
    page = web.get("/").content.decode()
    assert "Nothing needs attention" in page
    assert {stat["name"]: stat["value"] for stat in web.get("/").context["stats"]} == {
        "Needs attention": 0,
        "Rolling out": 0,
        "Serving": 1,
        "Not running": 0,
    }


def test_free_gpus_come_from_the_facts_of_the_clusters(web: Client) -> None:
    world.deployment()
    node = GpuNode("n", "NVIDIA-H100-80GB-HBM3", None, total=24, free=5)
    Cluster.objects.update(facts=ClusterFacts("v1.34.2", gpu_nodes=(node,)).to_mapping())
    assert "5 of 24" in web.get("/").content.decode()


def test_a_cluster_out_of_reach_comes_first(web: Client) -> None:
    world.deployment()
    Cluster.objects.create(
        slug="zz", name="zz", unreachable_since=timezone.now(), unreachable_reason="Timed out."
    )
    response = web.get("/")
    assert [cluster.slug for cluster in response.context["clusters"]] == ["zz", "fra-1"]
    assert "Timed out." in response.content.decode()


def test_the_latest_ends_of_rollouts_are_listed(web: Client) -> None:
    made = world.deployment()
    world.move(made, Phase.PULLING, world.ago(seconds=60))
    world.move(made, Phase.SERVING, world.ago(seconds=30))
    assert [change["phase"] for change in web.get("/").context["changes"]] == [Phase.SERVING]


def test_an_unchanged_overview_is_an_empty_answer(web: Client) -> None:
    made = world.deployment()
    headers = {"HX-Request": "true", "X-Seen": web.get("/").context["version"]}
    assert web.get("/", headers=headers).status_code == 204
    world.see(made, Phase.DEGRADED)
    assert web.get("/", headers=headers).status_code == 200


def test_before_the_first_deployment_the_next_missing_step_is_offered(web: Client) -> None:
    def following() -> list[str]:
        return [step["title"] for step in web.get("/").context["steps"] if step.get("next")]

    assert following() == ["Add a cluster"]
    world.endpoint()
    assert following() == ["Add a model"]
    world.model()
    assert following() == ["Deploy a model"]


def test_a_viewer_is_not_offered_to_deploy() -> None:
    world.deployment()
    page = world.signed_in(world.person("v@example.com", Role.VIEWER)).get("/").content.decode()
    assert "Deploy a model" not in page


def test_who_is_not_signed_in_goes_to_the_sign_in() -> None:
    assert Client().get("/").headers["Location"].startswith("/sign-in/")


def test_tenants_are_led_to_their_portal() -> None:
    answer = world.signed_in(world.tenant("bea@acme.example", "acme")).get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/portal/")
