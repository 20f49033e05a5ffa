"""E14: eight gateway processes whose clocks differ by a minute want all they can get, by the real clock."""

from __future__ import annotations

import pytest
import redis
from django.conf import settings

from metering.limiter import EPOCH_KEY
from tests.metering.limits import race

WINDOW, SECONDS = 1.0, 3.0


@pytest.fixture
def old(valkey: redis.Redis) -> redis.Redis:
    """A Valkey whose history is long enough to be believed."""
    valkey.set(EPOCH_KEY, 1)
    return valkey


def test_eight_processes_with_wrong_clocks_get_one_limit_together(old: redis.Redis) -> None:
    skews = [-30, 30, -17, 17, -3, 3, 0, 30]
    told = race.run(settings.REDIS_URL, skews=skews, window=WINDOW, seconds=SECONDS)
    spans = [span for each in told for span in each]
    window = int(WINDOW * 1_000_000_000) - 1_000_000  # Valkey counts in whole milliseconds
    most = min(race.REQUESTS, race.TOKENS // race.TOKENS_EACH)
    assert race.surely_inside(spans, window) <= most
    assert len(spans) >= 0.9 * most * SECONDS / WINDOW
    assert sum(bool(each) for each in told) >= 4, "no process has it all"
