"""A threshold is a percentage or a number of requests, by its metric; left out, it is one that is worth trying."""

from typing import Any

import pytest

from deployments import document
from deployments.document import Problem
from deployments.spec import Autoscaling
from deployments.vocabulary import ScalingMetric

NUMBERS = [ScalingMetric.REQUESTS_WAITING, ScalingMetric.CONCURRENCY]
PERCENTAGES = [ScalingMetric.CPU, ScalingMetric.MEMORY, ScalingMetric.KV_CACHE]


def read(**raw: Any) -> Autoscaling | list[str]:
    problems: list[Problem] = []
    found = document.read_autoscaling({"enabled": True, **raw}, "spec.autoscaling", problems)
    return found if found is not None else [str(problem) for problem in problems]


@pytest.mark.parametrize("metric", list(ScalingMetric))
def test_every_metric_has_a_threshold_of_its_own_that_it_accepts(metric: ScalingMetric) -> None:
    usual = document.THRESHOLDS[metric]
    assert read(metric=metric.value) == Autoscaling(True, metric=metric, threshold=usual)
    assert read(metric=metric.value, threshold=usual) == read(metric=metric.value)


@pytest.mark.parametrize("metric", PERCENTAGES)
@pytest.mark.parametrize("value", [0, 101, 100_000])
def test_a_percentage_is_from_1_to_100(metric: ScalingMetric, value: int) -> None:
    assert read(metric=metric.value, threshold=value) == [
        f"spec.autoscaling.threshold: {value:,} is out of range. Enter 1 to 100 percent."
    ]


@pytest.mark.parametrize("metric", NUMBERS)
def test_a_number_of_requests_may_be_large_and_not_endless(metric: ScalingMetric) -> None:
    assert read(metric=metric.value, threshold=100_000) == Autoscaling(True, metric=metric, threshold=100_000)
    assert read(metric=metric.value, threshold=100_001) == [
        "spec.autoscaling.threshold: 100,001 is out of range. Enter 1 to 100,000 requests."
    ]


def test_the_threshold_of_an_unknown_metric_is_not_judged() -> None:
    (problem,) = read(metric="gpu", threshold=0)  # type: ignore[misc]
    assert problem.startswith("spec.autoscaling.metric: ")
