"""GPUs by their short names, and what is free of them."""

import pytest

from deployments.facts import ClusterFacts, GpuNode
from deployments.gpus import Supply, count, short_name, supply, taken


@pytest.mark.parametrize(
    ("product", "name"),
    [
        ("NVIDIA-H100-80GB-HBM3", "H100"),
        ("NVIDIA-L40S", "L40S"),
        ("NVIDIA-A100-SXM4-80GB", "A100"),
        ("NVIDIA-H200", "H200"),
        ("Tesla-T4", "Tesla-T4"),
        ("", ""),
    ],
)
def test_short_names(product: str, name: str) -> None:
    assert short_name(product) == name


def test_counts_name_the_product_when_there_is_one() -> None:
    assert (count(4, "NVIDIA-H100-80GB-HBM3"), count(4, None), count(0, "NVIDIA-L40S")) == (
        "4 × H100",
        "4",
        "–",
    )


def test_supply_adds_up_over_clusters_and_counts_sick_nodes_as_taken() -> None:
    first = ClusterFacts("v1", gpu_nodes=(GpuNode("a", "NVIDIA-H100-80GB-HBM3", None, total=8, free=5),))
    second = ClusterFacts(
        "v1",
        gpu_nodes=(
            GpuNode("b", "NVIDIA-H100-80GB-HBM3", None, total=8, free=8, ready=False),
            GpuNode("c", "NVIDIA-L40S", None, total=4, free=4),
        ),
    )
    assert supply([first, second]) == [Supply("H100", 5, 16), Supply("L40S", 4, 4)]


@pytest.mark.parametrize(
    ("engine", "pods", "number"),
    [
        ({"kind": "vllm"}, 3, 6),
        ({"kind": "nim"}, 0, 0),
        ({"kind": "dynamo"}, 3, 4),
        ({"kind": "dynamo"}, 0, 0),
        ({"kind": "dynamo", "workers": {"prefill": 1, "decode": 2}}, 4, 6),
        ({"kind": "dynamo", "workers": {"prefill": {"replicas": 1, "gpus": 4}, "decode": 2}}, 5, 10),
        ({"kind": "dynamo", "workers": {"prefill": 3, "decode": {"replicas": 1, "gpus": 1}}}, 2, 2),
    ],
)
def test_a_frontend_takes_no_gpu(engine: dict[str, object], pods: int, number: int) -> None:
    assert taken({"engine": engine, "resources": {"gpu": {"count": 2}}}, pods) == number
