"""One replica more first: which numbers are applied at which moment, from what is seen and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.plan.surge import (
    ADDED,
    EXTRA,
    KEPT,
    SURPLUS,
    Live,
    Pod,
    Stage,
    advance,
    begin,
    begin_around,
    is_extra,
)

NEW, OLD = "new", "old"


def live(
    replicas: int, partition: int = 0, mark: str = "", ready: int | None = None, acted: bool = True
) -> Live:
    return Live(replicas, partition, mark, replicas if ready is None else ready, NEW, acted)


def pods(*revisions: str, waiting: int = -1) -> list[Pod]:
    """Ready pods of these revisions by number; one of them may wait for a node."""
    return [Pod(i, each, ready=i != waiting, placed=i != waiting) for i, each in enumerate(revisions)]


def numbers(stage: Stage) -> tuple[int, int, str]:
    return stage.replicas, stage.partition, stage.mark


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        (2, live(2), (3, 2, EXTRA)),
        (3, live(2), (3, 2, ADDED)),
        (5, live(2), (5, 2, ADDED)),
        (1, live(3), (3, 1, SURPLUS)),
        # Nothing serves: nothing to protect.
        (2, live(2, ready=0), (2, 0, "")),
        (2, live(0, ready=0), (2, 0, "")),
        (0, live(2), (0, 0, "")),
        # A further revision in the middle of a rollout goes on with the same extra replica.
        (2, live(3, 2, EXTRA), (3, 2, EXTRA)),
        (2, live(3, 0, EXTRA), (3, 2, EXTRA)),
        (3, live(3, 2, EXTRA), (3, 2, ADDED)),
        (4, live(3, 2, EXTRA), (4, 2, ADDED)),
        (1, live(3, 2, EXTRA), (3, 1, EXTRA)),
        (5, live(5, 2, ADDED), (5, 2, ADDED)),
        (1, live(3, 1, SURPLUS), (3, 1, SURPLUS)),
    ],
)
def test_the_first_numbers_for_a_new_template(
    wanted: int, found: Live, expected: tuple[int, int, str]
) -> None:
    assert numbers(begin(wanted, found)) == expected


@pytest.mark.parametrize(
    ("wanted", "found", "seen", "expected"),
    [
        # The extra one is ready: the others follow.
        (2, live(3, 2, EXTRA), pods(OLD, OLD, NEW), (3, 0, EXTRA)),
        (2, live(3, 2, EXTRA), pods(OLD, OLD, NEW, waiting=2), (3, 2, EXTRA)),
        (2, live(3, 2, EXTRA), pods(OLD, OLD), (3, 2, EXTRA)),
        # An old one that fails does not hold it back: the revision may be what heals it.
        (2, live(3, 2, EXTRA), pods(OLD, OLD, NEW, waiting=0), (3, 0, EXTRA)),
        # One after the other.
        (2, live(3, 0, EXTRA), pods(OLD, NEW, NEW), (3, 0, EXTRA)),
        (2, live(3, 0, EXTRA), pods(NEW, NEW, NEW, waiting=0), (3, 0, EXTRA)),
        (2, live(3, 0, EXTRA), pods(NEW, NEW, NEW), (2, 0, "")),
        # Rolled back before anything but the extra one changed, which need not even start.
        (2, live(3, 2, EXTRA), pods(NEW, NEW, OLD, waiting=2), (2, 0, "")),
        # Replicas that are added, or too many, play the part of the extra one.
        (4, live(4, 2, ADDED), pods(OLD, OLD, NEW, NEW), (4, 0, ADDED)),
        (4, live(4, 2, ADDED), pods(OLD, OLD, NEW, NEW, waiting=3), (4, 2, ADDED)),
        (4, live(4, 0, ADDED), pods(NEW, NEW, NEW, NEW), (4, 0, "")),
        (1, live(3, 1, SURPLUS), pods(OLD, NEW, NEW), (3, 0, SURPLUS)),
        (1, live(3, 0, SURPLUS), pods(NEW, NEW, NEW), (1, 0, "")),
        # Another number is wanted meanwhile.
        (3, live(3, 2, EXTRA), pods(OLD, OLD, NEW, waiting=2), (3, 2, ADDED)),
        (1, live(3, 2, EXTRA), pods(OLD, OLD, NEW), (3, 0, EXTRA)),
        (1, live(3, 2, EXTRA), pods(OLD, OLD, NEW, waiting=2), (3, 1, EXTRA)),
        (4, live(3, 0, EXTRA), pods(OLD, OLD, NEW), (4, 0, "")),
        # Nothing serves any more, and the new one waits for a node.
        (1, live(2, 1, EXTRA, ready=0), [Pod(0, OLD, False, True), Pod(1, NEW, False, False)], (1, 0, "")),
        (1, live(2, 1, EXTRA, ready=0), [Pod(0, OLD, False, True), Pod(1, NEW, False, True)], (2, 1, EXTRA)),
        # A set that was made anew around its pods.
        (2, live(2, 2, KEPT), pods(NEW, NEW), (2, 0, "")),
        (2, live(2, 2, KEPT), pods(NEW, NEW, waiting=0), (2, 0, "")),
        (2, live(2, 2, KEPT), pods(OLD, OLD), (3, 2, EXTRA)),
    ],
)
def test_the_next_numbers(wanted: int, found: Live, seen: list[Pod], expected: tuple[int, int, str]) -> None:
    stage = advance(wanted, found, seen)
    assert numbers(stage) == expected
    if numbers(stage) == (found.replicas, found.partition, found.mark):
        assert stage.why == ""


def test_nothing_goes_on_before_the_controller_has_seen_the_last_step() -> None:
    assert numbers(advance(2, live(3, 2, EXTRA, acted=False), pods(NEW, NEW, NEW))) == (3, 2, EXTRA)


def test_a_set_that_is_made_around_serving_pods_keeps_them() -> None:
    assert numbers(begin_around(2, pods(OLD, OLD))) == (2, 2, KEPT)
    assert numbers(begin_around(2, pods(OLD, waiting=0))) == (2, 0, "")
    assert numbers(begin_around(2, [])) == (2, 0, "")
    assert numbers(begin_around(0, pods(OLD))) == (0, 0, "")


def test_only_a_replica_that_came_for_the_rollout_loses_its_volume() -> None:
    assert is_extra(live(3, 2, EXTRA), 2)
    assert not is_extra(live(3, 2, EXTRA), 3)
    assert not is_extra(live(3, 1, SURPLUS), 1)
    assert not is_extra(live(3), 2)


class Controller:
    """A StatefulSet's controller in small: it acts, one pod at a time, whatever it is told in between."""

    def __init__(self, count: int) -> None:
        self.replicas, self.partition, self.mark = count, 0, ""
        self.template, self.pods = 0, {i: [0, True] for i in range(count)}
        self.lowest = count

    def tell(self, stage: Stage) -> None:
        self.replicas, self.partition, self.mark = stage.replicas, stage.partition, stage.mark

    def step(self) -> None:
        """Every pod that was made becomes ready; then the controller makes, removes or replaces."""
        for pod in self.pods.values():
            pod[1] = True
        for ordinal in range(self.replicas):
            self.pods.setdefault(ordinal, [self.template, False])
        for ordinal in [each for each in self.pods if each >= self.replicas]:
            del self.pods[ordinal]
        for ordinal in range(self.replicas - 1, self.partition - 1, -1):
            if self.pods[ordinal][0] != self.template:
                self.pods[ordinal] = [self.template, False]
                break
            if not self.pods[ordinal][1]:
                break
        self.lowest = min(self.lowest, sum(ready for _, ready in self.pods.values()))

    def live(self) -> Live:
        ready = sum(pod[1] for pod in self.pods.values())
        return Live(self.replicas, self.partition, self.mark, ready, str(self.template), True)

    def seen(self) -> list[Pod]:
        return [Pod(i, str(template), ready, True) for i, (template, ready) in self.pods.items()]


