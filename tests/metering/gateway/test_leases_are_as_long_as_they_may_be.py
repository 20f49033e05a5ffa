"""How much of a limit one stream holds ahead of what it says: about a second of it, and more only out of plenty."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.gateway import body
from metering.gateway.admission import Admission
from metering.gateway.lease import LONGEST, SHORTEST, Lease
from metering.gateway.limits import Limits
from metering.limiter import Refused

STREAM = body.read("/v1/chat/completions", b'{"model":"chat","messages":[],"stream":true}')


class Granting:
    """Limits that grant everything and remember what was asked."""

    def __init__(self) -> None:
        self.held: list[int] = []

    async def extend(self, admission: Admission, *, used: int, hold: int) -> Refused | None:
        self.held.append(hold)
        return None

    def adjust(self, admission: Admission, *, hold: int) -> None:
        pass


def lease(room: int, granted: int = 64) -> tuple[Lease, Granting]:
    limits, admission = Granting(), Admission((), 100, 0.0)
    admission.room = room
    made = Lease(cast(Limits, limits), admission, STREAM, hold=granted, prompt=0)
    made.learn_prompt(0)
    return made, limits


def next_hold(room: int, rate: float) -> int:
    made, limits = lease(room)
    made.pace(rate)
    with pytest.raises(StopIteration) as ended:
        made.extend(64).send(None)  # these limits wait for nothing, so one step is all of it
    assert ended.value.value is None
    return limits.held[-1]


@pytest.mark.parametrize(
    ("room", "rate", "held"),
    [
        (0, 50, 50),  # nobody knows: a second
        (10_000, 50, 50),
        (200_000, 50, 200),  # a thousandth of what is left
        (10**9, 50, 400),  # eight seconds, and no more
        (10**9, 5_000, 4_096),
        (0, 5_000, LONGEST),
        (0, 0.1, SHORTEST),
    ],
)
def test_a_lease_lasts_a_second_or_longer_out_of_plenty(room: int, rate: float, held: int) -> None:
    assert next_hold(room, rate) == held


@given(room=st.integers(0, 10**12), rate=st.floats(0, 1e6))
def test_longer_leases_never_hold_more_than_a_thousandth_of_what_is_left(room: int, rate: float) -> None:
    made, _ = lease(room)
    made.pace(rate)
    assert made._size <= max(LONGEST, room // 1000)


@given(room=st.integers(0, 10**9), rate=st.floats(1, 1e4), output=st.integers(0, 200))
def test_while_there_is_nothing_to_decide_nothing_would_have_been_decided(
    room: int, rate: float, output: int
) -> None:
    """The quick answer never passes what the slow one would stop, nor leaves out a question it would ask."""
    made, _ = lease(room)
    made.pace(rate)
    made._calm()
    if output <= made.calm_until:
        assert made.covers(output)
        assert not made.wants_more(output)
