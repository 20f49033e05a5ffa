"""Replicas find berths where GPUs, CPU and memory are free together."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from deployments.facts import GpuNode
from deployments.preflight.berths import Berth, place
from deployments.quantity import GIBI
from deployments.spec import Gpu, Resources
from tests.deployments.preflight.cases import node

PAIR = Resources(gpu=Gpu(count=2))


def test_the_fullest_node_that_fits_comes_first() -> None:
    berths, placed = place((node("a", free=8), node("b", free=3)), PAIR, 2)
    assert placed == 2
    assert berths == (Berth("a", used=0, this=2, free=6), Berth("b", used=5, this=2, free=1))


def test_gpus_of_two_nodes_make_no_replica() -> None:
    assert place((node("a", free=1), node("b", free=1)), PAIR, 1)[1] == 0


def test_a_node_without_memory_or_cpu_takes_nobody() -> None:
    full = node("a")
    assert place((replace(full, memory_free=GIBI),), PAIR, 1)[1] == 0
    assert place((replace(full, cpu_free=100),), PAIR, 1)[1] == 0
    assert place((replace(full, memory_free=50 * GIBI, cpu_free=9000),), PAIR, 3)[1] == 2
    assert place((replace(full, memory_free=None, cpu_free=None),), PAIR, 3)[1] == 3


def test_a_node_that_is_not_ready_has_nothing_free() -> None:
    berths, placed = place((replace(node("a"), ready=False),), PAIR, 1)
    assert (placed, berths) == (0, (Berth("a", used=8, this=0, free=0),))


NODES = st.lists(
    st.builds(
        lambda total, used, ready: GpuNode("", "", None, total, max(0, total - used), ready=ready),
        st.integers(0, 8),
        st.integers(0, 8),
        st.booleans(),
    ),
    max_size=6,
).map(lambda nodes: tuple(replace(found, name=str(index)) for index, found in enumerate(nodes)))


@given(NODES, st.integers(1, 8), st.integers(0, 20))
def test_the_squares_of_every_node_add_up(nodes: tuple[GpuNode, ...], count: int, replicas: int) -> None:
    berths, placed = place(nodes, Resources(gpu=Gpu(count=count)), replicas)
    assert placed <= replicas
    assert sum(berth.this for berth in berths) == placed * count
    for found, berth in zip(nodes, berths, strict=True):
        assert berth.used + berth.this + berth.free == found.total
        assert min(berth.used, berth.this, berth.free) >= 0
        assert berth.this % count == 0
