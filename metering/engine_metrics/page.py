"""A metrics page in, the figures that are kept out. Pure, and whatever bytes it is given, it finds figures or none.

Only lines with a wanted name are read, each by itself: a page has hundreds of others, and a line that is broken must
not take the rest with it.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, fields

from prometheus_client.parser import text_string_to_metric_families

from metering.engine_metrics.families import FAMILIES, Family, Figure

#: Lines with wanted names that are read of a page, and bytes of one.
MOST_LINES, LONGEST_LINE = 2000, 4096
_LARGEST = 2**53
"""Of a count: beyond it a float, which is what pages have, does not know every number."""
_WANTED = {name for family in FAMILIES for names in family.names.values() for name in names}
_LINE = re.compile(
    rb"^(?:%s)[{ \t][^\n]*" % b"|".join(re.escape(name).encode() for name in sorted(_WANTED)), re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Figures:
    """What one replica says of itself at one moment. None: it does not say."""

    running: int | None = None
    """Requests in the engine's batch."""
    waiting: int | None = None
    """Requests that wait for a place in it."""
    kv_use: float | None = None
    """Of the KV cache, 0 to 1: the mean of its ranks."""
    prefix_hits: int | None = None
    """Prompt tokens found in the prefix cache since the engine began, as the following ones."""
    prefix_queries: int | None = None
    """Prompt tokens looked up in the prefix cache."""
    preemptions: int | None = None
    """Requests that were put back from the batch because the KV cache was full."""
    prompt_tokens: int | None = None
    generation_tokens: int | None = None
    is_engine: bool = True
    """See `Family.is_engine`."""


_FIGURES = tuple(Figure(each.name) for each in fields(Figures) if each.name != "is_engine")


def parse(page: bytes) -> Figures | None:
    """The figures of a page, its label sets added up; None when it has not a single one.

    A page is of the family of which it shows the most figures.
    """
    values = _values(page)
    if not values:
        return None
    family = max(
        FAMILIES, key=lambda each: sum(_find(values, each, figure) is not None for figure in _FIGURES)
    )
    found = {figure: _find(values, family, figure) for figure in _FIGURES}
    use = found.pop(Figure.KV_USE)
    counts = {figure.value: _count(each) for figure, each in found.items()}
    figures = Figures(kv_use=_mean(use), is_engine=family.is_engine, **counts)
    return figures if figures != Figures(is_engine=family.is_engine) else None


def _values(page: bytes) -> Mapping[str, list[float]]:
    """By name, the values of all label sets that can be believed."""
    values: dict[str, list[float]] = defaultdict(list)
    for number, match in enumerate(_LINE.finditer(page)):
        if number == MOST_LINES:
            break
        if len(match[0]) > LONGEST_LINE:
            continue
        try:
            for metric in text_string_to_metric_families(match[0].decode()):
                for sample in metric.samples:
                    if math.isfinite(sample.value) and sample.value >= 0:
                        values[sample.name].append(sample.value)
        except (ValueError, LookupError, OverflowError):
            continue
    return values


def _find(values: Mapping[str, list[float]], family: Family, figure: Figure) -> list[float] | None:
    return next((values[name] for name in family.names.get(figure, ()) if name in values), None)


def _count(values: list[float] | None) -> int | None:
    if values is None or (total := math.fsum(values)) > _LARGEST:
        return None
    return round(total)


def _mean(values: list[float] | None) -> float | None:
    """Of shares; what is more than all of it is no share."""
    if values is None or max(values) > 1:
        return None
    return math.fsum(values) / len(values)
