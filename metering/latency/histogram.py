"""Histograms of durations with a bound on the error of their percentiles. Pure.

Buckets grow by a fixed ratio, as in DDSketch (Masson, Rim and Lee, VLDB 2019): with buckets (g^(i-1), g^i] and
g = (1 + e) / (1 - e), the value 2 g^i / (g + 1) is within e of everything in bucket i. Two histograms are merged by
adding them up, which loses nothing: a percentile of a month has the same bound as one of an hour.

In memory a histogram is one whole number with a lane of 64 bits for each bucket, so that to merge is to add. Packed it
is the lanes' bytes by significance, compressed: two bytes a bucket where no bucket has more than 65,535.
"""

from __future__ import annotations

import math
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Self

#: The bound on the relative error of a percentile.
ERROR = 0.01
GAMMA = (1 + ERROR) / (1 - ERROR)
LN_GAMMA = math.log(GAMMA)
#: Microseconds. Anything shorter is in the first bucket, anything longer in the last one.
SHORTEST, LONGEST = 100, 3_600_000_000
BUCKETS = math.ceil(math.log(LONGEST / SHORTEST) / LN_GAMMA) + 1
_LANE = 8


def bucket_of(microseconds: int) -> int:
    """The index of a duration's bucket. The ledger asks `slipway_latency_bucket` in the database, which is the same."""
    if microseconds <= SHORTEST:
        return 0
    return min(BUCKETS - 1, math.ceil(math.log(microseconds / SHORTEST) / LN_GAMMA))


def value_of(bucket: int) -> float:
    """Microseconds that are within the bound of everything in a bucket."""
    return SHORTEST * 2 * GAMMA**bucket / (GAMMA + 1)


class Histogram:
    """So many durations, and the sum of them. Immutable."""

    __slots__ = ("_lanes", "count", "total_us")

    def __init__(self, lanes: int = 0, count: int = 0, total_us: int = 0) -> None:
        self._lanes, self.count, self.total_us = lanes, count, total_us

    @classmethod
    def of_counts(cls, counts: Mapping[int, int], total_us: int) -> Self:
        """From the number in each bucket. Raises ValueError for a bucket that there is not, or a negative number."""
        if counts and (min(counts) < 0 or max(counts) >= BUCKETS or min(counts.values()) < 0):
            raise ValueError("no such bucket")
        lanes = sum(count << (8 * _LANE * bucket) for bucket, count in counts.items())
        return cls(lanes, sum(counts.values()), total_us)

    @classmethod
    def of(cls, durations: Iterable[int]) -> Self:
        """From durations in microseconds."""
        counts: dict[int, int] = {}
        total = 0
        for each in durations:
            bucket = bucket_of(each)
            counts[bucket] = counts.get(bucket, 0) + 1
            total += each
        return cls.of_counts(counts, total)

    @classmethod
    def unpack(cls, packed: bytes | memoryview, count: int, total_us: int) -> Self:
        """What `pack` gave. Raises ValueError for what it cannot have given."""
        try:
            planes = zlib.decompress(packed)
        except zlib.error as error:
            raise ValueError("no packed histogram") from error
        if len(planes) % BUCKETS or len(planes) > _LANE * BUCKETS:
            raise ValueError("no packed histogram")
        lanes = bytearray(BUCKETS * _LANE)
        for place in range(len(planes) // BUCKETS):
            lanes[place::_LANE] = planes[place * BUCKETS : (place + 1) * BUCKETS]
        return cls(int.from_bytes(lanes, "little"), count, total_us)

    def pack(self) -> bytes:
        lanes = self._bytes()
        planes = [lanes[place::_LANE] for place in range(_LANE)]
        while planes and not any(planes[-1]):
            planes.pop()
        return zlib.compress(b"".join(planes), 9)

    def __add__(self, other: Histogram) -> Histogram:
        return Histogram(self._lanes + other._lanes, self.count + other.count, self.total_us + other.total_us)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        return (self._lanes, self.count, self.total_us) == (other._lanes, other.count, other.total_us)

    __hash__ = None  # type: ignore[assignment]

    @property
    def mean_us(self) -> float | None:
        """Exact; None of nothing."""
        return self.total_us / self.count if self.count else None

    def percentiles(self, *wanted: int) -> list[float | None]:
        """Microseconds below or at which so many percent are (nearest rank), within the bound; None of nothing."""
        if not self.count:
            return [None] * len(wanted)
        ranks = list(accumulate(memoryview(self._bytes()).cast("Q")))
        return [value_of(bisect_left(ranks, max(1, -(-self.count * each // 100)))) for each in wanted]

    def _bytes(self) -> bytes:
        # A machine with the other byte order would read the lanes in the wrong way; there is none that runs this.
        return self._lanes.to_bytes(BUCKETS * _LANE, "little")