@given(st.integers(1, 5), st.integers(1, 5))
def test_never_do_fewer_serve_than_before_or_after(before: int, after: int) -> None:
    controller = Controller(before)
    controller.template = 1
    controller.tell(begin(after, controller.live()))
    for _ in range(60):
        controller.step()
        if controller.mark:
            controller.tell(advance(after, controller.live(), controller.seen()))
    assert numbers_of(controller) == (after, 0, "")
    assert controller.seen() == [Pod(i, "1", True, True) for i in range(after)]
    assert controller.lowest >= min(before, after)


@given(st.integers(1, 4), st.lists(st.tuples(st.integers(0, 12), st.integers(1, 4)), max_size=5))
def test_revisions_in_the_middle_of_a_rollout_all_end_with_the_newest(
    count: int, revisions: list[tuple[int, int]]
) -> None:
    controller, wanted = Controller(count), count
    for template, (steps, number) in enumerate(revisions, start=1):
        wanted = number
        controller.template = template
        controller.tell(begin(wanted, controller.live()))
        for _ in range(steps):
            controller.step()
            if controller.mark:
                controller.tell(advance(wanted, controller.live(), controller.seen()))
    for _ in range(80):
        controller.step()
        if controller.mark:
            controller.tell(advance(wanted, controller.live(), controller.seen()))
    assert numbers_of(controller) == (wanted, 0, "")
    assert controller.seen() == [Pod(i, str(controller.template), True, True) for i in range(wanted)]


def numbers_of(controller: Controller) -> tuple[int, int, str]:
    return controller.replicas, controller.partition, controller.mark
