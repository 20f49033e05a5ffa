"""Reads what engines count themselves: a look at the metrics page of each replica that can be reached by itself."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, NamedTuple

from deployments.models import Observation
from deployments.reach import is_on_loopback
from metering.models import EngineCounter

MOST, AT_ONCE, PATIENCE = 500, 8, 3.0
LARGEST_PAGE = 2 * 1024 * 1024
_LINE = re.compile(
    rb"^(vllm:prompt_tokens_total|vllm:generation_tokens_total)(?:\{[^}]*\})? ([0-9.eE+]+)", re.M
)


class Reading(NamedTuple):
    input: int
    output: int


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Where an engine is comes from us alone."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))


def look(now: datetime) -> int:
    """One look at all of them; how many answered."""
    places = [
        (deployment, url)
        for deployment, urls in Observation.objects.exclude(upstreams=[]).values_list(
            "deployment_id", "upstreams"
        )
        for url in urls
        if is_on_loopback(url)
    ][:MOST]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        readings = list(pool.map(lambda place: _read(place[1]), places))
    found = {place: reading for place, reading in zip(places, readings, strict=True) if reading}
    known = {(each.deployment_id, each.upstream): each for each in EngineCounter.objects.all()}
    EngineCounter.objects.bulk_create(
        [_next(known.get(place), place, reading, now) for place, reading in found.items()],
        update_conflicts=True,
        unique_fields=["deployment_id", "upstream"],
        update_fields=["seen_at", "input_read", "output_read", "input_tokens", "output_tokens"],
    )
    return len(found)


def parse(page: bytes) -> Reading | None:
    """The tokens of a metrics page, of all its ranks; None when it does not count any."""
    sums: dict[bytes, float] = {}
    for name, value in _LINE.findall(page):
        sums[name] = sums.get(name, 0.0) + float(value)
    if len(sums) < 2:
        return None
    return Reading(int(sums[b"vllm:prompt_tokens_total"]), int(sums[b"vllm:generation_tokens_total"]))


def _read(url: str) -> Reading | None:
    try:
        with _opener.open(f"{url}/metrics", timeout=PATIENCE) as answer:
            return parse(answer.read(LARGEST_PAGE))
    except (urllib.error.URLError, OSError, ValueError):
        return None


def _next(
    before: EngineCounter | None, place: tuple[int, str], reading: Reading, now: datetime
) -> EngineCounter:
    counter = before or EngineCounter(
        deployment_id=place[0],
        upstream=place[1],
        since=now,
        input_read=reading.input,
        output_read=reading.output,
    )
    counter.input_tokens += _grown(counter.input_read, reading.input)
    counter.output_tokens += _grown(counter.output_read, reading.output)
    counter.input_read, counter.output_read, counter.seen_at = reading.input, reading.output, now
    return counter


def _grown(before: int, after: int) -> int:
    """A counter that became smaller began anew."""
    return after - before if after >= before else after
