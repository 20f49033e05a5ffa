"""Many gateway processes at once, by the real clock: what they ask for, and what they were admitted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from deployments.vocabulary import LimitScope
from metering.limiter import Bucket

REQUESTS, TOKENS, TOKENS_EACH = 90, 700, 7
BUCKETS = (
    Bucket("{race}:organization:1", LimitScope.ORGANIZATION, REQUESTS, None),
    Bucket("{race}:user:1", LimitScope.USER, None, TOKENS),
    Bucket("{race}:api_key:1", LimitScope.API_KEY, 2 * REQUESTS, 2 * TOKENS),
)
_PROJECT = Path(__file__).parents[3]


def run(url: str, *, skews: list[int], window: float, seconds: float) -> list[list[tuple[int, int]]]:
    """For each process, when it asked for what it was admitted and when that was answered, in nanoseconds."""
    racers = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.metering.limits.racer"),
                *(url, f"racer-{number}", str(window), str(seconds), str(skew)),
            ],
            cwd=_PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number, skew in enumerate(skews)
    ]
    try:
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        told = [racer.communicate(timeout=60)[0] for racer in racers]
        assert [racer.returncode for racer in racers] == [0] * len(racers)
    finally:
        for racer in racers:
            racer.kill()
            racer.communicate()
    return [[(asked, answered) for asked, answered in json.loads(each)] for each in told]


def surely_inside(spans: list[tuple[int, int]], window: int) -> int:
    """The most admissions that certainly were inside one window: asked after its start and answered before its end."""
    starts = sorted(asked for asked, _ in spans)
    return max(
        sum(start <= asked and answered < start + window for asked, answered in spans) for start in starts
    )
