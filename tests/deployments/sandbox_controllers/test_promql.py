"""The part of PromQL that the sandbox's Prometheus understands."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.manifests import scaling
from deployments.sandbox.operators.promql import QueryError, Sample, evaluate
from deployments.vocabulary import ScalingMetric
from tests.deployments.manifests.dynamo_cases import SCALING, graph


def sample(name: str, value: float, **labels: str) -> Sample:
    return Sample(name, tuple(sorted(labels.items())), value)


_SAMPLES = [
    sample("waiting", 2, pod="a-0", model="x"),
    sample("waiting", 4, pod="a-1", model="x"),
    sample("waiting", 9, pod="b-0", model="y"),
    sample("used", 0.5, pod="a-0"),
    sample("old_used", 0.9, pod="a-0"),
    sample("old_used", 0.1, pod="a-1"),
]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("sum(waiting)", 15),
        ('sum(waiting{model="x"})', 6),
        ('sum(waiting{model!="x"})', 9),
        ('sum(waiting{pod=~"a-.+"}) + sum(waiting{pod=~"b-[0-9]+"})', 15),
        ('max(waiting{pod!~"b-.*"})', 4),
        ("avg(waiting)", 5),
        ("count(waiting)", 3),
        ("100 * avg(used or old_used)", 30),
        ("sum(missing) or vector(0)", 0),
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ('sum({__name__="waiting"}) / 3', 5),
    ],
)
def test_a_query_has_its_value(query: str, wanted: float) -> None:
    value = evaluate(query, _SAMPLES)
    assert value == wanted if isinstance(value, float) else [each for _labels, each in value] == [wanted]


def test_nothing_is_found_where_there_is_nothing() -> None:
    assert evaluate("sum(missing)", _SAMPLES) == []
    assert evaluate('waiting{pod="c"}', _SAMPLES) == []


def test_what_is_not_aggregated_keeps_all_its_series() -> None:
    assert len(evaluate("waiting", _SAMPLES)) == 3  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "sum(",
        "sum(waiting",
        "waiting}",
        "rate(waiting[5m])",
        'waiting{pod=~"["}',
        "1 or 2",
        "sum(1)",
        "(" * 60,
    ],
)
def test_what_it_cannot_read_is_an_error(query: str) -> None:
    with pytest.raises(QueryError):
        evaluate(query, _SAMPLES)


@given(st.text(alphabet='sum(avg){}=~"ab1+*/or ,', max_size=60))
def test_any_text_is_a_value_or_an_error(query: str) -> None:
    try:
        value = evaluate(query, _SAMPLES)
    except QueryError:
        return
    assert isinstance(value, float | list)


@pytest.mark.parametrize("metric", [metric for metric in ScalingMetric if metric.is_of_engine])
def test_what_the_console_asks_is_understood(metric: ScalingMetric) -> None:
    spec = graph(autoscaling=replace(SCALING, metric=metric))
    query = scaling.query(spec, "models", "md-qwen--graph-worker")
    samples = [
        sample(name, 1, namespace="models", pod="md-qwen--graph-worker-0a1b2c3d-xyz")
        for name in ("vllm:num_requests_waiting", "vllm:num_requests_running", "vllm:kv_cache_usage_perc")
    ]
    assert len(evaluate(query, samples)) == 1  # type: ignore[arg-type]
    assert evaluate(query, []) == []
