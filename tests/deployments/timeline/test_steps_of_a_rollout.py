"""Time per step from changes of phase. Pure: no database."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from deployments.history.timeline import Change, Step, expected, spent, steps
from deployments.vocabulary import ROLLOUT_STEPS, Phase, Tone

START = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def at(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


def changes(*pairs: tuple[int, Phase], rollout: object = None) -> list[Change]:
    return [Change(at(seconds), phase, rollout) for seconds, phase in pairs]


def lines(found: list[Step]) -> list[tuple[str, Tone, int | None]]:
    return [(s.label, s.tone, None if s.elapsed is None else int(s.elapsed.total_seconds())) for s in found]


def test_a_straight_rollout() -> None:
    seen = changes(
        (0, Phase.QUEUED), (2, Phase.SCHEDULING), (5, Phase.PULLING), (35, Phase.LOADING), (95, Phase.SERVING)
    )
    assert lines(steps(seen, Phase.SERVING, at(100))) == [
        ("Queued", Tone.GOOD, 2),
        ("Scheduling", Tone.GOOD, 3),
        ("Pulling image", Tone.GOOD, 30),
        ("Loading weights", Tone.GOOD, 60),
        ("Serving", Tone.GOOD, 5),
    ]


def test_the_present_step_turns_and_goes_on() -> None:
    seen = changes((0, Phase.QUEUED), (2, Phase.PULLING))
    found = lines(steps(seen, Phase.PULLING, at(12)))
    assert found[1] == ("Scheduling", Tone.GOOD, 0)
    assert found[2] == ("Pulling image", Tone.BUSY, 10)
    assert found[3] == ("Loading weights", Tone.IDLE, None)


def test_a_failure_belongs_to_its_step_and_its_time_goes_on() -> None:
    seen = changes(
        (0, Phase.QUEUED), (2, Phase.LOADING), (10, Phase.FAILED), (20, Phase.LOADING), (25, Phase.FAILED)
    )
    found = steps(seen, Phase.FAILED, at(40), note="Out of memory.")
    assert lines(found)[3] == ("Loading weights", Tone.BAD, 38)
    assert found[3].note == "Out of memory."


def test_replicas_that_are_replaced_one_by_one_have_their_own_steps() -> None:
    seen = changes((0, Phase.QUEUED), (1, Phase.UPDATING), (61, Phase.SERVING))
    found = steps(seen, Phase.SERVING, at(70), expected={Phase.QUEUED: timedelta(seconds=9)})
    assert [step.label for step in found] == ["Queued", "Rolling out", "Serving"]
    assert {step.expected for step in found} == {None}


def test_a_degraded_one_has_arrived_and_is_marked() -> None:
    seen = changes((0, Phase.QUEUED), (5, Phase.SERVING), (50, Phase.DEGRADED))
    assert lines(steps(seen, Phase.DEGRADED, at(60)))[-1] == ("Serving", Tone.WARN, 55)


def test_bars_compare_with_the_longest_step_where_nothing_is_expected() -> None:
    seen = changes((0, Phase.QUEUED), (10, Phase.SCHEDULING), (50, Phase.SERVING))
    found = steps(seen, Phase.SERVING, at(5000))
    assert [step.fill for step in found[:2]] == [25, 100]
    assert found[-1].fill == 0


def test_the_expected_time_is_the_median_over_straight_rollouts() -> None:
    history = [
        change
        for number, pull in enumerate((10, 30, 500))
        for change in changes(
            (0, Phase.QUEUED), (2, Phase.PULLING), (2 + pull, Phase.SERVING), rollout=number
        )
    ]
    history += changes(
        (0, Phase.QUEUED), (1, Phase.PULLING), (9000, Phase.FAILED), (9001, Phase.SERVING), rollout="bad"
    )
    history += changes((0, Phase.SERVING), rollout="cut off")
    medians, count = expected(history)
    assert count == 3
    assert medians == {Phase.QUEUED: timedelta(seconds=2), Phase.PULLING: timedelta(seconds=30)}


def test_no_history_expects_nothing() -> None:
    assert expected([]) == ({}, 0)


@given(
    st.lists(st.tuples(st.integers(0, 100), st.sampled_from(list(Phase))), max_size=12),
    st.sampled_from(list(Phase)),
)
def test_any_history_gives_a_timeline(pairs: list[tuple[int, Phase]], phase: Phase) -> None:
    seen = changes(*sorted(pairs, key=lambda pair: pair[0]))
    found = steps(seen, phase, at(200))
    total = sum(spent(seen, at(200)).times.values(), timedelta(0))
    assert found[-1].label == Phase.SERVING.label
    assert total <= timedelta(seconds=200)
    assert len(found) in (3, len(ROLLOUT_STEPS))
    reached = [step.elapsed is not None for step in found]
    assert reached == sorted(reached, reverse=True)
