"""P12: percentiles of any merge are within 1 % of those of the raw durations, at no more than 2 kB an hour."""

from __future__ import annotations

import math
import random
from functools import reduce
from operator import add

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.latency.histogram import BUCKETS, ERROR, LONGEST, SHORTEST, Histogram, bucket_of, value_of

DURATIONS = st.integers(SHORTEST, LONGEST) | st.integers(20_000, 900_000)
PERCENT = (1, 50, 90, 95, 99, 100)


def exact(durations: list[int], percent: int) -> int:
    """Nearest rank."""
    return sorted(durations)[max(1, math.ceil(len(durations) * percent / 100)) - 1]


@given(st.lists(st.lists(DURATIONS, max_size=60), min_size=1, max_size=8).filter(any))
def test_any_merge_has_the_percentiles_of_the_raw_durations(parts: list[list[int]]) -> None:
    merged = reduce(add, map(Histogram.of, parts))
    raw = [each for part in parts for each in part]
    for percent, found in zip(PERCENT, merged.percentiles(*PERCENT), strict=True):
        true = exact(raw, percent)
        assert found is not None
        assert abs(found - true) <= true * (ERROR + 1e-9)
    assert (merged.count, merged.total_us) == (len(raw), sum(raw))


@given(st.lists(DURATIONS, max_size=60), st.randoms())
def test_the_order_of_merging_does_not_matter(durations: list[int], order: random.Random) -> None:
    shuffled = order.sample(durations, len(durations))
    singles = reduce(add, (Histogram.of([each]) for each in shuffled), Histogram())
    assert singles == Histogram.of(durations)


@given(st.lists(st.integers(0, 10**13), max_size=60))
def test_what_is_packed_comes_back(durations: list[int]) -> None:
    made = Histogram.of(durations)
    assert Histogram.unpack(made.pack(), made.count, made.total_us) == made


@settings(max_examples=20)
@given(st.randoms(use_true_random=False), st.sampled_from([1, 255, 65_535]))
def test_no_hour_takes_more_than_two_kilobytes(chance: random.Random, most: int) -> None:
    """The worst there is: a random number in every bucket there is, 28 million requests in one hour."""
    made = Histogram.of_counts({bucket: chance.randint(0, most) for bucket in range(BUCKETS)}, 0)
    assert len(made.pack()) <= 2000


@pytest.mark.parametrize("packed", [b"", b"nothing", Histogram.of([1]).pack()[:-4]])
def test_what_was_never_packed_is_not_read(packed: bytes) -> None:
    with pytest.raises(ValueError, match="no packed histogram"):
        Histogram.unpack(packed, 1, 1)


@pytest.mark.parametrize("counts", [{-1: 1}, {BUCKETS: 1}, {3: -1}])
def test_buckets_that_there_are_not_are_refused(counts: dict[int, int]) -> None:
    with pytest.raises(ValueError, match="no such bucket"):
        Histogram.of_counts(counts, 0)


def test_nothing_has_no_percentiles_and_no_mean() -> None:
    assert Histogram().percentiles(50, 99) == [None, None]
    assert Histogram().mean_us is None
    assert Histogram.of([100, 201]).mean_us == 150.5


@pytest.mark.django_db
def test_the_database_knows_the_same_buckets() -> None:
    """Every bucket's own value, its edges, what is too short and too long, and some thousand in between."""
    chance = random.Random(5)
    durations = [0, 1, SHORTEST, SHORTEST + 1, LONGEST - 1, LONGEST, LONGEST + 1, 2**62]
    durations += [round(value_of(bucket)) for bucket in range(BUCKETS)]
    durations += [int(math.exp(chance.uniform(math.log(SHORTEST), math.log(LONGEST)))) for _ in range(5000)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT us, slipway_latency_bucket(us) FROM unnest(%s::bigint[]) AS us", [durations])
        for duration, bucket in cursor.fetchall():
            assert bucket == bucket_of(duration), duration
