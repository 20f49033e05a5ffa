"""Metrics in the text format of Prometheus, as the Python client writes it: sorted labels, float values,
`_created` series.

Only what the simulated engine needs: counters, gauges, histograms and summaries with fixed label names.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

Labels = tuple[str, ...]


class Family:
    """One metric with its label names; children are made on first use and listed in that order."""

    kind = "untyped"

    def __init__(self, name: str, help_text: str, labels: Labels = (), *, created: float = 0.0) -> None:
        self.name, self.help_text, self.label_names, self.created = name, help_text, labels, created

    def render(self) -> Iterator[str]:
        """All lines of the family."""
        raise NotImplementedError

    def _head(self, name: str, kind: str) -> Iterator[str]:
        yield f"# HELP {name} {self.help_text}"
        yield f"# TYPE {name} {kind}"

    def _labels(self, values: Labels, extra: Iterable[tuple[str, str]] = ()) -> str:
        pairs = sorted([*zip(self.label_names, values, strict=True), *extra])
        return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in pairs) + "}" if pairs else ""


class Counter(Family):
    """Grows; its series are called `<name>_total`."""

    def __init__(self, name: str, help_text: str, labels: Labels = (), *, created: float = 0.0) -> None:
        super().__init__(name, help_text, labels, created=created)
        self._values: dict[Labels, float] = {}

    def add(self, amount: float, *labels: str) -> None:
        """Count; 0 makes the series appear."""
        self._values[labels] = self._values.get(labels, 0.0) + amount

    def value(self, *labels: str) -> float:
        """The present count."""
        return self._values.get(labels, 0.0)

    def render(self) -> Iterator[str]:
        """See Family."""
        yield from self._head(f"{self.name}_total", "counter")
        for labels, value in self._values.items():
            yield f"{self.name}_total{self._labels(labels)} {number(value)}"
        yield from self._head(f"{self.name}_created", "gauge")
        for labels in self._values:
            yield f"{self.name}_created{self._labels(labels)} {number(self.created)}"


class Gauge(Family):
    """Goes up and down."""

    def __init__(self, name: str, help_text: str, labels: Labels = ()) -> None:
        super().__init__(name, help_text, labels)
        self._values: dict[Labels, float] = {}

    def set(self, value: float, *labels: str) -> None:
        """The new value."""
        self._values[labels] = value

    def render(self) -> Iterator[str]:
        """See Family."""
        yield from self._head(self.name, "gauge")
        for labels, value in self._values.items():
            yield f"{self.name}{self._labels(labels)} {number(value)}"


class Histogram(Family):
    """Counts observations by upper bounds. Children exist from the first `observe` or `prepare` on."""

    def __init__(
        self, name: str, help_text: str, bounds: Iterable[float], labels: Labels = (), *, created: float = 0.0
    ) -> None:
        super().__init__(name, help_text, labels, created=created)
        self._bounds = sorted(float(bound) for bound in bounds)
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def prepare(self, *labels: str) -> None:
        """Make the series appear with zeros."""
        self._counts.setdefault(labels, [0] * (len(self._bounds) + 1))
        self._sums.setdefault(labels, 0.0)

    def observe(self, value: float, *labels: str) -> None:
        """Note one observation."""
        self.prepare(*labels)
        self._counts[labels][bisect_left(self._bounds, value)] += 1
        self._sums[labels] += value

    def render(self) -> Iterator[str]:
        """See Family."""
        yield from self._head(self.name, "histogram")
        for labels, counts in self._counts.items():
            total = 0
            for bound, count in zip([*map(number, self._bounds), "+Inf"], counts, strict=True):
                total += count
                yield f"{self.name}_bucket{self._labels(labels, [('le', bound)])} {number(total)}"
            yield f"{self.name}_count{self._labels(labels)} {number(total)}"
            yield f"{self.name}_sum{self._labels(labels)} {number(self._sums[labels])}"
        yield from self._head(f"{self.name}_created", "gauge")
        for labels in self._counts:
            yield f"{self.name}_created{self._labels(labels)} {number(self.created)}"


class Summary(Histogram):
    """Count and sum without buckets."""

    def __init__(self, name: str, help_text: str, labels: Labels = (), *, created: float = 0.0) -> None:
        super().__init__(name, help_text, (), labels, created=created)

    def render(self) -> Iterator[str]:
        """See Family."""
        yield from self._head(self.name, "summary")
        for labels, counts in self._counts.items():
            yield f"{self.name}_count{self._labels(labels)} {number(sum(counts))}"
            yield f"{self.name}_sum{self._labels(labels)} {number(self._sums[labels])}"
        yield from self._head(f"{self.name}_created", "gauge")
        for labels in self._counts:
            yield f"{self.name}_created{self._labels(labels)} {number(self.created)}"


def number(value: float) -> str:
    """A value as the Python client prints it: always a float, large ones with an exponent."""
    if value == float("inf"):
        return "+Inf"
    text = repr(float(value))
    dot = text.find(".")
    if value > 0 and dot > 6:
        mantissa = f"{text[0]}.{text[1:dot]}{text[dot + 1 :]}".rstrip("0.")
        return f"{mantissa}e+0{dot - 1}"
    return text


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
