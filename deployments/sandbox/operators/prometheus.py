"""The sandbox's Prometheus: the metrics pages of all engines, asked at the moment of the query.

It has an address, as in a real cluster, and answers only there. Each series carries the labels that a scrape of
pods adds: `namespace`, `pod`, `container`, `job`.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from deployments.sandbox.engines.engine_host import EngineHost
from deployments.sandbox.nodes.kubelet import Kubelet
from deployments.sandbox.operators import promql
from deployments.sandbox.operators.promql import Labels, QueryError, Sample

if TYPE_CHECKING:
    from deployments.sandbox.store import Store

ADDRESS = "http://prometheus.monitoring:9090"
_HOSTS = ("prometheus.monitoring", "prometheus.monitoring.svc", "prometheus.monitoring.svc.cluster.local")
_LINE = re.compile(r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_NAMES = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


class ScrapeError(Exception):
    """Why a query has no answer, in the words of whoever asked."""


class Prometheus:
    """Answers instant queries."""

    def __init__(self, store: Store, kubelet: Kubelet, engines: EngineHost) -> None:
        self._store = store
        self._kubelet = kubelet
        self._engines = engines

    def number(self, address: str, query: str, *, empty_is_zero: bool) -> float:
        """The one number that a query gives. Raises ScrapeError as KEDA's scaler reports it."""
        parts = urlsplit(address)
        if parts.hostname not in _HOSTS or (parts.port or 80) != 9090:
            asked = f'Get "{address.rstrip("/")}/api/v1/query?query={quote(query, safe="")}"'
            if parts.hostname in _HOSTS:
                raise ScrapeError(
                    f"{asked}: dial tcp 10.96.0.90:{parts.port or 80}: connect: connection refused"
                )
            raise ScrapeError(f"{asked}: dial tcp: lookup {parts.hostname} on 10.96.0.10:53: no such host")
        try:
            value = promql.evaluate(query, self._samples(query))
        except QueryError:
            raise ScrapeError("prometheus query api returned error. status: 400") from None
        found = [value] if isinstance(value, float) else [each for _labels, each in value]
        if len(found) > 1:
            raise ScrapeError(f"prometheus query {query} returned multiple elements")
        if found and math.isfinite(found[0]):
            return found[0]
        if empty_is_zero:
            return 0.0
        if not found:
            raise ScrapeError("prometheus metrics 'prometheus' target may be lost, the result is empty")
        raise ScrapeError(f"prometheus query returns {found[0]}")

    def _samples(self, query: str) -> list[Sample]:
        """The series that a query can be about: reading whole pages for one gauge would be slow."""
        names = set(_NAMES.findall(query))
        samples: list[Sample] = []
        for pod in self._store.list("pods"):
            meta = pod["metadata"]
            for container in self._kubelet.running(meta["uid"]):
                page = self._engines.page(f"{meta['uid']}/{container}")
                where = (
                    ("container", container),
                    ("job", f"{meta['namespace']}/pods"),
                    ("namespace", meta["namespace"]),
                    ("pod", meta["name"]),
                )
                samples += _read(page, names if "__name__" not in names else None, where)
        return samples


def _read(page: str, names: set[str] | None, where: Labels) -> list[Sample]:
    found = []
    for line in page.splitlines():
        match = _LINE.fullmatch(line)
        if match is None or (names is not None and match["name"] not in names):
            continue
        own = tuple(_LABEL.findall(match["labels"] or ""))
        found.append(
            Sample(match["name"], tuple(sorted({**dict(own), **dict(where)}.items())), float(match["value"]))
        )
    return found
