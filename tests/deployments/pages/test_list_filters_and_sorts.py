"""The list: what needs attention first, filters with counts, sorting, empty states."""

import pytest
from django.test import Client

from deployments.spec import EngineSpec, Gpu, Resources
from deployments.vocabulary import Engine, Phase, Sharing
from tests.deployments.pages import world

ADDRESS = "/deployments/"


@pytest.fixture
def several(db: None) -> None:
    world.deployment("a-serves", Phase.SERVING, sharing=world.shared(Sharing.ALL))
    world.deployment("b-moves", Phase.PULLING, ready=0, endpoint="second")
    world.deployment("c-failed", Phase.FAILED, ready=0, sentence="Cannot pull the image.")
    world.deployment(
        "d-doubtful", Phase.DEGRADED, wanted=2, sharing=world.shared(Sharing.SELECTED, "acme", "globex")
    )
    world.deployment("e-rests", Phase.STOPPED, ready=0, wanted=0, model="qwen-32b")


def names(web: Client, query: str = "") -> list[str]:
    response = web.get(ADDRESS + query)
    assert response.status_code == 200
    return [row.deployment.name for row in response.context["rows"]]


def test_what_needs_attention_comes_first(web: Client, several: None) -> None:
    assert names(web) == ["c-failed", "d-doubtful", "b-moves", "a-serves", "e-rests"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?state=attention", ["c-failed", "d-doubtful"]),
        ("?state=moving", ["b-moves"]),
        ("?state=serving", ["a-serves"]),
        ("?state=stopped", ["e-rests"]),
        ("?q=QWEN", ["e-rests"]),
        ("?q=fail", ["c-failed"]),
        ("?endpoint=second", ["b-moves"]),
        ("?organization=acme", ["d-doubtful", "a-serves"]),
        ("?organization=globex&state=serving", ["a-serves"]),
        ("?engine=nim", []),
    ],
)
def test_filters_narrow_the_list(web: Client, several: None, query: str, expected: list[str]) -> None:
    assert names(web, query) == expected


def test_odd_filters_mean_the_default(web: Client, several: None) -> None:
    assert len(names(web, "?state=x&engine=y&sort=-z&page=999999999999")) == 5


@pytest.mark.parametrize("key", ["name", "state", "ready", "gpus", "engine", "endpoint", "age"])
def test_every_column_sorts_both_ways(web: Client, several: None, key: str) -> None:
    assert sorted(names(web, f"?sort={key}")) == sorted(names(web, f"?sort=-{key}"))


def test_columns_sort_by_what_they_show(web: Client, db: None) -> None:
    engine = EngineSpec(Engine.VLLM, "vllm/vllm-openai", "v0.9.0")
    world.deployment("young", ready=2, wanted=2, resources=Resources(gpu=Gpu(count=10)))
    world.deployment(
        "zebra", ready=1, wanted=1, engine=engine, endpoint="abc", resources=Resources(gpu=Gpu(count=2))
    )
    assert names(web, "?sort=name") == ["young", "zebra"]
    assert names(web, "?sort=-name") == ["zebra", "young"]
    assert names(web, "?sort=ready") == ["zebra", "young"]
    assert names(web, "?sort=gpus") == ["zebra", "young"]
    assert names(web, "?sort=endpoint") == ["zebra", "young"]
    assert names(web, "?sort=age") == ["zebra", "young"]
    assert names(web, "?sort=-age") == ["young", "zebra"]


def test_segments_count_within_the_other_filters(web: Client, several: None) -> None:
    segments = {s["key"]: s["count"] for s in web.get(ADDRESS + "?organization=acme").context["segments"]}
    assert segments == {"all": 2, "attention": 1, "moving": 0, "serving": 1, "stopped": 0}


def test_a_row_says_state_reason_engine_gpus_and_sharing(web: Client, db: None) -> None:
    gpu = Resources(gpu=Gpu(count=2, product="NVIDIA-H100-80GB-HBM3"))
    world.deployment("chat", Phase.DEGRADED, ready=1, wanted=2, sentence="One is gone.", resources=gpu)
    page = web.get(ADDRESS).content.decode()
    for fact in ("Degraded", "One is gone.", "1 / 2", "4 × H100", "vLLM 0.33.0", "Not shared", "fra-1"):
        assert fact in page


def test_the_list_pages_by_fifty(web: Client, db: None) -> None:
    for number in range(52):
        world.deployment(f"d-{number:02}")
    assert len(names(web)) == 50
    assert names(web, "?page=2&sort=name") == ["d-50", "d-51"]
    assert "1 to 50 of 52 deployments" in web.get(ADDRESS).content.decode()


def test_no_match_repeats_the_filter_and_offers_the_way_back(web: Client, several: None) -> None:
    page = web.get(ADDRESS + "?q=falcon&endpoint=main").content.decode()
    assert "No deployment matches “falcon”, on main" in page
    assert "Clear filters" in page


def test_first_use_offers_to_deploy(web: Client) -> None:
    page = web.get(ADDRESS).content.decode()
    assert "No deployments yet" in page
    assert 'href="/models/">Deploy a model' in page


def test_search_text_is_only_text(web: Client, several: None) -> None:
    page = web.get(ADDRESS, {"q": "<script>%_'"}).content.decode()
    assert "<script>%" not in page
    assert names(web, "?q=%25") == []


def test_a_cluster_out_of_reach_is_said_above_the_list(web: Client, several: None) -> None:
    cluster = world.endpoint().cluster
    cluster.unreachable_since, cluster.unreachable_reason = world.ago(minutes=5), "Timed out."
    cluster.save()
    page = web.get(ADDRESS).content.decode()
    assert "Cannot reach fra-1 since" in page
