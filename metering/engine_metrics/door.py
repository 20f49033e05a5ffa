"""The one way to an engine's metrics page: replicas on loopback, many at once, bounded in time and in size."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from metering.engine_metrics import families, page
from metering.engine_metrics.page import Figures

AT_ONCE = 16
#: Seconds: for one page, and until no other one is begun. Together they are less than the minute between two looks.
PATIENCE, MOST_TIME = 3.0, 40.0
LARGEST_PAGE = 2 * 1024 * 1024
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """One replica of a deployment."""

    deployment_id: int
    upstream: str
    """Its base URL."""
    engine: str | None = None
    """A value of `deployments.vocabulary.Engine`."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a replica said, and when it was asked."""

    place: Place
    at: datetime
    figures: Figures


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Where an engine is comes from us alone."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))


def read(places: Sequence[Place], now: datetime) -> list[Reading]:
    """Of those that answered with figures, in the order of the places."""
    began = time.monotonic()

    def ask(place: Place) -> Reading | None:
        passed = time.monotonic() - began
        if passed > MOST_TIME:
            return None
        content = _fetch(f"{place.upstream}{families.path_of(place.engine)}")
        figures = page.parse(content) if content else None
        return Reading(place, now + timedelta(seconds=passed), figures) if figures else None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [reading for reading in pool.map(ask, places) if reading is not None]


def _fetch(url: str) -> bytes | None:
    """A page, cut at its largest size; None when there is none in time."""
    deadline = time.monotonic() + PATIENCE
    content = bytearray()
    try:
        with _opener.open(url, timeout=PATIENCE) as answer:
            while len(content) < LARGEST_PAGE and (piece := answer.read1(_PIECE)):
                content += piece
                if time.monotonic() > deadline:
                    return None
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError):
        return None
    return bytes(content[:LARGEST_PAGE])
