"""One gateway process that wants all it can get: `python -m tests.metering.limits.racer URL NAME WINDOW SECONDS SKEW`.

Says "ready", waits for a line, and then prints as JSON when it was admitted: [asked, answered], in nanoseconds of the
machine's monotonic clock, which all processes share. Its own idea of the time is wrong by SKEW seconds.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import sys
import time

import time_machine

from metering.gateway.limits import Limits
from metering.gateway.valkey import Valkey
from metering.limiter import Refused
from tests.metering.limits.race import BUCKETS, TOKENS_EACH


async def race(url: str, name: str, window: float, seconds: float) -> list[tuple[int, int]]:
    valkey = Valkey(url, timeout=2.0)  # many processes on few cores
    limits = Limits(valkey, gateway=name, window_seconds=window)
    await valkey.start()
    await limits.start()
    admitted: list[tuple[int, int]] = []
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    ends = time.monotonic() + seconds

    async def want() -> None:
        while time.monotonic() < ends:
            asked = time.monotonic_ns()
            admission = await limits.admit(BUCKETS, TOKENS_EACH)
            if isinstance(admission, Refused):
                await asyncio.sleep(min(0.01, admission.retry_ms / 1000))
                continue
            admitted.append((asked, time.monotonic_ns()))
            limits.settle(admission, used=TOKENS_EACH)

    await asyncio.gather(*(want() for _ in range(4)))
    assert limits.alone == 0
    await limits.close()
    await valkey.close()
    return admitted


if __name__ == "__main__":
    url, name, window, seconds, skew = sys.argv[1:]
    wrong = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=float(skew))
    with time_machine.travel(wrong, tick=True):
        print(json.dumps(asyncio.run(race(url, name, float(window), float(seconds)))))
