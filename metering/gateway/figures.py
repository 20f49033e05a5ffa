"""The gateway's own figures, for Prometheus: counted as plain numbers, put into words when somebody asks."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
#: Upper bounds in seconds.
_TTFT = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_ITL = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0)


class _Histogram:
    """Counts by upper bound."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def buckets(self) -> tuple[list[tuple[str, float]], float]:
        total, rows = 0, []
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            rows.append((bound, float(total)))
        return rows, self._sum


class Figures:
    """What happened in this process since it began. `gauges` are read when somebody asks."""

    def __init__(
        self,
        gauges: Callable[[], Mapping[str, tuple[str, float]]],
        decisions: Counter[tuple[str, str, str]],
    ) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()
        """By model name and status; refused requests that name no model of ours are counted without one."""
        self.ends: Counter[tuple[str, str]] = Counter()
        """By model name and how an admitted request ended."""
        self.tokens: Counter[tuple[str, str]] = Counter()
        self.decisions = decisions
        """Of the limiter: decision, scope, what."""
        self.estimated = 0
        self.retries = 0
        self.ttft: defaultdict[str, _Histogram] = defaultdict(lambda: _Histogram(_TTFT))
        self.itl: defaultdict[str, _Histogram] = defaultdict(lambda: _Histogram(_ITL))
        self._gauges = gauges
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(self.collect))

    def page(self) -> bytes:
        """The metrics page in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        yield _counter(
            "slipway_gateway_answers", "Answers by model and status.", ("model", "status"), self.answers
        )
        yield _counter(
            "slipway_gateway_requests", "Admitted requests by model and end.", ("model", "end"), self.ends
        )
        yield _counter("slipway_gateway_tokens", "Tokens by model and kind.", ("model", "kind"), self.tokens)
        yield _counter(
            "slipway_gateway_limit_decisions",
            "Decisions of the limiter by scope and what is limited.",
            ("decision", "scope", "what"),
            self.decisions,
        )
        for name, text, number in (
            ("estimated_requests", "Requests whose tokens the gateway had to estimate.", self.estimated),
            ("retries", "Requests that were tried again on another replica.", self.retries),
        ):
            yield CounterMetricFamily(f"slipway_gateway_{name}", text, value=number)
        for name, text, kept in (
            ("ttft", "Time to the first token of a stream.", self.ttft),
            ("itl", "Mean time between the tokens of a stream.", self.itl),
        ):
            family = HistogramMetricFamily(f"slipway_gateway_{name}_seconds", text, labels=["model"])
            for model, histogram in kept.items():
                buckets, total = histogram.buckets()
                family.add_metric([model], buckets, total)
            yield family
        for name, (text, value) in self._gauges().items():
            yield GaugeMetricFamily(f"slipway_gateway_{name}", text, value=value)


def _counter(name: str, text: str, labels: tuple[str, ...], counts: Mapping[Any, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in counts.items():
        family.add_metric([str(value) for value in values], count)
    return family


class _Collector(Collector):
    def __init__(self, collect: Callable[[], Iterator[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterator[Metric]:
        return self._collect()
