"""E5, P16: without Valkey each gateway gives its share of a limit; all shares together are no more than the limit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from deployments.vocabulary import LimitScope
from metering.limiter import Bucket
from metering.local_share import Known, Share, Window, decide
from tests.metering.limits.exact import worst_window

SECONDS = 60.0
LONG_AGO = -1e9


def limited(requests: int | None = None, tokens: int | None = None) -> Bucket:
    return Bucket("{1}:user:1", LimitScope.USER, requests, tokens)


@given(limit=st.integers(0, 10**9), gateways=st.integers(1, 50))
def test_shares_add_up_to_the_limit(limit: int, gateways: int) -> None:
    shares = [Share(gateways, rank).of(limit) for rank in range(gateways)]
    assert sum(shares) == limit
    assert max(shares) - min(shares) <= 1


def test_a_limit_that_is_smaller_than_the_number_of_gateways_is_given_by_the_first_of_them() -> None:
    assert [Share(5, rank).of(2) for rank in range(5)] == [1, 1, 0, 0, 0]


@given(
    asks=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5_000)), min_size=1, max_size=80),
    limit=st.integers(1, 20),
)
def test_no_window_has_more_than_the_limit_of_all_gateways(asks: list[tuple[int, int]], limit: int) -> None:
    """Long after Valkey was lost. Gateway and milliseconds that pass before each request."""
    bucket, windows = limited(requests=limit), [Window(SECONDS) for _ in range(4)]
    now, admitted = 1_000_000, []
    for gateway, passes in asks:
        now += passes
        share = Share(4, gateway)
        if not decide(bucket, windows[gateway], share, now / 1000, LONG_AGO, SECONDS, requests=1, tokens=0):
            windows[gateway].count(now / 1000, 1, 0)
            admitted.append((now, 1))
    assert worst_window(admitted) <= limit


@given(
    before=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 900)), max_size=40),
    after=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4_000)), max_size=80),
    limit=st.integers(4, 30),
)
def test_what_was_admitted_before_the_loss_counts_after_it(
    before: list[tuple[int, int]], after: list[tuple[int, int]], limit: int
) -> None:
    """All gateways had just been told what the bucket held when Valkey was lost."""
    bucket, windows = limited(requests=limit), [Window(SECONDS) for _ in range(4)]
    now, admitted = 1_000_000, []
    for gateway, passes in before:
        now += passes
        if len(admitted) < limit:
            windows[gateway].count(now / 1000, 1, 0)
            admitted.append((now, 1))
    lost_at = now / 1000
    for window in windows:
        window.known = Known(lost_at, len(admitted), 0)
    for gateway, passes in after:
        now += passes
        share = Share(4, gateway)
        if not decide(bucket, windows[gateway], share, now / 1000, lost_at, SECONDS, requests=1, tokens=0):
            windows[gateway].count(now / 1000, 1, 0)
            admitted.append((now, 1))
    assert worst_window(admitted) <= limit


@given(asks=st.lists(st.tuples(st.integers(1, 30), st.integers(0, 9_000)), min_size=1, max_size=40))
def test_a_retry_succeeds_when_it_is_told_to_come_back(asks: list[tuple[int, int]]) -> None:
    bucket, window, now = limited(requests=3, tokens=40), Window(SECONDS), 1_000.0
    for tokens, passes in asks:
        now += passes / 1000
        refused = decide(bucket, window, Share(), now, LONG_AGO, SECONDS, requests=1, tokens=tokens)
        if refused:
            now += refused.retry_ms / 1000
            assert not decide(bucket, window, Share(), now, LONG_AGO, SECONDS, requests=1, tokens=tokens)
        window.count(now, 1, tokens)


def test_more_than_the_limit_can_never_be_had_but_more_than_the_share_may_be() -> None:
    bucket, window = limited(tokens=100), Window(SECONDS)
    for tokens, is_never in ((101, True), (51, False)):
        refused = decide(bucket, window, Share(2), 0.0, LONG_AGO, SECONDS, requests=1, tokens=tokens)
        assert refused is not None
        assert refused.never is is_never


def test_a_question_that_is_not_answered_yet_takes_its_part_of_the_share() -> None:
    bucket, window = limited(requests=1, tokens=100), Window(SECONDS)
    window.pend(1, 60)
    for requests, tokens in ((1, 0), (0, 41)):
        assert decide(bucket, window, Share(), 0.0, LONG_AGO, SECONDS, requests=requests, tokens=tokens)
    window.pend(-1, -60)
    assert not decide(bucket, window, Share(), 0.0, LONG_AGO, SECONDS, requests=1, tokens=100)


def test_a_window_forgets_what_has_left_it() -> None:
    window = Window(SECONDS)
    for second in range(1_000):
        window.count(float(second), 1, 5)
        window.let_go(float(second))
    assert 60 <= window.requests <= 61
    assert window.tokens == 5 * window.requests
    window.let_go(2_000.0)
    assert (window.requests, window.tokens, window.is_idle) == (0, 0, True)
